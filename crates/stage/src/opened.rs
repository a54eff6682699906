//! What every stage opens, and how it ends.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, Consumer, Producer};
use common::few::few;
use service::{HopCounts, Host};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::LogChecks;

/// Of the deadline of the shutdown: to finish what was begun, and again to flush.
const DRAIN: f64 = 0.4;

/// What every stage works with, opened and not yet running. Clones are one.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The stage's name.
    pub name: &'static str,
    /// Its process.
    pub host: Host,
    /// The log.
    pub bus: Bus,
    /// Where its records go.
    pub producer: Producer,
    /// What goes through it: told from here on, so that what its checks say is said of it from the start.
    pub counts: HopCounts,
    /// How often its health is looked at.
    pub every: Duration,
    /// So long may it take to finish what was begun.
    pub drain: Duration,
    /// Ends what serves the stage, after the stage.
    pub after: CancellationToken,
}

impl Opened {
    /// Opens what is local; waits for nothing.
    ///
    /// # Errors
    /// When a setting does not do; the message names it.
    pub fn open(
        name: &'static str,
        settings: &bus::Settings,
        host: &Host,
        deadline: Duration,
        every: Duration,
    ) -> anyhow::Result<Self> {
        crate::meters::describe();
        let bus = Bus::open(settings).context("opening the bus")?;
        if !bus.settings().is_embedded() {
            host.ends_when_the_clock_is_set_back();
        }
        host.watch_certificate("bus.kafka.certificate_file", bus.settings().kafka.certificate_file.as_ref());
        let producer = bus.producer().context("opening the producer")?;
        let (drain, after) = (deadline.mul_f64(DRAIN), CancellationToken::new());
        let counts = host.counts().hop(name);
        Ok(Self { name, host: host.clone(), bus, producer, counts, every, drain, after })
    }

    /// A consumer of these topics, which ends with the process.
    ///
    /// # Errors
    /// When a setting does not do.
    pub fn consumer(&self, group: &str, topics: &[String]) -> anyhow::Result<Consumer> {
        let consumer = self.bus.consumer(group, topics);
        self.ending(consumer, topics)
    }

    /// The same, with batches that are as large as there is.
    ///
    /// # Errors
    /// As [`consumer`](Self::consumer).
    pub fn consumer_of_batches(&self, group: &str, topics: &[String]) -> anyhow::Result<Consumer> {
        let consumer = self.bus.consumer_of_batches(group, topics);
        self.ending(consumer, topics)
    }

    fn ending(&self, consumer: Result<Consumer, bus::Error>, topics: &[String]) -> anyhow::Result<Consumer> {
        let consumer = consumer.with_context(|| format!("consuming {}", few(topics, ", ")))?;
        Ok(consumer.ends_with(self.host.shutdown().clone()))
    }

    /// Those that the end of the process waits for.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        self.host.tasks()
    }

    /// Looks at the log until the stage has ended.
    pub fn watch_log(&self, log: LogChecks, tasks: &mut JoinSet<anyhow::Result<()>>) {
        let opened = self.clone();
        tasks.spawn(async move {
            let watching = log.watch(&opened.bus, &opened.producer, opened.name, opened.every);
            let _ = opened.after.run_until_cancelled(watching).await;
            Ok(())
        });
    }

    /// Runs a stage until it ends, flushes what it has sent, and then ends what serves it: the `tasks` run until `after`. Half
    /// a stage does not go on: where a task ends before the shutdown, all of it does.
    ///
    /// # Errors
    /// The first error of the stage and its tasks, or that something which has to run all the time ended by itself.
    pub async fn run(
        &self,
        stage: impl Future<Output = anyhow::Result<()>>,
        mut tasks: JoinSet<anyhow::Result<()>>,
    ) -> anyhow::Result<()> {
        // Also where this future is dropped in its middle.
        let _ends = self.after.clone().drop_guard();
        let shutdown = self.host.shutdown();
        let mut ended = tokio::select! {
            ended = stage => ended,
            Some(ended) = unexpected(&mut tasks, shutdown) => ended,
        };
        shutdown.cancel();
        if let Err(error) = self.producer.flush(self.drain).await {
            tracing::warn!(stage = self.name, %error, "not every output was acknowledged before the end: its input is read again");
        }
        self.after.cancel();
        while let Some(task) = tasks.join_next().await {
            // The first error is the cause.
            ended = ended.and(task.context("a task failed").flatten());
        }
        ended
    }

    /// What the topic of this name says it is. Waits for the log.
    pub async fn topic_identity(&self, topic: &str) -> Arc<str> {
        loop {
            match self.bus.topic_identity(topic).await {
                Ok(id) => return id,
                Err(error) => tracing::debug!(%error, "the identity of the topic cannot be read, retrying"),
            }
            tokio::time::sleep(crate::RETRY).await;
        }
    }
}

/// The end of a task that has to run until the shutdown; never, if all run until then.
async fn unexpected(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> Option<anyhow::Result<()>> {
    while let Some(task) = tasks.join_next().await {
        if shutdown.is_cancelled() {
            continue;
        }
        return Some(match task {
            Ok(Ok(())) => Err(anyhow::anyhow!("a task ended unexpectedly")),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(error).context("a task failed"),
        });
    }
    std::future::pending().await
}
