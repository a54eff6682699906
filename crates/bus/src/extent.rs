//! From where to where the partitions of a topic go, and in which lives of the log their offsets were given.

use std::sync::Arc;

/// From where to where a partition goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first offset.
    pub first: i64,
    /// The offset after the last: no record stands there, and none ever stood beyond.
    pub end: i64,
}

/// A life of a log, as far as one partition has it: it ends where the next one begins. Offsets beyond that were given again
/// to other records, when the log was put back from a copy. Kafka has one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Epoch {
    /// The log's identity in the coordinates of its records.
    pub log: Arc<str>,
    /// The first offset.
    pub first: i64,
}
