//! From where to where the partitions of a topic go, and whose offsets they are.

use std::sync::Arc;

use crate::embedded::Embedded;

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

/// The log's identity as the coordinates of its records have it.
#[derive(Debug, Clone)]
pub struct Logs {
    pub(crate) identity: Arc<str>,
    pub(crate) embedded: Option<Arc<Embedded>>,
}

impl Logs {
    /// Of a log that was never put back from a copy.
    pub fn one(identity: &str) -> Self {
        Self { identity: identity.into(), embedded: None }
    }

    /// In the coordinates of the record that stands there, or is to; the topic's name is with the prefix. Coordinates with
    /// another one are of another log, or of a life of this one that is gone.
    pub fn of(&self, topic: &str, partition: i32, offset: i64) -> Arc<str> {
        match &self.embedded {
            Some(embedded) => embedded.log_of(topic, partition, offset),
            None => Arc::clone(&self.identity),
        }
    }
}
