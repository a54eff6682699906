//! A stage of the pipeline, and what of a digest is about it. Pure.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

/// The stage that probes are, and the name of its only instance.
pub(crate) use alerts::inhibition::PROBES;
use common::health::v1::{Check, Consumer, Digest, Membership, Queue};

use crate::flow::{Flow, Run};

/// One stage, with those who answer and those who do not.
pub(crate) struct Stage<'a> {
    pub(crate) hop: String,
    pub(crate) expected: u32,
    pub(crate) live: Vec<(&'a Digest, &'a Run)>,
    /// Address, and why it does not answer.
    pub(crate) silent: Vec<(&'a str, &'a str)>,
    /// Nobody tells of a partition of which somebody told lately: whoever had it is silent, and nobody has taken it over.
    pub(crate) has_lost: bool,
}

/// What a group consumes for a stage: hop, group, topic, partition.
pub(crate) type Partition = (String, String, String, i32);

pub(crate) fn partition(queue: &Queue) -> Partition {
    (queue.hop.clone(), queue.group.clone(), queue.topic.clone(), queue.partition)
}

impl<'a> Stage<'a> {
    pub(crate) fn new(hop: &str) -> Self {
        Self { hop: hop.to_owned(), expected: 0, live: Vec::new(), silent: Vec::new(), has_lost: false }
    }

    /// Its consumers, and who has each.
    pub(crate) fn consumers(&self) -> impl Iterator<Item = (&'a Digest, &'a Consumer)> {
        let all = self.live.iter().flat_map(|(digest, _)| digest.consumers.iter().map(|consumer| (*digest, consumer)));
        all.filter(|(_, consumer)| consumer.hop == self.hop)
    }

    /// The partitions that it consumes.
    pub(crate) fn queues(&self) -> impl Iterator<Item = &'a Queue> {
        self.live.iter().flat_map(|(digest, _)| &digest.queues).filter(|queue| queue.hop == self.hop)
    }

    /// What all that answer did in the window before `now`; none: one of them has not told it.
    pub(crate) fn within(&self, window: Duration, now: SystemTime) -> Option<Flow> {
        let mut sum = (!self.live.is_empty()).then(Flow::default)?;
        for (_, run) in &self.live {
            sum.add(&run.within(&self.hop, window, now)?.0);
        }
        Some(sum)
    }

    /// For how long the oldest of what it has in work has been there.
    pub(crate) fn oldest_in_work(&self) -> Option<f64> {
        let works = self.live.iter().flat_map(|(digest, _)| &digest.works).filter(|work| work.hop == self.hop);
        works.filter_map(|work| work.oldest_seconds).max_by(f64::total_cmp)
    }

    /// Whether it is known how much waits for it: of all that should consume, and of all their partitions.
    pub(crate) fn knows_its_lag(&self) -> bool {
        let consumes = self.consumers().next().is_some() || self.queues().next().is_some();
        self.live.len() >= self.expected as usize
            && !self.has_lost
            && (consumes || !has_a_queue(&self.hop))
            && self.consumers().all(|(_, consumer)| is_in(consumer))
            && self.queues().all(|queue| !queue.lag_unknown)
    }
}

/// Whether anything can wait for a stage: senders wait for the door themselves, and probes take nothing in.
pub(crate) fn has_a_queue(hop: &str) -> bool {
    !["streaming", PROBES].contains(&hop)
}

/// Whether a consumer is where it should be: with partitions, or known to need none.
fn is_in(consumer: &Consumer) -> bool {
    matches!(consumer.membership(), Membership::Member | Membership::Spare)
}

/// Whether it has no part of the work although nobody says that others have all.
pub(crate) fn is_idle(consumer: &Consumer) -> bool {
    !is_in(consumer) && consumer.partitions == 0
}

/// The stages that a digest tells of.
pub(crate) fn hops_of(digest: &Digest) -> BTreeSet<String> {
    let counts = digest.counts.iter().map(|count| &count.hop);
    let queues = digest.queues.iter().map(|queue| &queue.hop);
    let consumers = digest.consumers.iter().map(|consumer| &consumer.hop);
    let hops: BTreeSet<String> = counts.chain(queues).chain(consumers).filter(|hop| !hop.is_empty()).cloned().collect();
    if hops.is_empty() && !digest.service.is_empty() { BTreeSet::from([digest.service.clone()]) } else { hops }
}

/// Whether a check is about a stage: by its name, and where the name says nothing, about all of the process.
pub(crate) fn is_about(check: &Check, hop: &str, hops: &BTreeSet<String>) -> bool {
    let named = |hop: &str| {
        let more = if hop == "processing" { "registrations_" } else { "-" };
        check.name.strip_prefix(hop).is_some_and(|rest| rest.starts_with('_')) || check.name.starts_with(more)
    };
    named(hop) || !hops.iter().any(|hop| named(hop))
}
