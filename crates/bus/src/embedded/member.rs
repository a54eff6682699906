//! A group's member: what it has, how it commits, and how one of its partitions comes to stand still. What its thread does
//! with that stands with [`consumer`](super::consumer), [`begin`](super::begin) and [`trial`](super::trial).

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::groups::Seat;
use super::store::Topic;
use super::writer::Change;
use super::{Embedded, keys};
use crate::culprit::Mark;
use crate::intake::{Intake, TopicPartition};
use crate::{Error, Membership, standing};

/// A group's member, as its thread has it.
pub(super) struct Member {
    pub(super) embedded: Arc<Embedded>,
    pub(super) intake: Arc<Intake>,
    pub(super) seat: Seat,
    /// The group's version that was seen last.
    pub(super) seen: u64,
    /// What was its share then.
    pub(super) shared: BTreeSet<TopicPartition>,
    /// The partitions that this member has taken.
    pub(super) mine: HashMap<TopicPartition, Mine>,
    /// Positions that are to be committed.
    pub(super) undone: HashMap<TopicPartition, i64>,
    pub(super) committed_at: Instant,
    pub(super) measured_at: Option<Instant>,
    /// When a commit of a trial that failed is tried again.
    pub(super) try_again: Option<Instant>,
    /// Which partition is read first.
    pub(super) turn: usize,
}

/// A partition that the member has.
pub(super) struct Mine {
    pub(super) topic: Arc<Topic>,
    /// It has not begun: when to try.
    pub(super) begin_at: Option<Instant>,
}

impl Member {
    pub(super) fn new(embedded: Arc<Embedded>, intake: Arc<Intake>, seat: Seat) -> Self {
        Self {
            embedded,
            intake,
            seat,
            seen: u64::MAX,
            shared: BTreeSet::new(),
            mine: HashMap::new(),
            undone: HashMap::new(),
            committed_at: Instant::now(),
            measured_at: None,
            try_again: None,
            turn: 0,
        }
    }

    /// Commits positions and marks, and waits until they are durable.
    pub(super) fn commit<'a>(
        &mut self,
        positions: impl IntoIterator<Item = (&'a TopicPartition, i64, Option<Mark>)>,
    ) -> Result<(), Error> {
        let mut puts = Vec::new();
        for (place, position, mark) in positions {
            let Some(mine) = self.mine.get(place) else { continue };
            let partition = u32::try_from(place.1).unwrap_or_default();
            let metadata = mark.map(|mark| mark.to_string()).unwrap_or_default();
            let key = keys::group_key(&self.intake.group, mine.topic.row.number, partition);
            puts.push((key, keys::committed(position, &metadata)));
            // It would take the mark away, and stands further back.
            self.undone.remove(place);
        }
        if puts.is_empty() {
            return Ok(());
        }
        self.embedded.log.queue.change(Change { puts, ..Change::default() })
    }

    /// Why it does not consume all of its share, for people; none: it does. `has`: it consumes that, or knows it to stand still.
    fn waits_for(&self, has: impl Fn(&TopicPartition) -> bool) -> Option<String> {
        let begins = |place: &&TopicPartition| self.mine.contains_key(*place);
        let waits = self.shared.iter().filter(|place| !has(place));
        let (begin, held): (Vec<_>, Vec<_>) = waits.partition(begins);
        match (begin.is_empty(), held.is_empty()) {
            (true, true) => None,
            (false, _) => Some(standing::not_begun(begin)),
            (true, false) => Some(standing::not_given_up(held)),
        }
    }

    /// Where it stands in its group, as it tells.
    pub(super) fn membership(&self) -> Membership {
        // Before the intake is locked: it is not held for longer than looking at it takes.
        let (groups, group) = (&self.embedded.log.groups, &self.intake.group);
        let has_share = !self.shared.is_empty();
        let others_have_all = !has_share && groups.others_have_all(group, self.seat);
        let missing = if has_share { Vec::new() } else { groups.missing(group, self.seat) };
        let state = self.intake.lock();
        let has = |place: &TopicPartition| state.parts.contains_key(place) || state.stopped.contains_key(place);
        match self.waits_for(has) {
            Some(waits) => Membership::Joining(waits),
            None if !(state.parts.is_empty() && state.stopped.is_empty()) => Membership::Member,
            None if others_have_all => Membership::Spare,
            None => Membership::Joining(standing::without_partitions(&missing)),
        }
    }

    /// A partition stands still. It is told once.
    pub(super) fn stop(&self, place: &TopicPartition, error: Error) {
        let mut state = self.intake.lock();
        if state.stopped.insert(place.clone(), error.clone()).is_none() {
            tracing::error!(group = %self.intake.group, %error, "a partition is stalled");
            self.intake.report(&mut state, error);
        }
    }
}
