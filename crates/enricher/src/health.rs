//! What the enricher says about itself.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bus::{Bus, ConsumerState};
use lake::Lake;
use service::{Action, CheckHandle, CheckSpec, Health};
use stage::{ClaimChecks, LogChecks, Progress, Retention, StageClaims};
use tokio_util::sync::CancellationToken;

use crate::STAGE;

/// A store in a cloud is asked no more often than this: each question costs.
const LAKE_INTERVAL: Duration = Duration::from_secs(15);
/// How long it may take to answer, at least.
const LAKE_LIMIT: Duration = Duration::from_secs(2);

/// The checks of the stage. Those of the steps are with the steps.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    pub(crate) log: LogChecks,
    pub(crate) claims: ClaimChecks,
    progress: Progress,
    retention: Retention,
    lake: CheckHandle,
    /// The last file was not taken, which a store that answers questions does not disprove.
    put_failed: Arc<AtomicBool>,
    requests: CheckHandle,
}

impl Checks {
    pub(crate) fn new(health: &Health, stalled_after: Duration) -> Self {
        let check = |name| {
            health.check(CheckSpec { name, action: Action::Page, gates_readiness: false, unit: "", threshold: None })
        };
        let checks = Self {
            log: LogChecks::new(health, ["enricher_log", "enricher_topics", "enricher_topic_settings"]),
            claims: ClaimChecks::new(health, "enricher_claims", "enricher_claims_reach", "the topics are prepared"),
            progress: Progress::new(health, "enricher_progress", "enricher_partitions", stalled_after),
            retention: Retention::new(health, "enricher_retention", STAGE),
            lake: check("enricher_lake"),
            put_failed: Arc::default(),
            requests: check("enricher_load_requests"),
        };
        checks.requests.ok("no load request failed");
        checks
    }

    pub(crate) fn lake_ok(&self) {
        self.put_failed.store(false, Ordering::Relaxed);
        self.lake.ok("accepts files");
    }

    pub(crate) fn lake_failed(&self, error: &str) {
        self.put_failed.store(true, Ordering::Relaxed);
        self.lake.fail(format!(
            "writing a file to the lake failed: {error}; the enricher retries, and its input waits without loss"
        ));
    }

    pub(crate) fn request_ok(&self) {
        self.requests.ok("the last load request was acknowledged");
    }

    pub(crate) fn request_failed(&self, error: &str) {
        self.requests.fail(format!(
            "a load request is not acknowledged: {error}; the enricher re-sends it, and its input waits"
        ));
    }

    /// Looks at the lake until it is cancelled.
    pub(crate) async fn watch_lake(&self, lake: &Lake, every: Duration, until: CancellationToken) {
        let interval = every.max(LAKE_INTERVAL);
        let look = async {
            self.lake.every(interval);
            loop {
                self.look_at_lake(lake, every.max(LAKE_LIMIT)).await;
                tokio::time::sleep(interval).await;
            }
        };
        let _ = until.run_until_cancelled(look).await;
    }

    /// A store that does not answer within `limit` fails as one that refuses does.
    async fn look_at_lake(&self, lake: &Lake, limit: Duration) {
        let problem = match tokio::time::timeout(limit, lake.ping()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some(format!("the lake at {} did not answer within {limit:?}", lake.root())),
        };
        match problem {
            Some(problem) => self.lake.fail(format!("{problem}; the input of the enricher waits")),
            None if self.put_failed.load(Ordering::Relaxed) => {}
            None => self.lake.ok("answers"),
        }
    }

    /// Looks at the consumer and the claims' store until it is cancelled.
    pub(crate) async fn watch_stage(
        &self,
        consumer: ConsumerState,
        bus: &Bus,
        claims: &StageClaims,
        every: Duration,
        until: CancellationToken,
    ) {
        let states = [consumer.clone()];
        let consumers = [("activities", consumer)];
        let all = async {
            tokio::join!(
                self.progress.watch(&consumers, every),
                self.retention.watch(bus, &states),
                claims.watch(every)
            )
        };
        let _ = until.run_until_cancelled(all).await;
    }
}

#[cfg(test)]
#[path = "health_tests.rs"]
mod tests;
