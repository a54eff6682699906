//! What all of Weir agrees on: the protobuf messages, the topics that carry them, and the identity
//! of an event. No I/O.
//!
//! * the generated messages, a module for each package of `proto/`: those of the platforms ([`github`], [`facebook`], …;
//!   [`meta`] is what Facebook and Instagram share), [`event`] for what events share, [`activity`], [`raw`], …
//! * [`json`]: how a platform's JSON becomes such a message without losing a value
//! * [`addresses`]: what an event does not carry because it follows from what it carries
//! * [`identity`]: event ids that are the same for every delivery of one occurrence
//! * [`topics`]: names, and which message each carries
//! * [`time`]: platforms' times, and what to think of them
//! * [`backoff`]: how long to wait before something is tried again
//! * [`few`]: lists in messages, which have a bounded length
//! * [`reasons`]: why something becomes a dead letter
//! * [`catalogue`]: what a service is, as data
//! * [`registrations`]: the registrations as the services look them up
//! * [`kinds`]: of which kind a setting is, and what it may be
//! * [`units`]: in which unit a number of the settings is, and what it may be

#[allow(
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::too_many_lines,
    unreachable_pub,
    missing_docs,
    reason = "generated from proto/"
)]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/protos.rs"));
}

pub use generated::weir::*;

pub mod addresses;
pub mod backoff;
pub mod catalogue;
pub mod event;
pub mod few;
pub mod identity;
pub mod json;
pub mod kinds;
pub mod reasons;
pub mod registrations;
pub mod time;
pub mod topics;
pub mod units;

/// Every message and service of `proto/`, as a serialised `google.protobuf.FileDescriptorSet`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.binpb"));

#[cfg(test)]
mod golden_tests;
