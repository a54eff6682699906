//! What the client tells of itself, and whether it gets into its group.
//!
//! A client can wait for its group for ever, with its connections up and without a word. It tells in its statistics where
//! it stands: one that waits for longer than any rebalance takes is closed, and another one is made.

use std::sync::Mutex;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::statistics::{ConsumerGroup, Statistics};

use super::assignment::Member;
use super::lock;

/// Since when a member is not in its group, and where it stands.
#[derive(Debug, Default)]
pub(crate) struct Joining(Mutex<Option<(Instant, String)>>);

impl Joining {
    /// What the statistics say of the group; none: no broker is connected, and nothing can be said.
    fn look(&self, group: Option<&ConsumerGroup>, now: Instant) {
        let mut joining = lock(&self.0);
        *joining = group.filter(|group| group.state != "up" || group.join_state != "steady").map(|group| {
            let since = joining.take().map_or(now, |(since, _)| since);
            (since, format!("{}, {}", group.state, group.join_state))
        });
    }

    /// A member that is not in its group for longer than this, while the log answers: where it stands. `away`: when the
    /// log was last known not to answer. Who waits for a coordinator that hangs is not stuck, and its connection may be up.
    pub(crate) fn stuck(&self, limit: Duration, away: Option<Instant>, now: Instant) -> Option<String> {
        let joining = lock(&self.0);
        let (since, stands) = joining.as_ref()?;
        let since = away.map_or(*since, |away| away.max(*since));
        let waited = now.saturating_duration_since(since);
        (waited > limit).then(|| format!("it is not in its group for {} s ({stands})", waited.as_secs()))
    }
}

/// Longer than the others wait for a member that was killed, and give back what they had.
pub(crate) fn limit(session_timeout_ms: u32) -> Duration {
    Duration::from_millis(u64::from(session_timeout_ms) * 3).max(Duration::from_secs(30))
}

impl ClientContext for Member {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.events.on_log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.events.on_stats(&statistics);
        let up = self.events.brokers_up();
        self.intake.brokers_up.store(up, Ordering::Relaxed);
        self.joining.look(statistics.cgrp.as_ref().filter(|_| up > 0), Instant::now());
        let group = self.intake.group.to_string();
        let mut state = self.intake.lock();
        for ((topic, partition), part) in &mut state.parts {
            let known = statistics.topics.get(&**topic).and_then(|topic| topic.partitions.get(partition));
            let Some(known) = known.filter(|known| known.ls_offset >= 0) else { continue };
            part.end = Some(known.ls_offset);
            part.fetched = Some(known.next_offset);
            let lag = part.lag().unwrap_or(0) as f64;
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

#[cfg(test)]
#[path = "joining_tests.rs"]
mod tests;
