//! What an operator decides by hand: where a group stands, and what a topic no longer keeps.

use std::time::Duration;

use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::{Offset, TopicPartitionList};

use super::client::{Events, unusable};
use super::{Kafka, topics};
use crate::{Error, Group, GroupPlace, Start};

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
        kafka.away(&format!("the offset of {group} was not set, stop the group's members first: {error}"))
    };
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(&kafka.settings.full_name(topic), partition, Offset::Offset(offset)).map_err(away)?;
    member(kafka, group)?.commit(&offsets, CommitMode::Sync).map_err(away)
}

/// All groups of this installation that have committed. Blocks.
pub(crate) fn groups(kafka: &Kafka) -> Result<Vec<Group>, Error> {
    let away = |error: KafkaError| kafka.away(&error.to_string());
    let prefix = &kafka.settings.topic_prefix;
    let known = kafka.asking.fetch_group_list(None, ASK).map_err(away)?;
    let ranges = topics::ranges(kafka, ASK)?;
    let mut groups = Vec::new();
    for known in known.groups() {
        let Some(name) = known.name().strip_prefix(prefix) else { continue };
        let mut asked = TopicPartitionList::new();
        for (topic, partition) in ranges.keys() {
            asked.add_partition(topic, *partition);
        }
        let answer = member(kafka, name)?.committed_offsets(asked, ASK).map_err(away)?;
        let mut places = Vec::new();
        for element in answer.elements() {
            let (topic, partition) = (element.topic(), element.partition());
            let range = ranges.get(&(topic.to_owned(), partition));
            let (Offset::Offset(committed), Some((low, end))) = (element.offset(), range) else { continue };
            let topic = topic.strip_prefix(prefix).unwrap_or(topic).to_owned();
            places.push(GroupPlace { topic, partition, committed, low: *low, end: *end });
        }
        places.sort();
        // Others may use the cluster too: their groups are none of ours.
        if !places.is_empty() {
            groups.push(Group { name: name.to_owned(), members: known.members().len(), places });
        }
    }
    groups.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(groups)
}

/// Where a reader of each partition would begin. Blocks.
pub(crate) fn offsets_at(kafka: &Kafka, topic: &str, start: &Start) -> Result<Vec<i64>, Error> {
    let full = kafka.settings.full_name(topic);
    let metadata = kafka.asking.fetch_metadata(Some(&full), ASK).map_err(|error| kafka.away(&error.to_string()))?;
    let there = metadata.topics().iter().find(|found| found.name() == full && found.error().is_none());
    let partitions = there.map(|found| found.partitions().iter().map(|partition| partition.id()).collect::<Vec<_>>());
    let mut partitions =
        partitions.filter(|all| !all.is_empty()).ok_or(Error::NoTopic { topic: full.as_str().into() })?;
    partitions.sort_unstable();
    let positions = super::reader::positions(&kafka.asking, &full, &partitions, start);
    let positions = positions.map_err(|error| kafka.away(&error.to_string()))?;
    Ok(partitions.iter().map(|partition| positions.get(partition).copied().unwrap_or_default()).collect())
}

pub(crate) async fn delete_group(kafka: &Kafka, group: &str) -> Result<(), Error> {
    let full = kafka.settings.full_name(group);
    let away = |error: String| {
        kafka.away(&format!("group {full} was not deleted, check that it exists and stop its members first: {error}"))
    };
    let admin: AdminClient<Events> =
        kafka.config()?.create_with_context(Events::new("admin")).map_err(|error| unusable("admin client", &error))?;
    let options = AdminOptions::new().request_timeout(Some(ASK)).operation_timeout(Some(ASK));
    let answer = admin.delete_groups(&[&full], &options).await.map_err(|error| away(error.to_string()))?;
    answer.into_iter().try_for_each(|deleted| deleted.map(drop).map_err(|(_, code)| away(code.to_string())))
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
