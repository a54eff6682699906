//! A thread that follows one topic.
//!
//! One client for each topic: the client tells the end of a partition by its number alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc as commands;
use std::time::{Duration, Instant};

use common::health::v1::FailureKind;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::BorrowedMessage;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Message as _, Offset, TopicPartitionList};
use tokio::sync::mpsc;

use super::client::{Events, unusable};
use super::message::Content;
use super::{Kafka, thread, topic_id};
use crate::intake::TopicPartition;
use crate::{Coordinates, Error, Start, Stored};

/// The group that Kafka's client wants to be told where a topic is read without one. Nothing joins it.
pub const READER_GROUP: &str = "weir-reader";

const ASK: Duration = Duration::from_secs(5);
/// How often it is looked whether the topic is still the same, and how long the answer may take.
const LOOK: Duration = Duration::from_secs(5);
const ASK_ID: Duration = Duration::from_secs(1);
/// How long a question for the end may have to wait before it is seen.
const POLL: Duration = Duration::from_millis(20);

/// What a follower tells.
#[derive(Debug)]
pub(crate) enum Event {
    Record(Box<Stored>),
    /// There is nothing more in this partition, as the broker said after the last question for the end.
    AtEnd(TopicPartition),
    /// The ends that are not yet reached, as they are now.
    Ends(Result<HashMap<TopicPartition, i64>, Error>),
    Failed(Error),
}

/// The handle of the thread. Dropping it ends the thread.
#[derive(Debug)]
pub(crate) struct Follower {
    questions: commands::Sender<()>,
}

struct Following {
    kafka: Arc<Kafka>,
    consumer: BaseConsumer<Events>,
    topic: Arc<str>,
    log: Arc<str>,
    /// Who the topic was when it was opened, and when that was looked at.
    id: Arc<str>,
    looked: Instant,
    /// The offset to be read next, for each partition.
    next: HashMap<i32, i64>,
    events: mpsc::Sender<Event>,
}

impl Follower {
    /// Finds the topic and where to begin. Blocks.
    pub(crate) fn start(
        kafka: &Arc<Kafka>,
        topic: &str,
        start: &Start,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, Error> {
        let topic: Arc<str> = kafka.settings.full_name(topic).into();
        let consumer = create(kafka)?;
        let away = |error: KafkaError| kafka.away(&error.to_string());
        let metadata = consumer.fetch_metadata(Some(&topic), ASK).map_err(away)?;
        let known = metadata.topics().iter().find(|known| known.name() == &*topic);
        let missing = RDKafkaRespErr::RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
        let partitions: Vec<i32> = match known {
            Some(known) if known.error() == Some(missing) => return Err(Error::NoTopic { topic }),
            Some(known) if known.partitions().is_empty() => {
                return Err(kafka.away(&format!("topic {topic} has no partitions yet")));
            }
            Some(known) => known.partitions().iter().map(|partition| partition.id()).collect(),
            None => return Err(Error::NoTopic { topic }),
        };
        let log = kafka.identify(consumer.client(), ASK).ok_or_else(|| kafka.away("no answer"))?;
        // Before the positions: those of a topic that comes after this one are seen to be of another.
        let id = topic_id::ask_full(kafka, &topic, ASK)?;
        let next = positions(&consumer, &topic, &partitions, start).map_err(away)?;
        let mut assignment = TopicPartitionList::new();
        for (partition, offset) in &next {
            assignment.add_partition_offset(&topic, *partition, Offset::Offset(*offset)).map_err(away)?;
        }
        consumer.assign(&assignment).map_err(away)?;

        let (questions, asked) = commands::channel();
        let name = format!("weir-read-{topic}");
        let following =
            Following { kafka: kafka.clone(), consumer, topic, log, id, looked: Instant::now(), next, events };
        thread(&name, move || following.run(&asked))?;
        Ok(Self { questions })
    }

    /// The answer is an [`Event::Ends`].
    pub(crate) fn ask_ends(&self) -> Result<(), Error> {
        self.questions.send(()).map_err(|_| Error::Closed)
    }
}

/// A client that reads what it is told to.
pub(super) fn create(kafka: &Kafka) -> Result<BaseConsumer<Events>, Error> {
    let mut config = kafka.config()?;
    let largest = kafka.settings.producer.max_record_bytes;
    config
        // The client wants one to hold an assignment. Nothing joins it and nothing is committed.
        .set("group.id", kafka.settings.full_name(READER_GROUP))
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("auto.offset.reset", "error")
        .set("enable.partition.eof", "true")
        .set("fetch.wait.max.ms", "100")
        .set("fetch.message.max.bytes", "1048576")
        .set("fetch.max.bytes", largest.max(8_388_608).to_string())
        .set("receive.message.max.bytes", (largest.max(8_388_608) + 1_048_576).to_string())
        .set("queued.max.messages.kbytes", (largest / 1024).max(8192).to_string());
    config.create_with_context(Events::new("reader")).map_err(|error| unusable("reader", &error))
}

pub(super) fn positions(
    consumer: &BaseConsumer<Events>,
    topic: &str,
    partitions: &[i32],
    start: &Start,
) -> KafkaResult<HashMap<i32, i64>> {
    let mut positions = HashMap::new();
    for partition in partitions {
        let (low, high) = consumer.fetch_watermarks(topic, *partition, ASK)?;
        let position = match start {
            Start::Beginning => low,
            Start::End => high,
            Start::LastN(n) => high.saturating_sub(i64::try_from(*n).unwrap_or(i64::MAX)).max(low),
            Start::AtTime(time) => {
                let mut asked = TopicPartitionList::new();
                asked.add_partition_offset(topic, *partition, Offset::Offset(common::time::to_millis(time).max(0)))?;
                let found = consumer.offsets_for_times(asked, ASK)?;
                match found.elements().first().map(|element| element.offset()) {
                    Some(Offset::Offset(offset)) => offset,
                    _ => high,
                }
            }
        };
        positions.insert(*partition, position);
    }
    Ok(positions)
}

impl Following {
    fn run(mut self, asked: &commands::Receiver<()>) {
        loop {
            self.kafka.find_again(self.consumer.client(), self.consumer.context());
            let event = match asked.try_recv() {
                Ok(()) => Some(Event::Ends(self.ends())),
                Err(commands::TryRecvError::Disconnected) => return,
                Err(commands::TryRecvError::Empty) if self.looked.elapsed() >= LOOK && self.is_replaced() => {
                    Some(Event::Failed(Error::Replaced { topic: self.topic.clone() }))
                }
                Err(commands::TryRecvError::Empty) => self.poll(),
            };
            if let Some(event) = event
                && self.events.blocking_send(event).is_err()
            {
                return;
            }
        }
    }

    /// Whether the topic is another one by now. An answer that does not come says nothing.
    fn is_replaced(&mut self) -> bool {
        let id = topic_id::ask_full(&self.kafka, &self.topic, ASK_ID);
        self.looked = Instant::now();
        id.is_ok_and(|id| id != self.id)
    }

    fn poll(&mut self) -> Option<Event> {
        match self.consumer.poll(POLL)? {
            Ok(message) => {
                let (partition, offset) = (message.partition(), message.offset());
                let stored = self.stored(&message);
                self.next.insert(partition, offset + 1);
                Some(Event::Record(Box::new(stored)))
            }
            Err(KafkaError::PartitionEOF(partition)) => Some(Event::AtEnd((self.topic.clone(), partition))),
            Err(KafkaError::MessageConsumptionFatal(code)) => {
                Some(Event::Failed(Error::Fatal { client: "reader".into(), reason: code.to_string().into() }))
            }
            Err(error) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                Some(Event::Failed(self.out_of_range()))
            }
            Err(error) => {
                tracing::debug!(topic = %self.topic, %error, "the reader continues after an error");
                None
            }
        }
    }

    fn stored(&self, message: &BorrowedMessage<'_>) -> Stored {
        let Content { key, payload, headers, produced_at_ms } = Content::of(message);
        let coordinates = Coordinates {
            log: self.log.clone(),
            topic: self.topic.clone(),
            partition: message.partition(),
            offset: message.offset(),
        };
        Stored { coordinates, key, payload, headers, produced_at_ms }
    }

    /// Where the partitions end that are not read to their end. The client tells the end of a partition once; going to
    /// where it stands anyway makes it tell again, for it may be there with only a gap before the end.
    fn ends(&self) -> Result<HashMap<TopicPartition, i64>, Error> {
        let away = |error: KafkaError| Error::Unavailable {
            what: format!("topic {}", self.topic).into(),
            reason: error.to_string().into(),
            failure: FailureKind::Unreachable,
        };
        let mut ends = HashMap::new();
        for (partition, next) in &self.next {
            let (_, high) = self.consumer.fetch_watermarks(&self.topic, *partition, ASK).map_err(away)?;
            if *next < high {
                self.consumer.seek(&self.topic, *partition, Offset::Offset(*next), ASK).map_err(away)?;
                ends.insert((self.topic.clone(), *partition), high);
            }
        }
        Ok(ends)
    }

    fn out_of_range(&mut self) -> Error {
        if self.is_replaced() {
            return Error::Replaced { topic: self.topic.clone() };
        }
        for (partition, next) in &self.next {
            if let Ok((low, high)) = self.consumer.fetch_watermarks(&self.topic, *partition, ASK)
                && !(low..=high).contains(next)
            {
                let (topic, partition, offset) = (self.topic.clone(), *partition, *next);
                return Error::OutOfRange { group: "reader".into(), topic, partition, offset, low, high };
            }
        }
        let reason = "a partition has no valid offset, and the client does not report which one".into();
        Error::Fatal { client: "reader".into(), reason }
    }
}
