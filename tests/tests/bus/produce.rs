//! Producing.

use std::time::Duration;

use bus::dead_letters;
use bus::{Ack, AckOutcome, Error, Headers, Prepared, Record, Rejection, Start};
use common::deadletter::v1::DeadLetter;
use common::registration::v1::Registration;
use common::topics::{DEAD_LETTERS, REGISTRATIONS};
use prost::Message as _;

use crate::support::{LIMIT, Log, TOPIC, numbered, prepare, produce, produce_keyed, within};

async fn stored(bus: &bus::Bus) -> Vec<bus::Stored> {
    let mut reader = bus.reader(&[TOPIC.to_owned()], Start::Beginning).await.unwrap();
    let mut records = Vec::new();
    while let Some(record) = within("a record", reader.next_until_end()).await.unwrap() {
        records.push(record);
    }
    records
}

async fn check_order(bus: &bus::Bus) {
    produce_keyed(bus, 0..600, |n| format!("key-{}", n % 12)).await;
    let records = stored(bus).await;
    assert_eq!(records.len(), 600);
    for key in 0..12 {
        let key = format!("key-{key}");
        let of_key: Vec<_> = records.iter().filter(|record| record.key.as_deref() == Some(key.as_bytes())).collect();
        assert!(of_key.iter().all(|record| record.coordinates.partition == of_key[0].coordinates.partition));
        let numbers: Vec<u32> = of_key.iter().map(|record| record.headers.id.parse().unwrap()).collect();
        assert_eq!(numbers.len(), 50);
        assert!(numbers.is_sorted(), "{key}: {numbers:?}");
    }
    let partitions: std::collections::BTreeSet<_> = records.iter().map(|record| record.coordinates.partition).collect();
    assert!(partitions.len() > 1, "twelve keys are on one of four partitions");
}

pub(crate) async fn keeps_the_order_of_a_key(log: &Log) {
    check_order(&log.with_topic(4, |_| {}).await).await;
}

pub(crate) async fn topics_have_compressions_of_their_own(log: &Log) {
    let names = ["none", "gzip", "lz4", "snappy", "zstd"];
    let bus = log.open(|settings| {
        let of = |name: &str| (format!("{name}*"), name.to_owned());
        settings.producer.compression_by_topic = names.iter().map(|name| of(name)).collect();
    });
    let topics: Vec<String> = names.iter().map(|name| format!("{name}.things")).collect();
    prepare(&bus, &topics.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let producer = bus.producer().unwrap();
    let value = |topic: &str, number: u32| format!("{topic} {number} {}", "and again ".repeat(50)).into_bytes();
    let mut sent = Vec::new();
    for number in 0..50 {
        for topic in &topics {
            let record = Record::encoded(topic.as_str(), "key", value(topic, number), Headers::default());
            sent.push(producer.try_send(record).unwrap());
        }
    }
    for receipt in sent {
        within("a delivery", receipt).await.unwrap();
    }
    for topic in &topics {
        let mut reader = bus.reader(std::slice::from_ref(topic), Start::Beginning).await.unwrap();
        for number in 0..50 {
            let record = within("a record", reader.next_until_end()).await.unwrap().unwrap();
            assert_eq!(record.payload.as_deref(), Some(&*value(topic, number)), "in order, and whole");
        }
        assert_eq!(within("the end", reader.next_until_end()).await.unwrap(), None);
    }
}

pub(crate) async fn several_producers_keep_the_order_of_a_key(log: &Log) {
    check_order(&log.with_topic(4, |settings| settings.producer.producers = 3).await).await;
}

pub(crate) async fn headers_come_back_as_they_were(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    let first = produce(&bus, 0..1).await.remove(0);
    assert_eq!(first.log, bus.identity().await);
    assert!(first.topic.ends_with(TOPIC) && (first.partition, first.offset) == (0, 0));
    let headers = Headers {
        id: "00ff".to_owned(),
        source: "meta".to_owned(),
        r#type: "weir.raw.v1.Delivery".to_owned(),
        time: Some(common::time::from_millis(1_700_000_000_123)),
        traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        from: Some(first.clone()),
        attempts: 2,
        items: vec![4, 7],
        instead_of: vec![first.clone(), first],
        canaries: vec!["raw.meta/3@17".parse().unwrap(), "raw.github/0@18".parse().unwrap()],
    };
    let producer = bus.producer().unwrap();
    let receipt = producer.try_send(Record::encoded(TOPIC, "k", vec![1, 0, 255], headers.clone())).unwrap();
    let at = within("the delivery", receipt).await.unwrap();
    let record = stored(&bus).await.remove(1);
    assert_eq!(record.coordinates, at);
    assert_eq!(record.headers, headers);
    assert_eq!((record.key.as_deref(), record.payload.as_deref()), (Some(&b"k"[..]), Some(&[1, 0, 255][..])));
    assert!(record.produced_at_ms > 1_700_000_000_123);
}

/// The same on every log: whoever moves from one to the other finds his keys where they were.
pub(crate) async fn a_key_has_its_partition(log: &Log) {
    let bus = log.with_topic(6, |_| {}).await;
    let keys = ["21", "foobar", "a-little-bit-long-string", "abc", "a", "ab", "ümlaut", "facebook:1234567890"];
    let places = produce_keyed(&bus, 0..8, |n| keys[n as usize].to_owned()).await;
    let partitions: Vec<_> = places.iter().map(|at| at.partition).collect();
    assert_eq!(partitions, [0, 0, 2, 3, 4, 2, 5, 3]);
    let producer = bus.producer().unwrap();
    let mut used = std::collections::BTreeSet::new();
    while used.len() < 6 {
        let record = Record::encoded(TOPIC, "", b"no key".to_vec(), Headers::default());
        used.insert(within("a delivery", producer.try_send(record).unwrap()).await.unwrap().partition);
    }
}

pub(crate) async fn tombstones_have_no_value(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    let tombstone = Record { topic: TOPIC.into(), ..Record::tombstone::<Registration>(&REGISTRATIONS, "gone") };
    let empty = Record::encoded(TOPIC, "empty", Vec::new(), Headers::default());
    let producer = bus.producer().unwrap();
    for record in [tombstone, empty] {
        within("a delivery", producer.try_send(record).unwrap()).await.unwrap();
    }
    let records = stored(&bus).await;
    let payloads: Vec<_> = records.iter().map(|record| record.payload.as_deref()).collect();
    assert_eq!(payloads, [None, Some(&[][..])]);
}

pub(crate) async fn is_full_by_count(log: &Log) {
    let bus = log
        .with_topic(1, |settings| {
            settings.producer.max_in_flight_records = 3;
            // Keeps them in flight while we look.
            settings.producer.linger_ms = 1000;
        })
        .await;
    let producer = bus.producer().unwrap();
    let receipts: Vec<_> = (0..3).map(|n| producer.try_send(numbered("k", n)).unwrap()).collect();
    assert_eq!(producer.state().in_flight_records, 3);
    assert!(matches!(producer.try_send(numbered("k", 3)), Err(Error::Full)));
    // Whoever may wait gets room when there is some, in the order of the calls.
    let (ack, outcome) = Ack::testing();
    within("room", producer.send(numbered("k", 3), ack)).await.unwrap();
    assert_eq!(within("the outcome", outcome).await.unwrap(), AckOutcome::Completed);
    for receipt in receipts {
        within("a delivery", receipt).await.unwrap();
    }
    producer.flush(LIMIT).await.unwrap();
    assert_eq!((producer.state().in_flight_records, producer.state().in_flight_bytes), (0, 0));
    assert_eq!(stored(&bus).await.len(), 4);
}

pub(crate) async fn is_full_by_bytes(log: &Log) {
    let bus = log
        .with_topic(1, |settings| {
            settings.producer.max_record_bytes = 50_000;
            settings.producer.max_in_flight_bytes = 100_000;
            settings.producer.linger_ms = 1000;
        })
        .await;
    let producer = bus.producer().unwrap();
    let large = || Record::encoded(TOPIC, "k", vec![7; 45_000], Headers::default());
    let receipts = [producer.try_send(large()).unwrap(), producer.try_send(large()).unwrap()];
    assert!(matches!(producer.try_send(large()), Err(Error::Full)));
    let small = producer.try_send(numbered("k", 1)).unwrap();
    assert!(producer.state().in_flight_bytes > 90_000);
    for receipt in receipts.into_iter().chain([small]) {
        within("a delivery", receipt).await.unwrap();
    }
    producer.flush(LIMIT).await.unwrap();
    within("a delivery", producer.try_send(large()).unwrap()).await.unwrap();
}

pub(crate) async fn refuses_what_is_too_large(log: &Log) {
    let bus = log.with_topic(1, |settings| settings.producer.max_record_bytes = 10_000).await;
    let producer = bus.producer().unwrap();
    let large = Prepared::from(Record::encoded(TOPIC, "k", vec![7; 10_000], Headers::default()));
    assert!(matches!(producer.check(&large), Err(Error::TooLarge { limit: 10_000, .. })));
    assert!(matches!(producer.try_send(large.clone()), Err(Error::TooLarge { .. })));
    let (ack, outcome) = Ack::testing();
    assert!(matches!(producer.send(large, ack).await, Err(Error::TooLarge { .. })));
    assert_eq!(outcome.await.unwrap(), AckOutcome::Failed, "an error that is overlooked loses nothing");
    assert_eq!(producer.state().in_flight_records, 0);
}

/// A topic that was made when records were smaller, or that an operator made so.
async fn small_topic(log: &Log, name: &str) -> bus::Bus {
    let small = log.open(|settings| settings.producer.max_record_bytes = 10_000);
    prepare(&small, &[name]).await;
    log.open(|_| {})
}

pub(crate) async fn says_what_a_topic_refuses_each_time(log: &Log) {
    let bus = small_topic(log, TOPIC).await;
    let producer = bus.producer().unwrap();
    // Random, so that no compression makes it fit.
    let large: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(50_000).collect();
    let sent = producer.try_send(Record::encoded(TOPIC, "k", large, Headers::default())).unwrap();
    let error = within("the refusal", sent).await.unwrap_err();
    assert_eq!(error.refusal(), Some(Rejection::TooLarge), "{error}");
    within("what fits", producer.try_send(numbered("k", 1)).unwrap()).await.unwrap();
}

/// The record of a letter that its topic refuses comes again, and then its letter goes without the bytes.
pub(crate) async fn a_dead_letter_that_is_too_large_for_its_topic_goes_without_its_bytes(log: &Log) {
    let bus = small_topic(log, DEAD_LETTERS.name()).await;
    let producer = bus.producer().unwrap();
    let at = "log.1/raw.meta/2/99".parse().unwrap();
    let payload: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(50_000).collect();
    // The second is shorter by its time, and by nothing else.
    let draft = |nanos| dead_letters::Draft {
        stage: "processing",
        reason: "not_json",
        message: "expected a value".to_owned(),
        at: &at,
        index: 0,
        source: "meta",
        endpoint: "pages",
        tenant: "acme",
        delivery_id: "d1",
        payload: payload.clone().into(),
        content_type: "application/octet-stream",
        failed_at: prost_types::Timestamp { seconds: 1_800_000_000, nanos },
        attempts: 1,
        traceparent: None,
    };
    for (expected, nanos) in [(AckOutcome::Failed, 999_999_999), (AckOutcome::Completed, 0)] {
        let (ack, outcome) = Ack::testing();
        producer.send_letter(draft(nanos), ack).await.unwrap();
        assert_eq!(within("the letter", outcome).await.unwrap(), expected);
    }
    let mut reader = bus.reader(&[DEAD_LETTERS.name().to_owned()], Start::Beginning).await.unwrap();
    let letter = within("the letter", reader.next_until_end()).await.unwrap().unwrap();
    let letter = DeadLetter::decode(letter.payload.unwrap()).unwrap();
    assert_eq!((letter.payload.len(), letter.refused_bytes), (0, 50_000));
    assert!(letter.message.contains("50000 bytes") && letter.message.contains("max.message.bytes"), "{letter:?}");
    assert_eq!(within("the end", reader.next_until_end()).await.unwrap(), None);
}

pub(crate) async fn takes_the_largest_record(log: &Log) {
    // What compresses badly needs all its room on the log.
    let bus = log.with_topic(1, |settings| settings.producer.compression = "none".to_owned()).await;
    let producer = bus.producer().unwrap();
    let limit = bus.settings().producer.max_record_bytes;
    let record = Prepared::from(Record::encoded(TOPIC, "k", vec![7; limit - 400], Headers::default()));
    producer.check(&record).unwrap();
    within("the delivery", producer.try_send(record).unwrap()).await.unwrap();
    let mut consumer = crate::support::consumer(&bus);
    let records = crate::support::take(&mut consumer, 1).await;
    assert_eq!(records[0].payload.as_ref().unwrap().len(), limit - 400);
}

pub(crate) async fn flush_waits_for_everything(log: &Log) {
    let bus = log.with_topic(2, |settings| settings.producer.linger_ms = 200).await;
    let producer = bus.producer().unwrap();
    let mut outcomes = Vec::new();
    for n in 0..200 {
        let (ack, outcome) = Ack::testing();
        producer.send(numbered(&n.to_string(), n), ack).await.unwrap();
        outcomes.push(outcome);
    }
    assert!(matches!(producer.flush(Duration::from_millis(1)).await, Err(Error::TimedOut { .. })));
    producer.flush(LIMIT).await.unwrap();
    assert_eq!(producer.state().in_flight_records, 0);
    for mut outcome in outcomes {
        assert_eq!(outcome.try_recv().unwrap(), AckOutcome::Completed);
    }
}
