//! The series of endpoints on the page of metrics: so many endpoints have one of their own, the others share one.
//!
//! What a series tells never goes down while it is there: Prometheus would take that for a restart. So these are counts of
//! their own, and not sums over hours that end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use common::health::v1::Count;

use super::{Cell, OTHERS, read, write};

/// For so long the series of an endpoint that is gone stay, so that what was counted last is read.
const STAYS: Duration = Duration::from_secs(300);
/// An endpoint that nothing came for in this time gives its series to another. Services that do not read the registrations
/// are told of no end.
const IDLE: Duration = Duration::from_secs(24 * 3600);

/// The series of one process.
#[derive(Debug, Default)]
pub(super) struct Series {
    /// None at all where it is 0.
    limit: AtomicUsize,
    table: RwLock<Table>,
}

#[derive(Debug, Default)]
struct Table {
    slots: HashMap<String, Slot>,
    others: ByHop,
}

/// A process has four hops at most.
type ByHop = Vec<(&'static str, Arc<Cell>)>;

/// An endpoint that has series of its own.
#[derive(Debug)]
struct Slot {
    by_hop: ByHop,
    /// One of the settings: nobody takes its place.
    fixed: bool,
    gone: Option<Instant>,
    /// What had come when it was looked at last, and since when it is no more.
    seen: u64,
    since: Instant,
}

impl Slot {
    fn new(fixed: bool, now: Instant) -> Self {
        Self { by_hop: ByHop::default(), fixed, gone: None, seen: 0, since: now }
    }

    fn is_over(&self, now: Instant) -> bool {
        !self.fixed && self.gone.is_some_and(|since| now.saturating_duration_since(since) >= STAYS)
    }
}

impl Table {
    /// The cell, if it is there already.
    fn find(&self, hop: &'static str, endpoint: &str, limit: usize) -> Option<Arc<Cell>> {
        let by_hop = match self.slots.get(endpoint) {
            Some(slot) => &slot.by_hop,
            None if self.slots.len() >= limit => &self.others,
            None => return None,
        };
        by_hop.iter().find(|(name, _)| *name == hop).map(|(_, cell)| Arc::clone(cell))
    }

    fn make(&mut self, hop: &'static str, endpoint: &str, limit: usize, now: Instant) -> Arc<Cell> {
        // Somebody else may have been here since.
        if let Some(cell) = self.find(hop, endpoint, limit) {
            return cell;
        }
        let full = self.slots.len() >= limit && !self.slots.contains_key(endpoint);
        let by_hop = if full {
            &mut self.others
        } else {
            &mut self.slots.entry(endpoint.to_owned()).or_insert_with(|| Slot::new(false, now)).by_hop
        };
        let cell = Arc::<Cell>::default();
        by_hop.push((hop, Arc::clone(&cell)));
        cell
    }
}

impl Series {
    /// So many endpoints have series of their own, from now on.
    pub(super) fn limit(&self, endpoints: usize) {
        self.limit.store(endpoints, Ordering::Relaxed);
    }

    /// What counts for the series of an endpoint at a hop. `None`: there is none.
    pub(super) fn cell(&self, hop: &'static str, endpoint: &str) -> Option<Arc<Cell>> {
        self.cell_at(hop, endpoint, Instant::now())
    }

    fn cell_at(&self, hop: &'static str, endpoint: &str, now: Instant) -> Option<Arc<Cell>> {
        let limit = self.limit.load(Ordering::Relaxed);
        if limit == 0 || endpoint.is_empty() {
            return None;
        }
        // Not in one expression: the lock would be held until its end.
        let found = read(&self.table).find(hop, endpoint, limit);
        Some(found.unwrap_or_else(|| write(&self.table).make(hop, endpoint, limit, now)))
    }

    /// The endpoint is one of the settings.
    pub(super) fn stays(&self, endpoint: &str) {
        let limit = self.limit.load(Ordering::Relaxed);
        let slots = &mut write(&self.table).slots;
        if slots.len() < limit || slots.contains_key(endpoint) {
            slots.entry(endpoint.to_owned()).or_insert_with(|| Slot::new(true, Instant::now())).fixed = true;
        }
    }

    /// The endpoint is there, maybe again: what it had counted is told on.
    pub(super) fn here(&self, endpoint: &str) {
        self.with(endpoint, |slot| slot.gone = None);
    }

    /// The endpoint is no longer there. Told again, as a compacted topic does: it is gone since the first time.
    pub(super) fn gone(&self, endpoint: &str, now: Instant) {
        self.with(endpoint, |slot| slot.gone = slot.gone.or(Some(now)));
    }

    fn with(&self, endpoint: &str, change: impl FnOnce(&mut Slot)) {
        // A topic with a hundred thousand endpoints is told here, and few of them have series.
        let has_series = read(&self.table).slots.contains_key(endpoint);
        if has_series && let Some(slot) = write(&self.table).slots.get_mut(endpoint) {
            change(slot);
        }
    }

    /// Ends what is over, so that others have its place.
    pub(super) fn sweep(&self, now: Instant) {
        write(&self.table).slots.retain(|_, slot| {
            let seen: u64 = slot.by_hop.iter().map(|(_, cell)| cell.taken_in.load(Ordering::Relaxed)).sum();
            if seen != slot.seen {
                (slot.seen, slot.since) = (seen, now);
            }
            // What is left of one that is gone may come for a while: it is not shown, and it does not begin again.
            let rests = now.saturating_duration_since(slot.since);
            slot.fixed || rests < if slot.is_over(now) { STAYS } else { IDLE }
        });
    }

    /// All that is there, by endpoint and hop.
    pub(super) fn told(&self, now: Instant) -> Vec<(String, &'static str, Count)> {
        let table = read(&self.table);
        let own = table.slots.iter().filter(|(_, slot)| !slot.is_over(now));
        let all = own.map(|(name, slot)| (name.as_str(), &slot.by_hop)).chain([(OTHERS, &table.others)]);
        let mut told: Vec<_> = all
            .flat_map(|(name, by_hop)| by_hop.iter().map(move |(hop, cell)| (name.to_owned(), *hop, cell.count())))
            .collect();
        told.sort_by(|(a, at, _), (b, bt, _)| (a, at).cmp(&(b, bt)));
        told
    }
}

#[cfg(test)]
#[path = "series_tests.rs"]
mod tests;
