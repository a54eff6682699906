//! A group's member as its client knows it: what the client tells it of itself. What else it is told, and what it does then,
//! stands with [`assignment`](super::assignment) and [`trial`](super::trial).

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::statistics::{ConsumerGroup, Statistics};

use super::client::Events;
use super::coverage::{Coverage, Covered};
use super::fetching;
use super::joining::Joining;
use super::lives::Lives;
use super::lock;
use crate::intake::{Ahead, Intake, TopicPartition};
use crate::standing::Share;
use crate::{Membership, standing};

/// Of who is in its group, and does not know whether it needs no partition.
const NOTHING_GIVEN: &str = "it was given no partition so far, and the group has not said whether others have all";

/// What one member of a group is told by its client.
pub(crate) struct Member {
    pub(crate) events: Events,
    pub(crate) intake: Arc<Intake>,
    pub(super) joining: Joining,
    pub(super) coverage: Arc<Coverage>,
    pub(super) lives: Lives,
    /// When a commit of a trial that failed is tried again.
    pub(super) try_again: Mutex<Option<Instant>>,
    /// Assigned by the group, but not begun: when to try, or try again.
    pub(super) waiting: Mutex<HashMap<TopicPartition, Instant>>,
    /// The client is being closed.
    pub(super) leaving: AtomicBool,
    /// And everything was given back.
    pub(super) given_back: AtomicBool,
}

impl Member {
    pub(crate) fn new(intake: Arc<Intake>, lives: Lives) -> Self {
        Self {
            events: Events::new("consumer"),
            intake,
            joining: Joining::default(),
            coverage: Arc::default(),
            lives,
            try_again: Mutex::new(None),
            waiting: Mutex::new(HashMap::new()),
            leaving: AtomicBool::new(false),
            given_back: AtomicBool::new(false),
        }
    }
}

/// What a client is in its group, and what is known of its part. `group`: what it says of that; none: no broker is connected.
/// `has`: it has partitions; `waits_for`: the group gave it some that have not begun. `covered`: who has the group's.
fn membership(
    group: Option<&ConsumerGroup>,
    has: bool,
    waits_for: Option<String>,
    covered: Covered,
) -> (Membership, Share) {
    let joining = |what, share| (Membership::Joining(what), share);
    let Some(group) = group else { return (Membership::Away, Share::Due) };
    if group.state != "up" || group.join_state != "steady" {
        let stands = format!("{}, {}", group.state, group.join_state);
        return match covered {
            // It may be why: who shares out in another way is not joined.
            Covered::Another(client) => joining(format!("{stands}; {client}"), Share::Due),
            _ => joining(stands, Share::Due),
        };
    }
    match (waits_for, covered) {
        (Some(waits_for), _) => joining(waits_for, Share::Due),
        (None, Covered::Another(client)) => joining(client, Share::Lost),
        (None, _) if has => (Membership::Member, Share::Due),
        (None, Covered::Whole) => (Membership::Spare, Share::Due),
        (None, Covered::Lacks(partition)) => joining(partition, Share::Lost),
        (None, Covered::Unknown) => joining(NOTHING_GIVEN.to_owned(), Share::Unknown),
    }
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.events.on_log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.events.on_stats(&statistics);
        let up = self.events.brokers_up();
        self.intake.told.set_brokers(up);
        let age = Duration::from_micros(statistics.age.unsigned_abs());
        let (group, now) = (statistics.cgrp.as_ref().filter(|_| up > 0), Instant::now());
        self.joining.look(group, age, now);
        let waiting: Vec<TopicPartition> = lock(&self.waiting).keys().cloned().collect();
        let mut state = self.intake.lock();
        let has = !(state.parts.is_empty() && state.stopped.is_empty());
        // One that stands still waits to be looked at again, and its check says why.
        let waiting: Vec<_> = waiting.iter().filter(|place| !state.stopped.contains_key(*place)).collect();
        let waits_for = (!waiting.is_empty()).then(|| standing::not_begun(waiting));
        let (membership, share) = membership(group, has, waits_for, self.coverage.covered());
        self.intake.told.set_with(membership, share, now);
        let group = self.intake.group.to_string();
        for ((topic, partition), part) in &mut state.parts {
            let known = statistics.topics.get(&**topic).and_then(|topic| topic.partitions.get(partition));
            let Some(known) = known else { continue };
            // Below zero before the first answer, and after one that was an error.
            if known.ls_offset >= 0 {
                part.seen = known.ls_offset;
            }
            // While it is not fetched, what is told is of the last time that it was.
            part.fetched = if known.fetch_state == "active" { known.next_offset } else { part.next };
            part.ahead = fetching::ahead(known.fetchq_cnt, known.fetchq_size, &self.intake.settings);
            if part.ahead == Ahead::Nothing {
                part.given = part.fetched;
            }
        }
        let (records, bytes) = state.in_flight();
        metrics::gauge!("weir_consumer_in_flight_records", "group" => group.clone()).set(records as f64);
        metrics::gauge!("weir_consumer_in_flight_bytes", "group" => group).set(bytes as f64);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.on_error(&error, reason);
    }
}

#[cfg(test)]
#[path = "member_tests.rs"]
mod tests;
