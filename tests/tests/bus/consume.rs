//! Consuming.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::{Ack, Bus, Error, Record};

use crate::support::{
    GROUP, Log, TOPIC, complete, consumer, next, nothing, number, produce, produce_keyed, take, take_all, until, within,
};

const QUIET: Duration = Duration::from_millis(1500);

async fn committed(bus: &Bus, offset: i64) {
    until("the commit", || async move { bus.group_offset(GROUP, TOPIC, 0).await.unwrap() == Some(offset) }).await;
}

pub(crate) async fn a_new_group_begins_at_the_first_record(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..10).await;
    bus.delete_records(TOPIC, 0, 4).await.unwrap();
    let mut consumer = consumer(&bus);
    let records = take(&mut consumer, 6).await;
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [4, 5, 6, 7, 8, 9]);
    // Before anything is done: from now on "not on the log" means that records are missing.
    committed(&bus, 4).await;
    complete(records.into_iter().map(|record| record.ack));
    committed(&bus, 10).await;
}

pub(crate) async fn limits_what_is_out_by_count(log: &Log) {
    let bus = log.with_topic(1, |settings| settings.consumer.max_in_flight_records = 5).await;
    produce(&bus, 0..20).await;
    let mut consumer = consumer(&bus);
    let mut out = take(&mut consumer, 5).await;
    nothing(&mut consumer, QUIET).await;
    assert_eq!(consumer.state().in_flight().0, 5);
    out.remove(0).ack.complete();
    let next = take(&mut consumer, 1).await;
    assert_eq!(number(&next[0]), 5);
    nothing(&mut consumer, QUIET).await;
    complete(out.into_iter().chain(next).map(|record| record.ack));
    assert_eq!(take_all(&mut consumer, (6..20).collect()).await, 14);
}

pub(crate) async fn limits_what_is_out_by_bytes(log: &Log) {
    let bus = log.with_topic(1, |settings| settings.consumer.max_in_flight_bytes = 100_000).await;
    let producer = bus.producer().unwrap();
    for size in [40_000, 40_000, 40_000, 300_000, 10] {
        let record = Record::encoded(TOPIC, "k", vec![7; size], bus::Headers::default());
        within("a delivery", producer.try_send(record).unwrap()).await.unwrap();
    }
    let mut consumer = consumer(&bus);
    let out = take(&mut consumer, 2).await;
    nothing(&mut consumer, QUIET).await;
    complete(out.into_iter().map(|record| record.ack));
    let out = take(&mut consumer, 1).await;
    nothing(&mut consumer, QUIET).await;
    complete(out.into_iter().map(|record| record.ack));
    // Larger than the limit: it goes out alone.
    let out = take(&mut consumer, 1).await;
    assert_eq!(out[0].payload.as_ref().unwrap().len(), 300_000);
    nothing(&mut consumer, QUIET).await;
    complete(out.into_iter().map(|record| record.ack));
    complete(take(&mut consumer, 1).await.into_iter().map(|record| record.ack));
    assert_eq!(consumer.state().in_flight(), (0, 0));
}

pub(crate) async fn a_long_stall_pauses_and_goes_on(log: &Log) {
    let bus = log
        .with_topic(2, |settings| {
            settings.consumer.max_in_flight_records = 10;
            settings.consumer.pause_after_ms = 300;
        })
        .await;
    produce_keyed(&bus, 0..2000, |n| n.to_string()).await;
    let mut consumer = consumer(&bus);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let out = take(&mut consumer, 10).await;
        nothing(&mut consumer, QUIET).await;
        seen.extend(out.iter().map(|record| record.coordinates.clone()));
        complete(out.into_iter().map(|record| record.ack));
    }
    while seen.len() < 2000 {
        for record in next(&mut consumer).await.records {
            seen.push(record.coordinates.clone());
            record.ack.complete();
        }
    }
    for partition in 0..2 {
        let offsets: Vec<_> = seen.iter().filter(|at| at.partition == partition).map(|at| at.offset).collect();
        let all: Vec<_> = (0..i64::try_from(offsets.len()).unwrap()).collect();
        assert_eq!(offsets, all, "each record once, in order, across pauses");
    }
}

pub(crate) async fn what_was_not_acked_comes_again(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..10).await;
    let mut first = consumer(&bus);
    let mut records = take(&mut first, 10).await;
    complete(records.drain(..4).map(|record| record.ack));
    committed(&bus, 4).await;
    drop(first);
    drop(records);
    let mut second = consumer(&bus);
    let again = take(&mut second, 6).await;
    assert_eq!(again.iter().map(number).collect::<Vec<_>>(), [4, 5, 6, 7, 8, 9]);
    complete(again.into_iter().map(|record| record.ack));
}

pub(crate) async fn only_the_contiguous_prefix_is_committed(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..5).await;
    let mut consumer = consumer(&bus);
    let mut acks: Vec<_> = take(&mut consumer, 5).await.into_iter().map(|record| record.ack).collect();
    let second = acks.remove(1);
    let first = acks.remove(0);
    complete(acks);
    tokio::time::sleep(Duration::from_millis(2500)).await;
    committed(&bus, 0).await;
    first.complete();
    committed(&bus, 1).await;
    second.complete();
    committed(&bus, 5).await;
}

pub(crate) async fn a_failed_record_comes_again(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..10).await;
    let mut consumer = consumer(&bus);
    let mut late = Vec::new();
    for record in take(&mut consumer, 10).await {
        match number(&record) {
            0..=2 => record.ack.complete(),
            3 => record.ack.fail(&Error::Full),
            _ => late.push(record.ack),
        }
    }
    let mut again = take(&mut consumer, 7).await;
    assert_eq!(again.iter().map(number).collect::<Vec<_>>(), [3, 4, 5, 6, 7, 8, 9]);
    // They belong to the attempt that was given up.
    complete(late);
    tokio::time::sleep(QUIET).await;
    committed(&bus, 3).await;
    // Once more, this time by forgetting it.
    drop(again.remove(0));
    complete(again.into_iter().map(|record| record.ack));
    let again = take(&mut consumer, 7).await;
    assert_eq!(number(&again[0]), 3);
    complete(again.into_iter().map(|record| record.ack));
    committed(&bus, 10).await;
    produce(&bus, 10..15).await;
    assert_eq!(take_all(&mut consumer, (10..15).collect()).await, 5);
}

pub(crate) async fn tells_in_which_turn_a_record_came(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..10).await;
    bus.delete_records(TOPIC, 0, 2).await.unwrap();
    let mut first = consumer(&bus);
    let state = first.state();
    let topic = bus.settings().topic_prefix.clone() + TOPIC;
    assert_eq!(state.assignment_of("nothing", 0), None);
    let mut records = take(&mut first, 8).await;
    let turn = records[0].assignment;
    assert_eq!(turn.start, 2, "where the group began");
    assert!(records.iter().all(|record| record.assignment == turn));
    assert_eq!(state.assignment_of(&topic, 0), Some(turn));
    assert_eq!(state.assignment_of(&topic, 1), None);

    // One fails: what is done before it stays done, and another turn begins at it.
    records.remove(0).ack.complete();
    records.remove(0).ack.fail(&Error::Full);
    let again = take(&mut first, 7).await;
    let next = again[0].assignment;
    assert!(next.epoch > turn.epoch);
    assert_eq!((next.start, again[0].coordinates.offset), (3, 3));
    assert_eq!(state.assignment_of(&topic, 0), Some(next));
    complete(records.into_iter().chain(again).map(|record| record.ack));
    committed(&bus, 10).await;
    first.close(Duration::from_secs(10)).await.unwrap();

    produce(&bus, 10..11).await;
    let mut second = consumer(&bus);
    assert_eq!(take(&mut second, 1).await[0].assignment.start, 10, "where the group had committed");
}

pub(crate) async fn a_record_is_done_when_all_its_outputs_are(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..2).await;
    let mut consumer = consumer(&bus);
    let mut records = take(&mut consumer, 2).await;
    let producer = bus.producer().unwrap();
    crate::support::prepare(&bus, &["outputs"]).await;
    let (second, first) = (records.pop().unwrap(), records.pop().unwrap());
    let held: Ack = first.ack.clone();
    for _ in 0..3 {
        let output = Record::encoded("outputs", "k", b"output".to_vec(), bus::Headers::default());
        producer.send(output, first.ack.clone()).await.unwrap();
    }
    first.ack.complete();
    second.ack.complete();
    producer.flush(crate::support::LIMIT).await.unwrap();
    tokio::time::sleep(QUIET).await;
    committed(&bus, 0).await;
    held.complete();
    committed(&bus, 2).await;
}

/// The last record of partition 1.
const LAST: u32 = 102;

/// The error that stops partition 0, and that everything else goes on.
async fn stands_still(bus: &Bus, offset: i64, low: i64, high: i64) {
    let mut consumer = consumer(bus);
    let (mut error, mut others) = (None, false);
    within("the error and the other partition", async {
        while error.is_none() || !others {
            match consumer.next().await {
                Ok(Some(batch)) => {
                    assert!(batch.records.iter().all(|record| record.coordinates.partition == 1));
                    others |= batch.records.iter().any(|record| number(record) == LAST);
                    complete(batch.records.into_iter().map(|record| record.ack));
                }
                Ok(None) => panic!("closed"),
                Err(told) => assert!(error.replace(told).is_none(), "told twice"),
            }
        }
    })
    .await;
    match error {
        Some(Error::OutOfRange { partition: 0, offset: at, low: first, high: end, .. }) => {
            assert_eq!((at, first, end), (offset, low, high));
        }
        other => panic!("{other:?}"),
    }
    let stopped = consumer.state().stopped();
    assert_eq!((stopped.len(), stopped[0].partition), (1, 0));
    nothing(&mut consumer, QUIET).await;
    consumer.close(Duration::from_secs(10)).await.unwrap();
    assert_eq!(bus.group_offset(GROUP, TOPIC, 0).await.unwrap(), Some(offset), "it was reset");
}

/// Two partitions: so many records on 0 and three on 1, and those that it took to find a key for each.
async fn two_partitions(log: &Log, on_first: u32) -> Bus {
    let bus = log.with_topic(2, |_| {}).await;
    let mut keys = (0..).map(|n: u32| n.to_string());
    let mut find = async |partition| loop {
        let key = keys.next().unwrap();
        if produce_keyed(&bus, 0..1, |_| key.clone()).await[0].partition == partition {
            return key;
        }
    };
    let (first, second) = (find(0).await, find(1).await);
    produce_keyed(&bus, 0..on_first, |_| first.clone()).await;
    produce_keyed(&bus, 100..LAST + 1, |_| second.clone()).await;
    bus
}

async fn range(bus: &Bus, partition: i32) -> (i64, i64) {
    let mut reader = bus.reader(&[TOPIC.to_owned()], bus::Start::Beginning).await.unwrap();
    let mut offsets = BTreeSet::new();
    while let Some(record) = within("a record", reader.next_until_end()).await.unwrap() {
        if record.coordinates.partition == partition {
            offsets.insert(record.coordinates.offset);
        }
    }
    (*offsets.first().unwrap(), offsets.last().unwrap() + 1)
}

pub(crate) async fn records_of_a_lost_offset_stop_the_partition(log: &Log) {
    let bus = two_partitions(log, 10).await;
    let (low, high) = range(&bus, 0).await;
    bus.set_group_offset(GROUP, TOPIC, 0, low + 2).await.unwrap();
    bus.delete_records(TOPIC, 0, low + 5).await.unwrap();
    stands_still(&bus, low + 2, low + 5, high).await;
}

pub(crate) async fn an_offset_beyond_the_end_stops_the_partition(log: &Log) {
    let bus = two_partitions(log, 10).await;
    let (low, high) = range(&bus, 0).await;
    bus.set_group_offset(GROUP, TOPIC, 0, high + 7).await.unwrap();
    stands_still(&bus, high + 7, low, high).await;
}

pub(crate) async fn records_deleted_under_way_stop_the_partition(log: &Log) {
    // One at a time, and little fetched ahead, so that the consumer has to fetch what is gone.
    let bus = log
        .with_topic(1, |settings| {
            settings.consumer.max_in_flight_records = 1;
            settings.consumer.pause_after_ms = 300;
        })
        .await;
    produce(&bus, 0..10).await;
    let mut consumer = consumer(&bus);
    let first = take(&mut consumer, 1).await;
    // The pause throws away what was fetched ahead.
    nothing(&mut consumer, QUIET).await;
    bus.delete_records(TOPIC, 0, 6).await.unwrap();
    complete(first.into_iter().map(|record| record.ack));
    let error = within("the error", async {
        loop {
            match consumer.next().await {
                // The client may have had one more at hand.
                Ok(batch) => complete(batch.unwrap().records.into_iter().map(|record| {
                    assert!(number(&record) < 6, "the gap was passed over in silence");
                    record.ack
                })),
                Err(error) => break error,
            }
        }
    })
    .await;
    assert!(matches!(error, Error::OutOfRange { low: 6, high: 10, .. }), "{error}");
    assert_eq!(consumer.state().stopped().len(), 1);
    nothing(&mut consumer, QUIET).await;
}

pub(crate) async fn close_commits_what_ends_in_time(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..10).await;
    let mut first = consumer(&bus);
    let acks: Vec<_> = take(&mut first, 10).await.into_iter().map(|record| record.ack).collect();
    let ending = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        complete(acks);
    };
    let (closed, ()) = tokio::join!(first.close(Duration::from_secs(20)), ending);
    closed.unwrap();
    assert_eq!(bus.group_offset(GROUP, TOPIC, 0).await.unwrap(), Some(10));

    produce(&bus, 10..13).await;
    let mut second = consumer(&bus);
    let mut held = take(&mut second, 3).await;
    held.remove(0).ack.complete();
    assert!(matches!(second.close(Duration::from_millis(300)).await, Err(Error::LeftUndone { .. })));
    assert_eq!(bus.group_offset(GROUP, TOPIC, 0).await.unwrap(), Some(11));
}

pub(crate) async fn lag_is_known(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, 0..8).await;
    let mut consumer = consumer(&bus);
    let state = consumer.state();
    let records = take(&mut consumer, 8).await;
    until("the lag", || async { state.total_lag() == Some(8) }).await;
    assert_eq!(state.lag()[0].position, 0);
    until("a broker", || async { state.brokers_up() > 0 }).await;
    complete(records.into_iter().map(|record| record.ack));
    until("no lag", || async { state.total_lag() == Some(0) }).await;
    assert_eq!(state.lag()[0].position, 8);
    assert!(state.stopped().is_empty());
}
