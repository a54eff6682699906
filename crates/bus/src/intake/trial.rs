//! Records of a partition that is suspected, one at a time and with nothing else out. The steps are decided here; the
//! poll thread commits what they say and comes back.

use super::{Intake, Queued, State, TopicPartition};
use crate::culprit::Mark;

/// The record that is out alone, or about to be.
#[derive(Debug)]
pub(crate) struct OnTrial {
    place: TopicPartition,
    epoch: u64,
    pub(super) offset: i64,
    pub(super) handed_out: bool,
}

/// What the poll thread has to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing is on trial.
    Idle,
    /// The trial goes on, or waits until nothing else is out.
    Wait,
    /// Commit, then say so.
    Commit(Commit),
}

/// A position to be committed with a mark.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) place: TopicPartition,
    pub(crate) position: i64,
    pub(crate) mark: Option<Mark>,
    then: Then,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Then {
    /// Hand out this record.
    Try(i64),
    /// The trial has ended.
    Pause,
    /// Nothing is suspected any more.
    Acquit,
}

impl OnTrial {
    pub(super) fn is(&self, queued: &Queued) -> bool {
        queued.epoch == self.epoch && queued.at.offset == self.offset && queued.place() == self.place
    }
}

impl Intake {
    /// The next step. Makes the others wait as soon as a suspected record is there.
    pub(crate) fn step(&self, state: &mut State) -> Step {
        let step = match state.end_of_trial() {
            Some(step) => step,
            None => match state.suspect() {
                None => Step::Idle,
                Some((place, offset)) => self.try_next(state, place, offset),
            },
        };
        if step == Step::Idle {
            self.gate.release(self.run);
        }
        step
    }

    fn try_next(&self, state: &State, place: TopicPartition, offset: i64) -> Step {
        let Some(part) = state.parts.get(&place) else { return Step::Idle };
        let position = part.tracker.position();
        if !part.watch.tries(offset) {
            return Step::Commit(Commit { place, position, mark: None, then: Then::Acquit });
        }
        if !self.gate.claim(self.run) {
            return Step::Wait;
        }
        let mark = Some(part.watch.charge(offset));
        Step::Commit(Commit { place, position, mark, then: Then::Try(offset) })
    }

    /// The step's commit is on the log.
    pub(crate) fn committed(&self, state: &mut State, commit: Commit) {
        let Commit { place, position, mark, then } = commit;
        if let Some(ended) = state.trial.take_if(|trial| trial.place == place)
            && let Some(part) = state.parts.get_mut(&place)
            && part.tracker.position() > ended.offset
        {
            part.watch.passed(ended.offset);
        }
        let Some(part) = state.parts.get_mut(&place) else { return };
        part.watch.written(mark);
        part.stored = Some(position);
        match then {
            Then::Try(offset) => {
                let epoch = part.tracker.epoch();
                state.trial = Some(OnTrial { place, epoch, offset, handed_out: false });
                self.ready.notify_one();
            }
            Then::Pause => {}
            Then::Acquit => {
                part.watch.acquit();
                tracing::info!(group = %self.group, topic = %place.0, partition = place.1, position, "no record is suspected any more, batches resume");
            }
        }
    }

    /// Others may go on: those of this consumer that waited are told.
    pub(crate) fn tell_if_open(&self, state: &State) {
        if !state.queue.is_empty() && self.gate.open(self.run).is_some() {
            self.ready.notify_one();
        }
    }
}

impl State {
    /// What follows from the record that is on trial; none: there is none.
    fn end_of_trial(&mut self) -> Option<Step> {
        let trial = self.trial.as_ref()?;
        let Some(part) = self.parts.get(&trial.place) else {
            // The partition is in other hands, and its mark with it.
            self.trial = None;
            return None;
        };
        let (place, position) = (trial.place.clone(), part.tracker.position());
        if position > trial.offset {
            // Nothing of this partition but the one record was out.
            let mut watch = part.watch.clone();
            watch.passed(trial.offset);
            let (mark, then) = if watch.is_over(position) {
                (None, Then::Acquit)
            } else {
                // Not named any more. The next one is named when it is there.
                (Some(watch.running()), Then::Pause)
            };
            return Some(match self.queued(&place).filter(|next| watch.tries(*next)) {
                Some(next) => {
                    Step::Commit(Commit { place, position, mark: Some(watch.charge(next)), then: Then::Try(next) })
                }
                None => Step::Commit(Commit { place, position, mark, then }),
            });
        }
        if self.closing.is_some() && !self.in_order {
            // Dropped, and not closed: that leaves what a process leaves that ended, and the record is named in it.
            return Some(Step::Wait);
        }
        if part.failed || part.tracker.epoch() != trial.epoch {
            // It comes again later; meanwhile others may be out, whose end is not to be blamed on it.
            return Some(Step::Commit(Commit { place, position, mark: Some(part.watch.running()), then: Then::Pause }));
        }
        Some(Step::Wait)
    }

    /// Positions to be stored, and whether one of them takes a mark away: then it is to be committed at once.
    pub(crate) fn progress(&mut self) -> (Vec<(TopicPartition, i64)>, bool) {
        let (mut moved, mut first) = (Vec::new(), false);
        // In single file each record is committed, with its mark, before the next goes out.
        for (place, part) in self.parts.iter_mut().filter(|(_, part)| !part.watch.is_single_file()) {
            let position = part.tracker.position();
            if part.stored != Some(position) {
                part.stored = Some(position);
                first |= part.watch.progress();
                moved.push((place.clone(), position));
            }
        }
        (moved, first)
    }

    /// What is to be committed where partitions end in good order.
    pub(crate) fn settled(&self, of: impl Fn(&TopicPartition) -> bool) -> Vec<Commit> {
        let mut commits = Vec::new();
        for (place, part) in self.parts.iter().filter(|(place, _)| of(place)) {
            let (position, mut watch) = (part.tracker.position(), part.watch.clone());
            let moved = part.stored != Some(position);
            if !watch.is_single_file() && watch.on_log().is_none() {
                // Progress without a mark is stored as ever.
                continue;
            }
            if let Some(trial) = self.trial.as_ref().filter(|trial| trial.place == *place && trial.offset < position) {
                watch.passed(trial.offset);
            }
            let over = if watch.is_single_file() { watch.is_over(position) } else { moved };
            let mark = if over { None } else { watch.settled() };
            if moved || watch.on_log() != mark {
                commits.push(Commit { place: place.clone(), position, mark, then: Then::Pause });
            }
        }
        commits
    }

    /// The first record of a partition in single file that is there, and where it stands.
    pub(super) fn suspect(&self) -> Option<(TopicPartition, i64)> {
        let mut single = self.parts.iter().filter(|(_, part)| part.watch.is_single_file() && !part.failed);
        single.find_map(|(place, _)| Some((place.clone(), self.queued(place)?)))
    }

    /// The next record of a partition that waits to be handed out.
    fn queued(&self, place: &TopicPartition) -> Option<i64> {
        let epoch = self.parts.get(place)?.tracker.epoch();
        let mut queue = self.queue.iter();
        queue.find(|queued| queued.epoch == epoch && queued.place() == *place).map(|queued| queued.at.offset)
    }
}

#[cfg(test)]
#[path = "trial_tests.rs"]
mod tests;
