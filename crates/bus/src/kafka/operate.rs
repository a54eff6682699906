//! What an operator decides by hand: where a group stands, and what a topic no longer keeps.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::Kafka;
use super::client::{Events, unusable};
use crate::Error;

const ASK: Duration = Duration::from_secs(10);

fn member(kafka: &Kafka, group: &str) -> Result<BaseConsumer<Events>, Error> {
    let mut config = kafka.config()?;
    config.set("group.id", kafka.settings.full_name(group)).set("enable.auto.commit", "false");
    config.create_with_context(Events::new("operator")).map_err(|error| unusable("client", &error))
}

/// Blocks.
pub(crate) fn group_offset(kafka: &Kafka, group: &str, topic: &str, partition: i32) -> Result<Option<i64>, Error> {
    let away = |error: KafkaError| kafka.away(&error.to_string());
    let mut asked = TopicPartitionList::new();
    asked.add_partition(&kafka.settings.full_name(topic), partition);
    let answer = member(kafka, group)?.committed_offsets(asked, ASK).map_err(away)?;
    let elements = answer.elements();
    let Some(element) = elements.first() else { return Ok(None) };
    element.error().map_err(away)?;
    match element.offset() {
        Offset::Offset(offset) => Ok(Some(offset)),
        _ => Ok(None),
    }
}

/// Blocks.
pub(crate) fn set_group_offset(
    kafka: &Kafka,
    group: &str,
    topic: &str,
    partition: i32,
    offset: i64,
) -> Result<(), Error> {
    let away = |error: KafkaError| {
        kafka.away(&format!("the offset of {group} was not set, its members must be stopped: {error}"))
    };
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&kafka.settings.full_name(topic), partition, Offset::Offset(offset)).map_err(away)?;
    member(kafka, group)?.commit(&offsets, CommitMode::Sync).map_err(away)
}

pub(crate) async fn delete_records(kafka: &Kafka, topic: &str, partition: i32, before: i64) -> Result<(), Error> {
    let away = |error: KafkaError| kafka.away(&format!("the records of {topic}/{partition} were not deleted: {error}"));
    let admin: AdminClient<Events> =
        kafka.config()?.create_with_context(Events::new("admin")).map_err(|error| unusable("admin client", &error))?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&kafka.settings.full_name(topic), partition, Offset::Offset(before)).map_err(away)?;
    let options = AdminOptions::new().request_timeout(Some(ASK)).operation_timeout(Some(ASK));
    let answer = admin.delete_records(&offsets, &options).await.map_err(away)?;
    for element in answer.elements() {
        element.error().map_err(away)?;
    }
    Ok(())
}
