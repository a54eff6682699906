//! One look at the end of the registrations for all who wait for one.
//!
//! A request that names an unknown endpoint, or is signed with an unknown secret, may be right: the registration may
//! be on its way. Strangers send such requests too, so a look serves everybody who asked before it began, there is
//! never more than one at a time, and between the beginnings of two there is a pause. Nobody is turned away for it:
//! what strangers can cause is that they wait.

use std::future::Future;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until, timeout};

/// The last look that ended.
#[derive(Debug, Clone, Copy)]
struct Look {
    started: Instant,
    succeeded: bool,
}

/// Where requests ask for a look, and the loop that looks.
#[derive(Debug)]
pub(crate) struct CatchUp {
    /// The longest that a request waits.
    limit: Duration,
    /// The shortest time from the beginning of a look to that of the next.
    pause: Duration,
    wanted: Notify,
    last: watch::Sender<Option<Look>>,
}

impl CatchUp {
    pub(crate) fn new(limit: Duration, pause: Duration) -> Self {
        Self { limit, pause, wanted: Notify::new(), last: watch::Sender::new(None) }
    }

    /// The longest that a request waits.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Waits until all that stood on the topic at the time of the call has been applied. `false`: that could not be
    /// seen in time.
    pub(crate) async fn wait(&self) -> bool {
        let asked = Instant::now();
        let mut last = self.last.subscribe();
        self.wanted.notify_one();
        let done = last.wait_for(|look| look.is_some_and(|look| look.started >= asked));
        match timeout(self.limit, done).await {
            Ok(Ok(look)) => look.is_some_and(|look| look.succeeded),
            _ => false,
        }
    }

    /// Looks, whenever somebody asks, until the future is dropped.
    pub(crate) async fn run<F: Future<Output = bool>>(&self, mut look: impl FnMut() -> F) {
        loop {
            self.wanted.notified().await;
            let started = Instant::now();
            let succeeded = look().await;
            self.last.send_replace(Some(Look { started, succeeded }));
            sleep_until(started + self.pause).await;
        }
    }
}

#[cfg(test)]
#[path = "catch_up_tests.rs"]
mod tests;
