//! Claims on this machine, for one instance: in a folder of their own, or, where the log is embedded, in its files.
//!
//! What was answered has been handed to the operating system: it survives the death of the process. A loss of power can
//! take the last moments. In a folder of their own their events may then come out twice, under one id. In the files of
//! the log they cannot: both are written to one journal, the claim before what comes of it, so that an output that is
//! durable has its claim before it, and where the claim is lost the output is lost too.

use std::collections::HashMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

use super::{Clock, Key};
use crate::Error;
use crate::embedded::Log;
use crate::threads::{blocking, lock};

/// What is held of the newest claims in memory before it is written in order: the store alone would hold eight times as
/// much, and several of them.
const IN_MEMORY: u64 = 8 * 1024 * 1024;
/// Expired claims are looked for a few at a time: so many entries for each event that is claimed. All are looked at
/// once in the time in which their number has been claimed a quarter over.
const SWEEP: usize = 4;
/// Stands there once the claims are whole. A process that ends while it restores them leaves none.
const COMPLETE: &str = "complete";

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
    ttl_ms: u64,
    clock: Clock,
    is_new: bool,
    /// The first writer wins: one at a time. Holds where the next look for expired claims begins.
    writing: Arc<Mutex<Vec<u8>>>,
    /// The log in whose files they are.
    log: Option<Arc<Log>>,
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
        let database = Database::builder(folder).worker_threads(2).open().map_err(failed)?;
        let options = || KeyspaceCreateOptions::default().max_memtable_size(IN_MEMORY);
        let claims = database.keyspace("claims", options).map_err(failed)?;
        let marks = database.keyspace("marks", KeyspaceCreateOptions::default).map_err(failed)?;
        let (mark, complete, writing) = (COMPLETE.to_owned(), AtomicBool::new(false), Arc::default());
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let is_new = true;
        Self::of(Inner {
            folder: shown,
            database,
            claims,
            marks,
            mark,
            complete,
            ttl_ms,
            clock,
            is_new,
            writing,
            log: None,
        })
    }

    /// Opens the claims of this name in the files of a log. Blocks.
    pub(crate) fn within(log: Arc<Log>, name: &Path, ttl: Duration, clock: Clock) -> Result<Self, Error> {
        let name = name.display().to_string();
        let folder: Arc<str> = format!("{}, {name}", log.files.folder).into();
        let (database, marks) = (log.files.database.clone(), log.files.meta.clone());
        let options = || KeyspaceCreateOptions::default().max_memtable_size(IN_MEMORY);
        let claims = database.keyspace(&format!("claims/{name}"), options).map_err(|error| failed(&folder, &error))?;
        // Several buses may open them, and write to them one at a time.
        let writing = lock(&log.claims).entry(name.clone()).or_default().clone();
        let (mark, complete, log) = (format!("claims/{name}"), AtomicBool::new(false), Some(log));
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        Self::of(Inner { folder, database, claims, marks, mark, complete, ttl_ms, clock, is_new: true, writing, log })
    }

    fn of(mut inner: Inner) -> Result<Self, Error> {
        inner.is_new = !inner.marks.contains_key(&inner.mark).map_err(|error| failed(&inner.folder, &error))?;
        inner.complete = AtomicBool::new(!inner.is_new);
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What stood under each key before, and enters the value where nothing did. Refused until the claims are whole.
    pub(crate) async fn claim(&self, entries: Vec<(Key, String)>) -> Result<Vec<Option<String>>, Error> {
        if !self.is_complete() {
            return Err(Error::ClaimsEmptied { store: self.inner.folder.clone() });
        }
        self.restore(entries).await
    }

    /// The same, while the claims are being restored too.
    pub(crate) async fn restore(&self, entries: Vec<(Key, String)>) -> Result<Vec<Option<String>>, Error> {
        let inner = self.inner.clone();
        blocking(move || {
            inner.log.as_ref().map_or(Ok(()), |log| log.has_room())?;
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

    pub(crate) async fn release(&self, key: Key, value: String) -> Result<(), Error> {
        let inner = self.inner.clone();
        blocking(move || inner.release(&key, &value).map_err(|error| failed(&inner.folder, &error))).await
    }

    pub(crate) fn is_new(&self) -> bool {
        self.inner.is_new
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.inner.claims.len().unwrap()
    }
}

fn failed(store: &Arc<str>, error: &fjall::Error) -> Error {
    Error::Claims { store: store.clone(), reason: error.to_string().into() }
}

impl Inner {
    fn claim(&self, entries: Vec<(Key, String)>) -> fjall::Result<Vec<Option<String>>> {
        let mut cursor = lock(&self.writing);
        let now = self.clock.millis();
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        let mut fresh: HashMap<Key, String> = HashMap::new();
        let mut answers = Vec::with_capacity(entries.len());
        let looks = entries.len() * SWEEP;
        for (key, value) in entries {
            if let Some(first) = fresh.get(&key) {
                answers.push(Some(first.clone()));
                continue;
            }
            let before = self.claims.get(key)?.and_then(|stored| self.living(&stored, now));
            if before.is_none() {
                batch.insert(&self.claims, key, [&now.to_be_bytes(), value.as_bytes()].concat());
                fresh.insert(key, value);
            }
            answers.push(before);
        }
        let mut seen = 0;
        for entry in self.claims.range(cursor.clone()..).take(looks) {
            let (key, stored) = entry.into_inner()?;
            seen += 1;
            // One that was expired and has just been claimed again is not expired any more.
            if self.living(&stored, now).is_none() && !fresh.keys().any(|claimed| claimed[..] == key[..]) {
                batch.remove(&self.claims, key.clone());
            }
            *cursor = [&key[..], &[0]].concat();
        }
        if seen < looks {
            cursor.clear();
        }
        batch.commit()?;
        Ok(answers)
    }

    fn mark(&self) -> fjall::Result<()> {
        let _writing = lock(&self.writing);
        self.database.persist(PersistMode::SyncAll)?;
        let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
        batch.insert(&self.marks, self.mark.as_str(), "");
        batch.commit()?;
        self.complete.store(true, Ordering::Release);
        Ok(())
    }

    fn release(&self, key: &Key, value: &str) -> fjall::Result<()> {
        let _writing = lock(&self.writing);
        if self.claims.get(key)?.and_then(|stored| self.living(&stored, 0)).as_deref() == Some(value) {
            let mut batch = self.database.batch().durability(Some(PersistMode::Buffer));
            batch.remove(&self.claims, *key);
            batch.commit()?;
        }
        Ok(())
    }

    /// A stored claim's value; none where it has expired, or where the bytes are not ours.
    fn living(&self, stored: &[u8], now: u64) -> Option<String> {
        let (at, value) = stored.split_first_chunk::<8>()?;
        let expires = u64::from_be_bytes(*at).saturating_add(self.ttl_ms);
        (now < expires).then(|| String::from_utf8_lossy(value).into_owned())
    }
}
