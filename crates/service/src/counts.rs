//! What each hop did with what it took in, by endpoint and hour for the digest, and by endpoint for the metrics.
//!
//! For each hop, at any moment: `taken_in = sent_on + dead_lettered + all of dropped + what is in work`. The hour is that
//! in which the door had the delivery, in UTC, whenever the hop came to it: so the hours of two hops can be compared.

mod ages;
mod canaries;
mod consumers;
mod series;
mod work;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant, SystemTime};

use common::health::v1::{self, Age, Count, Digest};
use prost_types::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::clock;
use ages::Ages;
use canaries::Canaries;
use consumers::Consumers;
use series::Series;
use work::{Begun, Work};

const HOUR: i64 = 3600;
/// Hours before the present one that are told one by one; what is older is told without hour.
const HOURS_BACK: i64 = 25;
/// Endpoints that are told one by one, for each hop and hour.
const ENDPOINTS: usize = 500;
/// What stands for the endpoints beyond that.
const OTHERS: &str = "(others)";

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The hop has it.
    TakenIn,
    /// It is durable at the next hop.
    SentOn,
    /// It became a dead letter.
    DeadLettered,
    /// It was dropped on purpose, refused to its sender, or left for another attempt; with the reason, in snake_case.
    Dropped(&'static str),
}

/// The counts of all hops of one process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Counts {
    inner: Arc<Inner>,
    gone: CancellationToken,
}

#[derive(Default)]
struct Inner {
    hops: RwLock<BTreeMap<&'static str, HopCounts>>,
    consumers: Consumers,
    series: Arc<Series>,
}

impl std::fmt::Debug for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counts").field("hops", &read(&self.inner.hops).keys()).finish_non_exhaustive()
    }
}

impl Counts {
    /// The counts of a hop: `streaming`, `processing`, `enricher`, `loader`. The same name is the same hop.
    #[must_use]
    pub fn hop(&self, name: &'static str) -> HopCounts {
        let new = || HopCounts::new(name, Arc::clone(&self.inner.series));
        write(&self.inner.hops).entry(name).or_insert_with(new).clone()
    }

    /// The endpoint is one of the settings: it is among those that have series of their own in the metrics, and its series
    /// stay, whatever is said of a registration of its name.
    pub fn endpoint_stays(&self, name: &str) {
        self.inner.series.stays(name);
    }

    /// The endpoint is there, maybe again: its series are on the page of metrics.
    pub fn endpoint_here(&self, name: &str) {
        self.inner.series.here(name);
    }

    /// The endpoint is no longer there: its series leave the page of metrics after five minutes.
    pub fn endpoint_gone(&self, name: &str) {
        self.inner.series.gone(name, Instant::now());
    }

    /// So many endpoints have series of their own in the metrics, and the others share one; 0: there are none.
    pub(crate) fn limit_series(&self, endpoints: usize) {
        self.inner.series.limit(endpoints);
    }

    /// To be called now and then: ends the series of those that are gone.
    pub(crate) fn upkeep(&self) {
        self.inner.series.sweep(Instant::now());
    }

    /// What each hop has counted since the start of the process, of all endpoints: never less than before.
    pub(crate) fn totals(&self) -> Vec<(&'static str, Count)> {
        read(&self.inner.hops).values().map(|hop| (hop.hop.name, hop.hop.total.count())).collect()
    }

    /// The same by endpoint, for those that have series, by name.
    pub(crate) fn by_endpoint(&self) -> Vec<(String, &'static str, Count)> {
        self.inner.series.told(Instant::now())
    }

    /// What each hop has in work, as it is now.
    pub(crate) fn works(&self) -> Vec<v1::Work> {
        read(&self.inner.hops).values().map(HopCounts::work).collect()
    }

    pub(crate) fn fill(&self, digest: &mut Digest) {
        let now = clock::now();
        for hop in read(&self.inner.hops).values() {
            hop.fill(digest, now);
        }
        for (consumer, queues) in self.consumers() {
            digest.consumers.push(consumer);
            digest.queues.extend(queues);
        }
    }
}

/// The counts of one hop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HopCounts {
    hop: Arc<Hop>,
}

#[derive(Debug)]
struct Hop {
    name: &'static str,
    cells: RwLock<Cells>,
    ages: Mutex<Ages>,
    canaries: Mutex<Canaries>,
    total: Cell,
    work: Work,
    /// How long something may be in work.
    limit: OnceLock<Duration>,
    series: Arc<Series>,
}

/// By the beginning of the hour; without one: too old to be told by hour, or it is not known.
type Cells = BTreeMap<Option<i64>, HashMap<String, Arc<Cell>>>;

#[derive(Debug, Default)]
struct Cell {
    taken_in: AtomicU64,
    sent_on: AtomicU64,
    dead_lettered: AtomicU64,
    dropped: Mutex<BTreeMap<&'static str, u64>>,
}

impl Cell {
    fn add(&self, what: What, n: u64) {
        // Released, so that whoever sees the end of something sees that it was taken in.
        match what {
            What::TakenIn => drop(self.taken_in.fetch_add(n, Ordering::Release)),
            What::SentOn => drop(self.sent_on.fetch_add(n, Ordering::Release)),
            What::DeadLettered => drop(self.dead_lettered.fetch_add(n, Ordering::Release)),
            What::Dropped(reason) => {
                *self.dropped.lock().unwrap_or_else(PoisonError::into_inner).entry(reason).or_default() += n;
            }
        }
    }

    /// What came in is read last: never less than what went out.
    fn count(&self) -> Count {
        let dropped = self.dropped.lock().unwrap_or_else(PoisonError::into_inner);
        let dropped = dropped.iter().map(|(reason, n)| ((*reason).to_owned(), *n)).collect();
        let sent_on = self.sent_on.load(Ordering::Acquire);
        let dead_lettered = self.dead_lettered.load(Ordering::Acquire);
        let taken_in = self.taken_in.load(Ordering::Acquire);
        Count { taken_in, sent_on, dead_lettered, dropped, ..Count::default() }
    }

    fn merge(&self, other: &Cell) {
        self.add(What::TakenIn, other.taken_in.load(Ordering::Acquire));
        self.add(What::SentOn, other.sent_on.load(Ordering::Acquire));
        self.add(What::DeadLettered, other.dead_lettered.load(Ordering::Acquire));
        for (reason, n) in other.dropped.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            self.add(What::Dropped(reason), *n);
        }
    }
}

/// Where something is counted: in its hour, and in the series of its endpoint.
#[derive(Debug)]
struct Place {
    cell: Arc<Cell>,
    series: Option<Arc<Cell>>,
}

impl HopCounts {
    fn new(name: &'static str, series: Arc<Series>) -> Self {
        let (cells, ages, canaries, total, limit) = Default::default();
        let work = Work::of(name);
        Self { hop: Arc::new(Hop { name, cells, ages, canaries, total, work, limit, series }) }
    }

    /// Counts `n` more. `endpoint` must be one that there is (strangers make up names without end), or empty where the
    /// hop cannot tell it; `received_at` is when the door had the delivery, where that is known.
    pub fn add(&self, endpoint: &str, received_at: Option<&Timestamp>, what: What, n: u64) {
        self.count(&self.place(endpoint, received_at, clock::now()), what, n);
    }

    fn work(&self) -> v1::Work {
        let oldest = self.hop.work.oldest(Instant::now());
        v1::Work {
            hop: self.hop.name.to_owned(),
            in_work: oldest.map_or(0, |(in_work, _)| in_work),
            oldest_seconds: oldest.map(|(_, oldest)| oldest.as_secs_f64()),
            limit_seconds: self.hop.limit.get().map(Duration::as_secs_f64),
        }
    }

    /// What is in work for longer than this is told as a problem, whatever the lag says.
    pub fn limit(&self, limit: Duration) {
        let _ = self.hop.limit.set(limit);
    }

    /// Takes in `n`, and holds them until each has its end.
    pub fn take(&self, endpoint: &str, received_at: Option<&Timestamp>, n: u64, unless_ended: &'static str) -> Taken {
        let place = self.place(endpoint, received_at, clock::now());
        self.count(&place, What::TakenIn, n);
        let began = self.hop.work.begin(n, Instant::now());
        Taken { hop: self.clone(), place, received_at: received_at.copied(), left: n, began, unless_ended }
    }

    /// Something is done that is so old, from the door.
    pub fn age(&self, age: Duration) {
        self.hop.ages.lock().unwrap_or_else(PoisonError::into_inner).record(age);
    }

    fn count(&self, place: &Place, what: What, n: u64) {
        if n == 0 {
            return;
        }
        place.cell.add(what, n);
        self.hop.total.add(what, n);
        if let Some(series) = &place.series {
            series.add(what, n);
        }
    }

    fn place(&self, endpoint: &str, received_at: Option<&Timestamp>, now: SystemTime) -> Place {
        let series = self.hop.series.cell(self.hop.name, endpoint);
        Place { cell: self.cell(endpoint, received_at, now), series }
    }

    fn cell(&self, endpoint: &str, received_at: Option<&Timestamp>, now: SystemTime) -> Arc<Cell> {
        let present = hour(&now.into());
        // One hour ahead: the door's clock may be.
        let told = oldest(present)..=present + HOUR;
        let hour = received_at.map(hour).filter(|hour| told.contains(hour));
        if let Some(endpoints) = read(&self.hop.cells).get(&hour)
            && let Some(cell) = endpoints.get(name_among(endpoints, endpoint))
        {
            return Arc::clone(cell);
        }
        let mut cells = write(&self.hop.cells);
        if !cells.contains_key(&hour) {
            lump(&mut cells, present);
        }
        cell_among(cells.entry(hour).or_default(), endpoint)
    }

    fn fill(&self, digest: &mut Digest, now: SystemTime) {
        lump(&mut write(&self.hop.cells), hour(&now.into()));
        let cells = read(&self.hop.cells);
        if cells.is_empty() {
            // So that whoever reads the digest knows that the hop is here.
            digest.counts.push(Count { hop: self.hop.name.to_owned(), ..Count::default() });
        }
        for (hour, endpoints) in cells.iter() {
            let hour = hour.map(|seconds| Timestamp { seconds, nanos: 0 });
            let first = digest.counts.len();
            digest.counts.extend(endpoints.iter().map(|(endpoint, cell)| Count {
                hop: self.hop.name.to_owned(),
                endpoint: endpoint.clone(),
                hour,
                ..cell.count()
            }));
            digest.counts[first..].sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
        }
        drop(cells);
        digest.works.push(self.work());
        self.fill_canaries(digest);
        let quantiles = self.hop.ages.lock().unwrap_or_else(PoisonError::into_inner).quantiles([0.5, 0.99]);
        if let Some([p50_seconds, p99_seconds]) = quantiles {
            digest.ages.push(Age { hop: self.hop.name.to_owned(), p50_seconds, p99_seconds });
        }
    }
}

/// What was taken in and has not ended. What has no end when this is dropped counts as dropped for the reason that was
/// given: the equation holds whatever path the code takes.
#[derive(Debug)]
#[must_use = "dropping it counts it as dropped"]
pub struct Taken {
    hop: HopCounts,
    place: Place,
    received_at: Option<Timestamp>,
    left: u64,
    /// When it came into work, as [`Work`] says it.
    began: Begun,
    unless_ended: &'static str,
}

impl Taken {
    /// `n` of them have their end. Where they were sent on, this also tells their age.
    pub fn end(&mut self, what: What, n: u64) {
        debug_assert!(n <= self.left && what != What::TakenIn, "{n} of {} end as {what:?}", self.left);
        let n = n.min(self.left);
        self.left -= n;
        self.hop.hop.work.done(self.began, n);
        self.hop.count(&self.place, what, n);
        if let (What::SentOn, 1.., Some(received_at)) = (what, n, self.received_at)
            && let Ok(received_at) = SystemTime::try_from(received_at)
        {
            // A clock that is behind the door's makes it zero.
            self.hop.age(clock::now().duration_since(received_at).unwrap_or_default());
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.hop.hop.work.end(self.began, self.left);
        self.hop.count(&self.place, What::Dropped(self.unless_ended), self.left);
    }
}

/// The beginning of its hour, in seconds since 1970.
fn hour(at: &Timestamp) -> i64 {
    at.seconds.div_euclid(HOUR).saturating_mul(HOUR)
}

fn oldest(present: i64) -> i64 {
    present - HOURS_BACK * HOUR
}

fn name_among<'a>(endpoints: &HashMap<String, Arc<Cell>>, endpoint: &'a str) -> &'a str {
    // The others are one more.
    let full = endpoints.len() >= ENDPOINTS + usize::from(endpoints.contains_key(OTHERS));
    if full && !endpoints.contains_key(endpoint) { OTHERS } else { endpoint }
}

fn cell_among(endpoints: &mut HashMap<String, Arc<Cell>>, endpoint: &str) -> Arc<Cell> {
    Arc::clone(endpoints.entry(name_among(endpoints, endpoint).to_owned()).or_default())
}

/// Puts hours that are too old together. A cell that somebody holds stays until it is let go, so that nothing is added
/// to what is told no more.
fn lump(cells: &mut Cells, present: i64) {
    let mut old = Vec::new();
    cells.retain(|hour, endpoints| {
        if hour.is_none_or(|hour| hour >= oldest(present)) {
            return true;
        }
        old.extend(endpoints.extract_if(|_, cell| Arc::get_mut(cell).is_some()));
        !endpoints.is_empty()
    });
    if old.is_empty() {
        return;
    }
    let without_hour = cells.entry(None).or_default();
    for (endpoint, cell) in old {
        cell_among(without_hour, &endpoint).merge(&cell);
    }
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    // Nothing panics while it is held; and what was counted has to be told even then.
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
