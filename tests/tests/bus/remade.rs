//! A topic is deleted and made again. Only where topics can be deleted from outside.

use std::collections::BTreeSet;
use std::time::Duration;

use bus::{Bus, Consumer};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::support::{GROUP, Log, TOPIC, consumer, number, prepare, produce, take_all, until, within};

const OLD: std::ops::Range<u32> = 0..10;
/// More than there were before: the old position is one of the new topic too.
const NEW: std::ops::Range<u32> = 100..125;

async fn make_again(bus: &Bus) {
    let topic = bus.settings().topic_prefix.clone() + TOPIC;
    let kafka = weir_tests::kafka::shared().expect("kafka");
    tokio::task::block_in_place(|| kafka.delete_topic(&topic)).unwrap();
    until("its end", || async move { !bus.topics().await.unwrap().contains(&TOPIC.to_owned()) }).await;
    prepare(bus, &[TOPIC]).await;
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
