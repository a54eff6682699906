//! Whether the loader gets on, with each table.
//!
//! What it has and does is noted where it happens, and judged beside it: a turn that never comes back does not tell of itself.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Lag, Stalls, Standing};
use service::State;

/// Topic with its prefix, partition.
type Place = (Arc<str>, i32);

/// How far partitions were taken in, each with the assignment in which that was: the offset behind the last record.
pub(crate) type Taken = HashMap<Place, (u64, i64)>;

/// What the loader has to do, and when it did something last.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outlook {
    pub(crate) tables: BTreeMap<String, TableOutlook>,
    /// What is no longer on the log only. Requests that are held are of it, and what was loaded although it comes behind them.
    pub(crate) taken: Taken,
    /// The table whose turn it is, and since when.
    pub(crate) turn: Option<(String, Instant)>,
    /// Why the lake did not answer when it was last asked.
    pub(crate) lake: Option<String>,
}

/// What waits for a table.
#[derive(Debug, Clone, Default)]
pub(crate) struct TableOutlook {
    /// Requests that could be loaded, and the one that could for the longest.
    pub(crate) ready: usize,
    pub(crate) oldest: Option<Ready>,
    /// When something of it was last loaded, or found to be loaded.
    pub(crate) loaded: Option<Instant>,
    /// Why its last turn failed.
    pub(crate) error: Option<String>,
}

/// A request that could be loaded: its record, and since when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) place: Place,
    pub(crate) offset: i64,
    pub(crate) since: Instant,
}

impl Outlook {
    /// The records on the log that were not taken in, in place of those that are not done. `epoch`: of the assignment that is
    /// under way.
    pub(crate) fn untaken(&self, lags: Vec<Lag>, epoch: impl Fn(&Lag) -> Option<u64>) -> Vec<Lag> {
        let untaken = |mut lag: Lag| {
            let taken = self.taken.get(&(Arc::clone(&lag.topic), lag.partition));
            if let Some((of, next)) = taken
                && epoch(&lag) == Some(*of)
                && *next > lag.position
            {
                lag.records = lag.records.map(|records| (records - (next - lag.position)).max(0));
                lag.position = *next;
            }
            lag
        };
        lags.into_iter().map(untaken).collect()
    }

    /// Notes what waits in place of what did.
    pub(crate) fn waits(&mut self, ready: impl IntoIterator<Item = (String, Option<Ready>)>) {
        let mut tables = std::mem::take(&mut self.tables);
        for (name, ready) in ready {
            let before = tables.remove(&name).unwrap_or_default();
            let TableOutlook { loaded, error, .. } = before;
            let table = self.tables.entry(name).or_insert(TableOutlook { loaded, error, ..TableOutlook::default() });
            table.ready += usize::from(ready.is_some());
            table.oldest = table.oldest.take().into_iter().chain(ready).min_by_key(|one| (one.since, one.offset));
        }
        // With nothing that waits there is nothing that fails either.
        let idle = tables.into_iter().filter(|(_, table)| table.loaded.is_some());
        self.tables.extend(idle.map(|(name, table)| {
            let loaded = table.loaded;
            (name, TableOutlook { loaded, ..TableOutlook::default() })
        }));
    }
}

/// A partition with requests on the log that were not taken in, although they could be.
#[derive(Debug)]
struct PassedOver {
    /// Since when it has had them.
    began: Instant,
    /// When the loader was first seen between its turns since then, and when again.
    at: [Option<Instant>; 2],
}

/// What is found of it from time to time.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// Since when requests on the log were not taken in.
    untaken: Stalls,
    passed_over: HashMap<Place, PassedOver>,
    /// The oldest request of each table that could be loaded, and how many there were. While another instance has its partition
    /// the time stands still. It is the same time when the record comes again.
    waiting: BTreeMap<String, (Ready, usize)>,
    looked: Option<Instant>,
}

impl Verdicts {
    /// How it is, for how long nothing was loaded although there was something, and in words. `untaken`: what is on the log
    /// and was not taken in, of all partitions that the loader has.
    pub(crate) fn of(
        &mut self,
        outlook: &Outlook,
        standing: &Standing,
        untaken: Vec<Lag>,
        stalled_after: Duration,
        now: Instant,
    ) -> (State, Duration, String) {
        let unknown = untaken.iter().any(|lag| lag.records.is_none());
        let ready: usize = outlook.tables.values().map(|table| table.ready).sum();
        let stalls = [
            // The lake owes an answer whoever is in the group.
            outlook.turn.as_ref().map(|(table, since)| {
                let lasts = now.saturating_duration_since(*since);
                (lasts, format!("a commit to table {table} has been under way for {} s", lasts.as_secs()))
            }),
            self.of_tables(outlook, standing, &untaken, now),
            self.of_log(outlook, standing, untaken, now),
        ];
        let longest = stalls.into_iter().flatten().max_by_key(|(lasts, _)| *lasts);
        let lasts = longest.as_ref().map_or(Duration::ZERO, |(lasts, _)| *lasts);
        let (state, text) = if let Some((_, text)) = longest.filter(|_| lasts >= stalled_after) {
            (State::Failing, format!("stalled: {text}"))
        } else if let Some((state, text)) = stage::of_standing(standing) {
            (state, text)
        } else if unknown {
            let text = "how many requests wait is not known: the log has not said where topic loads ends";
            (State::Warning, text.to_owned())
        } else {
            (State::Ok, format!("{ready} requests wait"))
        };
        (state, lasts, text)
    }

    /// The table of which nothing was loaded for the longest, although it could be.
    fn of_tables(
        &mut self,
        outlook: &Outlook,
        standing: &Standing,
        lags: &[Lag],
        now: Instant,
    ) -> Option<(Duration, String)> {
        let own: HashSet<Place> = lags.iter().map(|lag| (Arc::clone(&lag.topic), lag.partition)).collect();
        // While it is not in the group, what it had may come again.
        let counts = |place: &Place| !standing.is_in() || own.contains(place);
        let passed = self.looked.replace(now).map_or(Duration::ZERO, |looked| now.saturating_duration_since(looked));
        for (seen, _) in self.waiting.values_mut().filter(|(seen, _)| !counts(&seen.place)) {
            seen.since += passed;
        }
        let waits = |name: &String| outlook.tables.get(name).is_some_and(|table| table.oldest.is_some());
        // It was taken in, and is loaded or held.
        let is_past = |seen: &Ready| {
            let mut of_place = lags.iter().filter(|lag| lag.topic == seen.place.0 && lag.partition == seen.place.1);
            of_place.any(|lag| {
                let end = lag.records.map(|records| lag.position.saturating_add(records));
                lag.position > seen.offset || end.is_some_and(|end| end <= seen.offset)
            })
        };
        self.waiting.retain(|name, (seen, _)| waits(name) || !(standing.is_in() && is_past(seen)));
        for (name, table) in &outlook.tables {
            let Some(mut oldest) = table.oldest.clone().filter(|oldest| counts(&oldest.place)) else { continue };
            let is_same =
                |(before, _): &&(Ready, usize)| before.place == oldest.place && oldest.offset <= before.offset;
            let before = self.waiting.get(name).filter(is_same).map(|(before, _)| before.since);
            // On the log it waited too.
            let on_log = self.untaken.since(&oldest.place.0, oldest.place.1, oldest.offset);
            oldest.since = before.into_iter().chain(on_log).fold(oldest.since, Instant::min);
            self.waiting.insert(name.clone(), (oldest, table.ready));
        }
        let waiting = self.waiting.iter().filter(|(_, (seen, _))| counts(&seen.place));
        let lasts = waiting.map(|(name, (seen, ready))| {
            let table = outlook.tables.get(name);
            let since = table.and_then(|table| table.loaded).into_iter().fold(seen.since, Instant::max);
            (now.saturating_duration_since(since), name, *ready, table.and_then(|table| table.error.as_ref()))
        });
        let (lasts, name, ready, error) = lasts.max_by_key(|(lasts, ..)| *lasts)?;
        let why = error.map(|error| format!("; it failed last: {error}")).unwrap_or_default();
        let seconds = lasts.as_secs();
        Some((lasts, format!("{ready} requests wait for table {name}, and none was loaded for {seconds} s{why}")))
    }

    /// For how long requests were not taken in. While a turn lasts none are: then it counts that anything was loaded. Once the
    /// loader was seen twice between its turns, what stands on the log stands for reasons of its own.
    fn of_log(
        &mut self,
        outlook: &Outlook,
        standing: &Standing,
        untaken: Vec<Lag>,
        now: Instant,
    ) -> Option<(Duration, String)> {
        self.untaken.longest(untaken, standing.is_in(), now)?;
        let loaded = outlook.tables.values().filter_map(|table| table.loaded).max();
        let mut before = std::mem::take(&mut self.passed_over);
        let mut longest: Option<(Duration, i64, &Lag)> = None;
        for (lag, began) in self.untaken.all() {
            let place = (Arc::clone(&lag.topic), lag.partition);
            let known = before.remove(&place).filter(|passed| passed.began == began);
            let mut passed = known.unwrap_or(PassedOver { began, at: [None; 2] });
            if outlook.turn.is_none()
                && let Some(free) = passed.at.iter_mut().find(|at| at.is_none())
            {
                *free = Some(now);
            }
            let since = loaded.map_or(began, |loaded| passed.at[1].unwrap_or(loaded).min(loaded).max(began));
            self.passed_over.insert(place, passed);
            let (lasts, records) = (now.saturating_duration_since(since), lag.records.unwrap_or_default());
            if longest.as_ref().is_none_or(|(most, ..)| *most < lasts) {
                longest = Some((lasts, records, lag));
            }
        }
        let (lasts, records, lag) = longest?;
        let (topic, partition, seconds) = (&lag.topic, lag.partition, lasts.as_secs());
        let text = format!("{records} requests of {topic}/{partition} wait, and none was taken in for {seconds} s");
        Some((lasts, text))
    }
}

#[cfg(test)]
#[path = "outlook_tests.rs"]
mod tests;
