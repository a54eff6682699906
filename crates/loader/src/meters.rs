//! What the loader counts: each metric is described here, and counted where it happens.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// Says what each metric is. Nothing happens where there is no recorder.
pub(crate) fn describe() {
    describe_histogram!("weir_loader_commit_seconds", "Time that a commit to a table of the lake took.");
    describe_counter!("weir_loader_commits_total", "Commits to a table of the lake.");
    describe_gauge!("weir_loader_held_requests", "Load requests that wait because their table cannot take them.");
    describe_gauge!("weir_loader_waiting_requests", "Load requests that are read and not committed.");
}
