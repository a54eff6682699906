//! Opening the bus.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use common::backoff::Backoff;
use common::kinds::Problem;
use common::topics::Topic;
use tokio::sync::OnceCell;

use crate::backend::Backend;
use crate::clock::{Clock, system_clock};
use crate::threads::blocking;
use crate::{
    Claims, Consumer, Epoch, Error, Extent, Group, Keeping, Kept, Logs, Lookup, Producer, Reader, Settings, Spans,
    Start, Table, TopicProblem, TopicSpec,
};

/// How long one question to the log may take.
const ASK: Duration = Duration::from_secs(5);
/// Before a log that did not answer is asked again: at first, and at most.
const AGAIN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The event bus. Clones are one.
#[derive(Debug, Clone)]
pub struct Bus {
    settings: Arc<Settings>,
    backend: Backend,
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
        if let Some(Problem { key, problem, fix }) = settings.validate().into_iter().next() {
            return Err(Error::Setting { key: key.into(), problem: format!("{problem}; {fix}").into() });
        }
        crate::meters::describe();
        let settings = Arc::new(settings.clone());
        let backend = Backend::open(settings.clone(), &clock)?;
        Ok(Self { settings, backend, clock, claims: Arc::default() })
    }

    /// What it was opened with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The log's identity: Kafka's cluster id and the `generation` of the settings. Waits, with back-off and until the
    /// future is dropped, for the log to answer.
    pub async fn identity(&self) -> Arc<str> {
        let kafka = match &self.backend {
            Backend::Kafka(kafka) => kafka,
            Backend::Embedded(embedded) => return embedded.identity.clone(),
        };
        let mut backoff = Backoff::new(AGAIN.0, AGAIN.1);
        loop {
            if let Some(log) = kafka.known_log() {
                return log.clone();
            }
            let kafka = kafka.clone();
            match blocking(move || kafka.ask_identity(ASK)).await {
                Ok(log) => return log,
                Err(error) => tracing::debug!(%error, "the log did not report its identity, retrying"),
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    /// One attempt within the time limit: is the log there? For health checks.
    pub async fn ping(&self, limit: Duration) -> Result<(), Error> {
        self.ask(move |backend| match backend {
            Backend::Kafka(kafka) => kafka.ping(limit),
            Backend::Embedded(embedded) => embedded.ping(),
        })
        .await
    }

    /// Creates what is missing where `create_topics` is set, and reports what is missing or unsafe. An error says that
    /// the log could not be asked: ask again.
    pub async fn prepare_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicProblem>, Error> {
        self.look_at_topics(topics, true).await
    }

    /// Reports what is missing or unsafe, and creates nothing: for another look at what was prepared.
    pub async fn check_topics(&self, topics: &[TopicSpec]) -> Result<Vec<TopicProblem>, Error> {
        self.look_at_topics(topics, false).await
    }

    async fn look_at_topics(&self, topics: &[TopicSpec], may_create: bool) -> Result<Vec<TopicProblem>, Error> {
        match &self.backend {
            Backend::Kafka(kafka) => crate::kafka::topics::prepare(kafka, topics, may_create).await,
            Backend::Embedded(embedded) => {
                let (embedded, topics) = (embedded.clone(), topics.to_vec());
                blocking(move || embedded.prepare(&topics, may_create)).await
            }
        }
    }

    /// For how long, and how much, topics keep their records, as far as they say it. Names are with the prefix, as in
    /// [`Lag`](crate::Lag).
    pub async fn kept(&self, topics_full: &[String]) -> Result<HashMap<String, Kept>, Error> {
        match &self.backend {
            Backend::Kafka(kafka) => crate::kafka::topics::kept(kafka, topics_full).await,
            Backend::Embedded(embedded) => Ok(embedded.kept(topics_full)),
        }
    }

    /// A producer. Its clones share what is in flight; another one has limits and connections of its own.
    pub fn producer(&self) -> Result<Producer, Error> {
        Producer::new(self.backend.clone())
    }

    /// A member of a consumer group; names without the prefix. A group that is new to a partition begins at its first
    /// record.
    pub fn consumer(&self, group: &str, topics: &[String]) -> Result<Consumer, Error> {
        Consumer::new(self.backend.clone(), group, topics, true)
    }

    /// The same for a stage that gathers records, and is done with one long after it came: a file, a commit. There none is
    /// tried alone, however often the process ends, and [`Incoming::culprit`](crate::Incoming::culprit) is never set.
    pub fn consumer_of_batches(&self, group: &str, topics: &[String]) -> Result<Consumer, Error> {
        Consumer::new(self.backend.clone(), group, topics, false)
    }

    /// Existing topics, without the prefix, those with the prefix only.
    pub async fn topics(&self) -> Result<Vec<String>, Error> {
        self.ask(|backend| match backend {
            Backend::Kafka(kafka) => crate::kafka::topics::list(kafka, ASK),
            Backend::Embedded(embedded) => Ok(embedded.list()),
        })
        .await
    }

    /// Those of these topics on which there are records, or gaps where some were; names without the prefix. Few questions,
    /// however many topics: a reader for each of them takes far longer.
    pub async fn topics_with_records(&self, topics: &[String]) -> Result<Vec<String>, Error> {
        let topics = topics.to_vec();
        self.ask(move |backend| match backend {
            Backend::Kafka(kafka) => crate::kafka::topics::with_records(kafka, topics, ASK),
            Backend::Embedded(embedded) => embedded.with_records(topics),
        })
        .await
    }

    /// Who a topic is: an id that changes when the topic is deleted and created again, so that offsets of the one are not
    /// taken for offsets of the other. The name is without the prefix.
    pub async fn topic_identity(&self, topic: &str) -> Result<Arc<str>, Error> {
        let topic = topic.to_owned();
        self.ask(move |backend| match backend {
            Backend::Kafka(kafka) => crate::kafka::topic_id::ask(kafka, &topic, ASK),
            Backend::Embedded(embedded) => embedded.topic_identity(&topic),
        })
        .await
    }

    /// From where to where the partitions of a topic go, in their order. The name is without the prefix. What somebody read
    /// of the log before cannot lie beyond these ends; where it does, it was read of another log than this one.
    pub async fn extents(&self, topic: &str) -> Result<Vec<Extent>, Error> {
        let topic = topic.to_owned();
        self.ask(move |backend| match backend {
            Backend::Kafka(kafka) => crate::kafka::extent::ask(kafka, &topic, ASK),
            Backend::Embedded(embedded) => embedded.extents(&topic),
        })
        .await
    }

    /// For each partition of a topic, a key whose records go there. The name is without the prefix.
    pub async fn keys(&self, topic: &str) -> Result<Vec<String>, Error> {
        Ok(crate::embedded::partitioner::keys(self.extents(topic).await?.len()))
    }

    /// The epochs of the partitions of a topic, the first one first. The name is without the prefix.
    pub async fn epochs(&self, topic: &str) -> Result<Vec<Vec<Epoch>>, Error> {
        if let Backend::Embedded(embedded) = &self.backend {
            return embedded.epochs_of(topic);
        }
        let log = self.identity().await;
        let partitions = self.extents(topic).await?;
        Ok(partitions.iter().map(|_| vec![Epoch { log: Arc::clone(&log), first: 0 }]).collect())
    }

    /// The log's identity for each record; waits as [`identity`](Self::identity) does.
    pub async fn logs(&self) -> Logs {
        let embedded = match &self.backend {
            Backend::Kafka(_) => None,
            Backend::Embedded(embedded) => Some(Arc::clone(embedded)),
        };
        Logs { identity: self.identity().await, embedded }
    }

    /// Where the partitions of a topic ended before anything came that this process knows of: of the embedded log, when it
    /// was opened, until [`looked_at_opening`](Self::looked_at_opening); of Kafka, now.
    pub async fn ends_at_opening(&self, topic: &str) -> Result<Vec<i64>, Error> {
        if let Backend::Embedded(embedded) = &self.backend
            && let Some(ends) = embedded.ends_at_opening(topic)?
        {
            return Ok(ends);
        }
        Ok(self.extents(topic).await?.into_iter().map(|extent| extent.end).collect())
    }

    /// Whatever was read of the log before it was opened has been compared with where it ended then.
    pub fn looked_at_opening(&self) {
        if let Backend::Embedded(embedded) = &self.backend {
            embedded.looked_at_opening();
        }
    }

    /// Reads topics without a group; names without the prefix.
    pub async fn reader(&self, topics: &[String], start: Start) -> Result<Reader, Error> {
        Reader::open(&self.backend, topics, start).await
    }

    /// Finds single records by their places. Asks nobody before it is asked.
    pub fn lookup(&self) -> Lookup {
        Lookup::new(self.backend.clone())
    }

    /// Reads parts of a topic in any order; the name is without the prefix. Asks nobody before it is asked.
    pub fn spans(&self, topic: &str) -> Spans {
        Spans::new(self.backend.clone(), topic)
    }

    /// Follows a compacted topic into memory.
    pub fn table<M: prost::Message + Default>(&self, topic: &Topic<M>) -> Table<M> {
        Table::new(self.backend.clone(), topic)
    }

    /// Where a group stands on the log: its committed offset, or none.
    pub async fn group_offset(&self, group: &str, topic: &str, partition: i32) -> Result<Option<i64>, Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.ask(move |backend| match backend {
            Backend::Kafka(kafka) => crate::kafka::operate::group_offset(kafka, &group, &topic, partition),
            Backend::Embedded(embedded) => embedded.group_offset(&group, &topic, partition),
        })
        .await
    }

    /// Sets where a group without running members stands. An operator's decision, as after [`Error::OutOfRange`]: what
    /// lies before is never consumed.
    pub async fn set_group_offset(&self, group: &str, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        let (group, topic) = (group.to_owned(), topic.to_owned());
        self.ask(move |backend| match backend {
            Backend::Kafka(kafka) => crate::kafka::operate::set_group_offset(kafka, &group, &topic, partition, offset),
            Backend::Embedded(embedded) => embedded.set_group_offset(&group, &topic, partition, offset),
        })
        .await
    }

    /// All groups of this installation that have committed an offset, and where they stand.
    pub async fn groups(&self) -> Result<Vec<Group>, Error> {
        self.ask(|backend| match backend {
            Backend::Kafka(kafka) => crate::kafka::operate::groups(kafka),
            Backend::Embedded(embedded) => embedded.groups(),
        })
        .await
    }

    /// Deletes a group without running members: what it has read is forgotten. An operator's decision; the embedded log
    /// keeps records for it no longer.
    pub async fn delete_group(&self, group: &str) -> Result<(), Error> {
        match &self.backend {
            Backend::Kafka(kafka) => crate::kafka::operate::delete_group(kafka, group).await,
            Backend::Embedded(embedded) => {
                let (embedded, group) = (embedded.clone(), group.to_owned());
                blocking(move || embedded.delete_group(&group)).await
            }
        }
    }

    /// The offset of each partition of a topic at which a reader would begin.
    pub async fn offsets_at(&self, topic: &str, start: Start) -> Result<Vec<i64>, Error> {
        let topic = topic.to_owned();
        self.ask(move |backend| match backend {
            Backend::Kafka(kafka) => crate::kafka::operate::offsets_at(kafka, &topic, &start),
            Backend::Embedded(embedded) => embedded.offsets_at(&topic, &start),
        })
        .await
    }

    /// Deletes the records of a partition that stand before an offset. An operator's decision; they are gone.
    pub async fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<(), Error> {
        match &self.backend {
            Backend::Kafka(kafka) => crate::kafka::operate::delete_records(kafka, topic, partition, before).await,
            Backend::Embedded(embedded) => {
                let (embedded, topic) = (embedded.clone(), topic.to_owned());
                blocking(move || embedded.delete_records(&topic, partition, before)).await
            }
        }
    }

    /// How the embedded log keeps its records; none where the log is Kafka's. Asks nobody.
    pub fn keeping(&self) -> Option<Keeping> {
        match &self.backend {
            Backend::Kafka(_) => None,
            Backend::Embedded(embedded) => Some(embedded.keeping()),
        }
    }

    /// The claims' store, opened once for this bus. Waits for a store that is away.
    pub async fn claims(&self) -> Result<Claims, Error> {
        let open = || Claims::open(&self.backend, self.clock.clone());
        self.claims.get_or_try_init(open).await.cloned()
    }

    /// Asks the log what blocks.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Backend) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let backend = self.backend.clone();
        blocking(move || question(&backend)).await
    }
}
