//! Commits around records that are tried one at a time, and the mark that a run takes back at its end.

use std::time::{Duration, Instant};

use super::member::Member;
use crate::culprit::Mark;
use crate::intake::TopicPartition;
use crate::intake::trial::Step;

/// When a commit that failed is tried again. Nothing is handed out meanwhile.
const AGAIN: Duration = Duration::from_secs(1);

impl Member {
    /// Goes on with the trial of a suspected partition. True: there is one.
    pub(super) fn try_suspects(&mut self) -> bool {
        loop {
            let mut state = self.intake.lock();
            let commit = match self.intake.step(&mut state) {
                Step::Idle => {
                    self.intake.tell_if_open(&state);
                    return false;
                }
                Step::Wait => return true,
                Step::Commit(commit) => commit,
            };
            let on_log = state.parts.get(&commit.place).map(|part| (part.stored, part.watch.on_log()));
            drop(state);
            if self.try_again.is_some_and(|at| Instant::now() < at) {
                return true;
            }
            if on_log != Some((Some(commit.position), commit.mark))
                && let Err(error) = self.commit([(&commit.place, commit.position, commit.mark)])
            {
                let (topic, partition) = &commit.place;
                tracing::warn!(group = %self.intake.group, %topic, partition, %error, "offset commit failed while records are tried one at a time, retrying");
                self.try_again = Some(Instant::now() + AGAIN);
                return true;
            }
            self.try_again = None;
            self.intake.committed(&mut self.intake.lock(), commit);
        }
    }

    /// These partitions end in good order: what they began with is restored, so that this run counts for nothing.
    pub(super) fn settle(&mut self, of: impl Fn(&TopicPartition) -> bool) {
        let state = self.intake.lock();
        if state.closing.is_some() && !state.in_order {
            return;
        }
        let commits = state.settled(of);
        drop(state);
        if commits.is_empty() {
            return;
        }
        let written: Vec<(&TopicPartition, i64, Option<Mark>)> =
            commits.iter().map(|commit| (&commit.place, commit.position, commit.mark)).collect();
        if let Err(error) = self.commit(written) {
            tracing::warn!(group = %self.intake.group, %error, "the final offset commit failed, the end of this run may count as a crash");
            return;
        }
        let mut state = self.intake.lock();
        for commit in commits {
            self.intake.committed(&mut state, commit);
        }
    }
}
