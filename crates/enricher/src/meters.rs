//! What the enricher counts: each metric is described here, and counted where it happens.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Says what each metric is. Nothing happens where there is no recorder.
pub(crate) fn describe() {
    describe_gauge!("weir_enricher_buffered_bytes", "Memory for rows that are in no file yet.");
    describe_counter!("weir_enricher_file_bytes_total", "Size of the files that were written to the lake.");
    describe_counter!("weir_enricher_files_total", "Files that were written to the lake.");
    describe_gauge!("weir_enricher_held_records", "Records whose rows are in no load request yet.");
    describe_counter!("weir_enricher_load_requests_total", "Load requests that the log acknowledged.");
    describe_counter!("weir_enrichment_failures_total", "Activities that a step could not enrich, by failure.");
    describe_counter!("weir_lookup_keys_total", "Keys that were looked up, by whether the answer was cached.");
    describe_histogram!("weir_lookup_seconds", "Time that a lookup of many keys took.");
}
