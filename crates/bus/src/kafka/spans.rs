//! Parts of a topic, each from one offset to another.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::client::Events;
use super::message::Content;
use super::{Kafka, reader};
use crate::span::{AT_ONCE, OffsetRange, Span};
use crate::{Coordinates, Error, Stored};

const ASK: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);

/// A client that goes from part to part.
pub(crate) struct Seeker {
    kafka: Arc<Kafka>,
    consumer: BaseConsumer<Events>,
    /// The partition, and the offset that comes next.
    stands: Option<(i32, i64)>,
}

impl std::fmt::Debug for Seeker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seeker").field("stands", &self.stands).finish_non_exhaustive()
    }
}

/// Blocks, all of it.
impl Seeker {
    pub(crate) fn new(kafka: Arc<Kafka>) -> Result<Self, Error> {
        let consumer = reader::create(&kafka)?;
        Ok(Self { kafka, consumer, stands: None })
    }

    fn away(&self, error: &KafkaError) -> Error {
        self.kafka.away(&error.to_string())
    }

    pub(crate) fn ranges(&mut self, topic: &str) -> Result<Vec<OffsetRange>, Error> {
        let topic: Arc<str> = self.kafka.settings.full_name(topic).into();
        let metadata = self.consumer.fetch_metadata(Some(&topic), ASK).map_err(|error| self.away(&error))?;
        let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        let known = metadata.topics().iter().find(|known| known.name() == &*topic);
        let Some(known) = known.filter(|known| known.error() != Some(missing)) else {
            return Err(Error::NoTopic { topic });
        };
        if known.partitions().is_empty() {
            return Err(self.kafka.away(&format!("topic {topic} has no partitions yet")));
        }
        let range = |partition: i32| {
            let range = self.consumer.fetch_watermarks(&topic, partition, ASK).map_err(|error| self.away(&error));
            range.map(|(low, end)| OffsetRange { partition, low, end })
        };
        known.partitions().iter().map(|partition| range(partition.id())).collect()
    }

    /// The same ranges, each from the first record on that was produced at this time or later.
    pub(crate) fn ranges_at(
        &mut self,
        topic: &str,
        ranges: Vec<OffsetRange>,
        millis: i64,
    ) -> Result<Vec<OffsetRange>, Error> {
        let topic = self.kafka.settings.full_name(topic);
        let mut asked = TopicPartitionList::new();
        for range in &ranges {
            let added = asked.add_partition_offset(&topic, range.partition, Offset::Offset(millis.max(0)));
            added.map_err(|error| self.away(&error))?;
        }
        let found = self.consumer.offsets_for_times(asked, ASK).map_err(|error| self.away(&error))?;
        let from = |range: OffsetRange| {
            let first = match found.find_partition(&topic, range.partition).map(|element| element.offset()) {
                Some(Offset::Offset(offset)) => offset,
                _ => range.end,
            };
            OffsetRange { low: first.clamp(range.low, range.end), ..range }
        };
        Ok(ranges.into_iter().map(from).collect())
    }

    pub(crate) fn span(&mut self, topic: &str, partition: i32, from: i64, until: i64) -> Result<Span, Error> {
        let topic: Arc<str> = self.kafka.settings.full_name(topic).into();
        let mut span = Span { records: Vec::new(), next: from };
        if from >= until {
            return Ok(span);
        }
        let log = self.kafka.identify(self.consumer.client(), ASK).ok_or_else(|| self.kafka.away("no answer"))?;
        // What the client says of the end of a partition is believed only after it was sent there anew.
        let mut sought = self.stands.take() != Some((partition, from));
        if sought {
            self.seek(&topic, partition, from).map_err(|error| self.away(&error))?;
        }
        let (mut bytes, mut patience) = (0, Instant::now() + ASK);
        loop {
            match self.consumer.poll(POLL) {
                None if Instant::now() < patience => {}
                None => {
                    return Err(self
                        .kafka
                        .away(&format!("reading record {} of {topic}/{partition} timed out", span.next)));
                }
                Some(Ok(message)) if message.partition() != partition || message.offset() < span.next => {}
                // Compaction or a transaction left a gap, and this one was not asked for.
                Some(Ok(message)) if message.offset() >= until => {
                    span.next = until;
                    return Ok(span);
                }
                Some(Ok(message)) => {
                    let offset = message.offset();
                    let Content { key, payload, headers, produced_at_ms } = Content::of(&message);
                    bytes += payload.as_ref().map_or(0, bytes::Bytes::len) + key.as_ref().map_or(0, bytes::Bytes::len);
                    let coordinates = Coordinates { log: log.clone(), topic: topic.clone(), partition, offset };
                    span.records.push(Stored { coordinates, key, payload, headers, produced_at_ms });
                    span.next = offset + 1;
                    if span.next >= until || span.records.len() >= AT_ONCE.0 || bytes >= AT_ONCE.1 {
                        self.stands = Some((partition, span.next));
                        return Ok(span);
                    }
                    patience = Instant::now() + ASK;
                }
                Some(Err(KafkaError::PartitionEOF(_))) if sought => {
                    span.next = until;
                    return Ok(span);
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.seek(&topic, partition, span.next).map_err(|error| self.away(&error))?;
                    sought = true;
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(Error::Fatal { client: "spans".into(), reason: code.to_string().into() });
                }
                // Deleted just now.
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    let (low, _) =
                        self.consumer.fetch_watermarks(&topic, partition, ASK).map_err(|error| self.away(&error))?;
                    span.next = low.clamp(span.next, until);
                    return Ok(span);
                }
                Some(Err(error)) => {
                    tracing::debug!(%topic, %error, "reading a part of a topic continues after an error");
                }
            }
        }
    }

    fn seek(&self, topic: &str, partition: i32, offset: i64) -> KafkaResult<()> {
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        self.consumer.assign(&assignment)
    }
}
