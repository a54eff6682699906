//! What went in and what came out, of all endpoints: taken in = typed events + dead letters + drops.

use std::collections::HashMap;
use std::sync::Arc;

use common::topics::ACTIVITIES;

/// The counts of a batch: counters are looked up once for a batch and not once for an event.
#[derive(Debug)]
pub(super) struct Tally {
    stage: &'static str,
    taken: u64,
    sent: HashMap<Arc<str>, u64>,
    dropped: HashMap<&'static str, u64>,
    refused: HashMap<&'static str, u64>,
}

impl Tally {
    pub(super) fn new(stage: &'static str) -> Self {
        let (taken, sent, dropped, refused) = Default::default();
        Self { stage, taken, sent, dropped, refused }
    }

    /// So many items of a delivery were taken in.
    pub(super) fn took(&mut self, items: usize) {
        self.taken += items as u64;
    }

    /// A record was sent.
    pub(super) fn sent(&mut self, topic: &Arc<str>) {
        *self.sent.entry(Arc::clone(topic)).or_default() += 1;
    }

    /// An item was dropped on purpose.
    pub(super) fn dropped(&mut self, reason: &'static str) {
        *self.dropped.entry(reason).or_default() += 1;
    }

    /// An item became a dead letter.
    pub(super) fn refused(&mut self, reason: &'static str) {
        *self.refused.entry(reason).or_default() += 1;
    }

    /// Adds all of it to the metrics.
    pub(super) fn count(self) {
        metrics::counter!("weir_records_in_total", "stage" => self.stage).increment(self.taken);
        for (topic, n) in self.sent {
            let kind = if *topic == *ACTIVITIES.name() { "activity" } else { "event" };
            metrics::counter!("weir_records_out_total", "stage" => self.stage, "topic" => topic.to_string(), "kind" => kind)
                .increment(n);
        }
        for (reason, n) in self.dropped {
            metrics::counter!("weir_dropped_total", "stage" => self.stage, "reason" => reason).increment(n);
        }
        for (reason, n) in self.refused {
            metrics::counter!("weir_dead_letters_total", "stage" => self.stage, "reason" => reason).increment(n);
        }
    }
}
