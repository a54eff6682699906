//! Whether each partition gets on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::Lag;
use crate::intake::TopicPartition;

/// Watches since when each partition has had work and got on with none of it. One that stands still among others that
/// go on is found too, and time without work does not count. It knows what it is shown: health shows it the lag from
/// time to time.
///
/// A rebalance is no progress: while the consumer is not in its group, what waited goes on waiting, also where it is taken back.
/// Else a group that is shared out again and again would never be found. Nor is it progress to do again what was done before.
#[derive(Debug, Default, Clone)]
pub struct Stalls {
    waiting: HashMap<TopicPartition, Waiting>,
}

/// A partition with work.
#[derive(Debug, Clone)]
struct Waiting {
    /// As it was last shown.
    lag: Lag,
    /// The furthest position so far, and since when it is that.
    reached: i64,
    since: Instant,
}

impl Stalls {
    /// The partition that has waited longest, and how long. None: no partition has work. `is_in`: what is not in `lag` is in
    /// other hands; else it has been taken back, and may come again.
    pub fn longest(&mut self, lag: Vec<Lag>, is_in: bool, now: Instant) -> Option<(Lag, Duration)> {
        let mut before = std::mem::take(&mut self.waiting);
        for lag in lag {
            let place = (lag.topic.clone(), lag.partition);
            // A topic that ends before what was reached of it is another one by that name.
            let is_other = |reached| lag.records.is_some_and(|records| lag.position.saturating_add(records) < reached);
            // A position that goes back is no progress, nor is what it comes by then: that was done before.
            let before =
                before.remove(&place).filter(|before| lag.position <= before.reached && !is_other(before.reached));
            let (reached, since) = match (lag.records, before) {
                (Some(0), _) => continue,
                // Whether there is work is not known: only what waited before goes on waiting.
                (None, None) => continue,
                (_, Some(before)) => (before.reached, before.since),
                (Some(_), None) => (lag.position, now),
            };
            self.waiting.insert(place, Waiting { lag, reached, since });
        }
        if !is_in {
            self.waiting.extend(before);
        }
        let longest = self.waiting.iter().min_by_key(|(place, waiting)| (waiting.since, *place));
        longest.map(|(_, waiting)| (waiting.lag.clone(), now.saturating_duration_since(waiting.since)))
    }

    /// Each partition with work, and since when it has got on with none of it, as they were last shown.
    pub fn all(&self) -> impl Iterator<Item = (&Lag, Instant)> {
        self.waiting.values().map(|waiting| (&waiting.lag, waiting.since))
    }

    /// Since when a record has waited that is not done, where it was the first of its partition when that was last shown.
    pub fn since(&self, topic: &Arc<str>, partition: i32, offset: i64) -> Option<Instant> {
        let waiting = self.waiting.get(&(topic.clone(), partition));
        waiting.filter(|waiting| waiting.lag.position == offset).map(|waiting| waiting.since)
    }
}

#[cfg(test)]
#[path = "stalls_tests.rs"]
mod tests;
