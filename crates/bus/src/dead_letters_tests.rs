use prost::Message as _;

use super::*;

fn draft(at: &Coordinates) -> Draft<'_> {
    Draft {
        stage: "processing",
        reason: "not_json",
        message: "expected a value at line 1 column 1".to_owned(),
        at,
        index: 4,
        source: "meta",
        endpoint: "pages",
        tenant: "acme",
        delivery_id: "d1",
        payload: Bytes::from_static(b"{broken"),
        content_type: "application/json",
        failed_at: Timestamp { seconds: 1_700_000_000, nanos: 0 },
        attempts: 1,
        traceparent: None,
    }
}

#[test]
fn keeps_the_exact_bytes_and_where_they_stood() {
    let at: Coordinates = "log.1/raw.meta/2/99".parse().unwrap();
    let record = record(draft(&at));
    assert_eq!((&*record.topic, record.key.as_slice()), ("dead-letters", &b"meta"[..]));
    assert_eq!(record.headers.r#type, "weir.deadletter.v1.DeadLetter");
    assert_eq!(record.headers.from.as_ref(), Some(&at));
    let letter = DeadLetter::decode(record.payload.unwrap().as_slice()).unwrap();
    assert_eq!(letter.id, record.headers.id);
    assert_eq!(letter.payload, Bytes::from_static(b"{broken"));
    let place = letter.coordinates.unwrap();
    assert_eq!(
        (place.log.as_str(), place.topic.as_str(), place.partition, place.offset, place.index),
        ("log.1", "raw.meta", 2, 99, 4)
    );
}

#[test]
fn the_id_is_of_the_place_and_the_reason_and_of_nothing_else() {
    let at: Coordinates = "log.1/raw.meta/2/99".parse().unwrap();
    let first = record(draft(&at)).headers.id;
    assert_eq!(first, "82f497811e85f2a94b3a2875fedcee41", "ids of dead letters are kept: they must not change");
    let later = Draft { message: "worded otherwise".to_owned(), attempts: 2, ..draft(&at) };
    assert_eq!(record(later).headers.id, first);
    assert_ne!(record(Draft { index: 5, ..draft(&at) }).headers.id, first);
    assert_ne!(record(Draft { reason: "too_deep", ..draft(&at) }).headers.id, first);
}

#[test]
fn what_does_not_fit_goes_with_its_place_and_its_size() {
    let at: Coordinates = "log.1/raw.meta/2/99".parse().unwrap();
    let decoded = |record: Prepared| DeadLetter::decode(record.payload.as_deref().unwrap()).unwrap();
    let whole = decoded(fitting(draft(&at), |_| Ok(())));
    assert_eq!((whole.payload.len(), whole.refused_bytes), (7, 7));
    let without = fitting(draft(&at), |record| Err(format!("{} takes 8 bytes", record.topic)));
    assert_eq!(without.headers.id, record(draft(&at)).headers.id, "it is the same letter");
    let without = decoded(without);
    assert_eq!((without.payload.len(), without.refused_bytes), (0, 7));
    assert!(without.message.contains("7 bytes") && without.message.contains("log.1/raw.meta/2/99"), "{without:?}");
}

#[test]
fn what_the_topic_of_dead_letters_refused_is_known_for_a_while() {
    let (letters, now) = (Letters::default(), Instant::now());
    let fits = |bytes, after| letters.check(bytes, now + after).is_ok();
    assert!(fits(usize::MAX, Duration::ZERO), "nothing is known yet");
    letters.note(5000, now);
    letters.note(9000, now);
    assert!(fits(4999, Duration::ZERO) && !fits(5000, Duration::ZERO) && !fits(9000, LETTERS_AGAIN));
    assert!(fits(9000, LETTERS_AGAIN + Duration::from_secs(1)), "the topic may take more by now");
    assert!(fits(5000, Duration::ZERO), "until it refuses one again");
    letters.note(0, now);
    assert!(fits(5000, Duration::ZERO), "one without its bytes says nothing of others");
}
