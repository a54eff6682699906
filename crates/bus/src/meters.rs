//! What the bus counts: each metric is described here, and counted where it happens.

use metrics::{describe_counter, describe_gauge};

/// Says what each metric is. Nothing happens where there is no recorder.
pub(crate) fn describe() {
    describe_counter!("weir_claims_evicted_total", "Claims that the store threw away before their time.");
    describe_gauge!("weir_claims_oldest_seconds", "Age of the oldest claim that was looked at.");
    describe_gauge!("weir_claims_whole_seconds", "For how long no claim was thrown away before its time.");
    describe_gauge!(
        "weir_clock_jump_seconds",
        "How far the wall clock has jumped, while that is in doubt; else 0. The embedded log looks at it."
    );
    describe_counter!(
        "weir_consumer_culprits_total",
        "Records that are refused because the process crashed each time while it worked on them."
    );
    describe_gauge!(
        "weir_consumer_in_flight_bytes",
        "Size of the records that a consumer has handed out and that are not done."
    );
    describe_gauge!("weir_consumer_in_flight_records", "Records that a consumer has handed out and that are not done.");
    describe_counter!(
        "weir_consumer_late_acks_total",
        "Records that were done when their partition was no longer assigned here."
    );
    describe_counter!(
        "weir_consumer_partitions_moved_total",
        "Partitions that a consumer was given, that were revoked, or that it lost."
    );
    describe_counter!(
        "weir_consumer_rebuilds_total",
        "Consumers that failed for good, or fetched nothing, and were replaced."
    );
    describe_counter!(
        "weir_consumer_rewinds_total",
        "Times that a partition was read again from a record that failed."
    );
    describe_counter!(
        "weir_kafka_addresses_lost_total",
        "Times that a client of Kafka lost the addresses of all brokers and got those of the settings again."
    );
    describe_counter!("weir_producer_failures_total", "Records that the log did not acknowledge.");
    describe_gauge!(
        "weir_producer_queue_p99_seconds",
        "Time that records wait in the client of Kafka, 99th percentile of the slowest broker."
    );
    describe_gauge!("weir_producer_queue_records", "Records in the queue of the client of Kafka.");
    describe_counter!("weir_producer_rebuilds_total", "Producers that failed for good and were replaced.");
}
