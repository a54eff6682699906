//! Counts of dead letters. Pure.

use std::collections::BTreeMap;

use common::deadletter::v1::{DeadLetter, HourCount, KindCount, StatsResponse};
use common::time::from_millis;

use super::select::millis;

const HOUR_MS: i64 = 3_600_000;

/// Stage, reason, source, endpoint.
type Kind = (String, String, String, String);

/// Counts letters.
#[derive(Debug, Default)]
pub struct Stats {
    count: u64,
    kinds: BTreeMap<Kind, Counted>,
    hours: BTreeMap<i64, u64>,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    count: u64,
    refused_again: u64,
    first: i64,
    last: i64,
}

impl Stats {
    /// Counts one.
    pub fn add(&mut self, letter: &DeadLetter) {
        let at = millis(letter);
        self.count += 1;
        *self.hours.entry(at.div_euclid(HOUR_MS)).or_default() += 1;
        let kind = (letter.stage.clone(), letter.reason.clone(), letter.source.clone(), letter.endpoint.clone());
        let counted = self.kinds.entry(kind).or_insert(Counted { count: 0, refused_again: 0, first: at, last: at });
        counted.count += 1;
        counted.refused_again += u64::from(letter.attempts > 1);
        counted.first = counted.first.min(at);
        counted.last = counted.last.max(at);
    }

    /// What was counted, beside the number of replays and of what they sent.
    pub fn done(self, (replays, replayed): (u64, u64)) -> StatsResponse {
        let kind = |((stage, reason, source, endpoint), counted): (Kind, Counted)| KindCount {
            stage,
            reason,
            source,
            endpoint,
            count: counted.count,
            refused_again: counted.refused_again,
            first: Some(from_millis(counted.first)),
            last: Some(from_millis(counted.last)),
        };
        let mut kinds: Vec<_> = self.kinds.into_iter().map(kind).collect();
        // Stable: of equal counts the names decide.
        kinds.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        let hour = |(hour, count)| HourCount { hour: Some(from_millis(hour * HOUR_MS)), count };
        StatsResponse {
            count: self.count,
            kinds,
            hours: self.hours.into_iter().map(hour).collect(),
            replays,
            replayed,
            ..StatsResponse::default()
        }
    }
}

#[cfg(test)]
#[path = "stats_tests.rs"]
mod tests;
