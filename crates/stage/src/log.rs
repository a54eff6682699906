//! The log and its topics.

use std::time::Duration;

use bus::{Bus, Error, Producer, TopicProblem, TopicSpec};
use service::{Action, CheckHandle, CheckSpec, Health};

use crate::RETRY;

/// What a stage says of the log and of the topics on it: it is not ready without them.
#[derive(Debug, Clone)]
pub struct LogChecks {
    log: CheckHandle,
    topics: CheckHandle,
}

impl LogChecks {
    /// Checks of these names, unknown at first.
    #[must_use]
    pub fn new(health: &Health, log: &'static str, topics: &'static str) -> Self {
        let check = |name| {
            health.check(CheckSpec { name, action: Action::Page, gates_readiness: true, unit: "", threshold: None })
        };
        Self { log: check(log), topics: check(topics) }
    }

    /// Creates or checks the topics until nothing about them is in the way.
    pub async fn prepare(&self, bus: &Bus, wanted: &[TopicSpec]) {
        loop {
            let outcome = bus.prepare_topics(wanted).await;
            self.topics(&outcome);
            if outcome.is_ok_and(|problems| !problems.iter().any(|problem| problem.blocks)) {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    fn topics(&self, outcome: &Result<Vec<TopicProblem>, Error>) {
        match outcome {
            Err(error) => self.topics.fail(error.to_string()),
            Ok(problems) if problems.is_empty() => self.topics.ok("all there"),
            Ok(problems) => {
                let text: Vec<String> =
                    problems.iter().map(|problem| format!("{}: {}", problem.topic, problem.problem)).collect();
                let text = text.join("; ");
                if problems.iter().any(|problem| problem.blocks) {
                    self.topics.fail(text);
                } else {
                    self.topics.warn(text);
                }
            }
        }
    }

    /// Looks at the log, and at what the stage sends to it, for ever.
    pub async fn watch(&self, bus: &Bus, producer: &Producer, stage: &'static str, every: Duration) {
        let limit = every.max(Duration::from_secs(2));
        loop {
            let state = producer.state();
            match (bus.ping(limit).await, state.fatal) {
                (Err(error), _) => self.log.fail(error.to_string()),
                (Ok(()), Some(fatal)) => self.log.warn(format!("answers; the producer was built anew: {fatal}")),
                (Ok(()), None) => self.log.ok("answers"),
            }
            metrics::gauge!("weir_producer_in_flight_records", "stage" => stage).set(state.in_flight_records as f64);
            metrics::gauge!("weir_producer_in_flight_bytes", "stage" => stage).set(state.in_flight_bytes as f64);
            tokio::time::sleep(every).await;
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
