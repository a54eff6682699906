//! The one place that reads the clock. Code that decides by time takes the time as a parameter.

use std::time::SystemTime;

use prost_types::Timestamp;

/// The time now.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
#[must_use]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// The time now, as messages carry it (UTC, nanoseconds).
#[must_use]
pub fn timestamp() -> Timestamp {
    Timestamp::from(now())
}
