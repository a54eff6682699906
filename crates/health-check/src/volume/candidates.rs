//! Endpoints that have no place in the history, and how much they send: who is among the loudest for a week may get one. Pure
//! and bounded.
//!
//! There are as many of them as places. A new one takes the place of the quietest, and is ranked behind it with what that had:
//! so whoever sends much stays, however many come once (the space-saving sketch).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::history::{Ripe, WEEK};

/// Without a place in the history.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    all: BTreeMap<String, Candidate>,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    /// Since this hour it is counted.
    since: i64,
    count: u64,
    /// What was counted of those before it.
    before: u64,
}

impl Candidates {
    /// `counts` are those of an hour that is over. Who has been counted for a week has its chance, and begins anew; the
    /// loudest first.
    pub(super) fn count<'a>(
        &mut self,
        counts: impl IntoIterator<Item = (&'a str, u64)>,
        hour: i64,
        most: usize,
    ) -> Vec<Ripe> {
        // A burst is no claim for ever; nor is what a clock that was ahead has counted.
        self.all.retain(|_, one| (0..=2 * WEEK).contains(&(hour - one.since)));
        let mut loudest: Vec<_> = counts.into_iter().collect();
        loudest.sort_by_key(|(name, count)| (Reverse(*count), *name));
        loudest.truncate(most);
        let mut ripe = Vec::new();
        for (name, hourly) in loudest {
            let one = self.place(name, hour, most);
            one.count += hourly;
            let hours = hour - one.since;
            if hours >= WEEK {
                let weekly = one.count.saturating_mul(WEEK as u64) / hours as u64;
                ripe.push(Ripe { endpoint: name.to_owned(), weekly, hourly });
                self.all.remove(name);
            }
        }
        ripe.sort_by_key(|one| Reverse(one.weekly));
        ripe
    }

    fn place(&mut self, name: &str, hour: i64, most: usize) -> &mut Candidate {
        let mut before = 0;
        if !self.all.contains_key(name) && self.all.len() >= most {
            let quietest = self.all.iter().min_by_key(|(_, one)| one.before + one.count).map(|(name, _)| name.clone());
            let gone = quietest.and_then(|quietest| self.all.remove(&quietest));
            before = gone.map_or(0, |gone| gone.before + gone.count);
        }
        self.all.entry(name.to_owned()).or_insert(Candidate { since: hour, count: 0, before })
    }
}

#[cfg(test)]
#[path = "candidates_tests.rs"]
mod tests;
