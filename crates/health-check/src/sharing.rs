//! Shares what is known of errors with other health-checks, beside the rounds: a store that is away holds up none.

use std::time::Duration;

use service::{CheckHandle, Secret, clock};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::collector::Known;
use crate::errors::entry::ErrorEntry;
use crate::errors::redis::{InvalidUrl, Shared};

/// Each request has the limit for itself: the time, what is added, and two for what is known. And so has the connection.
const REQUESTS: u32 = 5;

/// Between what is told after each round and the store.
pub(crate) struct Sharing {
    store: Shared,
    told: watch::Receiver<Vec<ErrorEntry>>,
    known: Known,
    check: CheckHandle,
    limit: Duration,
}

impl Sharing {
    /// Waits for nobody.
    pub(crate) fn open(
        url: &Secret,
        installation: &str,
        window: Duration,
        limit: Duration,
        told: watch::Receiver<Vec<ErrorEntry>>,
        known: Known,
        check: CheckHandle,
    ) -> Result<Self, InvalidUrl> {
        Ok(Self { store: Shared::open(url.expose(), installation, window, limit)?, told, known, check, limit })
    }

    /// Until nobody tells anything any more.
    pub(crate) async fn run(mut self) {
        // Later than that of each request: who is cut off here keeps a connection that leads nowhere.
        let limit = self.limit * REQUESTS;
        while self.told.changed().await.is_ok() {
            let entries = self.told.borrow_and_update().clone();
            let exchanged = timeout(limit, self.store.exchange_now(&entries, clock::now())).await;
            let series = match exchanged {
                Ok(Ok(series)) => Ok(series),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no answer within {limit:?}")),
            };
            match &series {
                Ok(series) => self.check.ok(format!("{} kinds of errors are shared", series.len())),
                Err(reason) => self.check.warn(format!("errors are counted in memory: {reason}")),
            }
            self.known.share(series.ok());
        }
    }
}

#[cfg(test)]
#[path = "sharing_tests.rs"]
mod tests;
