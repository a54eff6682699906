//! What was delivered and what came out.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use simulate::latency::Latencies;
use simulate::sender::{Sent, Summary};

/// Counted by several tasks, read by one.
#[derive(Debug, Default)]
pub struct Counts(Mutex<Totals>);

/// What was counted so far.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// What was sent and how it was answered.
    pub sent: Summary,
    /// Typed events by topic, without the prefix of the installation.
    pub typed: BTreeMap<String, u64>,
    /// Activities.
    pub activities: u64,
    /// Enriched activities.
    pub enriched: u64,
    /// Files that were written for the lake.
    pub files: u64,
    /// Rows that the loader made part of the lake.
    pub rows: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// From the acceptance of a delivery to its typed event's arrival at a reader.
    pub end_to_end: Latencies,
    /// The same, of what came out since the last [`Counts::turn`] and since the one before.
    recent: [Latencies; 2],
}

impl Totals {
    /// All typed events.
    pub fn events(&self) -> u64 {
        self.typed.values().sum()
    }

    /// [`end_to_end`](Self::end_to_end) of what came out lately.
    pub fn recent(&self) -> Latencies {
        let [newer, older] = &self.recent;
        let mut both = newer.clone();
        both.merge(older);
        both
    }
}

impl Counts {
    /// A delivery was sent, and all is known about it.
    pub fn sent(&self, sent: &Sent) {
        self.with(|totals| totals.sent.add(sent));
    }

    /// A record came out. `took` is the time since its delivery was accepted.
    pub fn came_out(&self, topic: &str, took: Option<Duration>) {
        self.with(|totals| match topic {
            "activities" => totals.activities += 1,
            "activities.enriched" => totals.enriched += 1,
            "dead-letters" => totals.dead_letters += 1,
            topic => {
                match totals.typed.get_mut(topic) {
                    Some(count) => *count += 1,
                    None => drop(totals.typed.insert(topic.to_owned(), 1)),
                }
                if let Some(took) = took {
                    totals.end_to_end.record(took);
                    totals.recent[0].record(took);
                }
            }
        });
    }

    /// Files were written for the lake.
    pub fn files_written(&self, files: usize) {
        self.with(|totals| totals.files += files as u64);
    }

    /// So many rows have become part of the lake, in all.
    pub fn in_lake(&self, rows: u64) {
        self.with(|totals| totals.rows = rows);
    }

    /// All of it at this moment.
    pub fn totals(&self) -> Totals {
        self.with(|totals| totals.clone())
    }

    /// What is recent becomes less so. To be called every 30 seconds: then "recent" is the last 30 to 60.
    pub fn turn(&self) {
        self.with(|totals| {
            totals.recent.swap(0, 1);
            totals.recent[0].clear();
        });
    }

    fn with<T>(&self, act: impl FnOnce(&mut Totals) -> T) -> T {
        // Counts are whole after every step, so whoever panicked with them left them usable.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
