//! Members of a group come and go.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bus::{Consumer, ConsumerState, Membership, Record};

use crate::support::{
    GROUP, Log, TOPIC, complete, consumer, next, number, numbered, prepare, produce_keyed, take, take_all, until,
    within,
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

pub(crate) async fn who_has_nothing_where_others_have_all_is_a_spare(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    let members = [consumer(&bus), consumer(&bus)];
    let states = members.each_ref().map(Consumer::state);
    let is = |state: &ConsumerState, what: Membership| state.standing(Instant::now()).membership == what;
    until("a member and a spare", || async {
        let [one, two] = [&states[0], &states[1]];
        is(one, Membership::Member) && is(two, Membership::Spare)
            || is(one, Membership::Spare) && is(two, Membership::Member)
    })
    .await;
    assert!(states.iter().all(|state| state.total_lag() == Some(0)), "how much waits is known of both");
    let [first, second] = members;
    let (leaves, stays) = if is(&states[0], Membership::Member) { (first, second) } else { (second, first) };
    leaves.close(Duration::from_secs(10)).await.unwrap();
    until("the spare takes over", || async { is(&stays.state(), Membership::Member) }).await;
}

/// A member looks for topics that are missing for as long as it is in.
pub(crate) async fn a_topic_that_is_made_after_the_join_is_consumed(log: &Log) {
    const LATER: &str = "later";
    let bus = log.with_topic(1, |_| {}).await;
    let mut consumer = bus.consumer(GROUP, &[TOPIC.to_owned(), LATER.to_owned()]).unwrap();
    let state = consumer.state();
    until("a share", || async { state.standing(Instant::now()).membership == Membership::Member }).await;
    prepare(&bus, &[LATER]).await;
    let producer = bus.producer().unwrap();
    for number in 0..10 {
        let record = Record { topic: LATER.into(), ..numbered("key", number) };
        producer.try_send(record).unwrap().await.unwrap();
    }
    assert_eq!(take_all(&mut consumer, (0..10).collect()).await, 10);
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

pub(crate) async fn operators_see_and_set_where_groups_stand(log: &Log) {
    let bus = log.with_topic(2, |_| {}).await;
    let sent = produce_keyed(&bus, 0..50, |n| n.to_string()).await;
    let end = |partition| sent.iter().filter(|at| at.partition == partition).map(|at| at.offset + 1).max().unwrap_or(0);
    assert_eq!(bus.groups().await.unwrap(), []);
    let mut consumer = consumer(&bus);
    take_all(&mut consumer, (0..50).collect()).await;
    let groups = bus.groups().await.unwrap();
    assert_eq!((groups.len(), groups[0].name.as_str(), groups[0].members), (1, GROUP, 1));
    // While somebody reads nothing is set and nothing deleted.
    assert!(bus.set_group_offset(GROUP, TOPIC, 0, 0).await.is_err());
    assert!(bus.delete_group(GROUP).await.is_err());
    within("the end", consumer.close(Duration::from_secs(10))).await.unwrap();

    let place = |partition, committed: i64| bus::GroupPlace {
        topic: TOPIC.to_owned(),
        partition,
        committed,
        low: 0,
        end: end(partition),
    };
    let read = bus::Group { name: GROUP.to_owned(), members: 0, places: vec![place(0, end(0)), place(1, end(1))] };
    assert_eq!(bus.groups().await.unwrap(), [read]);
    assert_eq!(bus.offsets_at(TOPIC, bus::Start::Beginning).await.unwrap(), [0, 0]);
    assert_eq!(bus.offsets_at(TOPIC, bus::Start::End).await.unwrap(), [end(0), end(1)]);
    assert_eq!(bus.offsets_at(TOPIC, bus::Start::LastN(1)).await.unwrap(), [end(0) - 1, end(1) - 1]);
    bus.set_group_offset(GROUP, TOPIC, 0, 3).await.unwrap();
    bus.set_group_offset(GROUP, TOPIC, 1, end(1) + 5).await.unwrap();
    let places = bus.groups().await.unwrap().remove(0).places;
    assert_eq!(places, [place(0, 3), place(1, end(1) + 5)]);
    assert_eq!((places[0].lag(), places[0].is_out_of_range()), (end(0) - 3, false));
    assert_eq!((places[1].lag(), places[1].is_out_of_range()), (0, true));
    bus.delete_group(GROUP).await.unwrap();
    assert_eq!(bus.groups().await.unwrap(), []);
    assert!(bus.delete_group(GROUP).await.is_err(), "there is none");
}
