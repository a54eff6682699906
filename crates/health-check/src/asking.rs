//! Asks the platforms of silent endpoints whether their subscriptions are still there, beside the rounds.

use std::time::Duration;

use futures_util::future::join_all;
use platforms::Platforms;
use tokio::time::{MissedTickBehavior, interval};

use crate::collector::Known;

/// Between two looks at whom to ask for.
const EVERY: Duration = Duration::from_secs(1);

/// Between what is known of silent endpoints and the platforms.
pub(crate) struct Asking {
    platforms: Platforms,
    known: Known,
}

impl Asking {
    /// None where no platform can be asked.
    pub(crate) fn new(platforms: Platforms, known: Known) -> Option<Self> {
        let can_ask = platforms.endpoints().next().is_some();
        can_ask.then_some(Self { platforms, known })
    }

    /// Asks until the future is dropped.
    pub(crate) async fn run(self) {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    /// Asks for each that is due, once. The platforms answer within their limit, whatever that is.
    async fn look(&self) {
        let due = self.known.platforms_to_ask();
        join_all(due.iter().map(|endpoint| self.ask(endpoint))).await;
    }

    async fn ask(&self, endpoint: &str) {
        let answer = self.platforms.check(endpoint).await;
        tracing::info!(endpoint, answer = %answer, "asked the platform of a silent endpoint");
        self.known.platform_answered(endpoint, answer);
    }
}

#[cfg(test)]
#[path = "asking_tests.rs"]
mod tests;
