//! What the service says of itself.

use std::time::Duration;

use database::Error;
use service::{Action, CheckHandle, CheckSpec, Health};
use stage::{LogChecks, Progress};

use crate::store::Store;

/// Its checks.
#[derive(Debug, Clone)]
pub(crate) struct Checks {
    pub(crate) log: LogChecks,
    pub(crate) progress: Progress,
    database: CheckHandle,
}

impl Checks {
    pub(crate) fn new(health: &Health, stalled_after: Duration) -> Self {
        let database = CheckSpec {
            name: "counts_database",
            action: Action::Page,
            gates_readiness: true,
            unit: "",
            threshold: None,
        };
        Self {
            log: LogChecks::new(health, ["counts_log", "counts_topics", "counts_topic_settings"]),
            progress: Progress::new(health, "counts_progress", "counts_partitions", stalled_after),
            database: health.check(database),
        }
    }

    /// Asks the database, again and again.
    pub(crate) async fn database(&self, store: &Store, every: Duration) {
        loop {
            match store.ping().await {
                Ok(()) => self.database_ok(),
                Err(error) => self.database_failed(&error),
            }
            tokio::time::sleep(every).await;
        }
    }

    pub(crate) fn database_ok(&self) {
        self.database.ok("answers");
    }

    pub(crate) fn database_failed(&self, error: &Error) {
        self.database.fail(format!("{error}; nothing is lost, and nothing is counted until the database answers"));
    }
}
