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
            log: LogChecks::new(health, "enricher_log", "enricher_topics"),
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
        let look = async {
            loop {
                match lake.ping().await {
                    Err(error) => self.lake.fail(format!("{error}; the input of the enricher waits")),
                    Ok(()) if self.put_failed.load(Ordering::Relaxed) => {}
                    Ok(()) => self.lake.ok("answers"),
                }
                tokio::time::sleep(every.max(LAKE_INTERVAL)).await;
            }
        };
        let _ = until.run_until_cancelled(look).await;
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
