//! Whose the offsets of a topic are: the log's identity, one for each of its lives.

use std::sync::Arc;

use crate::embedded::Embedded;

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
