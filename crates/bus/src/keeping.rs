//! How the embedded log keeps its records, as far as an operator has to know.

use std::sync::Arc;
use std::time::Duration;

/// What is to be known of how records are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keeping {
    /// The wall clock has jumped by so much, and nothing is removed for it as long as it is in doubt.
    pub clock_jumped_by: Option<String>,
    /// What a group has not read for more than half of the time for which it is kept.
    pub unread: Vec<Unread>,
}

/// What a group has not read of a partition. It is not removed before that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The group, without the prefix.
    pub group: Arc<str>,
    /// The topic, without the prefix.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// How many offsets the group is behind.
    pub records: u64,
    /// How long the first of them is there, at least.
    pub age: Duration,
    /// For how long the topic keeps its records.
    pub retention: Duration,
}

impl Unread {
    /// It would be gone, if it had been read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.age >= self.retention
    }
}
