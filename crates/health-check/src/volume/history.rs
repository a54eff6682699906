//! What came in, by endpoint and hour (UTC). Pure and bounded: five weeks, and so many endpoints.
//!
//! Counts of an hour only rise, so the highest that was told is kept: telling it again counts nothing twice, and an
//! instance that has ended takes nothing away.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

/// Seconds of an hour.
pub const HOUR: i64 = 3600;
/// Hours of a day.
pub const DAY: i64 = 24;
/// Hours of a week.
pub const WEEK: i64 = 7 * DAY;
/// Weeks that are kept.
pub const WEEKS: i64 = 5;
/// Hours that are kept: five weeks, the hours beside them, and the present one.
const KEPT: i64 = WEEKS * WEEK + 3;

/// About the year 3000: no hour is later.
const LATEST: i64 = 1030 * 366 * DAY;

/// So many times as loud is clearly louder: else two that are equally loud would take turns, and neither would be known.
const CLEARLY: u64 = 2;

/// The name of all endpoints together.
pub const ALL: &str = "";
/// The endpoints that an instance does not list one by one.
pub const OTHERS: &str = "(others)";

/// A number for each hour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hours {
    /// The first hour, in hours since 1970.
    first: i64,
    /// From then on.
    counts: VecDeque<u32>,
}

impl Hours {
    fn at(&self, hour: i64) -> Option<u32> {
        let n = usize::try_from(hour.checked_sub(self.first)?).ok()?;
        // After the last count nothing came.
        Some(self.counts.get(n).copied().unwrap_or_default())
    }

    /// Whether it is more than was known; what was before its first hour is not kept.
    fn raise(&mut self, hour: i64, count: u32) -> bool {
        if self.counts.is_empty() {
            self.first = hour;
        }
        let Ok(n) = usize::try_from(hour - self.first) else { return false };
        if n >= self.counts.len() {
            self.counts.resize(n + 1, 0);
        }
        let is_more = count > self.counts[n];
        self.counts[n] = self.counts[n].max(count);
        is_more
    }

    /// Forgets what was before and after these hours.
    fn forget(&mut self, oldest: i64, latest: i64) {
        self.counts.truncate(usize::try_from(latest - self.first + 1).unwrap_or_default());
        while self.first < oldest && self.counts.pop_front().is_some() {
            self.first += 1;
        }
    }

    fn since(&self, hour: i64) -> u64 {
        let from = usize::try_from((hour - self.first).max(0)).unwrap_or(usize::MAX);
        self.counts.iter().skip(from).map(|count| u64::from(*count)).sum()
    }
}

/// Of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Series {
    hours: Hours,
    /// By week since 1970: the longest pause that ended in it, as the deliveries that come in the middle in such a time.
    pauses: BTreeMap<i64, u32>,
}

impl Series {
    fn forget_pauses(&mut self, present: i64) {
        let week = present.div_euclid(WEEK);
        self.pauses.retain(|of, _| (week - WEEKS..=week).contains(of));
    }
}

/// An endpoint without a place that has been counted for a week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ripe {
    pub(super) endpoint: String,
    /// In a week.
    pub(super) weekly: u64,
    /// In the last hour.
    pub(super) hourly: u64,
}

/// What came in, of five weeks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// The hours that were watched from beginning to end, with nothing wrong at the door.
    watched: Hours,
    /// By endpoint.
    series: BTreeMap<String, Series>,
}

impl History {
    /// So many came in within that hour, as far as is known; true: that is more than was known. An endpoint that is not kept
    /// yet gets a place while fewer than `most` have one.
    pub fn raise(&mut self, endpoint: &str, hour: i64, count: u64, most: usize) -> bool {
        if count == 0 {
            return false;
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        if let Some(series) = self.series.get_mut(endpoint) {
            return series.hours.raise(hour, count);
        }
        let no_endpoints = [ALL, OTHERS].into_iter().filter(|name| self.series.contains_key(*name)).count();
        if ![ALL, OTHERS].contains(&endpoint) && self.series.len() - no_endpoints >= most {
            return false;
        }
        self.series.entry(endpoint.to_owned()).or_default().hours.raise(hour, count)
    }

    /// Where all have their place: gives those of the quietest to ripe candidates that are clearly louder. Who has had its
    /// place for less than a week keeps it, since nobody knows yet how loud it is. The hour is over.
    pub(super) fn admit(&mut self, ripe: Vec<Ripe>, hour: i64) {
        if ripe.is_empty() {
            return;
        }
        let of_a_week = |name: &str| self.series.get(name).map_or(0, |series| series.hours.since(hour - WEEK));
        let is_known = |name: &&str| self.first(name).is_some_and(|first| first <= hour - WEEK);
        let mut kept: Vec<_> =
            self.endpoints().filter(is_known).map(|name| (of_a_week(name), name.to_owned())).collect();
        kept.sort();
        for (new, (quietest, old)) in ripe.into_iter().zip(kept) {
            if new.weekly <= quietest.saturating_mul(CLEARLY) {
                break;
            }
            self.series.remove(&old);
            let hours = &mut self.series.entry(new.endpoint).or_default().hours;
            hours.raise(hour, u32::try_from(new.hourly).unwrap_or(u32::MAX));
        }
    }

    /// A pause has ended in this hour, in which so many were to be expected.
    pub fn pause(&mut self, endpoint: &str, hour: i64, expected: f64) {
        if let Some(series) = self.series.get_mut(endpoint) {
            let longest = series.pauses.entry(hour.div_euclid(WEEK)).or_default();
            *longest = (*longest).max(expected.ceil() as u32);
        }
    }

    /// The longest pause of each week for which it is known, the longest first.
    #[must_use]
    pub fn pauses(&self, endpoint: &str) -> Vec<u32> {
        let mut pauses: Vec<u32> =
            self.series.get(endpoint).into_iter().flat_map(|one| one.pauses.values().copied()).collect();
        pauses.sort_unstable_by(|a, b| b.cmp(a));
        pauses
    }

    /// This hour was watched from beginning to end, with nothing wrong at the door.
    pub fn watch(&mut self, hour: i64) {
        self.watched.raise(hour, 1);
    }

    /// Forgets what is too old to be compared with the present hour, what a clock that was ahead has written, and endpoints of
    /// which nothing is left.
    pub fn forget(&mut self, present: i64) {
        let oldest = present - KEPT;
        self.watched.forget(oldest, present);
        for series in self.series.values_mut() {
            series.hours.forget(oldest, present);
            series.forget_pauses(present);
        }
        self.series.retain(|_, series| series.hours.counts.iter().any(|count| *count > 0));
    }

    /// Whether this hour is before all that is known, or so late that nothing of that would be kept.
    pub(super) fn is_far(&self, hour: i64) -> bool {
        let ends = self.series.values().map(|series| series.hours.first + series.hours.counts.len() as i64);
        // The present hour may be one back: the door's clock may be ahead.
        ends.max().is_some_and(|end| !(end - 2..end + KEPT).contains(&hour))
    }

    /// Whether this hour was watched from beginning to end, with nothing wrong at the door.
    #[must_use]
    pub fn is_watched(&self, hour: i64) -> bool {
        self.watched.at(hour) == Some(1)
    }

    /// How many came in within this hour; none: it was not watched, the endpoint was not there yet, or some of its deliveries
    /// may be among the others.
    #[must_use]
    pub fn count(&self, endpoint: &str, hour: i64) -> Option<u32> {
        self.listed(endpoint, hour).filter(|_| endpoint == ALL || self.so_far(OTHERS, hour) == 0)
    }

    /// How many came in within this hour under its name: at least so many are of it.
    #[must_use]
    pub fn listed(&self, endpoint: &str, hour: i64) -> Option<u32> {
        let hours = &self.series.get(endpoint)?.hours;
        // It may have begun within its first hour.
        (hour > hours.first && self.is_watched(hour)).then(|| hours.at(hour))?
    }

    /// How many came in within this hour so far, whether or not all of it was watched.
    #[must_use]
    pub fn so_far(&self, endpoint: &str, hour: i64) -> u32 {
        self.series.get(endpoint).and_then(|series| series.hours.at(hour)).unwrap_or_default()
    }

    /// The last hour in which something came in.
    #[must_use]
    pub fn last(&self, endpoint: &str) -> Option<i64> {
        let hours = &self.series.get(endpoint)?.hours;
        let n = hours.counts.iter().rposition(|count| *count > 0)?;
        Some(hours.first + n as i64)
    }

    /// Its first hour.
    #[must_use]
    pub fn first(&self, endpoint: &str) -> Option<i64> {
        self.series.get(endpoint).map(|series| series.hours.first)
    }

    /// Whether it can be one: it may come from a file.
    pub(super) fn is_possible(&self) -> bool {
        let is_hour = |hour: i64| (0..=LATEST).contains(&hour);
        is_hour(self.watched.first) && self.series.values().all(|series| is_hour(series.hours.first))
    }

    /// Those that are told one by one, by name.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.series.keys().map(String::as_str).filter(|name| ![ALL, OTHERS].contains(name))
    }
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
