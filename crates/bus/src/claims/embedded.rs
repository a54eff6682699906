//! Claims on this machine, for one instance: in a folder of their own, or, where the log is embedded, in its files.
//!
//! What was answered has been handed to the operating system: it survives the death of the process. A loss of power can
//! take the last moments. In a folder of their own their events may then come out twice, under one id. In the files of
//! the log they cannot: both are written to one journal, the claim before what comes of it, so that an output that is
//! durable has its claim before it, and where the claim is lost the output is lost too.
//!
//! A claim stands under its key as
//!
//! ```text
//! ff | seconds since 1970: 4 bytes | what follows the tag of a place
//! ```
//!
//! The time is that by which things are [removed](crate::timekeeper), and not the wall clock's: a clock that is wrong for a
//! minute must neither remove a claim nor make it expire.
//!
//! Older ones (milliseconds in 8 bytes, of which the first is 0, and a text) are read until they have expired.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fjall::config::PartitioningPolicy;
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};

use super::Key;
use super::place::TAG;
use super::reach::{self, Reach};
use crate::Error;
use crate::clock::Clock;
use crate::embedded::{Disk, Log};
use crate::threads::{blocking, lock};
use crate::timekeeper::{Now, Timekeeper};

/// What is held of the newest claims in memory: in the files of a log, and in a folder of their own. The process takes
/// some times as much.
const IN_MEMORY: u64 = 8 * 1024 * 1024;
const IN_MEMORY_ALONE: u64 = 16 * 1024 * 1024;
/// What journals may grow to before they are emptied: they are read again at each start.
const JOURNALS: u64 = 64 * 1024 * 1024;
/// Expired claims are looked for a few at a time: so many entries for each event that is claimed. All are looked at
/// once in the time in which their number has been claimed a quarter over.
const SWEEP: usize = 4;
/// Stands there once the claims are whole. A process that ends while it restores them leaves none.
const COMPLETE: &str = "complete";
/// The time, beside it, and how often it is kept there.
const TIME: &str = "time";
const KEEP_TIME: i64 = 60_000;

#[derive(Debug, Clone)]
pub(crate) struct Embedded {
    inner: Arc<Inner>,
}

struct Inner {
    folder: Arc<str>,
    database: Database,
    claims: Keyspace,
    marks: Keyspace,
    /// What stands in `marks` once the claims are whole.
    mark: String,
    complete: AtomicBool,
    /// Since when they are whole, in milliseconds since 1970; 0: since longer than was written down.
    begun: AtomicU64,
    ttl_ms: u64,
    time: Arc<Timekeeper>,
    /// When the time was last kept. None: the log keeps it.
    kept: Option<AtomicI64>,
    is_new: bool,
    /// The first writer wins: one at a time. Holds where the next look for expired claims begins.
    writing: Arc<Mutex<Vec<u8>>>,
    /// Where they are in the files of a log: it lasts as long as they do.
    _log: Option<Arc<Log>>,
    disk: Arc<Disk>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inner").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens the folder, and makes it where it is missing. Blocks.
    pub(crate) fn open(folder: &Path, ttl: Duration, clock: Clock) -> Result<Self, Error> {
        let shown: Arc<str> = folder.display().to_string().into();
        let failed = |error: fjall::Error| failed(&shown, &error);
        std::fs::create_dir_all(folder)
            .map_err(|error| Error::Claims { store: shown.clone(), reason: error.to_string().into() })?;
        let database = Database::builder(folder).worker_threads(2).max_journaling_size(JOURNALS);
        let database = database.open().map_err(failed)?;
        let claims = database.keyspace("claims", || options(IN_MEMORY_ALONE)).map_err(failed)?;
        let marks = database.keyspace("marks", KeyspaceCreateOptions::default).map_err(failed)?;
        let disk = Disk::of(shown.clone());
        let stored = marks.get(TIME).map_err(failed)?;
        let time = Arc::new(Timekeeper::new(clock, stored.as_deref()));
        Self::of(shown, (database, claims), (marks, COMPLETE.to_owned()), (ttl, time), Arc::default(), (None, disk))
    }

    /// Opens the claims of this name in the files of a log. Blocks.
    pub(crate) fn within(log: Arc<Log>, name: &Path, ttl: Duration) -> Result<Self, Error> {
        let name = name.display().to_string();
        let folder: Arc<str> = format!("{}, {name}", log.files.folder).into();
        let (database, marks) = (log.files.database.clone(), log.files.meta.clone());
        let mark = format!("claims/{name}");
        let claims = database.keyspace(&mark, || options(IN_MEMORY)).map_err(|error| failed(&folder, &error))?;
        // Several buses may open them, and write to them one at a time.
        let writing = lock(&log.claims).entry(name).or_default().clone();
        let (disk, time) = (log.disk.clone(), log.time.clone());
        Self::of(folder, (database, claims), (marks, mark), (ttl, time), writing, (Some(log), disk))
    }

    fn of(
        folder: Arc<str>,
        (database, claims): (Database, Keyspace),
        (marks, mark): (Keyspace, String),
        (ttl, time): (Duration, Arc<Timekeeper>),
        writing: Arc<Mutex<Vec<u8>>>,
        (log, disk): (Option<Arc<Log>>, Arc<Disk>),
    ) -> Result<Self, Error> {
        let marked = marks.get(&mark).map_err(|error| failed(&folder, &error))?;
        let begun = marked.as_deref().and_then(|at| Some(u64::from_be_bytes(at.try_into().ok()?)));
        let inner = Inner {
            folder,
            database,
            claims,
            marks,
            mark,
            complete: AtomicBool::new(marked.is_some()),
            begun: AtomicU64::new(begun.unwrap_or_default()),
            ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
            time,
            kept: log.is_none().then(AtomicI64::default),
            is_new: marked.is_none(),
            writing,
            _log: log,
            disk,
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What stood under each key before, and enters the value where nothing did. Refused until the claims are whole.
    pub(crate) async fn claim(&self, entries: Vec<(Key, Vec<u8>)>) -> Result<Vec<Option<Vec<u8>>>, Error> {
        if !self.is_complete() {
            return Err(Error::ClaimsEmptied { store: self.inner.folder.clone() });
        }
        self.restore(entries).await
    }

    /// Whether something stands under each key. Refused until the claims are whole.
    pub(crate) async fn are_claimed(&self, keys: Vec<Key>) -> Result<Vec<bool>, Error> {
        if !self.is_complete() {
            return Err(Error::ClaimsEmptied { store: self.inner.folder.clone() });
        }
        let inner = self.inner.clone();
        blocking(move || inner.are_claimed(&keys).map_err(|error| failed(&inner.folder, &error))).await
    }

    /// The same as [`claim`](Self::claim), while the claims are being restored too.
    pub(crate) async fn restore(&self, entries: Vec<(Key, Vec<u8>)>) -> Result<Vec<Option<Vec<u8>>>, Error> {
        let inner = self.inner.clone();
        blocking(move || {
            inner.has_room()?;
            inner.claim(entries).map_err(|error| failed(&inner.folder, &error))
        })
        .await
    }

    /// The claims are whole, and are so after a restart. What was restored is on the disk before the mark is.
    pub(crate) async fn restored(&self) -> Result<(), Error> {
        let inner = self.inner.clone();
        blocking(move || inner.mark().map_err(|error| failed(&inner.folder, &error))).await
    }

    pub(crate) fn is_complete(&self) -> bool {
        self.inner.complete.load(Ordering::Acquire)
    }

    /// Where one of these values is what stands there.
    pub(crate) async fn release(&self, key: Key, own: [Vec<u8>; 2]) -> Result<(), Error> {
        let inner = self.inner.clone();
        blocking(move || inner.release(&key, &own).map_err(|error| failed(&inner.folder, &error))).await
    }

    /// Nothing is ever thrown away before its time.
    pub(crate) async fn reach(&self) -> Result<Reach, Error> {
        let inner = self.inner.clone();
        blocking(move || inner.reach().map_err(|error| failed(&inner.folder, &error))).await
    }

    pub(crate) fn is_new(&self) -> bool {
        self.inner.is_new
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.inner.claims.len().unwrap()
    }

    /// A claim as it stands in the files.
    #[cfg(test)]
    pub(crate) fn stored(&self, key: &Key) -> Option<Vec<u8>> {
        self.inner.claims.get(key).unwrap().map(|stored| stored.to_vec())
    }

    #[cfg(test)]
    pub(crate) fn enter(&self, key: Key, stored: &[u8]) {
        self.inner.claims.insert(key, stored).unwrap();
    }

    /// Bytes of the files, once all that is in memory is in them and they have been put in order.
    #[cfg(test)]
    pub(crate) fn size_when_compact(&self) -> u64 {
        self.inner.claims.rotate_memtable_and_wait().unwrap();
        self.inner.claims.major_compact().unwrap();
        self.inner.claims.disk_space()
    }
}

/// Keys come in no order, so that a claim asks the filter of one table in each level. A filter in one piece is as large as
/// megabytes, and read anew for each claim once they do not fit into the cache; in parts it is one block.
///
/// They are kept with a store that is made: one of an older version stays as it is.
fn options(in_memory: u64) -> KeyspaceCreateOptions {
    // All but those of the newest tables, which are held in memory.
    let parts = || PartitioningPolicy::new([false, true]);
    KeyspaceCreateOptions::default()
        .max_memtable_size(in_memory)
        .filter_block_partitioning_policy(parts())
        .index_block_partitioning_policy(parts())
}

fn failed(store: &Arc<str>, error: &fjall::Error) -> Error {
    Error::Claims { store: store.clone(), reason: error.to_string().into() }
}

impl Inner {
    fn has_room(&self) -> Result<(), Error> {
        self.disk.has_room().map_err(|error| match error {
            Error::Log { reason, .. } => Error::Claims { store: self.folder.clone(), reason },
            other => other,
        })
    }

    fn claim(&self, entries: Vec<(Key, Vec<u8>)>) -> fjall::Result<Vec<Option<Vec<u8>>>> {
        let mut cursor = lock(&self.writing);
        let Now { sure: now, latest } = self.time.now();
        let (now, latest) = (now.max(0).unsigned_abs(), latest.max(0).unsigned_abs());
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        let mut fresh: HashMap<Key, Vec<u8>> = HashMap::new();
        let mut answers = Vec::with_capacity(entries.len());
        let looks = entries.len() * SWEEP;
        for (key, value) in entries {
            if let Some(first) = fresh.get(&key) {
                answers.push(Some(first.clone()));
                continue;
            }
            let before = self.claims.get(key)?.and_then(|stored| self.living(&stored, now));
            if before.is_none() {
                batch.insert(&self.claims, key, stored(latest, &value));
                fresh.insert(key, value);
            }
            answers.push(before);
        }
        let mut seen = 0;
        for entry in self.claims.range(cursor.clone()..).take(looks) {
            let (key, stored) = entry.into_inner()?;
            seen += 1;
            // One that was expired and has just been claimed again is not expired any more.
            if self.has_expired(&stored, now) && !fresh.contains_key(&key[..]) {
                batch.remove(&self.claims, key.clone());
            }
            *cursor = [&key[..], &[0]].concat();
        }
        if seen < looks {
            cursor.clear();
        }
        self.keep_time(&mut batch);
        batch.commit()?;
        Ok(answers)
    }

    /// Now and then. What the process missed of it is asked of the wall clock at the next start.
    fn keep_time(&self, batch: &mut OwnedWriteBatch) {
        let Some(kept) = &self.kept else { return };
        let now = self.time.now().sure;
        if now.saturating_sub(kept.load(Ordering::Relaxed)) >= KEEP_TIME {
            kept.store(now, Ordering::Relaxed);
            batch.insert(&self.marks, TIME, self.time.stored());
        }
    }

    /// By which claims expire.
    fn now(&self) -> u64 {
        self.time.now().sure.max(0).unsigned_abs()
    }

    fn are_claimed(&self, keys: &[Key]) -> fjall::Result<Vec<bool>> {
        let now = self.now();
        let look = |key: &Key| Ok(self.claims.get(key)?.is_some_and(|stored| self.living(&stored, now).is_some()));
        keys.iter().map(look).collect()
    }

    fn mark(&self) -> fjall::Result<()> {
        let _writing = lock(&self.writing);
        if self.complete.load(Ordering::Acquire) {
            return Ok(());
        }
        let now = self.now();
        self.database.persist(PersistMode::SyncAll)?;
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        batch.insert(&self.marks, self.mark.as_str(), now.to_be_bytes());
        self.keep_time(&mut batch);
        batch.commit()?;
        self.begun.store(now, Ordering::Release);
        self.complete.store(true, Ordering::Release);
        Ok(())
    }

    fn release(&self, key: &Key, own: &[Vec<u8>]) -> fjall::Result<()> {
        let _writing = lock(&self.writing);
        if self.claims.get(key)?.and_then(|stored| self.living(&stored, 0)).is_some_and(|value| own.contains(&value)) {
            let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
            batch.remove(&self.claims, *key);
            batch.commit()?;
        }
        Ok(())
    }

    /// Keys are hashes: the first claims behind some keys by chance are claims by chance.
    fn reach(&self) -> fjall::Result<Reach> {
        let now = self.now();
        let mut oldest = None;
        for _ in 0..reach::SAMPLES {
            let from = fastrand::u128(..).to_be_bytes();
            // Some that have expired may stand before it.
            for entry in self.claims.range(from..).chain(self.claims.iter()).take(SWEEP) {
                let (_, stored) = entry.into_inner()?;
                if let Some((at, _)) = made(&stored).filter(|_| !self.has_expired(&stored, now)) {
                    oldest = oldest.into_iter().chain([at]).min();
                    break;
                }
            }
        }
        let ttl = Duration::from_millis(self.ttl_ms);
        let begun = Some(self.begun.load(Ordering::Acquire)).filter(|begun| *begun > 0);
        Ok(Reach::of(ttl, now, begun, None, oldest))
    }

    fn has_expired(&self, stored: &[u8], now: u64) -> bool {
        made(stored).is_none_or(|(at, _)| now >= at.saturating_add(self.ttl_ms))
    }

    /// A stored claim's value; none where it has expired, or where the bytes are not ours.
    fn living(&self, stored: &[u8], now: u64) -> Option<Vec<u8>> {
        if self.has_expired(stored, now) {
            return None;
        }
        let (_, value) = made(stored)?;
        Some(if stored.first() == Some(&TAG) { [&[TAG], value].concat() } else { value.to_vec() })
    }
}

/// A value as it stands in the files, with its time. It is never said to be older than it is.
fn stored(now: u64, value: &[u8]) -> Vec<u8> {
    let seconds = u32::try_from(now.div_ceil(1000)).unwrap_or(u32::MAX);
    [&[TAG], &seconds.to_be_bytes()[..], value.get(1..).unwrap_or_default()].concat()
}

/// When a stored claim was made, in milliseconds since 1970, and what follows; none where the bytes are not ours.
fn made(stored: &[u8]) -> Option<(u64, &[u8])> {
    if stored.first() == Some(&TAG) {
        let (at, value) = stored.get(1..)?.split_first_chunk::<4>()?;
        return Some((u64::from(u32::from_be_bytes(*at)) * 1000, value));
    }
    let (at, value) = stored.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*at), value))
}
