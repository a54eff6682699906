//! The thread of a group's member: it takes its partitions, reads while there is room, and commits what is done.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::Embedded;
use super::member::{Member, Mine};
use super::store::Limit;
use crate::intake::{Intake, TopicPartition};
use crate::threads::thread;
use crate::{Coordinates, Error};

/// Looks at least so often, for the metrics.
const LOOK: Duration = Duration::from_secs(1);
/// How often progress is committed. The first after a start is at once.
const COMMIT: Duration = Duration::from_millis(200);
/// How long to wait for the end of a record that is tried, before looking again.
const TRY: Duration = Duration::from_millis(10);
/// When what failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);
/// What is read at once.
const CHUNK: Limit = Limit { records: 256, bytes: 1024 * 1024 };
/// Records that are read at once of a partition in which this run has done nothing yet. So each has something done soon:
/// who is killed before that again and again has to try its records one at a time.
const FIRST: usize = 16;

/// Starts the thread. It ends when the intake is closed, and says how many records were left undone.
pub(crate) fn start(
    embedded: Arc<Embedded>,
    intake: Arc<Intake>,
    topics: Vec<Arc<str>>,
) -> Result<oneshot::Receiver<usize>, Error> {
    let (ended, receiver) = oneshot::channel();
    let name = format!("weir-consume-{}", intake.group);
    thread(&name, move || {
        let seat = embedded.log.groups.join(&intake, &topics);
        let mut member = Member::new(embedded, intake, seat);
        let left = member.run();
        let Member { embedded, intake, .. } = member;
        embedded.log.groups.leave(&intake.group, seat);
        // Whoever hears of the end may open the log anew.
        drop(embedded);
        intake.closed();
        // Dropped without close: nobody waits.
        let _ = ended.send(left);
    })?;
    Ok(receiver)
}

impl Member {
    fn run(&mut self) -> usize {
        self.intake.told.set_brokers(1);
        loop {
            // First, so that nothing that is signalled from here on is overlooked.
            let state = self.intake.lock();
            let signals = state.signals;
            if state.closing.is_some() {
                drop(state);
                return self.drain();
            }
            drop(state);
            self.share();
            self.begin_due();
            self.go_back();
            self.store();
            let trying = self.try_suspects();
            let more = self.fill();
            self.measure();
            if !more {
                self.wait(signals, trying);
            }
        }
    }

    /// Until something was signalled, or the time of something has come.
    fn wait(&self, signals: u64, trying: bool) {
        let now = Instant::now();
        let mut until = now + if trying { TRY } else { LOOK };
        if !self.undone.is_empty() {
            until = until.min(self.committed_at + COMMIT);
        }
        until = self.mine.values().filter_map(|mine| mine.begin_at).fold(until, Instant::min);
        let mut state = self.intake.lock();
        until = state.parts.values().filter_map(|part| part.retry_at).fold(until, Instant::min);
        while state.signals == signals && state.closing.is_none() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            state = self.intake.wait(state, left);
        }
    }

    /// Gives away what is no longer its own, and takes what is to be.
    fn share(&mut self) {
        let groups = &self.embedded.log.groups;
        let Some((version, target)) = groups.target(&self.intake.group, self.seat, self.seen) else { return };
        (self.seen, self.shared) = (version, target.clone());
        let gone: Vec<TopicPartition> = self.mine.keys().filter(|place| !target.contains(*place)).cloned().collect();
        if !gone.is_empty() {
            self.revoke(&gone);
            self.embedded.log.groups.release(&self.intake.group, self.seat, &gone);
        }
        let new: BTreeSet<TopicPartition> = target.into_iter().filter(|place| !self.mine.contains_key(place)).collect();
        for place in new {
            let Some(topic) = self.embedded.log.topic(&place.0) else { continue };
            if self.embedded.log.groups.take(&self.intake.group, self.seat, &place) {
                self.mine.insert(place, Mine { topic, begin_at: Some(Instant::now()) });
            }
        }
    }

    /// Partitions go to another member. What is out may still end within the deadline; the rest comes again there.
    fn revoke(&mut self, gone: &[TopicPartition]) {
        let mut state = self.intake.lock();
        state.discard(|place| gone.contains(place));
        let deadline = Instant::now() + Duration::from_millis(u64::from(self.intake.settings.revoke_drain_ms));
        while state.awaited(|place| gone.contains(place)) > 0 && state.closing.is_none() {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            state = self.intake.wait(state, left);
        }
        let left = state.unfinished(|place| gone.contains(place));
        drop(state);
        self.note_progress();
        self.commit_progress();
        self.settle(|place| gone.contains(place));
        tracing::debug!(group = %self.intake.group, partitions = gone.len(), left, "partitions were revoked");
        let mut state = self.intake.lock();
        state.parts.retain(|place, _| !gone.contains(place));
        state.stopped.retain(|place, _| !gone.contains(place));
        drop(state);
        self.mine.retain(|place, _| !gone.contains(place));
        self.undone.retain(|place, _| !gone.contains(place));
    }

    /// Partitions with a failed record wait, and then go back to it.
    fn go_back(&self) {
        let mut state = self.intake.lock();
        let now = Instant::now();
        let failed: Vec<TopicPartition> =
            state.parts.iter().filter(|(_, part)| part.failed).map(|(place, _)| place.clone()).collect();
        for place in failed {
            if let Some((offset, wait, why)) = state.go_back(&place, &self.intake.settings) {
                let (topic, partition) = &place;
                tracing::warn!(group = %self.intake.group, %topic, partition, offset, ?wait, %why, "a record failed, its partition is rewound to it and retried");
                metrics::counter!("weir_consumer_rewinds_total", "group" => self.intake.group.to_string(), "topic" => topic.to_string()).increment(1);
            }
        }
        for part in state.parts.values_mut() {
            part.retry_at.take_if(|at| *at <= now);
        }
    }

    /// Commits what is done: the first progress at once, for an end after it must not count as one with nothing done.
    fn store(&mut self) {
        let first = self.note_progress();
        if first || self.committed_at.elapsed() >= COMMIT {
            self.commit_progress();
        }
    }

    fn note_progress(&mut self) -> bool {
        let (moved, first) = self.intake.lock().progress();
        self.undone.extend(moved);
        first
    }

    fn commit_progress(&mut self) {
        self.committed_at = Instant::now();
        let undone = std::mem::take(&mut self.undone);
        if undone.is_empty() {
            return;
        }
        if let Err(error) = self.commit(undone.iter().map(|(place, position)| (place, *position, None))) {
            tracing::debug!(group = %self.intake.group, %error, "offset commit failed, retrying");
            self.undone = undone;
            self.committed_at = Instant::now() + AGAIN;
        }
    }

    /// Reads while there is room. True: there is more, and room for it.
    fn fill(&mut self) -> bool {
        // Always: what was read beyond the limits waits for this.
        if !self.intake.admit(&mut self.intake.lock()) {
            return false;
        }
        let places = self.readable();
        let count = places.len();
        let mut more = false;
        for step in 0..count {
            let at = (self.turn + step) % count;
            let Some((place, mine)) = places.get(at).and_then(|place| self.mine.get_key_value(place)) else { continue };
            let mut state = self.intake.lock();
            if !self.intake.admit(&mut state) {
                self.turn = at;
                return false;
            }
            let (records, bytes) = state.in_flight();
            let marked = state.parts.get(place).is_some_and(|part| part.watch.on_log().is_some());
            let limit = Limit {
                records: (if marked { FIRST } else { CHUNK.records })
                    .min(self.intake.settings.max_in_flight_records.saturating_sub(records)),
                bytes: CHUNK.bytes.min(self.intake.settings.max_in_flight_bytes.saturating_sub(bytes)),
            };
            let Some(next) = state.parts.get(place).map(|part| part.next) else { continue };
            drop(state);
            let end = mine.topic.range(place.1).map_or(0, |(_, end)| end);
            match self.embedded.log.files.read(&mine.topic, place.1, next, end, limit) {
                Ok(chunk) => {
                    let mut state = self.intake.lock();
                    for (offset, content) in chunk.records {
                        let (topic, partition) = place.clone();
                        let log = self.embedded.log_at(&mine.topic, partition, offset);
                        let at = Coordinates { log, topic, partition, offset };
                        self.intake.take(&mut state, at, content);
                    }
                    if let Some(part) = state.parts.get_mut(place) {
                        // Over a gap.
                        part.next = part.next.max(chunk.next);
                    }
                    more |= chunk.next < end;
                }
                Err(Error::OutOfRange { topic, partition, offset, low, high, .. }) => {
                    let group = self.intake.group.clone();
                    self.stop(place, Error::OutOfRange { group, topic, partition, offset, low, high });
                }
                Err(error) => {
                    tracing::error!(group = %self.intake.group, %error, "records cannot be read, retrying");
                    self.intake.lock().parts.entry(place.clone()).and_modify(|part| {
                        part.retry_at = Some(Instant::now() + AGAIN);
                    });
                }
            }
        }
        self.turn = self.turn.wrapping_add(1);
        more
    }

    /// The partitions in which there is something to be read, or, behind their start, an error.
    fn readable(&self) -> Vec<TopicPartition> {
        let state = self.intake.lock();
        let readable = |place: &TopicPartition, mine: &Mine| {
            let part = state.parts.get(place).filter(|part| !part.failed && part.retry_at.is_none());
            let reads = part.zip(mine.topic.range(place.1)).is_some_and(|(part, (low, end))| part.next < end.max(low));
            reads && !state.stopped.contains_key(place)
        };
        let mut places: Vec<TopicPartition> =
            self.mine.iter().filter(|(place, mine)| readable(place, mine)).map(|(place, _)| place.clone()).collect();
        places.sort();
        places
    }

    /// Where it stands, and how far everything is behind.
    fn measure(&mut self) {
        let now = Instant::now();
        self.intake.told.set(self.membership(), now);
        let mut state = self.intake.lock();
        for (place, mine) in &self.mine {
            if let Some(part) = state.parts.get_mut(place) {
                part.end = mine.topic.range(place.1).map_or(part.next, |(_, end)| end);
                part.end_at = now;
                part.given = part.next;
            }
        }
        if self.measured_at.is_some_and(|at| now.saturating_duration_since(at) < LOOK) {
            return;
        }
        self.measured_at = Some(now);
        let group = self.intake.group.to_string();
        let (records, bytes) = state.in_flight();
        metrics::gauge!("weir_consumer_in_flight_records", "group" => group.clone()).set(records as f64);
        metrics::gauge!("weir_consumer_in_flight_bytes", "group" => group).set(bytes as f64);
    }

    /// Waits for what is out, and commits.
    fn drain(&mut self) -> usize {
        let mut state = self.intake.lock();
        state.discard(|_| true);
        let deadline = state.closing.unwrap_or_else(Instant::now);
        while state.awaited(|_| true) > 0 && Instant::now() < deadline {
            state = self.intake.wait(state, deadline.saturating_duration_since(Instant::now()));
        }
        // What failed has ended: it comes again, and nobody could have waited for more.
        let left = state.awaited(|_| true);
        drop(state);
        self.note_progress();
        self.commit_progress();
        self.settle(|_| true);
        left
    }
}
