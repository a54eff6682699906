//! Members of a group come and go.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::support::{
    GROUP, Log, TOPIC, complete, consumer, next, number, produce_keyed, take, take_all, until, within,
};

pub(crate) async fn two_members_share_the_partitions(log: &Log) {
    let bus = log.with_topic(6, |_| {}).await;
    let (mut first, mut second) = (consumer(&bus), consumer(&bus));
    let (one, two) = (first.state(), second.state());
    until("a fair share", || async { one.assignment().len() == 3 && two.assignment().len() == 3 }).await;
    let shares: BTreeSet<_> = one.assignment().into_iter().chain(two.assignment()).collect();
    assert_eq!(shares.len(), 6, "each partition belongs to one member");

    produce_keyed(&bus, 0..300, |n| n.to_string()).await;
    let mut seen = BTreeSet::new();
    within("all records", async {
        while seen.len() < 300 {
            let batch = tokio::select! { batch = first.next() => batch, batch = second.next() => batch };
            for record in batch.unwrap().unwrap().records {
                assert!(seen.insert(number(&record)), "a record came to both");
                record.ack.complete();
            }
        }
    })
    .await;

    // One leaves: the other has all.
    second.close(Duration::from_secs(10)).await.unwrap();
    until("all partitions", || async { one.assignment().len() == 6 }).await;
    produce_keyed(&bus, 300..400, |n| n.to_string()).await;
    assert_eq!(take_all(&mut first, (300..400).collect()).await, 100, "what was committed does not come again");
}

pub(crate) async fn a_revoked_partition_is_drained(log: &Log) {
    let bus = log.with_topic(2, |settings| settings.consumer.revoke_drain_ms = 5000).await;
    produce_keyed(&bus, 0..100, |n| n.to_string()).await;
    let mut first = consumer(&bus);
    let held = take(&mut first, 100).await;

    // A second member joins while all of it is out; it ends while the partition is being given away.
    let mut second = consumer(&bus);
    tokio::time::sleep(Duration::from_millis(4000)).await;
    complete(held.into_iter().map(|record| record.ack));
    let (one, two) = (first.state(), second.state());
    until("a fair share", || async { one.assignment().len() == 1 && two.assignment().len() == 1 }).await;

    produce_keyed(&bus, 100..200, |n| n.to_string()).await;
    let mut seen = BTreeSet::new();
    within("all records", async {
        while seen.len() < 100 {
            let batch = tokio::select! { batch = first.next() => batch, batch = second.next() => batch };
            for record in batch.unwrap().unwrap().records {
                assert!(number(&record) >= 100, "what was drained comes again");
                seen.insert(number(&record));
                record.ack.complete();
            }
        }
    })
    .await;
}

pub(crate) async fn late_acks_of_a_revoked_partition_are_ignored(log: &Log) {
    let bus = log.with_topic(2, |settings| settings.consumer.revoke_drain_ms = 200).await;
    produce_keyed(&bus, 0..100, |n| n.to_string()).await;
    let mut first = consumer(&bus);
    let held = take(&mut first, 100).await;

    let mut second = consumer(&bus);
    let two = second.state();
    until("a partition", || async { two.assignment().len() == 1 }).await;
    let (_, moved) = two.assignment().remove(0);

    // The new owner gets what was not done. Late acks of the old one neither commit nor disturb.
    let again = next(&mut second).await.records;
    let (late, kept): (Vec<_>, Vec<_>) = held.into_iter().partition(|record| record.coordinates.partition == moved);
    let expected: BTreeSet<_> = late.iter().map(number).collect();
    assert!(expected.contains(&number(&again[0])));
    complete(late.into_iter().map(|record| record.ack));
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(bus.group_offset(GROUP, TOPIC, moved).await.unwrap(), Some(0), "a late ack was committed");

    // The partition that stayed was never disturbed.
    let count = i64::try_from(kept.len()).unwrap();
    complete(kept.into_iter().map(|record| record.ack));
    let stayed = 1 - moved;
    let bus = &bus;
    until("the commit", || async move { bus.group_offset(GROUP, TOPIC, stayed).await.unwrap() == Some(count) }).await;

    let mut seen: BTreeSet<_> = again.iter().map(number).collect();
    complete(again.into_iter().map(|record| record.ack));
    let begun = Instant::now();
    while seen.len() < expected.len() && begun.elapsed() < crate::support::LIMIT {
        let records = next(&mut second).await.records;
        seen.extend(records.iter().map(number));
        complete(records.into_iter().map(|record| record.ack));
    }
    assert_eq!(seen, expected, "nothing of the moved partition is lost");
    drop(first);
}
