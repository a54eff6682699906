//! What Weir asks of its topics.

use std::time::Duration;

/// A topic that a service needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Without the prefix.
    pub name: String,
    /// How it keeps its records.
    pub kind: TopicKind,
}

/// How a topic keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// For a time.
    Log {
        /// How long.
        retention: Duration,
    },
    /// The latest of each key for ever, in one partition.
    Compacted,
}

/// What is wrong with a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicProblem {
    /// With its prefix.
    pub topic: String,
    /// For people: what is wrong, and what to do.
    pub problem: String,
    /// Whether the service is not ready while it stands.
    pub blocks: bool,
}
