//! Where a partition begins.
//!
//! It begins where its group has committed. A group that never did begins at the first record there is, and commits
//! that before it consumes: afterwards "committed, and no longer on the log" always means that records are missing. Such
//! a partition stands still and says so; nothing resets it.

use std::time::{Duration, Instant};

use super::member::Member;
use crate::Error;
use crate::culprit::{Mark, Watch};
use crate::intake::TopicPartition;

/// When a partition that cannot begin is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Where a partition begins.
struct Start {
    position: i64,
    /// Where it ends by now.
    end: i64,
    /// The group never committed.
    new: bool,
    watch: Watch,
}

impl Start {
    /// Whether records wait there.
    fn waits(&self) -> bool {
        self.position < self.end
    }
}

impl Member {
    /// Begins the partitions whose time has come.
    pub(super) fn begin_due(&mut self) {
        let now = Instant::now();
        let due = self.mine.iter().filter(|(_, mine)| mine.begin_at.is_some_and(|at| at <= now));
        let due: Vec<TopicPartition> = due.map(|(place, _)| place.clone()).collect();
        let mut starts = Vec::new();
        for place in due {
            let later = match self.start(&place) {
                Ok(start) => {
                    starts.push((place.clone(), start));
                    None
                }
                Err(error @ Error::OutOfRange { .. }) => {
                    self.stop(&place, error);
                    None
                }
                Err(error) => {
                    self.warn(&place, &error);
                    Some(now + AGAIN)
                }
            };
            if let Some(mine) = self.mine.get_mut(&place) {
                mine.begin_at = later;
            }
        }
        if let Err(error) = self.mark(&mut starts) {
            for (place, _) in starts {
                self.warn(&place, &error);
                if let Some(mine) = self.mine.get_mut(&place) {
                    mine.begin_at = Some(now + AGAIN);
                }
            }
            return;
        }
        for (place, Start { position, end, watch, .. }) in starts {
            self.warn_of(&place, position, &watch);
            self.intake.lock().begin(place, position, end, watch);
        }
    }

    fn warn(&self, (topic, partition): &TopicPartition, error: &Error) {
        tracing::warn!(group = %self.intake.group, %topic, partition, %error, "cannot determine the start offset of a partition, retrying");
    }

    fn start(&self, place: &TopicPartition) -> Result<Start, Error> {
        let (topic, partition) = (&place.0, place.1);
        let Some(mine) = self.mine.get(place) else { return Err(Error::NoTopic { topic: topic.clone() }) };
        let (low, high) = mine.topic.range(partition).unwrap_or_default();
        let watch = |position, found| self.intake.watch(found, position, high);
        match self.embedded.log.files.committed(&self.intake.group, &mine.topic, partition)? {
            Some((position, metadata)) if (low..=high).contains(&position) => {
                let watch = watch(position, Mark::read(&metadata));
                Ok(Start { position, end: high, new: false, watch })
            }
            Some((offset, _)) => {
                let (group, topic) = (self.intake.group.clone(), topic.clone());
                Err(Error::OutOfRange { group, topic, partition, offset, low, high })
            }
            None => {
                tracing::info!(group = %self.intake.group, %topic, partition, low, "the group has no committed offset here, starting at the first record");
                Ok(Start { position: low, end: high, new: true, watch: watch(low, None) })
            }
        }
    }

    /// Commits that this run begins, wherever records wait.
    fn mark(&mut self, starts: &mut [(TopicPartition, Start)]) -> Result<(), Error> {
        for (_, start) in starts.iter_mut().filter(|(_, start)| start.new || start.waits()) {
            start.watch.written(start.waits().then(|| start.watch.running()));
        }
        let marked = starts.iter().filter(|(_, start)| start.new || start.waits());
        let marked: Vec<_> = marked.map(|(place, start)| (place, start.position, start.watch.on_log())).collect();
        self.commit(marked)
    }

    fn warn_of(&self, (topic, partition): &TopicPartition, offset: i64, watch: &Watch) {
        let (group, ended) = (&self.intake.group, watch.ended());
        if watch.has_culprit() {
            tracing::error!(%group, %topic, partition, offset, ended, "poison record found: the process crashed while working on it, it will be refused");
            metrics::counter!("weir_consumer_culprits_total", "group" => group.to_string(), "topic" => topic.to_string())
                .increment(1);
        } else if watch.is_single_file() {
            tracing::warn!(%group, %topic, partition, offset, ended, "the process crashed here without progress, trying one record at a time");
        }
    }
}
