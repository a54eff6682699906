//! Whether consumers get on.

use std::time::{Duration, Instant};

use bus::{ConsumerState, Lag, Stalls};
use common::few::few;
use service::{Action, CheckHandle, CheckSpec, Health};

/// Which partitions stand still, and why.
#[derive(Debug, Clone)]
pub struct Partitions(CheckHandle);

impl Partitions {
    /// A check of this name, unknown at first.
    #[must_use]
    pub fn new(health: &Health, name: &'static str) -> Self {
        let (action, gates_readiness) = (Action::Page, false);
        Self(health.check(CheckSpec { name, action, gates_readiness, unit: "", threshold: None }))
    }

    /// Looks once.
    pub fn look<'a>(&self, consumers: impl IntoIterator<Item = &'a ConsumerState>) {
        let stopped: Vec<String> = consumers
            .into_iter()
            .flat_map(ConsumerState::stopped)
            .map(|stopped| format!("{}/{}: {}", stopped.topic, stopped.partition, stopped.reason))
            .collect();
        match stopped.as_slice() {
            [] => self.0.ok("no partition is stalled"),
            [one] => self.0.fail(one),
            all => {
                self.0.fail(format!("{} partitions are stalled (`weir groups list`): {}", all.len(), few(all, "; ")))
            }
        }
    }
}

/// Whether what waits is done. A consumer can stop without a word: what counts is whether it gets on while there is work.
#[derive(Debug, Clone)]
pub struct Progress {
    progress: CheckHandle,
    partitions: Partitions,
    stage: &'static str,
    stalled_after: Duration,
}

impl Progress {
    /// Checks of these names, unknown at first. `stalled_after`: for how long a partition with work may not get on.
    #[must_use]
    pub fn new(
        health: &Health,
        progress: &'static str,
        partitions: &'static str,
        stage: &'static str,
        stalled_after: Duration,
    ) -> Self {
        let progress = health.check(CheckSpec {
            name: progress,
            action: Action::Page,
            gates_readiness: false,
            unit: "seconds",
            threshold: Some(stalled_after.as_secs_f64()),
        });
        Self { progress, partitions: Partitions::new(health, partitions), stage, stalled_after }
    }

    /// Looks at the consumers, each with the name of its lane, for ever.
    pub async fn watch(&self, consumers: &[(&'static str, ConsumerState)], every: Duration) {
        let mut stalls = vec![Stalls::default(); consumers.len()];
        loop {
            self.look(consumers, &mut stalls, Instant::now());
            tokio::time::sleep(every).await;
        }
    }

    fn look(&self, consumers: &[(&'static str, ConsumerState)], stalls: &mut [Stalls], now: Instant) {
        let mut longest: Option<(Lag, Duration)> = None;
        let mut outside: Option<Duration> = None;
        let mut message = Vec::new();
        for ((lane, state), stalls) in consumers.iter().zip(stalls) {
            let (lags, out) = (state.lag(), state.outside(now));
            let waiting = lags.iter().map(|lag| lag.records).sum();
            if out.is_none() {
                metrics::gauge!("weir_lag_records", "stage" => self.stage, "lane" => *lane).set(waiting as f64);
            }
            message.push(standing(lane, waiting, lags.len(), out.as_ref()));
            outside = out.as_ref().map(|(since, _)| *since).max(outside);
            // Who is outside has nothing for a while, and goes on where it was.
            if out.is_none() {
                longest = stalls.longest(lags, now).into_iter().chain(longest).max_by_key(|(_, since)| *since);
            }
        }
        self.told(&message.join(", "), longest, outside);
        self.partitions.look(consumers.iter().map(|(_, state)| state));
    }

    fn told(&self, message: &str, longest: Option<(Lag, Duration)>, outside: Option<Duration>) {
        let since = longest.as_ref().map(|(_, since)| *since).max(outside);
        self.progress.value(since.unwrap_or_default().as_secs_f64());
        match longest {
            Some((at, since)) if since >= self.stalled_after => self.progress.fail(format!(
                "{message}; {}/{} is stalled: {} records wait, and none was done for {} s",
                at.topic,
                at.partition,
                at.records,
                since.as_secs()
            )),
            _ if outside >= Some(self.stalled_after) => self.progress.fail(message),
            _ => self.progress.ok(message),
        }
    }
}

/// What a lane has, and how much waits there.
fn standing(lane: &str, waiting: i64, partitions: usize, outside: Option<&(Duration, String)>) -> String {
    match (partitions, outside) {
        (_, Some((since, stands))) => format!(
            "{lane}: the consumer has waited for its group for {} s ({stands}); how much waits is not known",
            since.as_secs()
        ),
        (0, None) => format!("{lane}: this instance has no partition"),
        (all, None) => format!("{lane}: {waiting} records waiting in {all} partitions"),
    }
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
