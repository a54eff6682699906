use bus::Headers;
use common::identity::Id;

use super::*;

const NOW: Duration = Duration::from_millis(1_790_000_000_000);

fn id(millis: u64) -> String {
    format!("{millis:012x}{}", "ab".repeat(10))
}

#[test]
fn an_id_tells_its_time_or_nothing() {
    let now = UNIX_EPOCH + NOW;
    let millis = NOW.as_millis() as u64;
    let told = |id: &str| accepted_at(id, now).map(|at| at.seconds);
    assert_eq!(told(&id(millis)), Some(1_790_000_000));
    // Another machine's clock may be ahead, but not by years.
    assert_eq!(told(&id(millis + 3_600_000)), Some(1_790_003_600));
    assert_eq!(told(&id(millis + 200 * 24 * 3_600_000)), None);
    for random in ["ff".repeat(16).as_str(), "00".repeat(16).as_str(), "", "zz", "é123456789ab"] {
        assert_eq!(told(random), None, "{random}");
    }
}

fn raw(body: &str) -> Found {
    let delivery = Delivery {
        delivery_id: id(1),
        source: "github".into(),
        endpoint: "shop".into(),
        tenant: "acme".into(),
        scheme: "hub-sha256".into(),
        received_at: common::time::from_rfc3339("2026-01-31T23:59:59Z"),
        headers: vec![
            common::raw::v1::Header { name: "x-github-event".into(), value: "star".into() },
            common::raw::v1::Header {
                name: "x-github-delivery".into(),
                value: "0d0e0f10-0000-11f0-8000-000000000000".into(),
            },
        ],
        body: body.to_owned().into(),
    };
    let record = stored("raw.github", 5, "", Headers::default(), delivery.encode_to_vec());
    Found { record, delivery }
}

fn stored(topic: &str, offset: i64, id: &str, headers: Headers, payload: Vec<u8>) -> Stored {
    let coordinates = Coordinates { log: "log".into(), topic: topic.into(), partition: 1, offset };
    let headers = Headers { id: id.to_owned(), ..headers };
    Stored { coordinates, key: None, payload: Some(payload.into()), headers, produced_at_ms: 1000 + offset }
}

const STAR: &str = r#"{"action":"created","starred_at":"2026-01-31T23:59:58Z",
    "repository":{"id":1,"name":"r","full_name":"o/r","owner":{"id":2,"login":"o"}},"sender":{"id":3,"login":"ann"}}"#;

fn typed(delivery_id: &str) -> Vec<u8> {
    let context = Context { delivery_id: delivery_id.to_owned(), ..Context::default() };
    Typed { context: Some(context) }.encode_to_vec()
}

#[test]
fn a_delivery_is_followed_to_the_lake() {
    let mut trace = Trace::new(raw(STAR));
    assert_eq!(trace.received(), Some(1_769_903_999_000_000..1_769_903_999_000_001));
    assert_eq!(trace.topics(), ["activities", "activities.enriched", "dead-letters", "events.github.star"]);
    let [event] = trace.events.as_slice() else { panic!("{trace:?}") };
    let (event_id, activity_id) = (event.id.clone(), trace.activity_ids().remove(0));
    assert!(!trace.is_complete());
    let prefix = "test.";
    trace.take(&stored("test.events.github.star", 12, &event_id, Headers::default(), typed(&id(1))), prefix);
    trace.take(&stored("test.activities", 14, &activity_id, Headers::default(), vec![]), prefix);
    trace.take(&stored("test.activities", 15, "another", Headers::default(), vec![]), prefix);
    assert!(!trace.is_found_on_topics());
    trace.take(&stored("test.activities.enriched", 20, &activity_id, Headers::default(), vec![]), prefix);
    trace.take(&stored("test.activities.enriched", 21, &activity_id, Headers::default(), vec![]), prefix);
    assert!(trace.is_found_on_topics() && !trace.is_complete());
    assert!(trace.verdict().contains("0 of 1 in the lake"), "{}", trace.verdict());
    trace.take_row(&serde_json::json!({"id": activity_id, "delivery_id": id(1)}));
    assert!(trace.is_complete());
    insta::assert_snapshot!(trace.pretty());
    assert_eq!(trace.json()["events"][0]["activities"][0]["enriched"]["times"], 2);
}

#[test]
fn a_repetition_says_whose_it_is() {
    let mut trace = Trace::new(raw(STAR));
    let event_id = trace.events[0].id.clone();
    trace.take(&stored("events.github.star", 12, &event_id, Headers::default(), typed(&id(2))), "");
    assert!(trace.pretty().contains(&format!("repeats an event of delivery {}", id(2))), "{}", trace.pretty());
}

#[test]
fn a_refused_delivery_has_its_dead_letter() {
    let mut trace = Trace::new(raw("not json"));
    assert_eq!(trace.topics(), ["dead-letters"]);
    assert!(trace.verdict().contains("0 of 1 dead letters"), "{}", trace.verdict());
    let reason = trace.refused[0].reason.clone();
    let letter = |delivery_id: String| DeadLetter { delivery_id, reason: reason.clone(), ..DeadLetter::default() };
    trace.take(&stored("dead-letters", 9, "", Headers::default(), letter(id(9)).encode_to_vec()), "");
    assert!(!trace.is_complete());
    trace.take(&stored("dead-letters", 10, "", Headers::default(), letter(id(1)).encode_to_vec()), "");
    assert!(trace.is_complete(), "{}", trace.pretty());
    // Ids of dead letters and of deliveries are made alike.
    assert_eq!(Id([0xab; 16]).to_string().len(), 32);
}

/// What a letter is about does not come any more, whether this version would refuse it or not.
#[test]
fn what_was_refused_is_not_waited_for() {
    let mut trace = Trace::new(raw(STAR));
    let at = trace.found.record.coordinates.clone();
    trace.is_at(at.clone(), Progress::Finished);
    assert!(
        !trace.is_settled() && trace.verdict().contains("Processing has finished raw.github/1/5"),
        "{}",
        trace.verdict()
    );
    let letter = DeadLetter {
        delivery_id: id(1),
        stage: "processing".into(),
        reason: "crash".into(),
        content_type: "application/protobuf".into(),
        ..DeadLetter::default()
    };
    trace.take(&stored("dead-letters", 9, "", Headers::default(), letter.encode_to_vec()), "");
    assert!(trace.is_complete(), "{}", trace.pretty());
    assert_eq!(trace.verdict(), "Everything has arrived: 1 of 1 dead letters.");

    // The enricher refuses the activity.
    let mut trace = Trace::new(raw(STAR));
    let (event_id, activity_id) = (trace.events[0].id.clone(), trace.activity_ids().remove(0));
    trace.take(&stored("events.github.star", 12, &event_id, Headers::default(), typed(&id(1))), "");
    trace.take(&stored("activities", 14, &activity_id, Headers::default(), vec![]), "");
    assert!(!trace.is_settled());
    let (topic, log) = ("activities".to_owned(), "log".to_owned());
    let coordinates = common::deadletter::v1::Coordinates { log, topic, partition: 1, offset: 14, index: 0 };
    let letter = DeadLetter { stage: "enricher".into(), coordinates: Some(coordinates), ..letter };
    trace.take(&stored("dead-letters", 15, "", Headers::default(), letter.encode_to_vec()), "");
    assert!(trace.is_complete(), "{}", trace.pretty());
}

/// What the lake has is not looked for on topics, where it may have expired.
#[test]
fn what_the_lake_has_may_have_expired() {
    let mut trace = Trace::new(raw(STAR));
    let activity_id = trace.activity_ids().remove(0);
    trace.is_at(trace.found.record.coordinates.clone(), Progress::Finished);
    assert_eq!(trace.repeated(), std::slice::from_ref(&activity_id));
    let row =
        serde_json::json!({"id": activity_id, "delivery_id": id(2), "enriched_at": "2026-01-31T23:00:00.123456Z"});
    trace.take_row(&row);
    assert!(trace.is_settled() && !trace.is_complete());
    assert_eq!(trace.worked_on().iter().map(|time| time.seconds).collect::<Vec<_>>(), [1_769_900_400]);
    assert!(trace.verdict().ends_with("The lake has what is not on its topic any more."), "{}", trace.verdict());
    trace.lake_failed("it is away");
    assert!(trace.verdict().ends_with("any more. The lake cannot be read: it is away."), "{}", trace.verdict());
    // While it waits, nothing can be there.
    let mut trace = Trace::new(raw(STAR));
    trace.is_at(trace.found.record.coordinates.clone(), Progress::Waits { before: 3, begun: false });
    assert_eq!((trace.repeated(), trace.is_settled()), (Vec::new(), true));
}
