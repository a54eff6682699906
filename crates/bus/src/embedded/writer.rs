//! The one thread that writes. It takes what is there, writes it as one batch with one fsync, shows it, and tells
//! everybody: nothing is shown or acknowledged before it is durable.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, PoisonError, mpsc};
use std::time::Instant;

use fjall::PersistMode;
use tokio::sync::watch;

use super::disk::Disk;
use super::groups::Groups;
use super::keys;
use super::store::{Files, Topic};
use crate::clock::Clock;
use crate::in_flight::InFlight;
use crate::progress::Progress;
use crate::threads::lock;
use crate::{Coordinates, Error};

/// So much is written at once at most. One record always is.
const BATCH_BYTES: usize = 8 * 1024 * 1024;
const BATCH_JOBS: usize = 10_000;
/// So much does not wait for company any longer.
const ENOUGH_BYTES: usize = 1024 * 1024;

/// A record to be written.
#[derive(Debug)]
pub(super) struct Append {
    pub(super) topic: Arc<Topic>,
    pub(super) partition: u32,
    /// As [`keys::record`] has it, without the time.
    pub(super) value: Vec<u8>,
    /// The log's identity as the sender's bus has it, in the last epoch.
    pub(super) log: Arc<str>,
    pub(super) in_flight: Box<InFlight>,
    pub(super) progress: Arc<Progress>,
}

/// Anything else to be written, all of it or nothing. Somebody waits for it.
#[derive(Debug, Default)]
pub(super) struct Change {
    /// Entries of `meta`.
    pub(super) puts: Vec<(Vec<u8>, Vec<u8>)>,
    /// Keys of `meta` that go.
    pub(super) gone: Vec<Vec<u8>>,
    /// Records that go.
    pub(super) removals: Vec<[u8; 16]>,
}

#[derive(Debug)]
enum Job {
    Append(Append),
    Change(Change, mpsc::SyncSender<Result<(), Error>>),
}

/// What waits to be written.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    bytes: usize,
    /// When the first of them wants to be written.
    due: Option<Instant>,
    closing: bool,
}

impl Waiting {
    fn push(&mut self, job: Job, due: Instant) {
        self.due = Some(self.due.map_or(due, |first| first.min(due)));
        self.bytes += size(&job);
        self.jobs.push_back(job);
    }
}

fn size(job: &Job) -> usize {
    match job {
        Job::Append(append) => append.value.len(),
        Job::Change(..) => 0,
    }
}

impl Queue {
    /// Writes a record, at the latest at `due`. Its outcome is told to the sender.
    pub(super) fn append(&self, append: Append, due: Instant) -> Result<(), Append> {
        let mut waiting = lock(&self.waiting);
        if waiting.closing {
            return Err(append);
        }
        waiting.push(Job::Append(append), due);
        drop(waiting);
        self.changed.notify_one();
        Ok(())
    }

    /// Writes a change, and waits until it is durable. Blocks.
    pub(super) fn change(&self, change: Change) -> Result<(), Error> {
        let (done, outcome) = mpsc::sync_channel(1);
        let mut waiting = lock(&self.waiting);
        if waiting.closing {
            return Err(Error::Closed);
        }
        waiting.push(Job::Change(change, done), Instant::now());
        drop(waiting);
        self.changed.notify_one();
        outcome.recv().unwrap_or(Err(Error::Closed))
    }

    /// Writes what is there, and no more.
    pub(super) fn close(&self) {
        lock(&self.waiting).closing = true;
        self.changed.notify_one();
    }

    /// The writer has come to an unforeseen end: nobody waits for it any longer.
    fn abandon(&self) {
        let mut waiting = lock(&self.waiting);
        waiting.closing = true;
        let jobs = std::mem::take(&mut waiting.jobs);
        drop(waiting);
        // Whoever sent them is told by this.
        drop(jobs);
    }

    /// What is to be written next. None: closed, and nothing is left.
    fn take(&self) -> Option<Vec<Job>> {
        let mut waiting = lock(&self.waiting);
        loop {
            let now = Instant::now();
            let enough = waiting.closing || waiting.bytes >= ENOUGH_BYTES || waiting.jobs.len() >= BATCH_JOBS;
            match waiting.due {
                None if waiting.closing => return None,
                None => waiting = self.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner),
                Some(due) if enough || due <= now => break,
                Some(due) => {
                    let waited = self.changed.wait_timeout(waiting, due - now);
                    waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
                }
            }
        }
        let (mut jobs, mut bytes) = (Vec::new(), 0);
        while let Some(job) = waiting.jobs.pop_front() {
            bytes += size(&job);
            jobs.push(job);
            if bytes >= BATCH_BYTES || jobs.len() >= BATCH_JOBS {
                break;
            }
        }
        waiting.bytes -= bytes;
        if waiting.jobs.is_empty() {
            waiting.due = None;
        }
        Some(jobs)
    }
}

/// What the thread works with.
pub(super) struct Writer {
    pub(super) files: Files,
    pub(super) queue: Arc<Queue>,
    pub(super) groups: Arc<Groups>,
    /// Tells readers that there is more.
    pub(super) shown: watch::Sender<u64>,
    /// Why nothing can be written, as health is to tell it.
    pub(super) state: Arc<Mutex<Option<Error>>>,
    pub(super) clock: Clock,
    pub(super) disk: Arc<Disk>,
    /// Whoever holds it keeps the thread between two batches.
    #[cfg(test)]
    pub(super) held: Arc<Mutex<()>>,
    /// The store takes nothing any more. What it wrote last may be on the disk, or not.
    pub(super) stopped: Option<Error>,
}

/// Where a record came to stand.
type Written = Vec<(Append, i64)>;

/// Sees to the others where the writer has panicked.
struct Watch {
    queue: Arc<Queue>,
    state: Arc<Mutex<Option<Error>>>,
    folder: Arc<str>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = "its writer has panicked: restart the process".into();
            *lock(&self.state) = Some(Error::Log { folder: self.folder.clone(), reason });
            self.queue.abandon();
        }
    }
}

impl Writer {
    pub(super) fn run(mut self) {
        let (queue, state, folder) = (self.queue.clone(), self.state.clone(), self.files.folder.clone());
        let _watch = Watch { queue, state, folder };
        while let Some(jobs) = self.queue.take() {
            #[cfg(test)]
            let held = self.held.clone();
            #[cfg(test)]
            let _held = lock(&held);
            let (mut appends, mut changes, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
            for job in jobs {
                match job {
                    Job::Append(append) => appends.push(append),
                    Job::Change(change, done) => {
                        changes.push(change);
                        waiting.push(done);
                    }
                }
            }
            match self.write(&mut appends, changes) {
                Ok((offsets, stamp)) => {
                    let written = appends.into_iter().zip(offsets).collect();
                    self.show(&written, stamp);
                    tell(written);
                    // Somebody may have stopped waiting.
                    waiting.into_iter().for_each(|done| drop(done.send(Ok(()))));
                }
                Err(error) => {
                    waiting.into_iter().for_each(|done| drop(done.send(Err(error.clone()))));
                    for Append { topic, in_flight, progress, .. } in appends {
                        progress.landed(false, Instant::now());
                        metrics::counter!("weir_producer_failures_total", "topic" => topic.name.to_string())
                            .increment(1);
                        let reason = error.to_string().into();
                        in_flight.land(Err(Error::NotDelivered { topic: topic.name.clone(), reason, refusal: None }));
                    }
                }
            }
        }
    }

    /// Writes all of it and waits for the disk. Says at which offsets the records stand, and the time that they have.
    fn write(&mut self, appends: &mut [Append], changes: Vec<Change>) -> Result<(Vec<i64>, i64), Error> {
        if let Some(stopped) = &self.stopped {
            return Err(stopped.clone());
        }
        // A store that meets the end of the disk takes nothing any more until it is opened anew. So that is never met.
        let room = if appends.is_empty() { self.disk.has_room_for_changes() } else { self.disk.has_room() };
        if let Err(error) = room {
            self.refuse(&error);
            return Err(error);
        }
        let written = self.batch(appends, changes);
        match &written {
            Ok(_) => {
                if lock(&self.state).take().is_some() {
                    tracing::info!(folder = %self.files.folder, "the embedded log can be written again");
                }
            }
            Err(error) => {
                self.refuse(error);
                self.stopped = Some(error.clone());
            }
        }
        written
    }

    fn refuse(&self, error: &Error) {
        if lock(&self.state).replace(error.clone()).is_none() {
            tracing::error!(%error, "the embedded log cannot be written");
        }
    }

    fn batch(&mut self, appends: &mut [Append], changes: Vec<Change>) -> Result<(Vec<i64>, i64), Error> {
        // What the clock says, also where it is wrong: what is removed, and where, is not decided by it.
        let stamp = i64::try_from(self.clock.millis()).unwrap_or(i64::MAX);
        let mut batch = self.files.database.batch().durability(Some(PersistMode::SyncData));
        let mut next: HashMap<(u32, u32), i64> = HashMap::new();
        let mut offsets = Vec::with_capacity(appends.len());
        for append in appends {
            let (topic, partition) = (&append.topic, append.partition);
            let place = (topic.row.number, partition);
            let end = || topic.parts.get(partition as usize).map_or(0, |part| part.end.load(Ordering::Acquire));
            let offset = next.entry(place).or_insert_with(end);
            let mut value = std::mem::take(&mut append.value);
            keys::stamp(&mut value, stamp);
            batch.insert(&self.files.records, keys::record_key(topic.row.number, partition, *offset), value);
            offsets.push(*offset);
            *offset += 1;
        }
        for Change { puts, gone, removals } in changes {
            gone.into_iter().for_each(|key| batch.remove(&self.files.meta, key));
            puts.into_iter().for_each(|(key, value)| batch.insert(&self.files.meta, key, value));
            removals.into_iter().for_each(|key| batch.remove(&self.files.records, key));
        }
        batch.commit().map_err(|error| {
            let reason =
                format!("a write failed and it takes no more writes, fix the cause and restart the process: {error}");
            self.files.broken(&reason)
        })?;
        Ok((offsets, stamp))
    }

    /// It is durable: readers and consumers may have it.
    fn show(&self, written: &Written, stamp: i64) {
        if written.is_empty() {
            return;
        }
        let mut topics: HashSet<&str> = HashSet::new();
        for (append, offset) in written {
            if let Some(part) = append.topic.parts.get(append.partition as usize) {
                let mut newest = lock(&part.newest);
                *newest = stamp.max(*newest);
                part.end.store(offset + 1, Ordering::Release);
            }
            topics.insert(&append.topic.name);
        }
        self.shown.send_modify(|times| *times = times.wrapping_add(1));
        self.groups.wake(|topic| topics.contains(topic));
    }
}

fn tell(written: Written) {
    let now = Instant::now();
    for (append, offset) in written {
        let Append { topic, partition, log, in_flight, progress, .. } = append;
        progress.landed(true, now);
        let partition = i32::try_from(partition).unwrap_or(i32::MAX);
        in_flight.land(Ok(Coordinates { log, topic: topic.name.clone(), partition, offset }));
    }
}
