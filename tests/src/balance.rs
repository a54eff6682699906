//! What a service says that it did with what it took in.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use common::health::v1::Digest;
use serde_json::Value;

/// The counts of a service, of all endpoints and hours.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// Deliveries at the door, and events after it.
    pub taken_in: u64,
    /// Those that are durable at the next service.
    pub sent_on: u64,
    /// Those that became dead letters.
    pub dead_lettered: u64,
    /// The others, by reason.
    pub dropped: BTreeMap<String, u64>,
}

impl Balance {
    /// What is expected.
    pub fn new<const N: usize>(taken_in: u64, sent_on: u64, dead_lettered: u64, dropped: [(&str, u64); N]) -> Self {
        let dropped = dropped.map(|(reason, count)| (reason.to_owned(), count)).into();
        Self { taken_in, sent_on, dead_lettered, dropped }
    }

    /// Adds what an instance of this service says.
    pub fn add(&mut self, service: &str, digest: &Digest) {
        for count in digest.counts.iter().filter(|count| count.hop == service) {
            self.taken_in += count.taken_in;
            self.sent_on += count.sent_on;
            self.dead_lettered += count.dead_lettered;
            for (reason, dropped) in &count.dropped {
                *self.dropped.entry(reason.clone()).or_default() += dropped;
            }
        }
    }

    /// Adds what an instance of this service says on /health.
    ///
    /// # Errors
    /// That is not what /health says.
    pub fn add_json(&mut self, service: &str, health: &Value) -> anyhow::Result<()> {
        let counts = health["counts"].as_array().with_context(|| format!("no counts: {health}"))?;
        for count in counts.iter().filter(|count| count["hop"] == service) {
            let number = |of: &Value| of.as_u64().with_context(|| format!("not a count: {count}"));
            self.taken_in += number(&count["taken_in"])?;
            self.sent_on += number(&count["sent_on"])?;
            self.dead_lettered += number(&count["dead_lettered"])?;
            for (reason, dropped) in count["dropped"].as_object().into_iter().flatten() {
                *self.dropped.entry(reason.clone()).or_default() += number(dropped)?;
            }
        }
        Ok(())
    }

    /// Taken in, sent on, dead letters, and dropped for this reason.
    pub fn for_reason(&self, reason: &str) -> [u64; 4] {
        [self.taken_in, self.sent_on, self.dead_lettered, self.dropped.get(reason).copied().unwrap_or_default()]
    }

    /// Taken in, sent on, dead letters, and dropped for whatever reason.
    pub fn numbers(&self) -> (u64, u64, u64, u64) {
        (self.taken_in, self.sent_on, self.dead_lettered, self.dropped.values().sum())
    }

    /// How many are not in work any more.
    pub fn ended(&self) -> u64 {
        self.sent_on + self.dead_lettered + self.dropped.values().sum::<u64>()
    }

    /// Something was taken in, nothing is in work any more, and everything has its end.
    ///
    /// # Errors
    /// It is not so.
    pub fn holds(&self) -> anyhow::Result<()> {
        ensure!(self.taken_in > 0, "nothing was taken in: {self:?}");
        ensure!(self.taken_in == self.ended(), "taken in = sent on + dead letters + dropped: {self:?}");
        Ok(())
    }
}
