//! Partitions come and go.
//!
//! A partition begins where its group has committed. A group that never did begins at the first record there is, and
//! commits that before it consumes: afterwards "committed, and no longer on the log" always means that records are
//! missing. Such a partition stands still and says so; nothing resets it. Only a topic that is [another one](super::lives) is
//! begun at its first record: what was committed was of the one before.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::types::{RDKafkaErrorCode, RDKafkaRespErr};
use rdkafka::{Offset, TopicPartitionList};

use super::lock;
use super::member::Member;
use super::positions::{ASK, Position, add, commit, committed};
use crate::culprit::Watch;
use crate::intake::TopicPartition;
use crate::{Error, Membership, standing};

/// When it is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// When a partition that stands still is looked at again: somebody may have set the group's offset.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

impl Member {
    /// Closes the client. Everything that is to be committed has been.
    ///
    /// Where partitions were about to come or go, librdkafka calls back twice: for these, and for all that there are.
    /// The first answer gives everything back, whatever it says, and after it the client ends at any moment. A commit
    /// that comes in this moment aborts the process, and any other question is never answered. So there is one answer,
    /// and nothing else is asked.
    pub(crate) fn leave(consumer: BaseConsumer<Self>) {
        consumer.context().leaving.store(true, Ordering::Relaxed);
        drop(consumer);
    }

    fn give_back(&self, consumer: &BaseConsumer<Self>) -> KafkaResult<()> {
        if self.given_back.swap(true, Ordering::Relaxed) {
            return Ok(());
        }
        consumer.incremental_unassign(&TopicPartitionList::new())
    }

    /// Begins the partitions whose time has come.
    pub(crate) fn begin_waiting(&self, consumer: &BaseConsumer<Self>) {
        let now = Instant::now();
        let mut due = Vec::new();
        lock(&self.waiting).retain(|place, at| {
            let is_due = *at <= now;
            if is_due {
                due.push(place.clone());
            }
            !is_due
        });
        if !due.is_empty() {
            let begun = self.begin(consumer, due);
            if begun.count() > 0
                && let Err(error) = self.assign(consumer, &begun)
            {
                tracing::warn!(group = %self.intake.group, %error, "cannot start partitions, retrying");
                self.forget(&places(&begun));
                lock(&self.waiting).extend(places(&begun).into_iter().map(|place| (place, now + ASK_AGAIN)));
            }
        }
    }

    /// Partitions of topics that were deleted and made again are given up, and begin anew.
    pub(crate) fn begin_again(&self, consumer: &BaseConsumer<Self>) {
        let topics = self.lives.replaced();
        if topics.is_empty() {
            return;
        }
        let is_of = |place: &TopicPartition| topics.contains(&place.0);
        let state = self.intake.lock();
        let begun: Vec<TopicPartition> = state.parts.keys().filter(|place| is_of(place)).cloned().collect();
        let stopped: Vec<TopicPartition> = state.stopped.keys().filter(|place| is_of(place)).cloned().collect();
        drop(state);
        let mut list = TopicPartitionList::new();
        for (topic, partition) in &begun {
            list.add_partition(topic, *partition);
        }
        if list.count() > 0
            && let Err(error) = consumer.incremental_unassign(&list)
        {
            tracing::warn!(group = %self.intake.group, %error, "cannot give up the partitions of recreated topics, retrying");
            return;
        }
        self.intake.lock().discard(is_of);
        tracing::error!(
            group = %self.intake.group, ?topics, "topics were deleted and recreated: they are read from their first record"
        );
        let gone = [begun, stopped].concat();
        self.forget(&gone);
        self.lives.given_up(&topics);
        lock(&self.waiting).extend(gone.into_iter().map(|place| (place, Instant::now())));
    }

    fn assign(&self, consumer: &BaseConsumer<Self>, begun: &TopicPartitionList) -> KafkaResult<()> {
        consumer.incremental_assign(begun)?;
        // A pause outlives an assignment, and this one is new.
        consumer.resume(begun)
    }

    /// Finds where the partitions begin, and tells the intake. What cannot begin now waits.
    fn begin(&self, consumer: &BaseConsumer<Self>, new: Vec<TopicPartition>) -> TopicPartitionList {
        let committed = committed(consumer, &new);
        let ids = self.lives.begin(new.iter().map(|(topic, _)| Arc::clone(topic)).collect());
        let (mut starts, mut later) = (Vec::new(), Vec::new());
        for place in new {
            let found = match (&committed, &ids) {
                (Ok(committed), Ok(ids)) => {
                    self.start(consumer, &place, committed.get(&place).and_then(Option::as_ref), ids.get(&place.0))
                }
                (Err(error), _) => Err(Refusal::Later(error.to_string())),
                (_, Err(error)) => Err(Refusal::Later(error.clone())),
            };
            match found {
                Ok(start) => starts.push((place, start)),
                Err(Refusal::Later(error)) => later.push((place, error)),
                Err(Refusal::Stop(error)) => {
                    self.stop(&place, error);
                    lock(&self.waiting).insert(place, Instant::now() + LOOK_AGAIN);
                }
            }
        }
        if let Err(error) = mark(consumer, &mut starts) {
            later.extend(starts.drain(..).map(|(place, _)| (place, error.to_string())));
        }
        for (place, error) in later {
            let (topic, partition) = &place;
            tracing::warn!(group = %self.intake.group, %topic, partition, %error, "cannot determine the start offset of a partition, retrying");
            lock(&self.waiting).insert(place, Instant::now() + ASK_AGAIN);
        }
        let mut begun = TopicPartitionList::new();
        for (place, Start { position, end, watch, .. }) in starts {
            if begun.add_partition_offset(&place.0, place.1, Offset::Offset(position)).is_ok() {
                self.warn_of(&place, position, &watch);
                self.intake.lock().begin(place, position, end, watch);
            }
        }
        begun
    }

    fn start(
        &self,
        consumer: &BaseConsumer<Self>,
        (topic, partition): &TopicPartition,
        committed: Option<&Position>,
        id: Option<&Arc<str>>,
    ) -> Result<Start, Refusal> {
        let asked = consumer.fetch_watermarks(topic, *partition, ASK);
        let (low, high) = asked.map_err(|error| Refusal::Later(error.to_string()))?;
        let watch = |position, found| self.intake.watch(found, position, high);
        match committed {
            Some(Position { offset, of: Some(of), .. }) if Some(of) != id => {
                tracing::warn!(group = %self.intake.group, %topic, partition, offset, low, "the topic was deleted and recreated, starting at its first record");
                Ok(Start { position: low, end: high, new: true, watch: watch(low, None) })
            }
            Some(Position { offset: position, mark, .. }) if (low..=high).contains(position) => {
                let watch = watch(*position, *mark);
                Ok(Start { position: *position, end: high, new: false, watch })
            }
            Some(Position { offset, .. }) => {
                Err(Refusal::Stop(self.out_of_range((topic, *partition), *offset, (low, high))))
            }
            None => {
                tracing::info!(group = %self.intake.group, %topic, partition, low, "the group has no committed offset here, starting at the first record");
                Ok(Start { position: low, end: high, new: true, watch: watch(low, None) })
            }
        }
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

    fn out_of_range(&self, (topic, partition): (&Arc<str>, i32), offset: i64, (low, high): (i64, i64)) -> Error {
        Error::OutOfRange { group: self.intake.group.clone(), topic: topic.clone(), partition, offset, low, high }
    }

    /// A partition stands still. It is told once.
    fn stop(&self, place: &TopicPartition, error: Error) {
        let mut state = self.intake.lock();
        if state.stopped.insert(place.clone(), error.clone()).is_none() {
            tracing::error!(group = %self.intake.group, %error, "a partition is stalled");
            self.intake.report(&mut state, error);
        }
    }

    /// The client could not fetch an offset, and does not say of which partition. True: it was found.
    pub(crate) fn find_out_of_range(&self, consumer: &BaseConsumer<Self>) -> KafkaResult<bool> {
        let parts: Vec<_> = self.intake.lock().parts.iter().map(|(place, part)| (place.clone(), part.next)).collect();
        let mut found = false;
        for ((topic, partition), next) in parts {
            let (low, high) = consumer.fetch_watermarks(&topic, partition, ASK)?;
            if !(low..=high).contains(&next) {
                self.stop(&(topic.clone(), partition), self.out_of_range((&topic, partition), next, (low, high)));
                found = true;
            }
        }
        Ok(found)
    }

    /// Partitions go to another member. What is out may still end within the deadline; the rest comes again there.
    fn revoke(&self, consumer: &BaseConsumer<Self>, gone: &[TopicPartition]) {
        let lost = consumer.assignment_lost();
        let mut state = self.intake.lock();
        state.discard(|place| gone.contains(place));
        // A lost partition is in other hands already: storing for it is refused, so there is nothing to wait for.
        if !lost {
            let limit = Instant::now() + Duration::from_millis(u64::from(self.intake.settings.revoke_drain_ms));
            let deadline = state.closing.map_or(limit, |closing| closing.min(limit));
            while state.awaited(|place| gone.contains(place)) > 0 {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break;
                }
                state = self.intake.wait(state, left);
            }
        }
        let left = state.unfinished(|place| gone.contains(place));
        drop(state);
        if !lost {
            self.store(consumer);
            commit(consumer);
            self.settle(consumer, |place| gone.contains(place));
        }
        tracing::debug!(group = %self.intake.group, partitions = gone.len(), left, lost, "partitions were revoked");
        self.count(if lost { "lost" } else { "revoked" }, gone.len());
        self.forget(gone);
    }

    /// Partitions that move all the time are work that is done twice.
    fn count(&self, what: &'static str, partitions: usize) {
        let group = self.intake.group.to_string();
        metrics::counter!("weir_consumer_partitions_moved_total", "group" => group, "what" => what)
            .increment(partitions as u64);
    }

    fn forget(&self, gone: &[TopicPartition]) {
        let mut state = self.intake.lock();
        state.parts.retain(|place, _| !gone.contains(place));
        state.stopped.retain(|place, _| !gone.contains(place));
        drop(state);
        lock(&self.waiting).retain(|place, _| !gone.contains(place));
    }

    /// Stores what is done, to be committed by the client at its interval.
    pub(crate) fn store(&self, consumer: &BaseConsumer<Self>) {
        let mut offsets = TopicPartitionList::new();
        let (moved, first) = self.intake.lock().progress();
        for ((topic, partition), position) in &moved {
            // Refused is only an offset below zero.
            let _ = add(consumer, &mut offsets, topic, *partition, *position, None);
        }
        if offsets.count() == 0 {
            return;
        }
        if let Err(error) = consumer.store_offsets(&offsets) {
            // Revoked in between: whoever has the partition now does these records again.
            tracing::debug!(group = %self.intake.group, %error, "offsets were not stored, the records will be read again");
        } else if first && let Err(error) = consumer.commit_consumer_state(CommitMode::Async) {
            // At once, and not at the interval: an end after this must not count as one with nothing done.
            tracing::debug!(group = %self.intake.group, %error, "the first offset commit failed, retrying at the commit interval");
        }
    }
}

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

/// Commits that this run begins, wherever records wait.
fn mark(consumer: &BaseConsumer<Member>, starts: &mut [(TopicPartition, Start)]) -> KafkaResult<()> {
    let mut offsets = TopicPartitionList::new();
    for ((topic, partition), start) in starts.iter_mut().filter(|(_, start)| start.new || start.waits()) {
        let mark = start.waits().then(|| start.watch.running());
        add(consumer, &mut offsets, topic, *partition, start.position, mark)?;
        start.watch.written(mark);
    }
    if offsets.count() > 0 {
        consumer.commit(&offsets, CommitMode::Sync)?;
    }
    Ok(())
}

enum Refusal {
    Later(String),
    Stop(Error),
}

fn places(list: &TopicPartitionList) -> Vec<TopicPartition> {
    list.elements().iter().map(|element| (element.topic().into(), element.partition())).collect()
}

impl ConsumerContext for Member {
    fn rebalance(&self, consumer: &BaseConsumer<Self>, event: RDKafkaRespErr, list: &mut TopicPartitionList) {
        let listed = places(list);
        self.coverage.rebalanced(Instant::now());
        let done = if self.leaving.load(Ordering::Relaxed) {
            self.give_back(consumer)
        } else if event == RDKafkaRespErr::RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
            tracing::debug!(group = %self.intake.group, partitions = listed.len(), "partitions were assigned");
            self.count("assigned", listed.len());
            // Who is closing begins nothing any more.
            let closing = self.intake.lock().closing.is_some();
            if !(closing || listed.is_empty()) {
                // Finding out where they begin takes a while, in which the client says nothing of itself.
                let waits = Membership::Joining(standing::not_begun(&listed));
                self.intake.told.set(waits, Instant::now());
            }
            let begun = if closing { TopicPartitionList::new() } else { self.begin(consumer, listed) };
            self.assign(consumer, &begun)
        } else {
            // Only what was begun was assigned to the client.
            let mut begun = TopicPartitionList::new();
            for (topic, partition) in &listed {
                if self.intake.lock().parts.contains_key(&(topic.clone(), *partition)) {
                    begun.add_partition(topic, *partition);
                }
            }
            self.revoke(consumer, &listed);
            consumer.incremental_unassign(&begun)
        };
        if let Err(error) = done {
            tracing::warn!(group = %self.intake.group, %error, "a rebalance failed");
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _offsets: &TopicPartitionList) {
        if let Err(error) = result
            && error.rdkafka_error_code() != Some(RDKafkaErrorCode::NoOffset)
        {
            tracing::debug!(group = %self.intake.group, %error, "offset commit failed");
        }
    }
}
