//! Consuming as a member of a group.

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::health::v1;
use prost_types::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::intake::Intake;
use crate::{Assignment, Batch, Error, Membership, Standing};

/// What the poll thread gets to leave the group after the last record is done.
const LEAVE: Duration = Duration::from_secs(5);

/// Consumes topics as a member of a group. Dropping it leaves the group; what is out then comes again elsewhere, and
/// counts as out when the process ended. [`close`](Self::close) is the end in good order.
#[derive(Debug)]
pub struct Consumer {
    intake: Arc<Intake>,
    ended: Option<tokio::sync::oneshot::Receiver<usize>>,
}

/// A handle for health, to be asked at any time.
#[derive(Debug, Clone)]
pub struct ConsumerState {
    intake: Arc<Intake>,
}

/// How far a partition is behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// With prefix.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// The first record that is not done.
    pub position: i64,
    /// Records on the log that are not yet done; none: the log has not said for a while where the partition ends.
    pub records: Option<i64>,
    /// When the oldest of them came onto the log, in milliseconds since 1970; none: none waits, or it has not been fetched.
    pub oldest_at_ms: Option<i64>,
}

/// A partition that stands still.
#[derive(Debug, Clone)]
pub struct Stopped {
    /// With prefix.
    pub topic: Arc<str>,
    /// Partition.
    pub partition: i32,
    /// Why.
    pub reason: Error,
}

impl Consumer {
    /// `tries`: records that may have ended a process are tried one at a time.
    pub(crate) fn new(backend: Backend, group: &str, topics: &[String], tries: bool) -> Result<Self, Error> {
        let settings = backend.settings();
        let group: Arc<str> = settings.full_name(group).into();
        let topics = topics.iter().map(|topic| settings.full_name(topic).into()).collect();
        let gate = tries.then(|| backend.gate().clone());
        let mut intake = Intake::new(group, settings.consumer.clone(), gate);
        intake.session = Duration::from_millis(u64::from(settings.kafka.session_timeout_ms));
        let intake = Arc::new(intake);
        let ended = match backend {
            Backend::Kafka(kafka) => crate::kafka::consumer::start(kafka, intake.clone(), topics)?,
            Backend::Embedded(embedded) => crate::embedded::consumer::start(embedded, intake.clone(), topics)?,
        };
        Ok(Self { intake, ended: Some(ended) })
    }

    /// The next records, in order for each partition; at most the configured count and bytes are out at once.
    ///
    /// `None` once the consumer is closed. An error says what has stopped, a partition or for a time all of it; it is
    /// told once, and the call can go on to be made. Cancelling the future loses nothing.
    pub async fn next(&mut self) -> Result<Option<Batch>, Error> {
        loop {
            {
                let mut state = self.intake.lock();
                let records = self.intake.hand_out(&mut state)?;
                if !records.is_empty() {
                    return Ok(Some(Batch { records }));
                }
                if state.closed {
                    return Ok(None);
                }
            }
            self.intake.ready().await;
        }
    }

    /// What is forgotten after this was cancelled has not been begun: it comes again after the end. Its partition does not
    /// go back to it at once, so that what was handed out before it can still be done and its offsets be committed.
    #[must_use]
    pub fn ends_with(self, end: CancellationToken) -> Self {
        let _ = self.intake.end.set(end);
        self
    }

    /// Stops the intake, waits until all that is out has ended or the deadline is over, commits, leaves the group.
    pub async fn close(mut self, deadline: Duration) -> Result<(), Error> {
        let Some(ended) = self.ended.take() else { return Ok(()) };
        self.intake.close(Instant::now() + deadline, true);
        let timed_out = |what: String| Error::TimedOut { what: what.into(), limit: deadline };
        match tokio::time::timeout(deadline + LEAVE, ended).await {
            Ok(Ok(0)) => Ok(()),
            Ok(Ok(left)) => Err(Error::LeftUndone { group: self.intake.group.clone(), left }),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(timed_out(format!("leaving group {}", self.intake.group))),
        }
    }

    /// For health.
    pub fn state(&self) -> ConsumerState {
        ConsumerState { intake: self.intake.clone() }
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        if self.ended.is_some() {
            self.intake.close(Instant::now(), false);
        }
    }
}

/// Of milliseconds since 1970.
fn timestamp(ms: i64) -> Timestamp {
    let nanos = i32::try_from(ms.rem_euclid(1000)).unwrap_or_default() * 1_000_000;
    Timestamp { seconds: ms.div_euclid(1000), nanos }
}

impl ConsumerState {
    /// The group's name, with prefix.
    pub fn group(&self) -> Arc<str> {
        self.intake.group.clone()
    }

    /// Lag of each assigned partition.
    pub fn lag(&self) -> Vec<Lag> {
        let (now, state) = (Instant::now(), self.intake.lock());
        let lag = state.parts.iter().map(|((topic, partition), part)| Lag {
            topic: topic.clone(),
            partition: *partition,
            position: part.tracker.position(),
            records: part.known_lag(now),
            oldest_at_ms: part.oldest_at_ms(),
        });
        lag.collect()
    }

    /// Lag of all assigned partitions together. None: it is not known of one of them, or the consumer is not in its group.
    pub fn total_lag(&self) -> Option<i64> {
        let lags = self.standing(Instant::now()).is_in().then(|| self.lag())?;
        lags.into_iter().map(|lag| lag.records).sum()
    }

    /// Partitions that stand still, and why.
    pub fn stopped(&self) -> Vec<Stopped> {
        let state = self.intake.lock();
        let stopped = state.stopped.iter().map(|((topic, partition), reason)| Stopped {
            topic: topic.clone(),
            partition: *partition,
            reason: reason.clone(),
        });
        stopped.collect()
    }

    /// The partitions that this member has: topic with prefix, partition.
    pub fn assignment(&self) -> Vec<(Arc<str>, i32)> {
        let mut assignment: Vec<_> = self.intake.lock().parts.keys().cloned().collect();
        assignment.sort();
        assignment
    }

    /// The turn at a partition that is under way: what is handed out now belongs to it. None where this member does not
    /// have the partition. The topic is named with its prefix, as in [`Coordinates`](crate::Coordinates).
    pub fn assignment_of(&self, topic_full: &str, partition: i32) -> Option<Assignment> {
        let state = self.intake.lock();
        let mut parts = state.parts.iter();
        let part = parts.find(|((topic, number), _)| **topic == *topic_full && *number == partition);
        part.map(|(_, part)| part.tracker.assignment())
    }

    /// The consumer and its partitions as the health digest tells of them, consumed by `hop`.
    pub fn told(&self, hop: &str) -> (v1::Consumer, Vec<v1::Queue>) {
        let standing = self.standing(Instant::now());
        let mut lag = self.lag();
        lag.sort_by(|a, b| (&a.topic, a.partition).cmp(&(&b.topic, b.partition)));
        let stopped = self.stopped();
        let queue = |lag: Lag| v1::Queue {
            group: self.intake.group.to_string(),
            topic: lag.topic.to_string(),
            partition: lag.partition,
            lag: lag.records.unwrap_or_default(),
            lag_unknown: lag.records.is_none(),
            oldest_at: lag.oldest_at_ms.map(timestamp),
            stopped: stopped.iter().any(|stopped| stopped.partition == lag.partition && stopped.topic == lag.topic),
            hop: hop.to_owned(),
        };
        let consumer = v1::Consumer {
            hop: hop.to_owned(),
            group: self.intake.group.to_string(),
            membership: match standing.membership {
                Membership::Starting => v1::Membership::Starting,
                Membership::Away => v1::Membership::Away,
                Membership::Joining(_) => v1::Membership::Joining,
                Membership::Member => v1::Membership::Member,
                Membership::Spare => v1::Membership::Spare,
            }
            .into(),
            seconds: standing.lasts.as_secs_f64(),
            waits_for: standing.waits_for().unwrap_or_default(),
            partitions: u32::try_from(standing.partitions).unwrap_or(u32::MAX),
        };
        (consumer, lag.into_iter().map(queue).collect())
    }

    /// Records and bytes that are handed out or about to be.
    pub fn in_flight(&self) -> (usize, usize) {
        self.intake.lock().in_flight()
    }

    /// Brokers that are connected.
    pub fn brokers_up(&self) -> usize {
        self.intake.told.brokers_up()
    }

    /// Where it stands in its group.
    pub fn standing(&self, now: Instant) -> Standing {
        let state = self.intake.lock();
        // What has stopped is its own too, and its checks say why.
        let partitions =
            state.parts.len() + state.stopped.keys().filter(|place| !state.parts.contains_key(*place)).count();
        drop(state);
        self.intake.told.standing(partitions, self.intake.session, now)
    }
}
