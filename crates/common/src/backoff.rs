//! How long to wait before something that failed is tried again.

use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};

/// Pauses that double, each with some chance in it: those who failed together do not come back together. No end of tries:
/// whoever gives up decides that by itself.
#[derive(Debug)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    pauses: ExponentialBackoff,
}

impl Backoff {
    /// The first pause lasts from `first` to twice as long, and none lasts longer than `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        // The chance adds up to as much again.
        let pauses = ExponentialBuilder::new()
            .with_min_delay(first)
            .with_max_delay((longest / 2).max(first))
            .with_jitter()
            .without_max_times()
            .build();
        Self { first, longest, pauses }
    }

    /// The next one.
    pub fn pause(&mut self) -> Duration {
        self.pauses.next().unwrap_or(self.longest).min(self.longest)
    }

    /// After a success: the next pause is the first again.
    pub fn reset(&mut self) {
        *self = Self::new(self.first, self.longest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_longest_and_never_beyond() {
        let (first, longest) = (Duration::from_millis(100), Duration::from_secs(2));
        let mut backoff = Backoff::new(first, longest);
        for round in 0..3 {
            let pauses: Vec<_> = (0..100).map(|_| backoff.pause()).collect();
            assert!((first..=first * 2).contains(&pauses[0]), "{round}: {pauses:?}");
            assert!(pauses.iter().all(|pause| (first..=longest).contains(pause)), "{pauses:?}");
            assert!(pauses[50..].iter().all(|pause| *pause >= longest / 2), "{pauses:?}");
            assert!(pauses[50..].iter().any(|pause| *pause != pauses[50]), "no chance in it");
            backoff.reset();
        }
    }
}
