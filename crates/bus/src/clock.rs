//! The clock of a bus: that of the system, unless somebody gives another one.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Tells the time: that of the wall, which may be set, and one that only goes on. Claims and records expire by both.
#[derive(Clone)]
pub struct Clock {
    wall: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    monotonic: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Clock {
    /// A clock of one's own. Where it goes on, the time really passes: it is never taken for one that was set.
    pub fn new(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        let wall = Arc::new(now);
        let monotonic = wall.clone();
        let monotonic = move || monotonic().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { wall, monotonic: Arc::new(monotonic) }
    }

    /// The same with a monotonic time beside it, so that the clock can be set.
    #[must_use]
    pub fn with_monotonic(self, monotonic: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { monotonic: Arc::new(monotonic), ..self }
    }

    pub(crate) fn millis(&self) -> u64 {
        let since = (self.wall)().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn monotonic(&self) -> Duration {
        (self.monotonic)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

#[allow(clippy::disallowed_methods, reason = "this crate stands below service::clock; tests give a clock of their own")]
pub(crate) fn system_clock() -> Clock {
    let began = Instant::now();
    Clock::new(SystemTime::now).with_monotonic(move || began.elapsed())
}
