//! Whether each partition gets on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::Lag;
use crate::intake::TopicPartition;

/// Watches since when each partition has had work and got on with none of it. One that stands still among others that
/// go on is found too, and time without work does not count. It knows what it is shown: health shows it the lag from
/// time to time.
#[derive(Debug, Default, Clone)]
pub struct Stalls {
    /// The first offset that was not done, and since when.
    waiting: HashMap<TopicPartition, (i64, Instant)>,
}

impl Stalls {
    /// The partition that has waited longest, and how long. None: no partition has work.
    pub fn longest(&mut self, lag: Vec<Lag>, now: Instant) -> Option<(Lag, Duration)> {
        let mut before = std::mem::take(&mut self.waiting);
        let mut longest: Option<(Lag, Duration)> = None;
        for lag in lag {
            let place = (lag.topic.clone(), lag.partition);
            let before = before.remove(&place).filter(|(position, _)| *position == lag.position);
            let since = match (lag.records, before) {
                (Some(0), _) => continue,
                // Whether there is work is not known: only what waited before goes on waiting.
                (None, None) => continue,
                (_, before) => before.map_or(now, |(_, since)| since),
            };
            self.waiting.insert(place, (lag.position, since));
            let waited = now.saturating_duration_since(since);
            if longest.as_ref().is_none_or(|(_, most)| waited > *most) {
                longest = Some((lag, waited));
            }
        }
        longest
    }
}

#[cfg(test)]
#[path = "stalls_tests.rs"]
mod tests;
