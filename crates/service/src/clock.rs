//! The one place that reads the clock. Code that decides by time takes the time as a parameter.

use std::time::{Duration, Instant, SystemTime};

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

/// Finds where the clock was set back: its time against one that only goes on.
#[derive(Debug)]
pub(crate) struct SetBack {
    before: (SystemTime, Instant),
}

impl SetBack {
    pub(crate) fn new(wall: SystemTime, monotonic: Instant) -> Self {
        Self { before: (wall, monotonic) }
    }

    /// By how much it was set back since the look before; zero where it was not, or where it was set ahead.
    pub(crate) fn look(&mut self, wall: SystemTime, monotonic: Instant) -> Duration {
        let (wall_before, monotonic_before) = std::mem::replace(&mut self.before, (wall, monotonic));
        let expected = wall_before + monotonic.saturating_duration_since(monotonic_before);
        expected.duration_since(wall).unwrap_or_default()
    }
}

#[cfg(test)]
#[path = "clock_tests.rs"]
mod tests;
