//! What can be done without a person. Each remedy is another way of doing something; when it may, it is not asked.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::BoxFuture;

/// For one request to whoever can heal.
const LIMIT: Duration = Duration::from_secs(10);

/// One way to heal. It is asked what it knows of a target, and then perhaps to heal it.
///
/// Of several health-checks one acts: what was looked at says which state of the target it was, and [`apply`](Self::apply)
/// does nothing where that has changed meanwhile. Who cannot look, does nothing.
pub(crate) trait Remedy: Send + Sync {
    /// As settings, metrics and people call it.
    fn name(&self) -> &'static str;

    /// How long a look may take, and applying it.
    fn limit(&self) -> Duration {
        LIMIT
    }

    /// What is known of a target, or why it is not known.
    fn look<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Seen, String>>;

    /// Heals the target as it was seen, and writes there that it did, if it can be written there.
    fn apply<'a>(&'a self, target: &'a str, seen: &'a Seen, now_ms: i64) -> BoxFuture<'a, Result<(), NotApplied>>;
}

/// A target, as it was looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// When it was healed, in milliseconds since 1970, by whoever.
    pub(crate) applied_ms: BTreeSet<i64>,
    /// Why it must not be healed now; none: it may be.
    pub(crate) busy: Option<String>,
    /// Which state of it this is.
    pub(crate) version: String,
}

/// Why it was not healed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotApplied {
    /// Somebody else has changed the target since it was looked at.
    Overtaken,
    /// It was surely not done.
    Refused(String),
    /// It may have been done.
    Unsure(String),
}
