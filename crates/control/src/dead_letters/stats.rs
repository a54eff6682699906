//! Counts of dead letters. Pure.

use std::collections::BTreeMap;

use common::deadletter::v1::{DeadLetter, HourCount, KindCount, StatsResponse};
use common::time::from_millis;

use super::kind::{Kind, kind_of};
use super::select::millis;

pub(crate) const HOUR_MS: i64 = 3_600_000;

/// Counts letters.
#[derive(Debug, Default)]
pub struct Stats {
    count: u64,
    kinds: BTreeMap<Kind, Counted>,
    hours: BTreeMap<i64, u64>,
}

/// Letters that were counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) count: u64,
    pub(crate) refused_again: u64,
    /// When the first and the last of them were refused.
    pub(crate) first: i64,
    pub(crate) last: i64,
}

impl Counted {
    pub(crate) fn none(at: i64) -> Self {
        Self { count: 0, refused_again: 0, first: at, last: at }
    }

    pub(crate) fn add(&mut self, letter: &DeadLetter, at: i64) {
        self.merge(Self { count: 1, refused_again: u64::from(letter.attempts > 1), first: at, last: at });
    }

    fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.refused_again += other.refused_again;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
    }
}

impl Stats {
    /// Counts one.
    pub fn add(&mut self, letter: &DeadLetter) {
        let at = millis(letter);
        let mut one = Counted::none(at);
        one.add(letter, at);
        self.merge(&kind_of(letter), at.div_euclid(HOUR_MS), one);
    }

    /// Adds letters of one kind and hour that were counted before.
    pub(crate) fn merge(&mut self, kind: &Kind, hour: i64, counted: Counted) {
        self.count += counted.count;
        *self.hours.entry(hour).or_default() += counted.count;
        match self.kinds.get_mut(kind) {
            Some(known) => known.merge(counted),
            None => drop(self.kinds.insert(kind.clone(), counted)),
        }
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
