//! The door in front of a real Apache Kafka.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking, and says what it saw")]

mod accepts;
mod door;
mod faults;
mod many;
mod process;
mod refuses;
mod registrations;
