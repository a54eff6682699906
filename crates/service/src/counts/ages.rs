//! How old things were when they were done, over the last minute, in memory that does not grow.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// The window moves in steps.
const STEP: Duration = Duration::from_secs(10);
/// The present step and those of the minute before it.
const STEPS: u64 = 7;
/// So many buckets double the age: a quantile is within 5% of the truth.
const PER_DOUBLING: f64 = 8.0;
/// From a millisecond to 49 days.
const BUCKETS: usize = 257;

/// A ring of histograms with logarithmic buckets.
#[derive(Debug)]
pub(super) struct Ages {
    began: Instant,
    /// Oldest first, each with the number of its step.
    steps: VecDeque<(u64, Box<[u32; BUCKETS]>)>,
}

impl Default for Ages {
    fn default() -> Self {
        Self { began: Instant::now(), steps: VecDeque::new() }
    }
}

impl Ages {
    pub(super) fn record(&mut self, age: Duration) {
        self.record_at(age, self.began.elapsed());
    }

    /// In seconds; none where nothing was done in the last minute.
    pub(super) fn quantiles<const N: usize>(&mut self, quantiles: [f64; N]) -> Option<[f64; N]> {
        self.quantiles_at(quantiles, self.began.elapsed())
    }

    fn record_at(&mut self, age: Duration, now: Duration) {
        let step = self.advance(now);
        if self.steps.back().is_none_or(|(last, _)| *last != step) {
            self.steps.push_back((step, Box::new([0; BUCKETS])));
        }
        let bucket = ((age.as_secs_f64() * 1000.0).max(1.0).log2() * PER_DOUBLING).round() as usize;
        if let Some((_, buckets)) = self.steps.back_mut() {
            let bucket = &mut buckets[bucket.min(BUCKETS - 1)];
            *bucket = bucket.saturating_add(1);
        }
    }

    fn quantiles_at<const N: usize>(&mut self, quantiles: [f64; N], now: Duration) -> Option<[f64; N]> {
        self.advance(now);
        let sum = |bucket: usize| self.steps.iter().map(|(_, buckets)| u64::from(buckets[bucket])).sum::<u64>();
        let sums: Vec<u64> = (0..BUCKETS).map(sum).collect();
        let all: u64 = sums.iter().sum();
        if all == 0 {
            return None;
        }
        Some(quantiles.map(|quantile| {
            let wanted = (quantile * all as f64).ceil().max(1.0) as u64;
            let mut seen = 0;
            let bucket = sums.iter().position(|n| {
                seen += n;
                seen >= wanted
            });
            (bucket.unwrap_or(BUCKETS - 1) as f64 / PER_DOUBLING).exp2() / 1000.0
        }))
    }

    /// Forgets what is older than a minute; the number of the present step.
    fn advance(&mut self, now: Duration) -> u64 {
        let step = now.as_secs() / STEP.as_secs();
        while self.steps.front().is_some_and(|(oldest, _)| oldest + STEPS <= step) {
            self.steps.pop_front();
        }
        step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn near(found: f64, truth: f64) -> bool {
        (found / truth - 1.0).abs() < 0.05
    }

    #[test]
    fn quantiles_are_within_five_percent() {
        let mut ages = Ages::default();
        assert_eq!(ages.quantiles_at([0.5, 0.99], SECOND), None);
        for ms in 1..=1000 {
            ages.record_at(Duration::from_millis(ms * 7), SECOND);
        }
        let [p50, p99] = ages.quantiles_at([0.5, 0.99], SECOND).unwrap();
        assert!(near(p50, 3.5), "{p50}");
        assert!(near(p99, 6.93), "{p99}");
    }

    #[test]
    fn a_minute_is_looked_back_and_memory_does_not_grow() {
        let mut ages = Ages::default();
        ages.record_at(SECOND, Duration::ZERO);
        assert!(ages.quantiles_at([1.0], Duration::from_secs(60)).is_some());
        assert_eq!(ages.quantiles_at([1.0], Duration::from_secs(70)), None);
        for second in 0..10_000 {
            ages.record_at(SECOND, Duration::from_secs(second));
        }
        assert_eq!(ages.steps.len(), 7);
    }

    #[test]
    fn absurd_ages_are_taken() {
        let mut ages = Ages::default();
        ages.record_at(Duration::ZERO, SECOND);
        ages.record_at(Duration::MAX, SECOND);
        let [least, most] = ages.quantiles_at([0.0, 1.0], SECOND).unwrap();
        assert!(near(least, 0.001) && most > 40.0 * 24.0 * 3600.0, "{least} {most}");
    }
}
