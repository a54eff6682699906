//! The log and its topics.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bus::{Bus, Error, Producer, TopicProblem, TopicSpec};
use service::{Action, CheckHandle, CheckSpec, FailureKind, Health};

use crate::RETRY;

/// How often topics are looked at again that were as they should be: others alter them while the stage runs.
const LOOK: Duration = Duration::from_secs(60);
/// The same of topics that were not: the stage may not be ready because of them.
const SOON: Duration = Duration::from_secs(1);

/// What a stage says of the log and of the topics on it: it is not ready without them.
#[derive(Debug, Clone)]
pub struct LogChecks {
    log: CheckHandle,
    /// Whether they are there. A stage stands without one, whatever the settings of the others are.
    topics: CheckHandle,
    /// Whether those that are there are as they should be.
    settings: CheckHandle,
    /// The topics, once the stage has what it needs of them.
    prepared: Arc<OnceLock<Vec<TopicSpec>>>,
}

impl LogChecks {
    /// Checks of these names, unknown at first: of the log, of whether the topics are there, of their settings.
    #[must_use]
    pub fn new(health: &Health, [log, topics, settings]: [&'static str; 3]) -> Self {
        let check = |name| {
            health.check(CheckSpec { name, action: Action::Page, gates_readiness: true, unit: "", threshold: None })
        };
        Self { log: check(log), topics: check(topics), settings: check(settings), prepared: Arc::default() }
    }

    /// Creates or checks the topics until nothing about them is in the way. Where records are removed before their time it
    /// does not wait, although the stage is not ready: the longer it waited, the more would go unread.
    pub async fn prepare(&self, bus: &Bus, wanted: &[TopicSpec]) {
        loop {
            let outcome = bus.prepare_topics(wanted).await;
            self.topics(&outcome);
            if outcome.is_ok_and(|problems| problems.iter().all(|problem| problem.expires || !problem.blocks)) {
                let _ = self.prepared.set(wanted.to_vec());
                self.topics.every(LOOK);
                self.settings.every(LOOK);
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    fn topics(&self, outcome: &Result<Vec<TopicProblem>, Error>) {
        match outcome {
            Err(error) => {
                self.topics.because(error.failure());
                self.topics.fail(error.to_string());
            }
            Ok(problems) => {
                let (missing, wrong): (Vec<_>, Vec<_>) = problems.iter().cloned().partition(|problem| problem.missing);
                if missing.is_empty() {
                    self.topics.ok("all topics exist");
                } else {
                    self.topics.because(FailureKind::Missing);
                    self.topics.fail(TopicProblem::text(&missing));
                }
                if wrong.is_empty() && !missing.is_empty() {
                    // Nobody has seen those of the missing ones.
                    self.settings.stays();
                } else if wrong.is_empty() {
                    self.settings.ok("the settings of the topics are as they should be");
                } else if wrong.iter().any(|problem| problem.blocks) {
                    self.settings.fail(TopicProblem::text(&wrong));
                } else {
                    self.settings.warn(TopicProblem::text(&wrong));
                }
            }
        }
    }

    /// Another look, once they were prepared. A stage that has been ready stays so: what others do to its topics is told,
    /// and must not stop what still goes on. Answers when to look next.
    async fn look_again(&self, bus: &Bus) -> Duration {
        let Some(wanted) = self.prepared.get() else { return SOON };
        let Ok(problems) = bus.check_topics(wanted).await else {
            // That the log does not answer is told by another check.
            self.topics.stays();
            self.settings.stays();
            return SOON;
        };
        let blocked = problems.iter().any(|problem| problem.blocks);
        self.topics(&Ok(problems));
        // A broker that has just heard of a topic tells for a moment what it has by default, which is no reason to wait.
        if blocked {
            return SOON;
        }
        self.topics.gates_readiness(false);
        self.settings.gates_readiness(false);
        LOOK
    }

    /// Looks at the log, at what the stage sends to it, and at its topics, for ever.
    pub async fn watch(&self, bus: &Bus, producer: &Producer, stage: &'static str, every: Duration) {
        let limit = every.max(Duration::from_secs(2));
        let mut next: Option<Instant> = None;
        self.log.every(every);
        loop {
            let state = producer.state();
            match (bus.ping(limit).await, state.fatal) {
                (Err(error), _) => {
                    self.log.because(error.failure());
                    self.log.fail(error.to_string());
                }
                (Ok(()), Some(fatal)) => self.log.warn(format!("answers; the producer was recreated: {fatal}")),
                (Ok(()), None) => self.log.ok("answers"),
            }
            metrics::gauge!("weir_producer_in_flight_records", "stage" => stage).set(state.in_flight_records as f64);
            metrics::gauge!("weir_producer_in_flight_bytes", "stage" => stage).set(state.in_flight_bytes as f64);
            if self.prepared.get().is_some() && next.is_none_or(|next| next <= Instant::now()) {
                next = Some(Instant::now() + self.look_again(bus).await);
            }
            tokio::time::sleep(every).await;
        }
    }
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
