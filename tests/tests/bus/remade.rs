//! A topic is deleted and made again. Only where topics can be deleted from outside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::{Bus, Consumer, Error, Start, TopicKind, TopicSpec};
use common::topics::REGISTRATIONS;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio_util::sync::CancellationToken;

use crate::read::{Rows, follow, registration, send};
use crate::support::{GROUP, Log, TOPIC, consumer, number, prepare, produce, take_all, until, within};

const OLD: std::ops::Range<u32> = 0..10;
/// More than there were before: the old position is one of the new topic too.
const NEW: std::ops::Range<u32> = 100..125;

async fn make_again(bus: &Bus) {
    delete(bus, TOPIC).await;
    prepare(bus, &[TOPIC]).await;
}

async fn delete(bus: &Bus, name: &str) {
    let topic = bus.settings().topic_prefix.clone() + name;
    let kafka = weir_tests::kafka::shared().expect("kafka");
    tokio::task::block_in_place(|| kafka.delete_topic(&topic)).unwrap();
    until("its end", || async move { !bus.topics().await.unwrap().iter().any(|topic| topic == name) }).await;
}

/// Consumes until all these were seen; that a partition stood still meanwhile is borne.
async fn sees(consumer: &mut Consumer, wanted: std::ops::Range<u32>) {
    let mut wanted: BTreeSet<u32> = wanted.collect();
    let all = async {
        while !wanted.is_empty() {
            let Ok(batch) = consumer.next().await else { continue };
            for record in batch.expect("the consumer is open").records {
                wanted.remove(&number(&record));
                record.ack.complete();
            }
        }
    };
    let seen = tokio::time::timeout(crate::support::LIMIT, all).await;
    assert!(seen.is_ok(), "these did not come: {wanted:?}");
}

pub(crate) async fn a_topic_that_is_made_again_is_another(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    let first = bus.topic_identity(TOPIC).await.unwrap();
    make_again(&bus).await;
    assert_ne!(bus.topic_identity(TOPIC).await.unwrap(), first);
}

pub(crate) async fn a_member_reads_all_of_a_topic_that_was_made_again(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    let mut consumer = consumer(&bus);
    produce(&bus, OLD).await;
    take_all(&mut consumer, OLD.collect()).await;
    make_again(&bus).await;
    produce(&bus, NEW).await;
    sees(&mut consumer, NEW).await;
    let bus = &bus;
    let committed = || async move { bus.group_offset(GROUP, TOPIC, 0).await.unwrap() == Some(NEW.len() as i64) };
    until("the commit", committed).await;
    within("the end", consumer.close(Duration::from_secs(10))).await.unwrap();
}

/// Whoever ends as its topic is deleted may commit after Kafka has forgotten its offsets.
pub(crate) async fn a_position_of_a_topic_that_is_gone_is_not_believed(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    let before = bus.topic_identity(TOPIC).await.unwrap();
    make_again(&bus).await;
    produce(&bus, NEW).await;
    let client: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", log.bootstrap())
        .set("group.id", log.full_name(GROUP))
        .create()
        .unwrap();
    let commit = |metadata: String| {
        let mut list = TopicPartitionList::new();
        let topic = log.full_name(TOPIC);
        let mut element = list.add_partition(&topic, 0);
        element.set_offset(Offset::Offset(10)).unwrap();
        element.set_metadata(metadata);
        tokio::task::block_in_place(|| client.commit(&list, CommitMode::Sync)).unwrap();
    };
    commit(format!("weir:topic={before}"));
    let mut first = consumer(&bus);
    sees(&mut first, NEW).await;
    within("the end", first.close(Duration::from_secs(10))).await.unwrap();

    // One of this topic is, and so is one that does not say of which it is.
    let now = bus.topic_identity(TOPIC).await.unwrap();
    for metadata in [format!("weir:topic={now}"), String::new()] {
        commit(metadata);
        let mut again = consumer(&bus);
        let batch = crate::support::next(&mut again).await;
        assert_eq!(batch.records[0].coordinates.offset, 10);
        crate::support::complete(batch.records.into_iter().map(|record| record.ack));
        within("the end", again.close(Duration::from_secs(10))).await.unwrap();
    }
}

pub(crate) async fn a_reader_says_that_its_topic_was_made_again(log: &Log) {
    let bus = log.with_topic(1, |_| {}).await;
    produce(&bus, OLD).await;
    let mut reader = bus.reader(&[TOPIC.to_owned()], Start::Beginning).await.unwrap();
    while within("the records", reader.next_until_end()).await.unwrap().is_some() {}
    make_again(&bus).await;
    produce(&bus, NEW).await;
    let failed = async {
        loop {
            if let Err(error) = reader.next().await {
                return error;
            }
        }
    };
    let error = within("an error", failed).await;
    let full = log.full_name(TOPIC);
    assert!(matches!(&error, Error::Replaced { topic } if **topic == *full), "{error}");
}

/// Whoever reads registrations goes on with what it knows until they are written anew, and then has what was written.
pub(crate) async fn a_table_outlives_its_topic(log: &Log) {
    let bus = log.open(|_| {});
    let make = || async {
        let specs = [TopicSpec { name: REGISTRATIONS.name().to_owned(), kind: TopicKind::Compacted }];
        assert_eq!(bus.prepare_topics(&specs).await.unwrap(), []);
    };
    make().await;
    for record in [registration("a", 1), registration("b", 1)] {
        send(&bus, record).await;
    }
    let (rows, shutdown) = (Rows::default(), CancellationToken::new());
    let (handle, mut tasks) = follow(&bus, &rows, &shutdown);
    within("the table", handle.wait_read()).await;
    let says = || rows.lock().unwrap().clone();
    let before = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 1)]);
    assert_eq!((says(), handle.is_remade()), (before.clone(), false));

    delete(&bus, REGISTRATIONS.name()).await;
    make().await;
    until("that it was seen", || async { handle.is_remade() }).await;
    assert_eq!((says(), handle.is_read()), (before, true));
    send(&bus, registration("b", 2)).await;
    let after = BTreeMap::from([("b".to_owned(), 2)]);
    until("that it is settled", || async { says() == after && !handle.is_remade() }).await;
    shutdown.cancel();
    within("the table's end", tasks.join_next()).await.unwrap().unwrap();
}
