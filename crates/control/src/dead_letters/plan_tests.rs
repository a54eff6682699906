use common::deadletter::v1::Coordinates;
use common::raw::v1::Header;
use common::time::from_millis;

use super::*;

const DAY_MS: i64 = 24 * 3_600_000;
const NOW: i64 = 1_780_000_000_000;

fn limits() -> ReplayLimits {
    ReplayLimits {
        log: bus::Logs::one("log.1"),
        prefix: "dev.".into(),
        now: NOW,
        claims: Duration::from_secs(8 * 24 * 3600),
    }
}

fn letter(stage: &str, reason: &str, topic: &str) -> DeadLetter {
    DeadLetter {
        stage: stage.into(),
        reason: reason.into(),
        payload: "an item".into(),
        attempts: 1,
        failed_at: Some(from_millis(NOW - 1000)),
        coordinates: Some(Coordinates {
            log: "log.1".into(),
            topic: topic.into(),
            partition: 3,
            offset: 42,
            index: 617,
        }),
        ..DeadLetter::default()
    }
}

fn delivery() -> Delivery {
    Delivery {
        delivery_id: "d1".into(),
        source: "meta".into(),
        endpoint: "app".into(),
        tenant: "acme".into(),
        scheme: "hub-sha256".into(),
        received_at: Some(from_millis(NOW - 2000)),
        headers: vec![Header { name: "x-github-delivery".into(), value: "guid".into() }],
        body: "all of it".into(),
    }
}

fn original(topic: &str, payload: Option<Vec<u8>>) -> Stored {
    Stored {
        coordinates: format!("log.1/{topic}/3/42").parse().unwrap(),
        key: Some("page 7".into()),
        payload: payload.map(Into::into),
        headers: Headers {
            id: "d1".into(),
            source: "weir/streaming/app".into(),
            r#type: "weir.raw.v1.Delivery".into(),
            traceparent: Some("00-aa-bb-01".into()),
            ..Headers::default()
        },
        produced_at_ms: NOW - 1500,
    }
}

fn code(outcome: Result<impl std::fmt::Debug, ReplayRefusal>) -> &'static str {
    outcome.unwrap_err().code()
}

#[test]
fn what_was_refused_decides_what_is_sent() {
    let way = |letter: DeadLetter| aim(&letter, &limits()).unwrap().way;
    for reason in sources::Reason::ALL {
        assert_eq!(way(letter("processing", reason.as_str(), "dev.raw.meta")), Way::Item, "{reason:?}");
    }
    let without_bytes = DeadLetter { payload: "".into(), ..letter("processing", "not_json", "dev.raw.meta") };
    assert_eq!(way(without_bytes), Way::ItemWithin(617));
    for reason in ["too_large", "unknown_topic"] {
        assert_eq!(way(letter("processing", reason, "dev.raw.meta.bulk")), Way::ItemWithin(617));
    }
    for reason in ["undecodable", "unknown_source", "panic", "crash", "something new"] {
        assert_eq!(way(letter("processing", reason, "dev.raw.meta")), Way::Whole);
    }
    assert_eq!(way(letter("enricher", "too_large", "dev.activities")), Way::Whole);
    assert_eq!(way(letter("loader", "invalid_request", "dev.loads")), Way::Whole);

    let aim = aim(&letter("processing", "not_json", "dev.raw.meta.bulk"), &limits()).unwrap();
    assert_eq!((aim.topic.as_str(), aim.partition, aim.offset), ("raw.meta.bulk", 3, 42), "into the same lane");
}

#[test]
fn what_may_not_be_sent_says_why() {
    let good = letter("processing", "not_json", "dev.raw.meta");
    let at = |change: fn(&mut Coordinates)| {
        let mut letter = good.clone();
        change(letter.coordinates.as_mut().unwrap());
        letter
    };
    let aim = |letter: &DeadLetter| code(super::aim(letter, &limits()));
    assert_eq!(aim(&DeadLetter { coordinates: None, ..good.clone() }), "no_coordinates");
    assert_eq!(aim(&at(|at| at.log = "log.2".into())), "other_log");
    assert_eq!(aim(&at(|at| at.topic = "raw.meta".into())), "not_an_input", "of another installation on the same log");
    for kept in ["registrations", "dead-letters", "storms", "events.facebook.comment", ""] {
        let mut letter = good.clone();
        letter.coordinates.as_mut().unwrap().topic = format!("dev.{kept}");
        assert_eq!(aim(&letter), "not_an_input", "{kept}");
    }
    let failed = |ago: i64| DeadLetter { failed_at: Some(from_millis(NOW - ago)), ..good.clone() };
    assert_eq!(aim(&failed(8 * DAY_MS + 1)), "too_old");
    assert!(super::aim(&failed(8 * DAY_MS), &limits()).is_ok());
    assert_eq!(aim(&DeadLetter { failed_at: None, ..good.clone() }), "too_old", "nobody knows how old it is");
}

#[test]
fn an_item_goes_as_a_delivery_of_its_own() {
    let record = original("dev.raw.meta", Some(delivery().encode_to_vec()));
    let tried = DeadLetter { attempts: 3, ..letter("processing", "wrong_shape", "dev.raw.meta") };
    let sent = item(&tried, "raw.meta", &record, &limits()).unwrap();
    assert_eq!((&*sent.topic, sent.key.as_slice()), ("raw.meta", b"page 7".as_slice()));
    let of_item = Delivery { body: "an item".into(), ..delivery() };
    assert_eq!(Delivery::decode(sent.payload.as_deref().unwrap()).unwrap(), of_item, "all but the body is as it was");
    let from = Some("log.1/dev.raw.meta/3/42".parse().unwrap());
    assert_eq!(sent.headers, Headers { attempts: 3, from: from.clone(), ..record.headers.clone() });

    // The replay of a replay still says where it came from.
    let replayed = Stored {
        headers: Headers { from: from.clone(), attempts: 1, ..record.headers.clone() },
        ..original("dev.raw.meta", Some(delivery().encode_to_vec()))
    };
    let again = item(&DeadLetter { attempts: 2, ..tried.clone() }, "raw.meta", &replayed, &limits()).unwrap();
    assert_eq!((again.headers.from, again.headers.attempts), (from, 2));

    let refused =
        |payload: Option<Vec<u8>>| code(item(&tried, "raw.meta", &original("dev.raw.meta", payload), &limits()));
    assert_eq!(refused(None), "no_value");
    assert_eq!(refused(Some(b"\xff".to_vec())), "not_a_delivery");
    // Refused again a moment ago, and as old as its delivery.
    let old = Delivery { received_at: Some(from_millis(NOW - 9 * DAY_MS)), ..delivery() };
    assert_eq!(refused(Some(old.encode_to_vec())), "too_old");
}

#[test]
fn a_whole_record_goes_as_it_was() {
    let payload = delivery().encode_to_vec();
    let record = original("dev.raw.meta", Some(payload.clone()));
    let sent = whole("raw.meta", &record, 1, vec![3, 5], &limits()).unwrap();
    assert_eq!((sent.payload.as_ref(), sent.headers.attempts, sent.headers.items), (Some(&payload), 1, vec![3, 5]));
    let many = whole("raw.meta", &record, 1, (0..1001).collect(), &limits()).unwrap();
    assert_eq!(many.headers.items, Vec::<u32>::new(), "too many to be named are all");
    // Of another stage, and nothing that this version can read.
    let other = original("dev.activities", Some(b"\xff".to_vec()));
    let sent = whole("activities", &other, 0, Vec::new(), &limits()).unwrap();
    assert_eq!((&*sent.topic, sent.payload.as_deref(), sent.headers.attempts), ("activities", Some(&b"\xff"[..]), 1));
    assert_eq!(code(whole("loads", &original("dev.loads", None), 1, Vec::new(), &limits())), "no_value");
    let old = Stored { produced_at_ms: NOW - 9 * DAY_MS, ..other };
    assert_eq!(code(whole("activities", &old, 1, Vec::new(), &limits())), "too_old");
}
