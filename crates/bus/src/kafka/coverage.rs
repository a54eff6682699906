//! Whether a group has all partitions of its topics, and Weir's members have them.
//!
//! The member that shares a group's partitions out asks a broker which there are. One that has not yet heard of a topic
//! leaves it out, and the client does not look again: then nobody consumes it, for ever, and every member says that all
//! is well. So after each rebalance the group is compared with the topics, until it has all of them.
//!
//! A client of another program may be in the group too. What it has is not with nobody, and Weir does not do it: it is named.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::few::few;
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaResult;
use rdkafka::metadata::MetadataPartition;

use super::{Kafka, client, joining, lock, thread};

/// After a rebalance; the next may follow at once.
const SETTLES: Duration = Duration::from_secs(3);
/// For how long a partition may be with nobody: one that moves is, until its last member has given it back, which takes
/// `bus.consumer.revoke_drain_ms` and a commit.
const PATIENCE: Duration = Duration::from_secs(20);
const ASK: Duration = Duration::from_secs(5);
/// When it is asked again: soon, then more and more seldom where no answer comes.
const AGAIN: Duration = Duration::from_secs(3);
const SELDOM: Duration = Duration::from_secs(60);

/// Who has the partitions of a group, as far as is known since the last rebalance.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Covered {
    /// The group has not said so far.
    #[default]
    Unknown,
    /// Weir's members have all.
    Whole,
    /// For long nobody has had this one.
    Lacks(String),
    /// A client of another program has some, and which one.
    Another(String),
}

/// What is known since the last rebalance.
#[derive(Debug, Default)]
pub(crate) struct Coverage(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Which rebalance it was: an answer to a question from before it says nothing. None yet: 0.
    number: u64,
    /// When to look; none: the group has all, or it has not been asked to join.
    due: Option<Instant>,
    wait: Duration,
    /// Since when something is with nobody.
    missing: Option<Instant>,
    /// What nobody has for long, until the poll thread has heard of it.
    told: Option<String>,
    covered: Covered,
}

/// What a look has shown.
#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    /// With no member.
    uncovered: BTreeSet<(String, i32)>,
    /// Members that are not Weir's.
    others: Vec<Other>,
}

/// A client of another program.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Other {
    client: String,
    /// It has partitions of the group's topics, or what it has cannot be read.
    has_some: bool,
}

impl Coverage {
    /// A client begins to join. It may be kept out by who is in.
    pub(crate) fn begins(&self, now: Instant) {
        let mut state = lock(&self.0);
        if state.number == 0 {
            (state.due, state.wait) = (Some(now + SETTLES), AGAIN);
        }
    }

    /// Partitions came or went.
    pub(crate) fn rebalanced(&self, now: Instant) {
        let mut state = lock(&self.0);
        let number = state.number + 1;
        *state = State { number, due: Some(now + SETTLES), wait: AGAIN, ..State::default() };
    }

    /// Who has had the partitions since the last rebalance.
    pub(super) fn covered(&self) -> Covered {
        lock(&self.0).covered.clone()
    }

    /// The number of the rebalance after which it is time to ask.
    fn take_due(&self, now: Instant) -> Option<u64> {
        let mut state = lock(&self.0);
        // Who asks may come to an end without an answer.
        let is_due = state.due.is_some_and(|due| due <= now);
        is_due.then(|| {
            state.due = Some(now + SELDOM);
            state.number
        })
    }

    /// What a look has shown; nothing: there was no answer, or the group is being shared out.
    fn saw(&self, number: u64, seen: Option<Seen>, now: Instant) {
        let mut state = lock(&self.0);
        if state.number != number {
            return;
        }
        let Some(Seen { uncovered, others }) = seen else {
            state.due = Some(now + state.wait);
            state.wait = (state.wait * 2).min(SELDOM);
            return;
        };
        let mut covered = Covered::Unknown;
        state.due = None;
        if let Some((topic, partition)) = uncovered.first() {
            let since = *state.missing.get_or_insert(now);
            (state.due, state.wait) = (Some(now + AGAIN), AGAIN);
            // Who is not in cannot make the group decide.
            if number > 0 && now.saturating_duration_since(since) >= PATIENCE {
                let mut what = format!("partition {partition} of {topic} is assigned to no member of the group");
                if !others.is_empty() {
                    what.push_str(&format!(", in which {}", is_another(&others)));
                }
                state.told = Some(what.clone());
                covered = Covered::Lacks(what);
            }
        } else {
            state.missing = None;
            covered = Covered::Whole;
        }
        let have: Vec<Other> = others.into_iter().filter(|other| other.has_some).collect();
        if !have.is_empty() {
            covered = Covered::Another(format!("in the group {}, and has partitions of it", is_another(&have)));
            // Until it is gone, which is a rebalance.
            state.due.get_or_insert(now + SELDOM);
        }
        state.covered = covered;
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
                let seen = ask(&kafka, &group, &topics).unwrap_or_else(|error| {
                    tracing::debug!(%group, %error, "the group did not report its assignments, retrying");
                    None
                });
                coverage.saw(number, seen, Instant::now());
            };
            if thread("weir-coverage", ask).is_err() {
                self.saw(number, None, Instant::now());
            }
        }
        lock(&self.0).told.take()
    }
}

fn is_another(others: &[Other]) -> String {
    let clients = few(others.iter().map(|other| &other.client), ", ");
    format!("there is a client of another program ({clients})")
}

/// What the members have. None: the group is being shared out.
fn ask(kafka: &Kafka, group: &str, topics: &[Arc<str>]) -> KafkaResult<Option<Seen>> {
    let asking = &kafka.asking;
    let groups = asking.fetch_group_list(Some(group), ASK)?;
    let Some(found) = groups.groups().iter().find(|found| found.name() == group && found.state() == "Stable") else {
        return Ok(None);
    };
    let mut uncovered = BTreeSet::new();
    for topic in topics {
        let metadata = asking.fetch_metadata(Some(topic), ASK)?;
        let partitions: Vec<_> =
            metadata.topics().iter().flat_map(|topic| topic.partitions()).map(MetadataPartition::id).collect();
        if partitions.is_empty() {
            // It is not there, or this broker has not heard of it yet.
            return Ok(None);
        }
        uncovered.extend(partitions.into_iter().map(|partition| (topic.to_string(), partition)));
    }
    let members = found.members().iter().map(|member| InGroup {
        client: member.client_id(),
        host: member.client_host(),
        id: member.id(),
        subscription: member.metadata(),
        assignment: member.assignment(),
    });
    Ok(seen(client::id(&kafka.settings), topics, uncovered, members))
}

/// A member as the broker tells of it.
struct InGroup<'a> {
    client: &'a str,
    host: &'a str,
    id: &'a str,
    subscription: Option<&'a [u8]>,
    assignment: Option<&'a [u8]>,
}

/// What the members have of these partitions. None: what a member of Weir's has cannot be read.
fn seen<'a>(
    own: &str,
    topics: &[Arc<str>],
    mut uncovered: BTreeSet<(String, i32)>,
    members: impl Iterator<Item = InGroup<'a>>,
) -> Option<Seen> {
    let mut others = Vec::new();
    for member in members {
        let InGroup { client, host, id, subscription, assignment } = member;
        let assigned = assignment.map_or(Some(Vec::new()), assigned);
        if !is_weirs(own, topics, client, id, subscription) {
            let is_ours = |(topic, _): &(String, i32)| topics.iter().any(|ours| **ours == **topic);
            let has_some = assigned.as_ref().is_none_or(|assigned| assigned.iter().any(is_ours));
            others.push(Other { client: format!("{client} at {}", host.trim_start_matches('/')), has_some });
            if assigned.is_none() {
                // It may have whatever nobody else has: to share out anew would change nothing, again and again.
                uncovered.clear();
            }
        } else if assigned.is_none() {
            return None;
        }
        assigned.into_iter().flatten().for_each(|place| _ = uncovered.remove(&place));
    }
    Some(Seen { uncovered, others })
}

/// Whether a member is a consumer of Weir's. Its client has the name that this one's has, which settings may change, or itself a
/// name as [`joining::instance`] makes it, which brokers put before a UUID. And it consumes a topic that this one consumes.
fn is_weirs(own: &str, topics: &[Arc<str>], client: &str, member: &str, subscription: Option<&[u8]>) -> bool {
    let has_a_name = || joining::is_instance(member.split('-').next().unwrap_or_default());
    (client == own || has_a_name())
        && subscription
            .and_then(subscribed)
            .is_some_and(|theirs| theirs.iter().any(|theirs| topics.iter().any(|topic| **topic == **theirs)))
}

/// The topics in a member's subscription: a version, and the name of each.
fn subscribed(bytes: &[u8]) -> Option<Vec<String>> {
    let (_version, mut rest) = bytes.split_first_chunk::<2>()?;
    let mut topics = Vec::new();
    for _ in 0..number(&mut rest)? {
        topics.push(name(&mut rest)?);
    }
    Some(topics)
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
        let topic = name(&mut rest)?;
        for _ in 0..number(&mut rest)? {
            assigned.push((topic.clone(), number(&mut rest)?));
        }
    }
    Some(assigned)
}

fn name(rest: &mut &[u8]) -> Option<String> {
    let (length, after) = rest.split_first_chunk::<2>()?;
    let (name, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
    *rest = after;
    std::str::from_utf8(name).ok().map(str::to_owned)
}

fn number(rest: &mut &[u8]) -> Option<i32> {
    let (bytes, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(i32::from_be_bytes(*bytes))
}

#[cfg(test)]
#[path = "coverage_tests.rs"]
mod tests;
