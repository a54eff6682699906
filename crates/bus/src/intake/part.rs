//! A partition that this member has.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::TopicPartition;
use crate::culprit::Watch;
use crate::tracker::Tracker;

/// What the log said longer ago of an end says nothing of now: it may not answer.
const FRESH: Duration = Duration::from_secs(15);

/// What a client has fetched of all its partitions, and not given yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ahead {
    Nothing,
    /// It fetches more.
    Some,
    /// It fetches no more before something of that was taken.
    Full,
}

/// An assigned partition.
pub(crate) struct Part {
    pub(crate) tracker: Tracker,
    /// The offset that was stored last; none: not even the start.
    pub(crate) stored: Option<i64>,
    pub(crate) watch: Watch,
    /// The offset that the client gives next, or a later one.
    pub(crate) next: i64,
    /// An output failed, and the poll thread has not seen to it yet.
    pub(crate) failed: bool,
    pub(super) why: Box<str>,
    /// Failures at this position in a row.
    pub(super) attempts: u32,
    pub(super) attempted: i64,
    /// The partition waits until then before it goes back to its first record that is not done.
    pub(crate) retry_at: Option<Instant>,
    /// The furthest that `next` has come.
    pub(super) reached: i64,
    /// Offset, and when it came onto the log, of what was taken in from the first that is not done.
    times: VecDeque<(i64, i64)>,
    /// Where the partition ends, as the log was asked, and when that was.
    pub(crate) end: i64,
    pub(crate) end_at: Instant,
    /// Where it ends, and how far it was fetched, and given, as who fetches it says. One that has stopped fetching says what
    /// was before.
    pub(crate) seen: i64,
    pub(crate) fetched: i64,
    pub(crate) given: i64,
    pub(crate) ahead: Ahead,
}

impl Part {
    pub(super) fn begin(epoch: u64, position: i64, end: i64, watch: Watch) -> Self {
        Self {
            tracker: Tracker::new(epoch, position),
            stored: Some(position),
            watch,
            next: position,
            failed: false,
            why: Box::default(),
            attempts: 0,
            attempted: position,
            retry_at: None,
            reached: position,
            times: VecDeque::new(),
            end,
            end_at: Instant::now(),
            seen: position,
            fetched: position,
            given: position,
            ahead: Ahead::Full,
        }
    }

    /// A record was taken in, which came onto the log at this time.
    pub(super) fn taken(&mut self, offset: i64, produced_at_ms: i64) {
        self.next = offset + 1;
        self.reached = self.reached.max(self.next);
        // The one that the partition went back to comes again.
        if self.times.back().is_none_or(|(last, _)| *last < offset) {
            self.times.push_back((offset, produced_at_ms));
        }
    }

    /// Forgets when what is done came onto the log.
    pub(super) fn forget_done(&mut self) {
        let position = self.tracker.position();
        while self.times.front().is_some_and(|(offset, _)| *offset < position) {
            self.times.pop_front();
        }
    }

    /// What was taken in comes again, from the first that is not done.
    pub(super) fn goes_back(&mut self) {
        self.next = self.tracker.position();
        // Of it alone it stays known for how long it waits.
        self.times.truncate(1);
    }

    /// When the oldest record that is not done came onto the log, in milliseconds since 1970. None: none waits, or it has not
    /// been fetched yet, or the log does not say.
    pub(crate) fn oldest_at_ms(&self) -> Option<i64> {
        self.times.front().map(|(_, produced_at_ms)| *produced_at_ms).filter(|at| *at > 0)
    }

    /// Records on the log that are not done; none: the log has not said for a while where the partition ends.
    pub(crate) fn known_lag(&self, now: Instant) -> Option<i64> {
        self.is_fresh(now).then(|| self.lag())
    }

    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.end_at) < FRESH
    }

    /// Records that are not done, by what the log said last. A gap at the end (a transaction's marker) is not lag.
    pub(super) fn lag(&self) -> i64 {
        let end = self.end.max(self.seen);
        let idle = self.tracker.awaited() == 0 && self.tracker.position() >= self.reached;
        if idle && self.given >= end { 0 } else { (end - self.tracker.position()).max(0) }
    }

    /// Whether there are records on the log that the client could fetch, and has not. Of a gap at the end it says that it has
    /// fetched it.
    fn is_behind(&self, now: Instant) -> bool {
        let is_unfetched = match self.ahead {
            Ahead::Nothing => self.fetched < self.end,
            Ahead::Some => self.fetched <= self.next,
            Ahead::Full => false,
        };
        self.is_fresh(now) && self.next < self.end && is_unfetched && !self.failed && self.retry_at.is_none()
    }
}

impl super::State {
    /// Partitions whose records the client could fetch and has not, each with the offset of the next.
    pub(crate) fn behind(&self, now: Instant) -> Vec<(TopicPartition, i64)> {
        let is_behind =
            |(place, part): &(&TopicPartition, &Part)| part.is_behind(now) && !self.stopped.contains_key(*place);
        self.parts.iter().filter(is_behind).map(|(place, part)| (place.clone(), part.next)).collect()
    }
}
