//! The log is away, comes back, is killed in the middle.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::{Error, Start};
use weir_tests::kafka::{Kafka, Options};

use crate::support::{Log, TOPIC, consumer, next, number, numbered, prepare, produce, take_all, until, within};

/// A broker of one's own; blocks, which a test with two threads can bear.
fn broker(options: Options) -> Kafka {
    tokio::task::block_in_place(|| Kafka::start(options)).expect("kafka")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_waits_for_a_broker_that_is_away_at_start() {
    // A port on which nothing is yet.
    let port = weir_tests::ports::free().unwrap();
    let log = Log::at(&format!("127.0.0.1:{port}"), "away.");
    let bus = log.open(|_| {});
    assert!(bus.ping(Duration::from_millis(500)).await.is_err());
    assert!(tokio::time::timeout(Duration::from_secs(1), bus.identity()).await.is_err());
    let mut consumer = consumer(&bus);
    let producer = bus.producer().unwrap();
    let early = producer.try_send(numbered("k", 0)).unwrap();
    assert!(bus.reader(&[TOPIC.to_owned()], Start::Beginning).await.is_err());
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(producer.state().waiting_for.unwrap() >= Duration::from_secs(2));
    assert_eq!((producer.state().in_flight_records, producer.state().brokers_up), (1, 0));

    let _kafka = broker(Options { port, ..Options::default() });
    within("the broker", bus.identity()).await;
    prepare(&bus, &[TOPIC]).await;
    bus.ping(Duration::from_secs(10)).await.unwrap();
    // What was accepted before is there now, or has failed: never a success that is not on the log.
    let expected: BTreeSet<u32> = match within("the outcome", early).await {
        Ok(_) => BTreeSet::from([0, 1]),
        Err(_) => BTreeSet::from([1]),
    };
    within("a delivery", producer.try_send(numbered("k", 1)).unwrap()).await.unwrap();
    take_all(&mut consumer, expected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_killed_in_the_middle_loses_nothing_that_was_acknowledged() {
    let mut kafka = broker(Options::default());
    let log = Log::at(kafka.bootstrap(), "killed.");
    let bus = log.with_topic(3, |_| {}).await;
    let mut consumer = consumer(&bus);
    let producer = bus.producer().unwrap();
    let (mut acknowledged, mut seen) = (BTreeSet::new(), BTreeSet::new());
    let mut number_sent = 0;
    for round in 0..3 {
        let mut receipts = Vec::new();
        for _ in 0..300 {
            receipts.push((number_sent, producer.try_send(numbered(&number_sent.to_string(), number_sent)).unwrap()));
            number_sent += 1;
        }
        if round < 2 {
            tokio::task::block_in_place(|| {
                kafka.kill().unwrap();
                kafka.restart().unwrap();
            });
        }
        for (number, receipt) in receipts {
            if within("an outcome", receipt).await.is_ok() {
                acknowledged.insert(number);
            }
        }
        while !acknowledged.is_subset(&seen) {
            for record in next(&mut consumer).await.records {
                seen.insert(number(&record));
                record.ack.complete();
            }
        }
    }
    assert!(acknowledged.len() > 300, "after the restart records are acknowledged again");
    assert_eq!(producer.state().in_flight_records, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn away_for_longer_than_the_delivery_timeout_fails_and_recovers() {
    let mut kafka = broker(Options::default());
    let log = Log::at(kafka.bootstrap(), "long.");
    let bus = log.with_topic(1, |settings| settings.kafka.delivery_timeout_ms = 1500).await;
    let producer = bus.producer().unwrap();
    // A broker that has just started, beside others, may take longer than that for its first record.
    until("a first success", || async { producer.try_send(numbered("k", 0)).unwrap().await.is_ok() }).await;
    kafka.pause().unwrap();
    let failed = within("the outcome", producer.try_send(numbered("k", 1)).unwrap()).await;
    assert!(matches!(failed, Err(Error::NotDelivered { .. })), "{failed:?}");
    kafka.resume().unwrap();
    let producer = &producer;
    until("a success", || async { producer.try_send(numbered("k", 2)).unwrap().await.is_ok() }).await;
    assert_eq!(producer.state().waiting_for, None);
    let mut consumer = consumer(&bus);
    // 1 may have been written: nobody was told that it was.
    take_all(&mut consumer, BTreeSet::from([0, 2])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_producer_without_success_is_built_anew() {
    let kafka = broker(Options::default());
    let log = Log::at(kafka.bootstrap(), "stalled.");
    let bus = log.open(|settings| {
        settings.kafka.delivery_timeout_ms = 10_000;
        settings.kafka.stalled_producer_ms = 2000;
    });
    // The broker answers, and no record gets through: its topic does not exist.
    let producer = &bus.producer().unwrap();
    let stuck = producer.try_send(numbered("k", 0)).unwrap();
    until("the new producer", || async { producer.state().fatal.is_some() }).await;
    let failed = within("the outcome", stuck).await;
    assert!(matches!(failed, Err(Error::NotDelivered { .. })), "{failed:?}");
    assert_eq!(producer.state().in_flight_records, 0);

    prepare(&bus, &[TOPIC]).await;
    until("a success", || async { producer.try_send(numbered("k", 1)).unwrap().await.is_ok() }).await;
    assert_eq!(producer.state().fatal, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_ends_in_time_without_a_broker() {
    let mut kafka = broker(Options::default());
    let log = Log::at(kafka.bootstrap(), "closing.");
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..5).await;
    let mut consumer = consumer(&bus);
    let records = next(&mut consumer).await.records;
    let producer = bus.producer().unwrap();
    kafka.pause().unwrap();
    crate::support::complete(records.into_iter().map(|record| record.ack));
    let receipt = producer.try_send(numbered("k", 9)).unwrap();
    let begun = std::time::Instant::now();
    // It cannot commit: that is no loss, for the records come again.
    let _ = consumer.close(Duration::from_secs(2)).await;
    assert!(matches!(producer.flush(Duration::from_secs(1)).await, Err(Error::TimedOut { .. })));
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    kafka.resume().unwrap();
    let delivered = tokio::time::timeout(crate::support::LIMIT, receipt).await;
    let (state, exited) = (producer.state(), kafka.exited().unwrap());
    assert!(matches!(delivered, Ok(Ok(_))), "{delivered:?}, producer {state:?}, broker exited {exited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn compaction_leaves_gaps_that_nobody_waits_in() {
    let property = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let kafka = broker(Options {
        properties: vec![
            property("log.cleaner.backoff.ms", "100"),
            property("log.cleaner.min.cleanable.ratio", "0.001"),
            property("log.roll.ms", "300"),
            property("log.cleaner.min.compaction.lag.ms", "0"),
        ],
        ..Options::default()
    });
    let log = Log::at(kafka.bootstrap(), "compacted.");
    let bus = log.open(|_| {});
    let specs = [bus::TopicSpec { name: TOPIC.to_owned(), kind: bus::TopicKind::Compacted }];
    assert_eq!(bus.prepare_topics(&specs).await.unwrap(), []);
    let read = async || {
        let mut reader = bus.reader(&[TOPIC.to_owned()], Start::Beginning).await.unwrap();
        let mut offsets = Vec::new();
        while let Some(record) = within("a record", reader.next_until_end()).await.unwrap() {
            offsets.push(record.coordinates.offset);
        }
        offsets
    };
    let mut sent = 0;
    let mut offsets = Vec::new();
    within("compaction", async {
        // A segment is closed by the next record that comes after its time.
        while offsets.len() >= usize::try_from(sent).unwrap() {
            produce(&bus, sent..sent + 5).await;
            sent += 5;
            tokio::time::sleep(Duration::from_millis(500)).await;
            offsets = read().await;
        }
    })
    .await;
    assert!(offsets.is_sorted());
    assert_eq!(offsets.last(), Some(&i64::from(sent - 1)));

    // A consumer passes over the gaps too, and its prefix with it.
    let mut consumer = consumer(&bus);
    // Compaction goes on meanwhile: how many come cannot be said, but the last one does.
    let mut last = -1;
    while last < i64::from(sent - 1) {
        for record in next(&mut consumer).await.records {
            assert!(record.coordinates.offset > last);
            last = record.coordinates.offset;
            record.ack.complete();
        }
    }
    consumer.close(Duration::from_secs(20)).await.unwrap();
    assert_eq!(bus.group_offset(crate::support::GROUP, TOPIC, 0).await.unwrap(), Some(i64::from(sent)));
}
