//! A letter holds what came, not what was made of it.

use common::deadletter::v1::{GetRequest, Selection};

use crate::place::{Log, Place, of, page};

const HEADERS: [(&str, &str); 2] =
    [("x-github-event", "push"), ("x-github-delivery", "00000000-0000-0000-0000-000000000014")];

/// A push of tiny objects: each of its bytes becomes several of the event, and many more in memory.
fn push(objects: usize) -> String {
    format!(r#"{{"ref":"refs/heads/main","repository":{{"id":1}},"commits":[{}{{}}]}}"#, r#"{"a":1},"#.repeat(objects))
}

pub(crate) async fn an_event_larger_than_its_record_leaves_the_bytes_as_they_came(log: Log) {
    let mut place = Place::new(log, "kept").await;
    let largest = std::mem::replace(&mut place.settings.bus.producer.max_record_bytes, 32_000);
    let stage = place.start().await;
    let body = push(2000);
    assert!(body.len() < 20_000, "the body is smaller than a record may be, and its event is not");
    place.put(&place.delivery("github", body.clone(), &HEADERS)).await;
    // One change of a batch, that becomes larger too.
    let members: Vec<_> = (0..2950).map(|n| format!(r#""{n}":1"#)).collect();
    let large = format!(
        r#"{{"field":"feed",  "value":{{"item":"comment","verb":"add","comment_id":"1_1",{}}}}}"#,
        members.join(",")
    );
    let small = crate::place::comment("7_1_2", "small");
    place.put(&place.delivery("meta", page(&[small.clone(), large.clone()]), &[])).await;
    let letters = place.letters(2).await;
    let of_source = |source: &str| letters.iter().find(|letter| letter.source == source).unwrap();
    let (whole, change) = (of_source("github"), of_source("meta"));
    for (letter, index, payload) in [(whole, 0, body), (change, 1, page(&[large]))] {
        assert_eq!((letter.reason.as_str(), letter.content_type.as_str()), ("too_large", "application/json"));
        assert_eq!(letter.coordinates.as_ref().unwrap().index, index);
        assert!(letter.payload == payload.as_bytes(), "{} bytes kept of {}", letter.payload.len(), payload.len());
        assert_eq!(letter.refused_bytes, payload.len() as u64);
    }
    place.exactly("events.facebook.comment", 1).await;
    stage.stop().await;

    place.settings.bus.producer.max_record_bytes = largest;
    let stage = place.start().await;
    let answer = stage.replay_reason("too_large").await;
    assert_eq!((answer.selected, answer.sent), (2, 2), "{answer:?}");
    place.exactly("events.github.push", 1).await;
    place.exactly("events.facebook.comment", 2).await;
    stage.stop().await;
}

pub(crate) async fn what_would_take_too_much_memory_is_kept_whole_and_can_be_read_later(log: Log) {
    let mut place = Place::new(log, "heavy").await;
    let stage = place.start().await;
    let body = push(30_000);
    place.put(&place.delivery("github", body.clone(), &HEADERS)).await;
    let [letter] = place.letters(1).await.try_into().unwrap();
    assert_eq!((letter.reason.as_str(), letter.content_type.as_str()), ("too_many_values", "application/json"));
    assert!(letter.payload == body.as_bytes());
    let shown = stage.client.clone().get(GetRequest { id: letter.id.clone() }).await.unwrap().into_inner();
    assert_eq!(shown.not_replayable, "", "{}", shown.replay);
    // The others go on.
    place.put(&place.delivery("github", push(1), &[HEADERS[0], ("x-github-delivery", "1")])).await;
    place.exactly("events.github.push", 1).await;
    stage.stop().await;

    place.settings.processing.body_memory_factor = 1000;
    let stage = place.start().await;
    let one = of(Selection { ids: vec![letter.id], ..Selection::default() });
    let answer = stage.replay(one).await.unwrap().pop().unwrap();
    assert_eq!((answer.selected, answer.sent), (1, 1), "{answer:?}");
    place.exactly("events.github.push", 2).await;
    stage.stop().await;
}

pub(crate) async fn little_memory_slows_down_and_stops_nothing(log: Log) {
    let mut place = Place::new(log, "memory").await;
    // Far less than what waits takes, and than the largest of it does alone.
    place.settings.processing.memory_bytes = 1 << 20;
    let comments = |delivery: u32, count: u32| {
        let changes = (0..count).map(|n| crate::place::comment(&format!("7_{delivery}_{n}"), "fine"));
        page(&changes.collect::<Vec<_>>())
    };
    for n in 0..40 {
        let count = if n == 20 { 400 } else { 20 };
        place.put(&place.delivery("meta", comments(n, count), &[])).await;
    }
    let stage = place.start().await;
    let came = place.exactly("events.facebook.comment", 39 * 20 + 400).await;
    let mut places: Vec<_> = came.iter().map(|stored| stored.headers.from.clone().unwrap()).collect();
    for partition in 0..2 {
        let offsets: Vec<_> = places.iter().filter(|at| at.partition == partition).map(|at| at.offset).collect();
        assert!(offsets.is_sorted(), "in the order of the raw records: {offsets:?}");
    }
    places.sort_by_key(|at| (at.partition, at.offset));
    places.dedup();
    assert_eq!(places.len(), 40);
    stage.stop().await;
}
