//! What can go wrong on the bus.

use std::sync::Arc;
use std::time::Duration;

use common::health::v1::FailureKind;

/// Why the log refuses a record as often as it is sent, while the topic is as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// It has more bytes than a record may have, or one of its topic.
    TooLarge,
    /// There is no such topic.
    NoTopic,
}

/// What went wrong, with what, and what to do about it. Cloning is cheap: one failure may concern many records.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The limits of what may be in flight are reached: wait, or answer "busy".
    #[error("the in-flight limit of the bus is reached: wait for acknowledgements, then retry")]
    Full,
    /// The record can never be written.
    #[error("a record for {topic} has {bytes} bytes, and bus.producer.max_record_bytes allows {limit}")]
    TooLarge {
        /// Topic, without prefix.
        topic: Arc<str>,
        /// Key, value and headers together.
        bytes: usize,
        /// The most there may be.
        limit: usize,
    },
    /// The log did not acknowledge the record. It may still have been written.
    #[error("a record for {topic} was not acknowledged: {reason}; re-send it")]
    NotDelivered {
        /// Topic, with prefix.
        topic: Arc<str>,
        /// As the log or the client told it.
        reason: Arc<str>,
        /// Why it would be refused again, where it would.
        refusal: Option<Rejection>,
    },
    /// The log or a store cannot be reached, or did not answer in time.
    #[error("{what} is unavailable: {reason}")]
    Unavailable {
        /// The log, a topic, a store.
        what: Arc<str>,
        /// As the client told it.
        reason: Arc<str>,
        /// What that is, where it is known.
        failure: FailureKind,
    },
    /// A consumer left its group before all that was out had ended.
    #[error("left group {group} with {left} records still in flight")]
    LeftUndone {
        /// The group.
        group: Arc<str>,
        /// Records that were out.
        left: usize,
    },
    /// Something was not done in the time it had.
    #[error("{what} timed out after {limit:?}")]
    TimedOut {
        /// What was not done, and what is left.
        what: Arc<str>,
        /// The time it had.
        limit: Duration,
    },
    /// There is no such topic.
    #[error("topic {topic} does not exist: create it, or set bus.create_topics")]
    NoTopic {
        /// With prefix.
        topic: Arc<str>,
    },
    /// A topic was deleted and made again while it was read without a group: what was read of it is gone.
    #[error("topic {topic} was deleted and recreated: the records read so far are gone, read it from its beginning")]
    Replaced {
        /// With prefix.
        topic: Arc<str>,
    },
    /// A stored offset is not on the log: records were lost, or the log is another one. The partition stands still.
    #[error(
        "{group}: offset {offset} of {topic}/{partition} is out of range, the log has {low} to {high}: records are missing or \
         the topic was replaced; decide where the group resumes, then set its offset with `weir groups set GROUP TOPIC \
         --partition {partition} --to earliest` (or latest, an offset, a time), it is never reset automatically"
    )]
    OutOfRange {
        /// The consumer group, or `reader`.
        group: Arc<str>,
        /// With prefix.
        topic: Arc<str>,
        /// The partition that stands still.
        partition: i32,
        /// The offset that was asked for.
        offset: i64,
        /// The first offset on the log.
        low: i64,
        /// The offset after the last.
        high: i64,
    },
    /// The embedded log cannot be opened, read or written.
    #[error("the embedded log in {folder} cannot be used: {reason}")]
    Log {
        /// Its folder.
        folder: Arc<str>,
        /// What happened, and what to do.
        reason: Arc<str>,
    },
    /// A client stopped for good and is built anew.
    #[error("the {client} failed and is recreated: {reason}")]
    Fatal {
        /// Which client.
        client: Arc<str>,
        /// As it told it.
        reason: Arc<str>,
    },
    /// The bus is closing.
    #[error("the bus is closed")]
    Closed,
    /// A setting does not do.
    #[error("setting {key}: {problem}")]
    Setting {
        /// The key, from `bus.`
        key: Arc<str>,
        /// What is wrong, and what would be right.
        problem: Arc<str>,
    },
    /// A record's bytes are not the message that was asked for.
    #[error("{problem}")]
    Decode {
        /// Which record, and what is wrong with it.
        problem: Arc<str>,
    },
    /// The claims' store lost what it held. Rebuild the claims from the outputs before consuming goes on.
    #[error("the claims' store at {store} was emptied: its claims must be rebuilt first, otherwise duplicates pass")]
    ClaimsEmptied {
        /// Which store.
        store: Arc<str>,
    },
    /// The claims' store answered what cannot be, or its files cannot be used.
    #[error("the claims' store at {store} failed: {reason}")]
    Claims {
        /// Which store.
        store: Arc<str>,
        /// As it told it.
        reason: Arc<str>,
    },
}

impl Error {
    /// Something is unavailable, and that is all that is known.
    pub(crate) fn unavailable(what: impl Into<Arc<str>>, reason: impl Into<Arc<str>>) -> Self {
        Self::Unavailable { what: what.into(), reason: reason.into(), failure: FailureKind::Unspecified }
    }

    /// What it is, for programs: the text is for people.
    pub fn failure(&self) -> FailureKind {
        match self {
            Self::Unavailable { failure, .. } => *failure,
            Self::TimedOut { .. } => FailureKind::Unreachable,
            Self::NoTopic { .. } => FailureKind::Missing,
            _ => FailureKind::Unspecified,
        }
    }

    /// Whether the log would refuse the record again, and why.
    pub fn refusal(&self) -> Option<Rejection> {
        match self {
            Self::TooLarge { .. } => Some(Rejection::TooLarge),
            Self::NoTopic { .. } => Some(Rejection::NoTopic),
            Self::NotDelivered { refusal, .. } => *refusal,
            _ => None,
        }
    }
}
