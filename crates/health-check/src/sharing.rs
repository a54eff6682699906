//! Shares what is known of errors with other health-checks, beside the rounds: a store that is away holds up none.

use std::time::Duration;

use service::{CheckHandle, Secret, clock};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::collector::Known;
use crate::errors::entry::ErrorEntry;
use crate::errors::redis::{InvalidUrl, Shared};

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
        window: Duration,
        limit: Duration,
        told: watch::Receiver<Vec<ErrorEntry>>,
        known: Known,
        check: CheckHandle,
    ) -> Result<Self, InvalidUrl> {
        Ok(Self { store: Shared::open(url.expose(), window, limit)?, told, known, check, limit })
    }

    /// Until nobody tells anything any more.
    pub(crate) async fn run(mut self) {
        while self.told.changed().await.is_ok() {
            let entries = self.told.borrow_and_update().clone();
            let exchanged = timeout(self.limit, self.store.exchange(&entries, clock::now())).await;
            let series = match exchanged {
                Ok(Ok(series)) => Ok(series),
                Ok(Err(error)) => Err(error.to_string()),
                Err(_) => Err(format!("no answer within {:?}", self.limit)),
            };
            match &series {
                Ok(series) => self.check.ok(format!("{} kinds of errors are shared", series.len())),
                Err(reason) => self.check.warn(format!("errors are counted in memory: {reason}")),
            }
            self.known.share(series.ok());
        }
    }
}
