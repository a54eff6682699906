//! Processing, end to end: on real Kafka, Redis and PostgreSQL, in this process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod bad_input;
mod duplicates;
mod events;
mod failover;
mod reconcile;
mod registrations;
mod stage;
mod startup;
mod store;
