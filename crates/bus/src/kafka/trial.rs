//! Commits around records that are tried one at a time, and the mark that a run takes back at its end.

use std::time::{Duration, Instant};

use rdkafka::TopicPartitionList;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _};
use rdkafka::error::KafkaResult;

use super::lock;
use super::member::Member;
use super::positions::add;
use crate::intake::TopicPartition;
use crate::intake::trial::{Commit, Step};

/// When a commit that failed is tried again. Nothing is handed out meanwhile.
const AGAIN: Duration = Duration::from_secs(1);

impl Member {
    /// Goes on with the trial of a suspected partition. True: there is one.
    pub(crate) fn try_suspects(&self, consumer: &BaseConsumer<Self>) -> bool {
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
            if lock(&self.try_again).is_some_and(|at| Instant::now() < at) {
                return true;
            }
            if on_log != Some((Some(commit.position), commit.mark))
                && let Err(error) = write(consumer, std::slice::from_ref(&commit))
            {
                let (topic, partition) = &commit.place;
                tracing::warn!(group = %self.intake.group, %topic, partition, %error, "offset commit failed while records are tried one at a time, retrying");
                *lock(&self.try_again) = Some(Instant::now() + AGAIN);
                return true;
            }
            *lock(&self.try_again) = None;
            self.intake.committed(&mut self.intake.lock(), commit);
        }
    }

    /// These partitions end in good order: what they began with is restored, so that this run counts for nothing.
    pub(crate) fn settle(&self, consumer: &BaseConsumer<Self>, of: impl Fn(&TopicPartition) -> bool) {
        let state = self.intake.lock();
        if state.closing.is_some() && !state.in_order {
            return;
        }
        let commits = state.settled(of);
        drop(state);
        if commits.is_empty() {
            return;
        }
        if let Err(error) = write(consumer, &commits) {
            tracing::warn!(group = %self.intake.group, %error, "the final offset commit failed, the end of this run may count as a crash");
            return;
        }
        let mut state = self.intake.lock();
        for commit in commits {
            self.intake.committed(&mut state, commit);
        }
    }
}

fn write(consumer: &BaseConsumer<Member>, commits: &[Commit]) -> KafkaResult<()> {
    let mut offsets = TopicPartitionList::new();
    for Commit { place: (topic, partition), position, mark, .. } in commits {
        add(consumer, &mut offsets, topic, *partition, *position, *mark)?;
    }
    consumer.commit(&offsets, CommitMode::Sync)
}
