//! A group's member as its client knows it: what the client tells it of itself. What else it is told, and what it does then,
//! stands with [`assignment`](super::assignment) and [`trial`](super::trial).

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;

use super::client::Events;
use super::coverage::Coverage;
use super::fetching;
use super::joining::Joining;
use super::lives::Lives;
use crate::intake::{Ahead, Intake, TopicPartition};

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

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.events.on_log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.events.on_stats(&statistics);
        let up = self.events.brokers_up();
        self.intake.standing.set_brokers(up);
        let age = Duration::from_micros(statistics.age.unsigned_abs());
        self.joining.look(statistics.cgrp.as_ref().filter(|_| up > 0), age, Instant::now());
        self.intake.standing.set_outside(self.joining.outside());
        let group = self.intake.group.to_string();
        let mut state = self.intake.lock();
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
            let lag = part.lag() as f64;
            metrics::gauge!("weir_consumer_lag_records", "group" => group.clone(), "topic" => topic.to_string(), "partition" => partition.to_string()).set(lag);
        }
        let (records, bytes) = state.in_flight();
        metrics::gauge!("weir_consumer_in_flight_records", "group" => group.clone()).set(records as f64);
        metrics::gauge!("weir_consumer_in_flight_bytes", "group" => group).set(bytes as f64);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.on_error(&error, reason);
    }
}
