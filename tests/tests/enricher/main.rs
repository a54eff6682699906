//! The enricher, end to end: on the embedded log, and on Kafka where instances share the work.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on says where, and figures are shown"
)]

mod fake;
mod flow;
mod lookups;
mod restarts;
mod stage;
