//! Whether a group has all partitions of its topics.
//!
//! The member that shares a group's partitions out asks a broker which there are. One that has not yet heard of a topic
//! leaves it out, and the client does not look again: then nobody consumes it, for ever, and every member says that all
//! is well. So after each rebalance the group is compared with the topics, until it has all of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::KafkaResult;
use rdkafka::metadata::MetadataPartition;

use super::{Kafka, lock, thread};

/// After a rebalance; the next may follow at once.
const SETTLES: Duration = Duration::from_secs(3);
/// For how long a partition may be with nobody: one that moves is, until its last member has given it back, which takes
/// `bus.consumer.revoke_drain_ms` and a commit.
const PATIENCE: Duration = Duration::from_secs(20);
const ASK: Duration = Duration::from_secs(5);
/// When it is asked again: soon, then more and more seldom where no answer comes.
const AGAIN: Duration = Duration::from_secs(3);
const SELDOM: Duration = Duration::from_secs(60);

/// What is known since the last rebalance.
#[derive(Debug, Default)]
pub(crate) struct Coverage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Which rebalance it was: an answer to a question from before it says nothing.
    number: u64,
    /// When to look; none: the group has all, or is being asked.
    due: Option<Instant>,
    wait: Duration,
    /// Since when something is with nobody.
    missing: Option<Instant>,
    /// What nobody has for long.
    told: Option<String>,
    /// The group has all.
    whole: bool,
}

impl Coverage {
    /// Partitions came or went.
    pub(crate) fn rebalanced(&self, now: Instant) {
        let mut state = lock(&self.0);
        let number = state.number + 1;
        *state = State { number, due: Some(now + SETTLES), wait: AGAIN, ..State::default() };
    }

    /// Whether the members of the group have had all partitions since the last rebalance.
    pub(crate) fn is_whole(&self) -> bool {
        lock(&self.0).whole
    }

    /// The number of the rebalance after which it is time to ask.
    fn take_due(&self, now: Instant) -> Option<u64> {
        let mut state = lock(&self.0);
        state.due.take_if(|due| *due <= now).map(|_| state.number)
    }

    /// What a look has shown: what nobody has, or nothing, because there was no answer or the group is being shared out.
    fn saw(&self, number: u64, uncovered: Option<&BTreeSet<(String, i32)>>, now: Instant) {
        let mut state = lock(&self.0);
        if state.number != number {
            return;
        }
        let Some(uncovered) = uncovered else {
            state.due = Some(now + state.wait);
            state.wait = (state.wait * 2).min(SELDOM);
            return;
        };
        let Some((topic, partition)) = uncovered.first() else {
            state.whole = true;
            return;
        };
        let since = *state.missing.get_or_insert(now);
        (state.due, state.wait) = (Some(now + AGAIN), AGAIN);
        if now.saturating_duration_since(since) >= PATIENCE {
            state.told = Some(format!("partition {partition} of {topic} is assigned to no member of the group"));
        }
    }

    /// What no member of the group has, although it has settled. Asks beside the caller, where it is time to.
    pub(crate) fn uncovered(
        self: &Arc<Self>,
        group: &Arc<str>,
        kafka: &Arc<Kafka>,
        topics: &[Arc<str>],
    ) -> Option<String> {
        if let Some(number) = self.take_due(Instant::now()) {
            let coverage = Arc::clone(self);
            let (group, kafka, topics) = (Arc::clone(group), Arc::clone(kafka), topics.to_vec());
            let ask = move || {
                let uncovered = ask(&kafka.asking, &group, &topics).unwrap_or_else(|error| {
                    tracing::debug!(%group, %error, "the group did not report its assignments, retrying");
                    None
                });
                coverage.saw(number, uncovered.as_ref(), Instant::now());
            };
            if thread("weir-coverage", ask).is_err() {
                self.saw(number, None, Instant::now());
            }
        }
        lock(&self.0).told.take()
    }
}

/// What no member has; none: the group is being shared out, or speaks another protocol.
fn ask<C: ConsumerContext>(
    consumer: &BaseConsumer<C>,
    group: &str,
    topics: &[Arc<str>],
) -> KafkaResult<Option<BTreeSet<(String, i32)>>> {
    let groups = consumer.fetch_group_list(Some(group), ASK)?;
    let Some(found) = groups.groups().iter().find(|found| found.name() == group && found.state() == "Stable") else {
        return Ok(None);
    };
    let mut covered = BTreeSet::new();
    for member in found.members() {
        match member.assignment().map_or(Some(Vec::new()), assigned) {
            Some(theirs) => covered.extend(theirs),
            None => return Ok(None),
        }
    }
    let mut uncovered = BTreeSet::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), ASK)?;
        let partitions: Vec<_> =
            metadata.topics().iter().flat_map(|topic| topic.partitions()).map(MetadataPartition::id).collect();
        if partitions.is_empty() {
            // It is not there, or this broker has not heard of it yet.
            return Ok(None);
        }
        let places = partitions.into_iter().map(|partition| (topic.to_string(), partition));
        uncovered.extend(places.filter(|place| !covered.contains(place)));
    }
    Ok(Some(uncovered))
}

/// The partitions in a member's assignment as members of the protocol `consumer` write it: a version, and for each topic
/// its name and its partitions. None: it is something else.
fn assigned(bytes: &[u8]) -> Option<Vec<(String, i32)>> {
    // A member that has just joined.
    if bytes.is_empty() {
        return Some(Vec::new());
    }
    let (_version, mut rest) = bytes.split_first_chunk::<2>()?;
    let mut assigned = Vec::new();
    for _ in 0..number(&mut rest)? {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (name, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        let topic = std::str::from_utf8(name).ok()?;
        rest = after;
        for _ in 0..number(&mut rest)? {
            assigned.push((topic.to_owned(), number(&mut rest)?));
        }
    }
    Some(assigned)
}

fn number(rest: &mut &[u8]) -> Option<i32> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(i32::from_be_bytes(*bytes))
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
