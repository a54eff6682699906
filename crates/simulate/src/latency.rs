//! How long things took, in little memory: each bucket is at most 1/32 wide of what it counts.

use std::time::Duration;

const PRECISION: u32 = 5;
const BUCKETS: usize = 64 << PRECISION;

/// A histogram of durations, exact to 3%.
#[derive(Debug, Clone)]
pub struct Latencies {
    counts: Vec<u64>,
    total: u64,
}

impl Default for Latencies {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Latencies {
    /// Counts one.
    pub fn record(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket(micros)] += 1;
        self.total += 1;
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The duration that this share of them did not exceed; `None` where there is none.
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        if self.total == 0 {
            return None;
        }
        // The rank of the one that is asked for, from 1.
        let rank = ((self.total as f64 * share).ceil() as u64).clamp(1, self.total);
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        Some(Duration::from_micros(upper(at)))
    }

    /// Counts all that another one has counted.
    pub fn merge(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.counts.fill(0);
        self.total = 0;
    }
}

fn bucket(micros: u64) -> usize {
    let bits = u64::BITS - micros.leading_zeros();
    let shift = bits.saturating_sub(PRECISION + 1);
    ((u64::from(shift) << PRECISION) + (micros >> shift)) as usize
}

/// The largest value of a bucket.
fn upper(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> PRECISION).saturating_sub(1);
    let mantissa = bucket - (shift << PRECISION);
    (mantissa << shift) | ((1 << shift) - 1)
}

#[cfg(test)]
#[path = "latency_tests.rs"]
mod tests;
