//! One record after the other, each by its place.

use std::cmp::Ordering;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message as _, Offset, TopicPartitionList};

use super::client::Events;
use super::message::Content;
use super::{Kafka, reader};
use crate::{Coordinates, Error, Stored};

const ASK: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(100);
/// So many records are rather read over than sought past: they are in the client's buffer already.
const CLOSE: i64 = 200;

/// A client that goes from place to place.
pub(crate) struct Seeker {
    consumer: BaseConsumer<Events>,
    /// Topic with prefix, partition, and the offset that comes next.
    next: Option<(Arc<str>, i32, i64)>,
}

impl std::fmt::Debug for Seeker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Seeker").field("next", &self.next).finish_non_exhaustive()
    }
}

impl Seeker {
    pub(crate) fn new(kafka: &Kafka) -> Result<Self, Error> {
        Ok(Self { consumer: reader::create(kafka)?, next: None })
    }

    /// Blocks.
    pub(crate) fn at(
        &mut self,
        kafka: &Kafka,
        topic: &str,
        partition: i32,
        offset: i64,
    ) -> Result<Option<Stored>, Error> {
        let topic: Arc<str> = kafka.settings.full_name(topic).into();
        let away = |error: KafkaError| kafka.away(&error.to_string());
        let log = kafka.identify(self.consumer.client(), ASK).ok_or_else(|| kafka.away("no answer"))?;
        match self.consumer.fetch_watermarks(&topic, partition, ASK) {
            Ok((low, high)) if (low..high).contains(&offset) => {}
            Ok(_) => return Ok(None),
            Err(error) if is_not_there(&error) => return Ok(None),
            Err(error) => return Err(away(error)),
        }
        let stands = self.next.take();
        // What the client says of the end of a partition is believed only after it was sent there anew.
        let mut sought = !stands.is_some_and(|(at, number, next)| {
            at == topic && number == partition && (next..next + CLOSE).contains(&offset)
        });
        if sought {
            self.seek(&topic, partition, offset).map_err(away)?;
        }
        let until = Instant::now() + ASK;
        loop {
            match self.consumer.poll(POLL) {
                None if Instant::now() < until => {}
                None => return Err(kafka.away(&format!("reading record {offset} of {topic}/{partition} timed out"))),
                Some(Ok(message)) if message.partition() != partition || message.topic() != &*topic => {}
                Some(Ok(message)) => {
                    let found = message.offset();
                    let Content { key, payload, headers, produced_at_ms } = match found.cmp(&offset) {
                        Ordering::Less => continue,
                        Ordering::Equal => Content::of(&message),
                        // Compaction or a transaction left a gap.
                        Ordering::Greater => return Ok(None),
                    };
                    let coordinates = Coordinates { log, topic: topic.clone(), partition, offset };
                    self.next = Some((topic, partition, offset + 1));
                    return Ok(Some(Stored { coordinates, key, payload, headers, produced_at_ms }));
                }
                Some(Err(KafkaError::PartitionEOF(_))) if sought => return Ok(None),
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    self.seek(&topic, partition, offset).map_err(away)?;
                    sought = true;
                }
                Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                    return Err(Error::Fatal { client: "lookup".into(), reason: code.to_string().into() });
                }
                // Deleted just now.
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    return Ok(None);
                }
                Some(Err(error)) => tracing::debug!(%topic, %error, "the look-up of a record continues after an error"),
            }
        }
    }

    fn seek(&self, topic: &str, partition: i32, offset: i64) -> KafkaResult<()> {
        let mut assignment = TopicPartitionList::new();
        assignment.add_partition_offset(topic, partition, Offset::Offset(offset))?;
        self.consumer.assign(&assignment)
    }
}

fn is_not_there(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    code.is_some_and(|code| {
        matches!(
            code,
            RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::UnknownPartition
        )
    })
}
