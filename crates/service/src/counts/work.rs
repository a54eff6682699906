//! How long work takes, and how long the oldest has had no end. What has none is counted in steps of a second, so that what is held in work takes no memory of
//! its own, however much it is.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use metrics::Histogram;

/// A step of time.
const STEP: Duration = Duration::from_secs(1);

/// When something came into work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    at: Instant,
    step: u64,
}

/// What is in work, by the step in which it was taken in.
#[derive(Debug)]
pub(super) struct Work {
    began: Instant,
    open: Mutex<BTreeMap<u64, u64>>,
    stage: &'static str,
    /// Made with the first that ends: there is no recorder before the host has one.
    took: OnceLock<Histogram>,
}

impl Work {
    pub(super) fn of(stage: &'static str) -> Self {
        Self { began: Instant::now(), open: Mutex::default(), stage, took: OnceLock::new() }
    }

    /// `n` more are in work.
    pub(super) fn begin(&self, n: u64, now: Instant) -> Begun {
        let begun = Begun { at: now, step: self.step(now) };
        if n > 0 {
            *self.lock().entry(begun.step).or_default() += n;
        }
        begun
    }

    /// `n` of what began then have their end, and it took so long.
    pub(super) fn done(&self, begun: Begun, n: u64) {
        self.end(begun, n);
        if n > 0 {
            let took = self.took.get_or_init(|| metrics::histogram!("weir_stage_work_seconds", "stage" => self.stage));
            took.record(begun.at.elapsed());
        }
    }

    /// `n` of what began then are in work no more.
    pub(super) fn end(&self, Begun { step, .. }: Begun, n: u64) {
        let mut open = self.lock();
        if let Some(left) = open.get_mut(&step) {
            *left = left.saturating_sub(n);
            if *left == 0 {
                open.remove(&step);
            }
        }
    }

    /// How much is in work, and for how long the oldest of it has been, to a second. None: nothing is.
    pub(super) fn oldest(&self, now: Instant) -> Option<(u64, Duration)> {
        let open = self.lock();
        let (first, _) = open.first_key_value()?;
        let steps = u32::try_from(self.step(now).saturating_sub(*first)).unwrap_or(u32::MAX);
        Some((open.values().sum(), STEP.saturating_mul(steps)))
    }

    fn step(&self, now: Instant) -> u64 {
        now.saturating_duration_since(self.began).as_secs() / STEP.as_secs()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, u64>> {
        // Nothing panics while it is held; and health has to be told even then.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a list of all that is in work.
        #[test]
        fn the_oldest_is_that_of_a_list(steps in prop::collection::vec((0..3u64, 1..4u64, any::<prop::sample::Index>()), 1..60)) {
            let work = Work::of("processing");
            let (mut second, mut list) = (0, Vec::new());
            for (later, n, at) in steps {
                second += later;
                let now = work.began + Duration::from_secs(second);
                if later == 0 && !list.is_empty() {
                    let (began, of) = list.swap_remove(at.index(list.len()));
                    work.end(began, of);
                } else {
                    list.push((work.begin(n, now), n));
                }
                let count: u64 = list.iter().map(|(_, n)| n).sum();
                let oldest = list.iter().map(|(began, _)| Duration::from_secs(second - began)).max();
                prop_assert_eq!(work.oldest(now), oldest.map(|oldest| (count, oldest)));
            }
        }
    }
}
