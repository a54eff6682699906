//! What the door counts, of all its endpoints together: there may be a hundred thousand of them. What is told by endpoint
//! comes from the counts of the hop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};
use service::http::Unserved;

use crate::answer::Refusal;
use crate::limit::Lane;

const STAGE: &str = "streaming";

/// Says what each metric is; to be called once, when there is a recorder.
pub(crate) fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_counter!("weir_refused_total", "Requests that were not answered with 2xx, by status and reason.");
    describe_counter!("weir_answered_late_total", "Records that were acknowledged after their sender was told 503.");
    describe_histogram!("weir_ack_seconds", Unit::Seconds, "From sending a record to its acknowledgement.");
    describe_histogram!("weir_delivery_bytes", Unit::Bytes, "Size of the bodies of deliveries that were verified.");
    describe_gauge!("weir_in_flight_requests", "Requests that are being answered.");
    describe_gauge!("weir_buffered_ratio", "Part of the memory for bodies that is in use, from 0 to 1.");
}

/// Counts an answer that is no success.
pub(crate) fn refused(refusal: Refusal) {
    counter!(
        "weir_refused_total",
        "stage" => STAGE,
        "status" => refusal.status().as_str().to_owned(),
        "reason" => refusal.reason(),
    )
    .increment(1);
}

/// Counts a connection that never came to a request: the HTTP layer answered it by itself, or not at all.
pub(crate) fn unserved(why: Unserved) {
    let status = why.status().map(|status| status.to_string()).unwrap_or_default();
    counter!("weir_refused_total",
        "stage" => STAGE, "status" => status, "reason" => why.as_str())
    .increment(1);
}

/// Requests that are being answered.
pub(crate) fn in_flight() -> Gauge {
    gauge!("weir_in_flight_requests", "stage" => STAGE)
}

/// The part of the memory for bodies that is in use.
pub(crate) fn buffered() -> Gauge {
    gauge!("weir_buffered_ratio", "stage" => STAGE)
}

/// The counters of one source. in = out + dropped + what is in flight.
pub(crate) struct Meters {
    /// Verified deliveries.
    pub(crate) received: Counter,
    /// Size of their bodies.
    pub(crate) bytes: Histogram,
    prompt: Counter,
    bulk: Counter,
    late: Counter,
    ack: Histogram,
    source: &'static str,
}

/// The counters of the sources that have endpoints, each made once.
#[derive(Default)]
pub(crate) struct BySource(Mutex<HashMap<&'static str, Arc<Meters>>>);

impl BySource {
    /// Those of this source.
    pub(crate) fn of(&self, source: &'static str) -> Arc<Meters> {
        let mut meters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(meters.entry(source).or_insert_with(|| Arc::new(Meters::new(source))))
    }
}

impl Meters {
    fn new(source: &'static str) -> Self {
        let out =
            |topic: String| counter!("weir_records_out_total", "stage" => STAGE, "source" => source, "topic" => topic);
        Self {
            received: counter!("weir_records_in_total", "stage" => STAGE, "source" => source),
            bytes: histogram!("weir_delivery_bytes", "stage" => STAGE, "source" => source),
            prompt: out(common::topics::raw(source).name().to_owned()),
            bulk: out(common::topics::raw_bulk(source).name().to_owned()),
            late: counter!("weir_answered_late_total", "stage" => STAGE, "source" => source),
            ack: histogram!("weir_ack_seconds", "stage" => STAGE, "source" => source),
            source,
        }
    }

    /// The log has acknowledged.
    pub(crate) fn acknowledged(&self, lane: Lane, took: Duration, late: bool) {
        match lane {
            Lane::Prompt => &self.prompt,
            Lane::Bulk => &self.bulk,
        }
        .increment(1);
        self.ack.record(took.as_secs_f64());
        if late {
            self.late.increment(1);
        }
    }

    /// A verified delivery is not on the log.
    pub(crate) fn dropped(&self, reason: &'static str) {
        counter!("weir_dropped_total", "stage" => STAGE, "source" => self.source, "reason" => reason).increment(1);
    }
}
