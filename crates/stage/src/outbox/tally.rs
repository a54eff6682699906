//! What went in and what came out, by endpoint: taken in = typed events + dead letters + drops.

use std::collections::HashMap;
use std::sync::Arc;

use common::topics::ACTIVITIES;

/// The counts of a batch: counters are looked up once for a batch and not once for an event.
#[derive(Debug)]
pub(super) struct Tally {
    stage: &'static str,
    taken: HashMap<String, u64>,
    sent: HashMap<(String, Arc<str>), u64>,
    dropped: HashMap<(String, &'static str), u64>,
    refused: HashMap<(String, &'static str), u64>,
}

impl Tally {
    pub(super) fn new(stage: &'static str) -> Self {
        let (taken, sent, dropped, refused) = Default::default();
        Self { stage, taken, sent, dropped, refused }
    }

    /// So many items of a delivery were taken in.
    pub(super) fn took(&mut self, endpoint: &str, items: usize) {
        *self.taken.entry(endpoint.to_owned()).or_default() += items as u64;
    }

    /// A record was sent.
    pub(super) fn sent(&mut self, endpoint: &str, topic: &Arc<str>) {
        *self.sent.entry((endpoint.to_owned(), Arc::clone(topic))).or_default() += 1;
    }

    /// An item was dropped on purpose.
    pub(super) fn dropped(&mut self, endpoint: &str, reason: &'static str) {
        *self.dropped.entry((endpoint.to_owned(), reason)).or_default() += 1;
    }

    /// An item became a dead letter.
    pub(super) fn refused(&mut self, endpoint: &str, reason: &'static str) {
        *self.refused.entry((endpoint.to_owned(), reason)).or_default() += 1;
    }

    /// Adds all of it to the metrics.
    pub(super) fn count(self) {
        for (endpoint, n) in self.taken {
            metrics::counter!("weir_records_in_total", "stage" => self.stage, "endpoint" => endpoint).increment(n);
        }
        for ((endpoint, topic), n) in self.sent {
            let kind = if *topic == *ACTIVITIES.name() { "activity" } else { "event" };
            metrics::counter!("weir_records_out_total", "stage" => self.stage, "endpoint" => endpoint, "topic" => topic.to_string(), "kind" => kind)
                .increment(n);
        }
        for ((endpoint, reason), n) in self.dropped {
            metrics::counter!("weir_dropped_total", "stage" => self.stage, "endpoint" => endpoint, "reason" => reason)
                .increment(n);
        }
        for ((endpoint, reason), n) in self.refused {
            metrics::counter!("weir_dead_letters_total", "stage" => self.stage, "endpoint" => endpoint, "reason" => reason)
                .increment(n);
        }
    }
}
