//! How a producer gets on: what is in flight, and since when nothing was acknowledged.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::threads::lock;

#[derive(Debug, Default)]
pub(crate) struct Progress {
    in_flight: AtomicUsize,
    /// Since when nothing was acknowledged while something is in flight. Changes together with the count, under this
    /// lock, so that none in flight means none waiting.
    waiting_since: Mutex<Option<Instant>>,
    fatal: Mutex<Option<String>>,
}

impl Progress {
    pub(crate) fn sent(&self, now: Instant) {
        let mut since = lock(&self.waiting_since);
        if self.in_flight.fetch_add(1, Ordering::AcqRel) == 0 {
            *since = Some(now);
        }
    }

    pub(crate) fn landed(&self, well: bool, now: Instant) {
        let mut since = lock(&self.waiting_since);
        if self.in_flight.fetch_sub(1, Ordering::AcqRel) == 1 {
            // By failures too: what is sent next has not waited yet.
            *since = None;
        } else if well {
            *since = Some(now);
        }
        drop(since);
        if well {
            *lock(&self.fatal) = None;
        }
    }

    pub(crate) fn waiting_for(&self, now: Instant) -> Option<Duration> {
        let since = lock(&self.waiting_since);
        if self.in_flight.load(Ordering::Acquire) == 0 {
            return None;
        }
        since.map(|since| now.saturating_duration_since(since))
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Acquire)
    }

    /// Why a client stopped for good; until the next success.
    pub(crate) fn fatal(&self) -> Option<String> {
        lock(&self.fatal).clone()
    }

    /// A client stopped for good, and another one begins.
    pub(crate) fn begin_anew(&self, reason: &str, now: Instant) {
        *lock(&self.fatal) = Some(reason.to_owned());
        *lock(&self.waiting_since) = Some(now);
    }
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
