//! Bad input is kept with its reason and its exact bytes, and touches nothing else.

use std::collections::BTreeMap;

use common::health::v1::State;
use common::raw::v1::Delivery;
use prost::Message as _;
use weir_tests::balance::Balance;

use crate::stage::Place;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_broken_change_of_a_thousand_is_one_dead_letter() {
    let place = Place::new("thousand");
    let stage = place.start_ready().await;
    let mut changes: Vec<String> = (0..1000).map(|n| Place::change(&format!("7_1_{n}"), "fine")).collect();
    changes[617] = r#"{"field":"feed","value":"broken at 617"}"#.to_owned();
    let delivery = place.delivery("meta", Place::page("7", &changes), &[]);
    let at = place.put_deliveries("raw.meta", [delivery.clone()]).await.remove(0);
    place.read_exactly("events.facebook.comment", 999).await;
    place.read_exactly("activities", 999).await;
    let [letter] = place.dead_letters(1).await.try_into().unwrap();
    assert_eq!((letter.stage.as_str(), letter.reason.as_str()), ("processing", "wrong_shape"));
    let found = letter.coordinates.unwrap();
    assert_eq!((found.index, found.offset, found.partition), (617, at.offset, at.partition));
    assert_eq!((found.topic.as_str(), found.log.as_str()), (&*at.topic, &*at.log));
    assert_eq!((letter.source.as_str(), letter.endpoint.as_str()), ("meta", place.name.as_str()));
    assert_eq!((letter.tenant.as_str(), letter.delivery_id.as_str()), ("acme", delivery.delivery_id.as_str()));
    assert_eq!((letter.content_type.as_str(), letter.attempts), ("application/json", 1));
    let payload = std::str::from_utf8(&letter.payload).unwrap();
    assert!(payload.contains("broken at 617") && payload.contains("\"object\""), "{payload}");
    assert!(payload.len() < 500, "only the one item in its envelope: {} bytes", payload.len());
    assert_eq!(stage.balance().await, Balance::new(1000, 999, 1, []));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_nonsense_has_its_reason_and_the_partition_goes_on() {
    let place = Place::new("nonsense");
    let stage = place.start_ready().await;
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)).into_bytes();
    let bodies: [(&str, Vec<u8>); 6] = [
        ("not_json", b"hello".to_vec()),
        ("not_utf8", b"{\"object\":\"page\",\"\xff\":1}".to_vec()),
        ("too_deep", deep),
        ("truncated", br#"{"object":"page","entry":[{"id":"7""#.to_vec()),
        ("empty", br#"{"object":"page","entry":[]}"#.to_vec()),
        ("wrong_shape", b"[1,2,3]".to_vec()),
    ];
    let mut expected: BTreeMap<&str, Vec<u8>> = bodies.iter().map(|(reason, body)| (*reason, body.clone())).collect();
    let mut values: Vec<(String, Vec<u8>)> = bodies
        .iter()
        .map(|(_, body)| ("key".to_owned(), place.delivery("meta", body.clone(), &[]).encode_to_vec()))
        .collect();
    let unknown = place.delivery("myspace", "{}", &[]).encode_to_vec();
    let junk = b"\xff\xfe no delivery".to_vec();
    values.push(("key".into(), junk.clone()));
    values.push(("key".into(), unknown.clone()));
    expected.insert("undecodable", junk);
    expected.insert("unknown_source", unknown);
    let good = place.delivery("meta", Place::page("7", &[Place::change("7_1_1", "still here")]), &[]);
    values.push(("key".into(), good.encode_to_vec()));
    place.put("raw.meta", values).await;

    place.read_exactly("events.facebook.comment", 1).await;
    let letters = place.dead_letters(expected.len()).await;
    let mut ids = std::collections::BTreeSet::new();
    for letter in letters {
        let bytes = expected.remove(letter.reason.as_str()).unwrap_or_else(|| panic!("{} twice", letter.reason));
        assert_eq!(letter.payload, bytes, "{}: the exact bytes", letter.reason);
        assert_eq!(letter.endpoint, place.name, "{}", letter.reason);
        assert!(!letter.message.is_empty());
        assert!(ids.insert(letter.id));
        let labels = [("stage", "processing"), ("reason", letter.reason.as_str())];
        assert!(stage.metric("weir_dead_letters_total", &labels).await >= 1, "{}", letter.reason);
    }
    assert!(expected.is_empty(), "not refused: {:?}", expected.keys());
    // What is refused as a whole is one in and one dead letter.
    assert_eq!(stage.balance().await, Balance::new(9, 1, 8, []));
    assert_eq!(stage.check("processing_dead_letter_storm").0, State::Ok);
    stage.stop().await;
}

/// A place that needs few dead letters for a storm.
fn place(name: &str) -> Place {
    let mut place = Place::new(name);
    place.settings.processing.storm.min_deliveries = 50;
    place.settings.processing.storm.min_elsewhere = 10;
    place
}

fn broken(place: &Place, endpoint: &str) -> Delivery {
    Delivery { endpoint: format!("{}-{endpoint}", place.name), ..place.delivery("meta", "broken", &[]) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_endpoints_storm_is_told_and_goes_on() {
    let place = place("one-storm");
    let stage = place.start_ready().await;
    place.put_deliveries("raw.meta", (0..200).map(|_| broken(&place, "a"))).await;
    place.dead_letters(200).await;
    let (state, message) = stage.check("processing_endpoint_dead_letters");
    assert_eq!(state, State::Failing);
    assert!(message.contains(&format!("{}-a", place.name)), "{message}");
    place.put_deliveries("raw.meta", [place.delivery("meta", Place::page("7", &[Place::change("1", "x")]), &[])]).await;
    place.read_exactly("events.facebook.comment", 1).await;
    assert_eq!(stage.check("processing_dead_letter_storm").0, State::Ok);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_over_several_endpoints_stops_the_stage_with_its_input_untouched() {
    let mut place = place("storm");
    place.make_raw_topics().await;
    let endpoints = ["a", "b", "c"];
    place.put_deliveries("raw.meta", (0..600).map(|n| broken(&place, endpoints[n % 3]))).await;
    let stage = place.start().await;
    stage.until("stops", |stage| stage.check("processing_dead_letter_storm").0 == State::Failing).await;
    let message = stage.check("processing_dead_letter_storm").1;
    // Which of the three it saw first is the partitions' affair; one alone is never enough.
    let named = endpoints.iter().filter(|endpoint| message.contains(&format!("{}-{endpoint}", place.name))).count();
    assert!(named >= 2, "{message}");
    // The rest of the service goes on.
    stage.registrations().await.list(common::registration::v1::ListRequest::default()).await.unwrap();
    stage.stop().await;
    let kept = place.read("dead-letters").await.len();
    assert!(kept < 600, "it stopped after all of them: {kept}");

    // A version that knows better finds the input where it was.
    place.settings.processing.storm.ratio = 1.0;
    let stage = place.start_ready().await;
    let begun = std::time::Instant::now();
    loop {
        let ids: std::collections::BTreeSet<String> =
            place.read("dead-letters").await.into_iter().map(|stored| stored.headers.id).collect();
        if ids.len() == 600 {
            break;
        }
        assert!(begun.elapsed() < crate::stage::LIMIT, "{} of 600", ids.len());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_is_too_large_is_refused_unclaimed() {
    let mut place = Place::new("too-large");
    // Makes the topics, with room for more.
    place.start_ready().await.stop().await;
    let largest = std::mem::replace(&mut place.settings.bus.producer.max_record_bytes, 4096);
    let stage = place.start_ready().await;
    let change = Place::change("7_1_1", &"x".repeat(8000));
    let large = place.delivery("meta", Place::page("7", &[change, Place::change("7_1_2", "small")]), &[]);
    let at = place.put_deliveries("raw.meta", [large.clone()]).await.remove(0);
    place.read_exactly("events.facebook.comment", 1).await;
    let [letter] = place.dead_letters(1).await.try_into().unwrap();
    assert_eq!((letter.reason.as_str(), letter.coordinates.unwrap().index), ("too_large", 0));
    // A dead letter with its bytes would be too large as well: it says where they are.
    assert!(letter.payload.is_empty() && letter.message.contains(&at.to_string()), "{}", letter.message);
    stage.stop().await;

    // With room for it a replay passes: it was never claimed.
    place.settings.bus.producer.max_record_bytes = largest;
    let stage = place.start_ready().await;
    place.put_deliveries("raw.meta", [large]).await;
    place.read_exactly("events.facebook.comment", 2).await;
    stage.stop().await;
}
