//! How a consumer stands to its log and to its group.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::threads::lock;

/// What the client last told.
#[derive(Debug, Default)]
pub(crate) struct Standing {
    brokers_up: AtomicUsize,
    outside: Mutex<Option<(Instant, String)>>,
}

impl Standing {
    pub(crate) fn set_brokers(&self, up: usize) {
        self.brokers_up.store(up, Ordering::Relaxed);
    }

    pub(crate) fn brokers_up(&self) -> usize {
        self.brokers_up.load(Ordering::Relaxed)
    }

    /// Since when it is not in its group, and where it stands; none: it is in, or nothing is known.
    pub(crate) fn set_outside(&self, outside: Option<(Instant, String)>) {
        *lock(&self.outside) = outside;
    }

    pub(crate) fn outside(&self, now: Instant) -> Option<(Duration, String)> {
        let (since, stands) = lock(&self.outside).clone()?;
        Some((now.saturating_duration_since(since), stands))
    }
}
