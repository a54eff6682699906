//! Sends what was selected, at a rate, and keeps account of it.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Delivery, Lookup, Producer, Record, Stored};
use common::deadletter::v1::{DeadLetter, Replay, ReplayResponse};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::account::{Account, Letters};
use super::plan::{self, Aim, Limits, Refusal, Way};
use super::scan::{self, Scan};
use super::select::Filter;
use super::service::bus_failed;
use crate::registrations::service::store_failed;
use crate::registrations::store::RegistrationStore;

/// Between two answers, and between two times that the account is kept.
const TELL: Duration = Duration::from_millis(500);
const KEEP: Duration = Duration::from_secs(5);
/// Records that wait for their acknowledgement.
const IN_FLIGHT: usize = 64;
const FULL_PAUSE: Duration = Duration::from_millis(5);

/// What is to be replayed, and how.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) filter: Filter,
    pub(super) dry_run: bool,
    /// Records per second.
    pub(super) rate: NonZeroU32,
    /// Letters at the most.
    pub(super) limit: u64,
    /// As it is kept: who, when, what.
    pub(super) replay: Replay,
}

/// What a replay works with.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) bus: Bus,
    pub(super) producer: Producer,
    pub(super) store: Arc<dyn RegistrationStore>,
    pub(super) limits: Limits,
    pub(super) order: Order,
    pub(super) answers: mpsc::Sender<Result<ReplayResponse, Status>>,
    /// The process ends.
    pub(super) ends: CancellationToken,
    /// One replay at a time.
    pub(super) _alone: OwnedSemaphorePermit,
}

/// Why a replay ends before its end.
enum Broken {
    /// Whoever asked is gone.
    Left,
    Failed(Status),
}

impl From<bus::Error> for Broken {
    fn from(error: bus::Error) -> Self {
        Self::Failed(bus_failed(&error))
    }
}

/// The letters of a record that is sent whole: all of them with one record.
struct Group {
    letters: Letters,
    items: Vec<u32>,
    /// One of them is about all of the record.
    all: bool,
    attempts: u32,
}

/// What goes on while letters are read.
struct Run<'a> {
    job: &'a Job,
    lookup: Lookup,
    pace: DefaultDirectRateLimiter,
    account: Account,
    in_flight: VecDeque<(Letters, Delivery)>,
    told: Instant,
    kept: Instant,
}

impl Job {
    /// Replays, and says how far it is until the end.
    pub(super) async fn run(self) {
        let Replay { id, requested_by, .. } = &self.order.replay;
        if !self.order.dry_run {
            // What is done must not be done without a trace of it.
            if let Err(error) = self.store.put_replay(&self.order.replay).await {
                return drop(self.answers.send(Err(store_failed(&error))).await);
            }
            tracing::info!(id, requested_by, selection = ?self.order.replay.selection, "replaying dead letters");
        }
        // Some of what a second allows may go at once, so that the clock's steps do not slow it down.
        let burst = NonZeroU32::new(self.order.rate.get() / 20).unwrap_or(NonZeroU32::MIN);
        let now = Instant::now();
        let mut run = Run {
            lookup: self.bus.lookup(),
            pace: RateLimiter::direct(Quota::per_second(self.order.rate).allow_burst(burst)),
            account: Account::default(),
            in_flight: VecDeque::new(),
            told: now,
            kept: now,
            job: &self,
        };
        let broken = match self.ends.run_until_cancelled(run.all()).await {
            Some(Ok(())) => None,
            Some(Err(broken)) => Some(broken),
            None => Some(Broken::Failed(Status::unavailable("processing ends: replay the rest when it is back"))),
        };
        // What was sent is counted, however it ended; what is not acknowledged soon is not.
        let settled = tokio::time::timeout(KEEP, run.settle(0)).await;
        let mut interrupted = match &broken {
            None => String::new(),
            Some(Broken::Left) => "whoever asked for it went away".to_owned(),
            Some(Broken::Failed(status)) => status.message().to_owned(),
        };
        if settled.is_err() && interrupted.is_empty() {
            interrupted = "the log did not acknowledge the last records".to_owned();
        }
        let answer = match broken {
            Some(Broken::Failed(status)) => Err(status),
            _ => Ok(run.account.answer(id, true)),
        };
        if !self.order.dry_run {
            let ended = run.kept_as(Some(service::clock::timestamp()), &interrupted);
            let (selected, sent) = (ended.selected, ended.sent);
            if let Err(error) = self.store.put_replay(&ended).await {
                tracing::error!(%error, id, sent, "the end of a replay was not written down");
            }
            tracing::info!(id, requested_by, selected, sent, not_sent = selected - sent, interrupted, "replayed");
        }
        let _ = self.answers.send(answer).await;
    }
}

impl Run<'_> {
    async fn all(&mut self) -> Result<(), Broken> {
        let job = self.job;
        let mut scan = Scan::open(&job.bus, &job.order.filter).await?;
        // What is sent whole is sent once, for all of its letters.
        let mut groups: BTreeMap<(String, i32, i64), Group> = BTreeMap::new();
        while let Some((stored, letter)) = scan.next().await? {
            let selected = self.account.select();
            match plan::aim(&letter, &job.limits) {
                Err(why) => self.account.refused(Letters::one(&letter), &why),
                Ok(Aim { topic, partition, offset, way: Way::Item }) => {
                    self.item(&stored, letter, &topic, (partition, offset)).await?;
                }
                Ok(Aim { topic, partition, offset, way }) => {
                    self.maybe_example(&stored, &letter);
                    group(&mut groups, (topic, partition, offset), way, &letter);
                }
            }
            self.tell().await?;
            if selected >= job.order.limit {
                break;
            }
        }
        for ((topic, partition, offset), group) in groups {
            let Group { letters, items, all, attempts } = group;
            let items = if all { Vec::new() } else { items };
            let record = self.lookup.at(&topic, partition, offset).await?.ok_or(Refusal::OriginalGone);
            let record = record.and_then(|original| plan::whole(&topic, &original, attempts, items, &job.limits));
            self.send(record, letters).await?;
            self.tell().await?;
        }
        self.settle(0).await;
        Ok(())
    }

    async fn item(
        &mut self,
        stored: &Stored,
        letter: DeadLetter,
        topic: &str,
        (partition, offset): (i32, i64),
    ) -> Result<(), Broken> {
        let original = self.lookup.at(topic, partition, offset).await?.ok_or(Refusal::OriginalGone);
        let record = original.and_then(|original| plan::item(&letter, topic, &original, &self.job.limits));
        if record.is_ok() {
            self.maybe_example(stored, &letter);
        }
        self.send(record, Letters::one(&letter)).await
    }

    fn maybe_example(&mut self, stored: &Stored, letter: &DeadLetter) {
        if self.job.order.dry_run && self.account.wants_examples() {
            self.account.example(scan::found(stored, letter.clone(), false));
        }
    }

    async fn send(&mut self, record: Result<Record, Refusal>, letters: Letters) -> Result<(), Broken> {
        let checked = record.and_then(|record| match self.job.producer.check(&record) {
            Ok(()) => Ok(record),
            Err(error) => Err(Refusal::TooLarge(error.to_string())),
        });
        let record = match checked {
            Ok(record) => record,
            Err(why) => {
                self.account.refused(letters, &why);
                return Ok(());
            }
        };
        if self.job.order.dry_run {
            self.account.sent(letters);
            return Ok(());
        }
        // How far it is, is told also while one waits for a slow pace.
        while tokio::time::timeout(TELL, self.pace.until_ready()).await.is_err() {
            self.tell().await?;
        }
        let delivery = loop {
            match self.job.producer.try_send(record.clone()) {
                Err(bus::Error::Full) => tokio::time::sleep(FULL_PAUSE).await,
                other => break other?,
            }
        };
        self.in_flight.push_back((letters, delivery));
        self.settle(IN_FLIGHT).await;
        Ok(())
    }

    /// Waits until so many are left in flight.
    async fn settle(&mut self, left: usize) {
        while self.in_flight.len() > left
            && let Some((_, delivery)) = self.in_flight.front_mut()
        {
            // Taken out when it has ended, so that nothing is forgotten where this is dropped.
            let outcome = delivery.await;
            let Some((letters, _)) = self.in_flight.pop_front() else { return };
            match outcome {
                Ok(_) => self.account.sent(letters),
                Err(error) => self.account.refused(letters, &Refusal::NotAcknowledged(error.to_string())),
            }
        }
    }

    /// Says from time to time how far it is.
    async fn tell(&mut self) -> Result<(), Broken> {
        let now = Instant::now();
        if self.job.answers.is_closed() {
            return Err(Broken::Left);
        }
        if now.duration_since(self.told) < TELL {
            return Ok(());
        }
        self.told = now;
        self.settle_what_ended().await;
        let answer = self.account.answer(&self.job.order.replay.id, false);
        self.job.answers.send(Ok(answer)).await.map_err(|_| Broken::Left)?;
        if !self.job.order.dry_run && now.duration_since(self.kept) >= KEEP {
            self.kept = now;
            if let Err(error) = self.job.store.put_replay(&self.kept_as(None, "")).await {
                tracing::warn!(%error, "how far a replay is was not written down");
            }
        }
        Ok(())
    }

    /// Counts what is durable by now.
    async fn settle_what_ended(&mut self) {
        let _ = tokio::time::timeout(Duration::ZERO, self.settle(0)).await;
    }

    /// The replay as it is kept.
    fn kept_as(&self, ended_at: Option<prost_types::Timestamp>, interrupted: &str) -> Replay {
        let (selected, sent, not_sent) = self.account.totals();
        let interrupted = interrupted.to_owned();
        Replay { ended_at, selected, sent, not_sent, interrupted, ..self.job.order.replay.clone() }
    }
}

fn group(groups: &mut BTreeMap<(String, i32, i64), Group>, at: (String, i32, i64), way: Way, letter: &DeadLetter) {
    let attempts = letter.attempts;
    let group = match groups.entry(at) {
        std::collections::btree_map::Entry::Occupied(entry) => {
            let group = entry.into_mut();
            group.letters.add(letter);
            group
        }
        std::collections::btree_map::Entry::Vacant(entry) => {
            entry.insert(Group { letters: Letters::one(letter), items: Vec::new(), all: false, attempts })
        }
    };
    group.attempts = group.attempts.max(attempts);
    match way {
        Way::ItemWithin(index) => group.items.push(index),
        Way::Item | Way::Whole => group.all = true,
    }
}
