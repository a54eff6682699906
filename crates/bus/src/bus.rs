//! Opening the bus.

use std::sync::Arc;
use std::time::Duration;

use common::topics::Topic;
use tokio::sync::OnceCell;

use crate::claims::{Clock, system_clock};
use crate::kafka::{Kafka, blocking};
use crate::{Claims, Consumer, Error, Producer, Reader, Settings, Start, Table, TopicProblem, TopicSpec};

/// How long one question to the log may take.
const ASK: Duration = Duration::from_secs(5);
/// Before a log that did not answer is asked again: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The event bus. Clones are one.
#[derive(Debug, Clone)]
pub struct Bus {
    settings: Arc<Settings>,
    kafka: Arc<Kafka>,
    clock: Clock,
    claims: Arc<OnceCell<Claims>>,
}

impl Bus {
    /// Opens it. Needs no broker: what needs one waits for it. Refuses settings that do not do.
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        Self::open_with_clock(settings, system_clock())
    }

    /// Opens it with another clock, by which claims expire.
    pub fn open_with_clock(settings: &Settings, clock: Clock) -> Result<Self, Error> {
        if let Some((key, problem)) = settings.validate().into_iter().next() {
            return Err(Error::Setting { key: key.into(), problem: problem.into() });
        }
        let settings = Arc::new(settings.clone());
        let kafka = Arc::new(Kafka::open(settings.clone())?);
        Ok(Self { settings, kafka, clock, claims: Arc::default() })
    }

    /// What it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The log's identity: Kafka's cluster id and the `generation` of the settings. Waits, with back-off and until the
    /// future is dropped, for the log to answer.
    pub async fn identity(&self) -> Arc<str> {
        let mut wait = AGAIN.0;
        loop {
            if let Some(log) = self.kafka.known_log() {
                return log.clone();
            }
            let kafka = self.kafka.clone();
            match blocking(move || kafka.ask_identity(ASK)).await {
                Ok(log) => return log,
                Err(error) => tracing::debug!(%error, "the log does not say who it is, asking again"),
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AGAIN.1);
        }
    }

    /// One attempt within the time limit: is the log there? For health checks.
    pub async fn ping(&self, limit: Duration) -> Result<(), Error> {
        let kafka = self.kafka.clone();
        blocking(move || kafka.ping(limit)).await
    }

    /// Creates what is missing where `create_topics` is set, and reports what is missing or unsafe. An error says that
    /// the log could not be asked: ask again.
    pub async fn prepare_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicProblem>, Error> {
        crate::kafka::topics::prepare(&self.kafka, topics).await
    }

    /// A producer. Its clones share what is in flight; another one has limits and connections of its own.
    pub fn producer(&self) -> Result<Producer, Error> {
        Producer::new(self.kafka.clone())
    }

    /// A member of a consumer group; names without the prefix. A group that is new to a partition begins at its first
    /// record.
    pub fn consumer(&self, group: &str, topics: &[String]) -> Result<Consumer, Error> {
        Consumer::new(self.kafka.clone(), group, topics)
    }

    /// Existing topics, without the prefix, those with the prefix only.
    pub async fn topics(&self) -> Result<Vec<String>, Error> {
        let kafka = self.kafka.clone();
        blocking(move || crate::kafka::topics::list(&kafka, ASK)).await
    }

    /// Reads topics without a group; names without the prefix.
    pub async fn reader(&self, topics: &[String], start: Start) -> Result<Reader, Error> {
        Reader::open(self.kafka.clone(), topics, start).await
    }

    /// Follows a compacted topic into memory.
    pub fn table<M: prost::Message + Default>(&self, topic: &Topic<M>) -> Table<M> {
        Table::new(self.kafka.clone(), topic)
    }

    /// Where a group stands on the log: its committed offset, or none.
    pub async fn group_offset(&self, group: &str, topic: &str, partition: i32) -> Result<Option<i64>, Error> {
        let (kafka, group, topic) = (self.kafka.clone(), group.to_owned(), topic.to_owned());
        blocking(move || crate::kafka::operate::group_offset(&kafka, &group, &topic, partition)).await
    }

    /// Sets where a group without running members stands. An operator's decision, as after [`Error::OutOfRange`]: what
    /// lies before is never consumed.
    pub async fn set_group_offset(&self, group: &str, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        let (kafka, group, topic) = (self.kafka.clone(), group.to_owned(), topic.to_owned());
        blocking(move || crate::kafka::operate::set_group_offset(&kafka, &group, &topic, partition, offset)).await
    }

    /// Deletes the records of a partition that stand before an offset. An operator's decision; they are gone.
    pub async fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<(), Error> {
        crate::kafka::operate::delete_records(&self.kafka, topic, partition, before).await
    }

    /// The claims' store, opened once for this bus. Waits for a store that is away.
    pub async fn claims(&self) -> Result<Claims, Error> {
        let open = || Claims::open(&self.settings, self.clock.clone());
        self.claims.get_or_try_init(open).await.cloned()
    }
}
