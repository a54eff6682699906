//! What a stage counts: each metric is described here, and counted where it happens.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Says what each metric is. Nothing happens where there is no recorder.
pub(crate) fn describe() {
    describe_histogram!("weir_claims_seconds", "Time that the store of claims took for a batch.");
    describe_counter!("weir_dead_letters_total", "Items that became dead letters, by reason.");
    describe_histogram!(
        "weir_event_age_seconds",
        "From the door to the acknowledgement of what was made of it, for the last event of a batch."
    );
    describe_histogram!(
        "weir_paced_seconds",
        "Time that a batch waited because its endpoint sends more than its share."
    );
    describe_gauge!("weir_producer_in_flight_bytes", "Size of the records that the log has not acknowledged.");
    describe_gauge!("weir_producer_in_flight_records", "Records that the log has not acknowledged.");
    describe_gauge!(
        "weir_retention_used_ratio",
        "Part of the retention that the oldest unread record has used, from 0 to 1."
    );
}
