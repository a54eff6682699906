//! What a consumer has taken in and not yet done: the hand-over from the poll thread to the stage, its limits, and the
//! tracker of each partition.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::ack::Settle;
use crate::content::Content;
use crate::culprit::{Mark, Watch};
use crate::gate::Gate;
use crate::settings::ConsumerSettings;
use crate::standing::Told;
use crate::threads::lock;
use crate::{Ack, AckOutcome, Coordinates, Error, Incoming};

mod part;
pub(crate) mod trial;

pub(crate) use part::{Ahead, Part};
use trial::OnTrial;

/// Topic with prefix, partition.
pub(crate) type TopicPartition = (Arc<str>, i32);

pub(crate) struct Intake {
    pub(crate) group: Arc<str>,
    pub(crate) settings: ConsumerSettings,
    pub(crate) told: Told,
    /// After so long without a word from this member its group goes on without it.
    pub(crate) session: Duration,
    /// This consumer, among all that ever were: marks on the log tell its own from those of processes that ended.
    pub(crate) run: u64,
    /// Whether records that may have ended a process are tried one at a time.
    tries: bool,
    gate: Arc<Gate>,
    /// After it has been cancelled nothing is begun any more.
    pub(crate) end: OnceLock<CancellationToken>,
    state: Mutex<State>,
    /// Something was done, or the consumer is closing: the poll thread looks.
    changed: Condvar,
    /// Something is there to be handed out.
    ready: Notify,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("group", &self.group).finish_non_exhaustive()
    }
}

pub(crate) struct State {
    queue: VecDeque<Queued>,
    /// Taken from the client beyond the limits; not handed out before there is room.
    overflow: VecDeque<Queued>,
    /// In the queue or handed out.
    held_records: usize,
    held_bytes: usize,
    pub(crate) parts: HashMap<TopicPartition, Part>,
    /// Partitions that stand still, and why.
    pub(crate) stopped: HashMap<TopicPartition, Error>,
    errors: VecDeque<Error>,
    pub(crate) closing: Option<Instant>,
    /// Closed in good order, and not dropped.
    pub(crate) in_order: bool,
    trial: Option<OnTrial>,
    pub(crate) closed: bool,
    last_epoch: u64,
    /// Changes whenever something was done, or is there: for who has to look again.
    pub(crate) signals: u64,
}

pub(crate) struct Queued {
    pub(crate) at: Coordinates,
    pub(crate) epoch: u64,
    pub(crate) content: Content,
}

impl Queued {
    fn place(&self) -> TopicPartition {
        (self.at.topic.clone(), self.at.partition)
    }
}

/// What an [`Ack`] of a consumed record tells.
struct Out {
    intake: Arc<Intake>,
    place: TopicPartition,
    epoch: u64,
    offset: i64,
    bytes: usize,
}

impl Settle for Out {
    fn settle(&self, outcome: AckOutcome, why: Option<&str>) {
        let mut state = self.intake.lock();
        state.held_records -= 1;
        state.held_bytes -= self.bytes;
        self.intake.gate.leave();
        state.signals += 1;
        let mut late = true;
        if let Some(part) = state.parts.get_mut(&self.place).filter(|part| part.tracker.epoch() == self.epoch) {
            late = false;
            match outcome {
                AckOutcome::Completed => {
                    part.tracker.complete(self.epoch, self.offset);
                    part.forget_done();
                }
                // It was not begun. To go back to it would take from what is on its way before it the time that is left.
                AckOutcome::Failed if why.is_none() && self.intake.ends() => {
                    part.tracker.leave(self.epoch, self.offset);
                }
                AckOutcome::Failed => {
                    part.failed = true;
                    part.why = why.unwrap_or("the stage dropped it without an outcome").into();
                }
            }
        }
        drop(state);
        if late {
            metrics::counter!("weir_consumer_late_acks_total", "group" => self.intake.group.to_string()).increment(1);
        }
        self.intake.changed.notify_all();
    }
}

impl Intake {
    /// `gate` is what its records on trial share with other consumers; none: it tries none.
    pub(crate) fn new(group: Arc<str>, settings: ConsumerSettings, gate: Option<Arc<Gate>>) -> Self {
        let state = State {
            queue: VecDeque::new(),
            overflow: VecDeque::new(),
            held_records: 0,
            held_bytes: 0,
            parts: HashMap::new(),
            stopped: HashMap::new(),
            errors: VecDeque::new(),
            closing: None,
            in_order: false,
            trial: None,
            closed: false,
            last_epoch: 0,
            signals: 0,
        };
        Self {
            group,
            settings,
            told: Told::default(),
            session: Duration::ZERO,
            run: RandomState::new().hash_one(()),
            tries: gate.is_some(),
            gate: gate.unwrap_or_default(),
            end: OnceLock::new(),
            state: Mutex::new(state),
            changed: Condvar::new(),
            ready: Notify::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    fn ends(&self) -> bool {
        self.end.get().is_some_and(CancellationToken::is_cancelled)
    }

    /// What a partition is watched for that begins at `position` of `end`.
    pub(crate) fn watch(&self, found: Option<Mark>, position: i64, end: i64) -> Watch {
        let limit = if self.tries { self.settings.max_in_flight_records.max(1) } else { 0 };
        Watch::begin(found, self.run, position, end, limit)
    }

    /// Waits until something was done or `limit` is over.
    pub(crate) fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, limit).unwrap_or_else(std::sync::PoisonError::into_inner).0
    }

    /// Closes in good order, or because nobody is there any more.
    pub(crate) fn close(&self, deadline: Instant, in_order: bool) {
        let mut state = self.lock();
        if state.closing.is_none() {
            (state.closing, state.in_order) = (Some(deadline), in_order);
        }
        state.signals += 1;
        drop(state);
        self.changed.notify_all();
    }

    /// There is something to look at.
    pub(crate) fn wake(&self) {
        self.lock().signals += 1;
        self.changed.notify_all();
    }

    pub(crate) fn closed(&self) {
        self.lock().closed = true;
        self.gate.release(self.run);
        self.ready.notify_one();
    }

    pub(crate) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// Takes a record from the client. False: it belongs to no assignment, or its partition is going back.
    pub(crate) fn take(&self, state: &mut State, at: Coordinates, content: Content) -> bool {
        let place = (at.topic.clone(), at.partition);
        let Some(part) = state.parts.get_mut(&place) else { return false };
        if part.failed || part.retry_at.is_some() || at.offset < part.next {
            return false;
        }
        part.taken(at.offset, content.produced_at_ms);
        state.overflow.push_back(Queued { epoch: part.tracker.epoch(), at, content });
        self.admit(state);
        true
    }

    /// Moves to the queue what there is room for. True: all of it.
    pub(crate) fn admit(&self, state: &mut State) -> bool {
        while let Some(next) = state.overflow.front() {
            let bytes = next.content.bytes();
            let full = state.held_records >= self.settings.max_in_flight_records
                || state.held_bytes + bytes > self.settings.max_in_flight_bytes;
            // One record may always be out, however large it is.
            if full && state.held_records > 0 {
                return false;
            }
            state.held_records += 1;
            state.held_bytes += bytes;
            state.queue.extend(state.overflow.pop_front());
            self.ready.notify_one();
        }
        state.held_records < self.settings.max_in_flight_records && state.held_bytes < self.settings.max_in_flight_bytes
    }

    pub(crate) fn report(&self, state: &mut State, error: Error) {
        state.errors.push_back(error);
        self.ready.notify_one();
    }

    /// What is there for the stage: an error first, else records.
    pub(crate) fn hand_out(self: &Arc<Self>, state: &mut State) -> Result<Vec<Incoming>, Error> {
        if let Some(error) = state.errors.pop_front() {
            return Err(error);
        }
        let mut records = Vec::new();
        let Some(mut gate) = self.gate.open(self.run) else { return Ok(records) };
        while records.len() < self.settings.batch_records
            && let Some(Queued { at, epoch, content }) = state.next()
        {
            let (place, bytes) = ((at.topic.clone(), at.partition), content.bytes());
            let part = state.parts.get_mut(&place).filter(|part| part.tracker.epoch() == epoch);
            let Some(part) = part.and_then(|part| part.tracker.hand_out(at.offset).then_some(part)) else {
                state.held_records -= 1;
                state.held_bytes -= bytes;
                continue;
            };
            let culprit = part.watch.is_culprit(at.offset).then(|| part.watch.ended());
            let out = Out { intake: self.clone(), place, epoch, offset: at.offset, bytes };
            let Content { key, payload, headers, produced_at_ms } = content;
            let (assignment, ack) = (part.tracker.assignment(), Ack::new(out));
            records.push(Incoming { coordinates: at, key, payload, headers, produced_at_ms, culprit, assignment, ack });
        }
        gate.count(records.len());
        Ok(records)
    }
}

impl State {
    pub(crate) fn epoch(&mut self) -> u64 {
        self.last_epoch += 1;
        self.last_epoch
    }

    /// The next record to be handed out. While one is tried, or waits to be, nothing else is.
    fn next(&mut self) -> Option<Queued> {
        if let Some(trial) = &mut self.trial {
            if trial.handed_out {
                return None;
            }
            let at = self.queue.iter().position(|queued| trial.is(queued))?;
            trial.handed_out = true;
            return self.queue.remove(at);
        }
        if self.suspect().is_some() {
            return None;
        }
        self.queue.pop_front()
    }

    /// A partition begins at `position`, which the group has on the log, and goes to `end` by now.
    pub(crate) fn begin(&mut self, place: TopicPartition, position: i64, end: i64, watch: Watch) {
        let part = Part::begin(self.epoch(), position, end, watch);
        self.stopped.remove(&place);
        self.parts.insert(place, part);
    }

    /// Throws away what was taken in for these partitions and not handed out.
    pub(crate) fn discard(&mut self, gone: impl Fn(&TopicPartition) -> bool) {
        let (mut records, mut bytes) = (0, 0);
        self.queue.retain(|queued| {
            let keep = !gone(&queued.place());
            if !keep {
                records += 1;
                bytes += queued.content.bytes();
            }
            keep
        });
        self.overflow.retain(|queued| !gone(&queued.place()));
        self.held_records -= records;
        self.held_bytes -= bytes;
    }

    /// How much of these partitions is out and may yet be done: what is out beside a failed record comes again with it.
    pub(crate) fn awaited(&self, of: impl Fn(&TopicPartition) -> bool) -> usize {
        let parts = self.parts.iter().filter(|(place, part)| !part.failed && of(place));
        parts.map(|(_, part)| part.tracker.awaited()).sum()
    }

    /// How much of these partitions is out and not done.
    pub(crate) fn unfinished(&self, of: impl Fn(&TopicPartition) -> bool) -> usize {
        self.parts.iter().filter(|(place, _)| of(place)).map(|(_, part)| part.tracker.unfinished()).sum()
    }

    /// Makes a partition with a failed record wait, in a new epoch, and says until when.
    pub(crate) fn go_back(
        &mut self,
        place: &TopicPartition,
        settings: &ConsumerSettings,
    ) -> Option<(i64, Duration, Box<str>)> {
        let epoch = self.epoch();
        let part = self.parts.get_mut(place).filter(|part| part.failed)?;
        part.failed = false;
        let why = std::mem::take(&mut part.why);
        part.tracker.restart(epoch);
        let position = part.tracker.position();
        part.attempts = if position == part.attempted { part.attempts.saturating_add(1) } else { 1 };
        part.attempted = position;
        part.goes_back();
        let factor = 1u32 << part.attempts.saturating_sub(1).min(20);
        let wait = u64::from(settings.retry_backoff_ms.saturating_mul(factor).min(settings.retry_backoff_max_ms));
        let wait = Duration::from_millis(wait);
        part.retry_at = Some(Instant::now() + wait);
        self.discard(|queued| queued == place);
        Some((position, wait, why))
    }

    pub(crate) fn in_flight(&self) -> (usize, usize) {
        (self.held_records, self.held_bytes)
    }
}

#[cfg(test)]
#[path = "intake_tests.rs"]
mod tests;
