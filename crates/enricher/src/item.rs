//! What the pipeline hands to the writer of each record.

use std::sync::Arc;

use bus::{Ack, Assignment, Canary, Coordinates};
use stage::Partition;

use crate::files::rows::Row;

/// A record that was emitted.
#[derive(Debug)]
pub(crate) struct Item {
    pub(crate) place: RecordPosition,
    /// To be completed with its range.
    pub(crate) ack: Ack,
    pub(crate) outcome: Outcome,
}

/// What became of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It has a row.
    Row(Box<Row>),
    /// It has none.
    Without,
    /// It is a canary, which goes with the request of its range.
    Canary(Canary),
    /// It waits for a required step: it is to come again when what stands before it is done.
    Waits,
}

/// Where a record stands, for the ranges.
#[derive(Debug)]
pub(crate) struct RecordPosition {
    pub(crate) at: Coordinates,
    pub(crate) assignment: Assignment,
    pub(crate) bytes: usize,
    pub(crate) produced_at_ms: i64,
}

/// The partition in which a record stands.
pub(crate) fn place(at: &Coordinates) -> Partition {
    (Arc::clone(&at.topic), at.partition)
}
