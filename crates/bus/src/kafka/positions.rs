//! What a group commits, and what it has committed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Offset, TopicPartitionList};

use super::lives;
use super::member::Member;
use crate::culprit::Mark;
use crate::intake::TopicPartition;

/// How long the broker may take to say where a partition begins.
pub(super) const ASK: Duration = Duration::from_secs(5);

/// What a group has committed.
pub(super) struct Position {
    pub(super) offset: i64,
    pub(super) mark: Option<Mark>,
    /// The id of the topic that it is of.
    pub(super) of: Option<Arc<str>>,
}

/// By partition; none: never.
pub(super) type Committed = HashMap<TopicPartition, Option<Position>>;

/// What the group has committed for these.
pub(super) fn committed(consumer: &BaseConsumer<Member>, of: &[TopicPartition]) -> KafkaResult<Committed> {
    let mut asked = TopicPartitionList::new();
    for (topic, partition) in of {
        asked.add_partition(topic, *partition);
    }
    let answer = consumer.committed_offsets(asked, ASK)?;
    let mut committed = HashMap::new();
    for element in answer.elements() {
        // An error here must not be taken for "never committed".
        element.error()?;
        let offset = match element.offset() {
            Offset::Offset(offset) => {
                let metadata = element.metadata();
                Some(Position { offset, mark: Mark::read(metadata), of: lives::id_of(metadata) })
            }
            _ => None,
        };
        committed.insert((element.topic().into(), element.partition()), offset);
    }
    Ok(committed)
}

/// Adds an offset that is to be committed with a mark.
pub(super) fn add(
    consumer: &BaseConsumer<Member>,
    offsets: &mut TopicPartitionList,
    topic: &str,
    partition: i32,
    position: i64,
    mark: Option<Mark>,
) -> KafkaResult<()> {
    let mut element = offsets.add_partition(topic, partition);
    element.set_offset(Offset::Offset(position))?;
    if let Some(metadata) = consumer.context().lives.metadata(topic, mark) {
        element.set_metadata(metadata);
    }
    Ok(())
}

/// Commits what is stored, and waits for the answer.
pub(crate) fn commit(consumer: &BaseConsumer<Member>) {
    match consumer.commit_consumer_state(CommitMode::Sync) {
        Ok(()) => {}
        Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::NoOffset) => {}
        Err(error) => tracing::warn!(%error, "offset commit failed, the records will be read again"),
    }
}
