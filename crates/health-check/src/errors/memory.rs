//! The window, in memory. Pure.
//!
//! What is added twice counts once: an entry is known by its worker, the start of that and its number, and of two counts
//! the greater is right. So it does not matter how often, when and in which order digests are read.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use super::entry::{About, ErrorEntry, Place, Series};

/// Entries of one worker. It tells no more itself.
const OF_A_WORKER: usize = 1000;
/// Workers, where fewer are watched. Those that ended within the window are among them.
const WORKERS: usize = 100;

/// The errors within a window.
#[derive(Debug, Clone)]
pub struct Memory {
    window: Duration,
    /// How many workers have their place.
    most: usize,
    workers: BTreeMap<String, BTreeMap<Place, ErrorEntry>>,
    /// When some had to go before their time, and how many.
    dropped: Vec<(SystemTime, u64)>,
}

impl Memory {
    /// None yet.
    #[must_use]
    pub fn new(window: Duration) -> Self {
        Self { window, most: WORKERS, workers: BTreeMap::new(), dropped: Vec::new() }
    }

    /// How long the window is.
    #[must_use]
    pub fn window(&self) -> Duration {
        self.window
    }

    /// So many workers are watched: each has its place, and as many that ended. Were there fewer places, who lost its place
    /// would tell the same again in each round.
    pub fn watch(&mut self, workers: usize) {
        self.most = WORKERS.max(2 * workers);
    }

    /// So many errors a worker had to forget before this one, which is the first that it told. They are lost unless they were
    /// told before: then this one was, or the one before it.
    pub fn forgot(&mut self, count: u64, first: &ErrorEntry, now: SystemTime) {
        let Place { start, number } = first.place;
        let before = Place { start, number: number.saturating_sub(1) };
        let worker = self.workers.get(&first.about.instance);
        let is_known = worker.is_some_and(|worker| worker.contains_key(&first.place) || worker.contains_key(&before));
        if count > 0 && !is_known && !is_old(first.at, self.window, now) {
            self.dropped.push((first.at, count));
        }
    }

    /// Takes in what a digest told.
    pub fn add(&mut self, entries: Vec<ErrorEntry>, now: SystemTime) {
        for entry in entries {
            if is_old(entry.at, self.window, now) {
                continue;
            }
            let worker = self.workers.entry(entry.about.instance.clone()).or_default();
            match worker.get_mut(&entry.place) {
                Some(known) => {
                    known.at = known.at.min(entry.at);
                    known.last_at = known.last_at.max(entry.last_at);
                    known.count = known.count.max(entry.count);
                }
                None => drop(worker.insert(entry.place.clone(), entry)),
            }
        }
        self.expire(now);
        self.bound();
    }

    /// What is no longer within the window goes.
    pub fn expire(&mut self, now: SystemTime) {
        let window = self.window;
        self.workers.retain(|_, worker| {
            worker.retain(|_, entry| !is_old(entry.at, window, now));
            !worker.is_empty()
        });
        self.dropped.retain(|(at, _)| !is_old(*at, window, now));
    }

    fn bound(&mut self) {
        let mut gone = Vec::new();
        for worker in self.workers.values_mut() {
            while worker.len() > OF_A_WORKER {
                gone.extend(worker.pop_first().map(|(_, entry)| entry));
            }
        }
        while self.workers.len() > self.most {
            let last = |worker: &BTreeMap<Place, ErrorEntry>| worker.values().map(|entry| entry.last_at).max();
            let oldest = self.workers.iter().min_by_key(|(_, worker)| last(worker)).map(|(name, _)| name.clone());
            let Some(worker) = oldest.and_then(|name| self.workers.remove(&name)) else { break };
            gone.extend(worker.into_values());
        }
        let (last, count) = (gone.iter().map(|entry| entry.at).max(), gone.iter().map(|entry| entry.count).sum());
        self.dropped.extend(last.map(|at| (at, count)));
        // One for each round in which some had to go: those of a window, in the shortest interval.
        self.dropped.drain(..self.dropped.len().saturating_sub(OF_A_WORKER));
    }

    /// Errors of the window that had to go, since there were too many.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.iter().map(|(_, count)| count).sum()
    }

    /// What there is at this time.
    #[must_use]
    pub fn series(&self, now: SystemTime) -> Vec<Series> {
        let mut all: BTreeMap<&About, Series> = BTreeMap::new();
        let entries = self.workers.values().flat_map(BTreeMap::values);
        for entry in entries.filter(|entry| !is_old(entry.at, self.window, now)) {
            let series = all.entry(&entry.about).or_insert_with(|| Series {
                about: entry.about.clone(),
                text: entry.text.clone(),
                count: 0,
                first_at: entry.at,
                last_at: entry.last_at,
            });
            series.count += entry.count;
            series.first_at = series.first_at.min(entry.at);
            if series.last_at < entry.last_at {
                (series.last_at, series.text) = (entry.last_at, entry.text.clone());
            }
        }
        all.into_values().collect()
    }
}

/// What two know of the same errors: of each the greater count.
#[must_use]
pub fn joined(own: Vec<Series>, others: &[Series]) -> Vec<Series> {
    let mut all: BTreeMap<About, Series> = own.into_iter().map(|one| (one.about.clone(), one)).collect();
    for other in others {
        let one = all.entry(other.about.clone()).or_insert_with(|| other.clone());
        one.count = one.count.max(other.count);
        one.first_at = one.first_at.min(other.first_at);
        if one.last_at < other.last_at {
            (one.last_at, one.text) = (other.last_at, other.text.clone());
        }
    }
    all.into_values().collect()
}

/// Whether it is no longer within the window.
#[must_use]
pub fn is_old(at: SystemTime, window: Duration, now: SystemTime) -> bool {
    now.duration_since(at).is_ok_and(|age| age >= window)
}
