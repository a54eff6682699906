//! What was gathered of one partition in its present turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Ack, Assignment, Canary};
use tokio_util::sync::CancellationToken;

use super::FileLimits;
use crate::files::DayFile;
use crate::range::{Ranges, Taken, TurnRange};
use crate::upload::Content;

/// More days than this in one range make too many small files at once: it is ended.
const MOST_DAYS: usize = 32;

/// The first range of a turn is ended after this time at the latest, so that an instance that is killed again and again
/// gets on nevertheless.
const FIRST: Duration = Duration::from_secs(1);

/// One partition.
#[derive(Debug)]
pub(super) struct Partition {
    ranges: Ranges<(Content, Sums)>,
    /// The log's identity in the range under way.
    pub(super) log: Arc<str>,
    /// The files of the range under way, by day.
    pub(super) files: BTreeMap<String, DayFile>,
    held: Vec<Ack>,
    /// Of the range under way, the latest of each way.
    canaries: Vec<Canary>,
    bytes: usize,
    since: Option<Instant>,
    /// Of ranges that are sealed, out ones too.
    sealed: Sums,
    out: Sums,
    /// For a required step.
    waiting: Vec<Ack>,
    /// The turn is over, and what still comes of it is thrown away: a range must have no hole.
    given_up: bool,
    /// Cancelled then.
    pub(super) over: CancellationToken,
}

#[derive(Debug, Default, Clone, Copy)]
struct Sums {
    records: usize,
    memory: usize,
}

impl Partition {
    pub(super) fn begin(turn: Assignment, log: Arc<str>) -> Self {
        Self {
            ranges: Ranges::begin(turn),
            log,
            files: BTreeMap::new(),
            held: Vec::new(),
            canaries: Vec::new(),
            bytes: 0,
            since: None,
            sealed: Sums::default(),
            out: Sums::default(),
            waiting: Vec::new(),
            given_up: false,
            over: CancellationToken::new(),
        }
    }

    pub(super) fn turn(&self) -> Assignment {
        self.ranges.turn()
    }

    pub(super) fn look(&self, turn: Assignment) -> Taken {
        self.ranges.look(turn)
    }

    /// Takes in a record of the turn. False: the turn is over.
    pub(super) fn take(&mut self, offset: i64, bytes: usize, held: Ack, canary: Option<Canary>) -> bool {
        if self.given_up {
            return false;
        }
        self.ranges.take(offset);
        self.held.push(held);
        if let Some(canary) = canary {
            Canary::keep_latest(&mut self.canaries, canary);
        }
        self.bytes += bytes;
        self.since.get_or_insert_with(Instant::now);
        true
    }

    /// From here on the log has another identity: no range goes over that.
    pub(super) fn begin_log(&mut self, log: Arc<str>) {
        self.seal();
        self.log = log;
    }

    /// A record that is to come again when what stands before it is done.
    pub(super) fn wait(&mut self, ack: Ack) {
        self.waiting.push(ack);
    }

    pub(super) fn is_open(&self) -> bool {
        self.ranges.is_open() && !self.given_up
    }

    pub(super) fn is_due(&self, limits: &FileLimits) -> bool {
        let large = || self.files.values().map(DayFile::estimated_bytes).sum::<usize>() >= limits.flush_bytes;
        let after = if self.ranges.is_first() { limits.flush_after.min(FIRST) } else { limits.flush_after };
        let old = || self.since.is_some_and(|since| since.elapsed() >= after);
        self.is_open() && (!self.waiting.is_empty() || self.files.len() >= MOST_DAYS || old() || large())
    }

    pub(super) fn seal(&mut self) {
        if !self.is_open() {
            return;
        }
        let files = std::mem::take(&mut self.files);
        let held = std::mem::take(&mut self.held);
        let canaries = std::mem::take(&mut self.canaries);
        let sums = Sums { records: held.len(), memory: files.values().map(DayFile::memory).sum() };
        (self.bytes, self.since) = (0, None);
        if self.ranges.seal((Content { log: Arc::clone(&self.log), files, held, canaries }, sums)).is_ok() {
            self.sealed.records += sums.records;
            self.sealed.memory += sums.memory;
        }
    }

    /// The next range to go out.
    pub(super) fn hand_on(&mut self) -> Option<(TurnRange, Content)> {
        if self.given_up {
            return None;
        }
        let (range, (content, sums)) = self.ranges.hand_on()?;
        self.out = sums;
        Some((range, content))
    }

    pub(super) fn done(&mut self, range: TurnRange) {
        if self.ranges.done(range) {
            self.sealed.records = self.sealed.records.saturating_sub(self.out.records);
            self.sealed.memory = self.sealed.memory.saturating_sub(self.out.memory);
            self.out = Sums::default();
        }
    }

    /// Lets those that wait go back to the log, once all before them is done.
    pub(super) fn let_go(&mut self) {
        if !self.waiting.is_empty() && self.ranges.is_idle() {
            self.waiting.clear();
        }
    }

    /// Throws all of it away.
    pub(super) fn give_up(&mut self) {
        self.waiting.clear();
        if !self.given_up {
            let mut nothing = Self::begin(self.turn(), Arc::clone(&self.log));
            nothing.given_up = true;
            *self = nothing;
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.given_up || (self.ranges.is_idle() && self.waiting.is_empty())
    }

    pub(super) fn open_records(&self) -> usize {
        self.held.len()
    }

    pub(super) fn open_bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn held_records(&self) -> usize {
        self.held.len() + self.sealed.records + self.waiting.len()
    }

    pub(super) fn memory(&self) -> usize {
        self.files.values().map(DayFile::memory).sum::<usize>() + self.sealed.memory
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        self.over.cancel();
    }
}
