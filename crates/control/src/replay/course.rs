//! What a replay does whatever it sends: sends at a rate, keeps account, tells how far it is, and ends in good order.

use std::collections::VecDeque;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Coordinates, Prepared, Producer, Receipt};
use common::deadletter::v1::Replay;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use crate::dead_letters::plan::{ReplayLimits, ReplayRefusal};
use crate::failures::{bus_failed, store_failed};
use crate::registrations::store::RegistrationStore;

/// Between two answers, and between two times that the account is kept.
pub(crate) const TELL: Duration = Duration::from_millis(500);
const KEEP: Duration = Duration::from_secs(5);
/// Records that wait for their acknowledgement.
const IN_FLIGHT: usize = 64;
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// What is to be replayed, and how.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) dry_run: bool,
    /// Records per second.
    pub(crate) rate: NonZeroU32,
    /// As it is kept: who, when, what.
    pub(crate) replay: Replay,
}

/// What a replay works with.
#[derive(Debug)]
pub(crate) struct Tools {
    pub(crate) bus: Bus,
    pub(crate) letters: crate::dead_letters::indexer::Letters,
    pub(crate) producer: Producer,
    pub(crate) store: Arc<dyn RegistrationStore>,
    pub(crate) limits: ReplayLimits,
    /// The process ends.
    pub(crate) ends: CancellationToken,
    /// One replay at a time.
    pub(crate) _alone: OwnedSemaphorePermit,
}

/// Why a replay ends before its end.
#[derive(Debug)]
pub(crate) enum Broken {
    /// Whoever asked is gone.
    Left,
    Failed(Status),
}

impl From<bus::Error> for Broken {
    fn from(error: bus::Error) -> Self {
        Self::Failed(bus_failed(&error))
    }
}

/// What is sent, and the account of it.
pub(crate) trait Work: Send + Sized {
    /// What one record is sent for.
    type What: Send;
    type Answer: Send;

    /// Finds all that is meant, and sends it through the course.
    fn all(course: &mut Course<Self>) -> impl Future<Output = Result<(), Broken>> + Send;
    /// It is durable there, or, nowhere, would have been sent.
    fn sent(&mut self, what: Self::What, at: Option<&Coordinates>);
    fn refused(&mut self, what: Self::What, why: &ReplayRefusal);
    fn answer(&self, replay_id: &str, done: bool) -> Self::Answer;
    /// Writes into what is kept how far it is.
    fn keep(&self, replay: &mut Replay);
}

/// A replay under way.
pub(crate) struct Course<W: Work> {
    pub(crate) tools: Tools,
    pub(crate) order: Order,
    pub(crate) work: W,
    answers: mpsc::Sender<Result<W::Answer, Status>>,
    pace: DefaultDirectRateLimiter,
    in_flight: VecDeque<(W::What, Receipt)>,
    told: Instant,
    kept: Instant,
}

impl<W: Work> Course<W> {
    pub(crate) fn new(tools: Tools, order: Order, work: W, answers: mpsc::Sender<Result<W::Answer, Status>>) -> Self {
        // Some of what a second allows may go at once, so that the clock's steps do not slow it down.
        let burst = NonZeroU32::new(order.rate.get() / 20).unwrap_or(NonZeroU32::MIN);
        let pace = RateLimiter::direct(Quota::per_second(order.rate).allow_burst(burst));
        let now = Instant::now();
        Self { tools, order, work, answers, pace, in_flight: VecDeque::new(), told: now, kept: now }
    }

    /// Replays, and says how far it is until the end.
    pub(crate) async fn run(mut self) {
        let (id, requested_by) = (self.order.replay.id.clone(), self.order.replay.requested_by.clone());
        if !self.order.dry_run {
            // What is done must not be done without a trace of it.
            if let Err(error) = self.tools.store.put_replay(&self.order.replay).await {
                return drop(self.answers.send(Err(store_failed(&error))).await);
            }
            let Replay { selection, raw, .. } = &self.order.replay;
            tracing::info!(id, requested_by, ?selection, ?raw, "replaying");
        }
        let ends = self.tools.ends.clone();
        let broken = match ends.run_until_cancelled(W::all(&mut self)).await {
            Some(Ok(())) => None,
            Some(Err(broken)) => Some(broken),
            None => Some(Broken::Failed(Status::unavailable(
                "processing is shutting down: replay the rest after its restart",
            ))),
        };
        // What was sent is counted, however it ended; what is not acknowledged soon is not.
        let settled = tokio::time::timeout(KEEP, self.settle(0)).await;
        let mut interrupted = match &broken {
            None => String::new(),
            Some(Broken::Left) => "the client that requested it disconnected".to_owned(),
            Some(Broken::Failed(status)) => status.message().to_owned(),
        };
        if settled.is_err() && interrupted.is_empty() {
            interrupted = "the log did not acknowledge the last records".to_owned();
        }
        let answer = match broken {
            Some(Broken::Failed(status)) => Err(status),
            _ => Ok(self.work.answer(&id, true)),
        };
        if !self.order.dry_run {
            let ended = self.kept_as(Some(service::clock::timestamp()), &interrupted);
            let (selected, sent) = (ended.selected, ended.sent);
            if let Err(error) = self.tools.store.put_replay(&ended).await {
                tracing::error!(%error, id, sent, "storing the end of a replay failed");
            }
            tracing::info!(id, requested_by, selected, sent, not_sent = selected - sent, interrupted, "replayed");
        }
        let _ = self.answers.send(answer).await;
    }

    /// Sends a record when its turn comes; in a dry run only says that it would be sent.
    pub(crate) async fn send(
        &mut self,
        record: Result<impl Into<Prepared>, ReplayRefusal>,
        what: W::What,
    ) -> Result<(), Broken> {
        let checked = record.map(Into::<Prepared>::into).and_then(|record| match self.tools.producer.check(&record) {
            Ok(()) => Ok(record),
            Err(error) => Err(ReplayRefusal::TooLarge(error.to_string())),
        });
        let record = match checked {
            Ok(record) => record,
            Err(why) => {
                self.work.refused(what, &why);
                return Ok(());
            }
        };
        if self.order.dry_run {
            self.work.sent(what, None);
            return Ok(());
        }
        // How far it is, is told also while one waits for a slow pace.
        while tokio::time::timeout(TELL, self.pace.until_ready()).await.is_err() {
            self.tell().await?;
        }
        let receipt = loop {
            match self.tools.producer.try_send(record.clone()) {
                Err(bus::Error::Full) => tokio::time::sleep(FULL_PAUSE).await,
                other => break other?,
            }
        };
        self.in_flight.push_back((what, receipt));
        self.settle(IN_FLIGHT).await;
        Ok(())
    }

    /// Waits until so many are left in flight.
    pub(crate) async fn settle(&mut self, left: usize) {
        while self.in_flight.len() > left
            && let Some((_, receipt)) = self.in_flight.front_mut()
        {
            // Taken out when it has ended, so that nothing is forgotten where this is dropped.
            let outcome = receipt.await;
            let Some((what, _)) = self.in_flight.pop_front() else { return };
            match outcome {
                Ok(at) => self.work.sent(what, Some(&at)),
                Err(error) => self.work.refused(what, &ReplayRefusal::NotAcknowledged(error.to_string())),
            }
        }
    }

    /// Says from time to time how far it is.
    pub(crate) async fn tell(&mut self) -> Result<(), Broken> {
        let now = Instant::now();
        if self.answers.is_closed() {
            return Err(Broken::Left);
        }
        if now.duration_since(self.told) < TELL {
            return Ok(());
        }
        self.told = now;
        // Counts what is durable by now.
        let _ = tokio::time::timeout(Duration::ZERO, self.settle(0)).await;
        let answer = self.work.answer(&self.order.replay.id, false);
        self.answers.send(Ok(answer)).await.map_err(|_| Broken::Left)?;
        if !self.order.dry_run && now.duration_since(self.kept) >= KEEP {
            self.kept = now;
            if let Err(error) = self.tools.store.put_replay(&self.kept_as(None, "")).await {
                tracing::warn!(%error, "storing the progress of a replay failed");
            }
        }
        Ok(())
    }

    /// The replay as it is kept.
    fn kept_as(&self, ended_at: Option<prost_types::Timestamp>, interrupted: &str) -> Replay {
        let mut replay = Replay { ended_at, interrupted: interrupted.to_owned(), ..self.order.replay.clone() };
        self.work.keep(&mut replay);
        replay
    }
}
