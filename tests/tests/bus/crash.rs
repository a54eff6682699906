//! Records that end the process. A consumer that is dropped with records out leaves on the log what a process leaves
//! that ended.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::Bus;

use crate::support::{GROUP, Log, TOPIC, consumer, next, nothing, number, produce_keyed, take, take_all, until};

/// The record that ends the process.
const CULPRIT: u32 = 7;
const ALL: std::ops::Range<u32> = 0..20;

async fn waiting(log: &Log) -> Bus {
    let bus = log.with_topic(2, |_| {}).await;
    produce_keyed(&bus, ALL, |n| n.to_string()).await;
    bus
}

pub(crate) async fn a_record_that_ends_the_process_is_found(log: &Log) {
    let bus = waiting(log).await;
    for _ in 0..2 {
        let mut consumer = consumer(&bus);
        let out = take(&mut consumer, ALL.len()).await;
        assert!(out.iter().all(|record| record.culprit.is_none()));
        drop((consumer, out));
    }
    // Three more: one at a time, with nothing else out. One end alone may have come from outside.
    let mut done = BTreeSet::new();
    for _ in 0..3 {
        let mut alone = consumer(&bus);
        loop {
            let mut batch = next(&mut alone).await.records;
            assert_eq!(batch.len(), 1, "{batch:?}");
            let record = batch.remove(0);
            assert_eq!(record.culprit, None);
            if number(&record) == CULPRIT {
                // The rest has had its time to come out beside it.
                nothing(&mut alone, Duration::from_millis(1000)).await;
                drop((alone, record));
                break;
            }
            assert!(done.insert(number(&record)));
            record.ack.complete();
        }
    }

    // The sixth: it is named, and everything else comes as ever.
    let mut last = consumer(&bus);
    let mut refused = None;
    while done.len() + 1 < ALL.len() || refused.is_none() {
        for record in next(&mut last).await.records {
            let number = number(&record);
            match record.culprit {
                Some(ended) => assert_eq!(refused.replace((number, ended)), None),
                None => assert!(done.insert(number), "{number} came again"),
            }
            record.ack.complete();
        }
    }
    assert_eq!(refused, Some((CULPRIT, 5)));

    // Nothing is suspected any more.
    produce_keyed(&bus, 20..40, |n| n.to_string()).await;
    let records = take(&mut last, 20).await;
    assert!(records.iter().all(|record| record.culprit.is_none()));
    records.into_iter().for_each(|record| record.ack.complete());
    last.close(Duration::from_secs(10)).await.unwrap();
    assert_eq!(everything(&bus).await, 40);
}

async fn everything(bus: &Bus) -> i64 {
    let mut committed = 0;
    for partition in 0..2 {
        committed += bus.group_offset(GROUP, TOPIC, partition).await.unwrap().unwrap();
    }
    committed
}

pub(crate) async fn ends_in_good_order_suspect_nothing(log: &Log) {
    let bus = waiting(log).await;
    for _ in 0..4 {
        let mut consumer = consumer(&bus);
        let held = take(&mut consumer, ALL.len()).await;
        assert!(consumer.close(Duration::from_millis(100)).await.is_err(), "they are still out");
        drop(held);
    }
    // All of it at once: not one at a time.
    let mut last = consumer(&bus);
    let records = take(&mut last, ALL.len()).await;
    assert!(records.iter().all(|record| record.culprit.is_none()));
    records.into_iter().for_each(|record| record.ack.complete());
    last.close(Duration::from_secs(10)).await.unwrap();
    assert_eq!(everything(&bus).await, 20);
}

pub(crate) async fn progress_clears_the_suspicion_at_once(log: &Log) {
    let bus = waiting(log).await;
    let mut done = 0;
    for round in 0..4 {
        let mut consumer = consumer(&bus);
        let mut held = take(&mut consumer, ALL.len() - done).await;
        // One record of each partition, then the process ends at once: long before the interval of commits.
        let mut seen = BTreeSet::new();
        held.sort_by_key(|record| record.coordinates.offset);
        for record in held.extract_if(.., |record| seen.insert(record.coordinates.partition)) {
            record.ack.complete();
            done += 1;
        }
        let bus = &bus;
        until("the commit", || async move { everything(bus).await == i64::try_from(done).unwrap() }).await;
        assert_eq!(done, (round + 1) * 2);
        drop(consumer);
    }
    let mut last = consumer(&bus);
    let records = take(&mut last, ALL.len() - done).await;
    assert!(records.iter().all(|record| record.culprit.is_none()), "not suspected, and not one at a time");
    let again: BTreeSet<u32> = records.iter().map(number).collect();
    drop(records);
    assert_eq!(take_all(&mut last, again).await, ALL.len() - done);
}

pub(crate) async fn who_gathers_records_never_gets_them_alone(log: &Log) {
    let bus = waiting(log).await;
    let topics = [TOPIC.to_owned()];
    for _ in 0..6 {
        let mut consumer = bus.consumer_of_batches(GROUP, &topics).unwrap();
        let out = take(&mut consumer, ALL.len()).await;
        assert!(out.iter().all(|record| record.culprit.is_none()));
        drop((consumer, out));
    }
    let mut last = bus.consumer_of_batches(GROUP, &topics).unwrap();
    let records = take(&mut last, ALL.len()).await;
    records.into_iter().for_each(|record| record.ack.complete());
    last.close(Duration::from_secs(10)).await.unwrap();
    assert_eq!(everything(&bus).await, 20);
}
