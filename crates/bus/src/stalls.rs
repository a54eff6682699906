//! Whether each partition gets on.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::Lag;
use crate::intake::TopicPartition;

/// Watches since when each partition has had work and got on with none of it. One that stands still among others that
/// go on is found too, and time without work does not count. It knows what it is shown: health shows it the lag from
/// time to time.
///
/// A rebalance is no progress: while the consumer is not in its group, what waited goes on waiting, also where it is taken back.
/// Else a group that is shared out again and again would never be found.
#[derive(Debug, Default, Clone)]
pub struct Stalls {
    /// What waited when it was last shown, and since when its first record has not been done.
    waiting: HashMap<TopicPartition, (Lag, Instant)>,
}

impl Stalls {
    /// The partition that has waited longest, and how long. None: no partition has work. `is_in`: what is not in `lag` is in
    /// other hands; else it has been taken back, and may come again.
    pub fn longest(&mut self, lag: Vec<Lag>, is_in: bool, now: Instant) -> Option<(Lag, Duration)> {
        let mut before = std::mem::take(&mut self.waiting);
        for lag in lag {
            let place = (lag.topic.clone(), lag.partition);
            // A position that goes back is no progress either: what was done is done again.
            let before = before.remove(&place).filter(|(before, _)| lag.position <= before.position);
            let since = match (lag.records, before) {
                (Some(0), _) => continue,
                // Whether there is work is not known: only what waited before goes on waiting.
                (None, None) => continue,
                (_, before) => before.map_or(now, |(_, since)| since),
            };
            self.waiting.insert(place, (lag, since));
        }
        if !is_in {
            self.waiting.extend(before);
        }
        let longest = self.waiting.values().min_by(|(a, a_since), (b, b_since)| {
            (a_since, &a.topic, a.partition).cmp(&(b_since, &b.topic, b.partition))
        });
        longest.map(|(lag, since)| (lag.clone(), now.saturating_duration_since(*since)))
    }
}

#[cfg(test)]
#[path = "stalls_tests.rs"]
mod tests;
