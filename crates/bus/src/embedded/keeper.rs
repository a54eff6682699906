//! Removes what has had its time: records older than their topic keeps them, and, in compacted topics, all but the
//! latest of each key.
//!
//! The age of a record is told by the marks of its partition, in the time to remove, and not by what the wall clock says
//! or said when it was written. What a group has not read is never removed: a disk that fills refuses deliveries, whose
//! senders come again, and what is removed was acknowledged. Health warns long before, and `weir groups delete` gives up
//! what a group that is no longer there has not read.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::keys::{self, Mark};
use super::marks::{self, TOMBSTONES};
use super::store::{Limit, Topic};
use super::writer::Change;
use super::{Log, operate};
use crate::Error;
use crate::keeping::Unread;
use crate::threads::{lock, thread};
use crate::timekeeper::Now;

/// How often it looks.
const LOOK: Duration = Duration::from_secs(60);
/// A compacted topic is looked through when so many records have come.
const COMPACT_AFTER: i64 = 1000;
/// What is looked through, and removed, at once.
const CHUNK: Limit = Limit { records: 1000, bytes: 1024 * 1024 };

/// Ends the thread when it is dropped.
#[derive(Debug, Default)]
pub(super) struct Keeper {
    stop: Arc<Stop>,
}

#[derive(Debug, Default)]
struct Stop {
    stop: Mutex<bool>,
    changed: Condvar,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        *lock(&self.stop.stop) = true;
        // Not waited for: it may be the thread that drops the log.
        self.stop.changed.notify_all();
    }
}

impl Keeper {
    /// Starts the thread. It does not keep the log open.
    pub(super) fn start(&self, log: Weak<Log>) -> Result<(), Error> {
        let stop = self.stop.clone();
        thread("weir-log-keeper", move || {
            let mut seen = Compacted::new();
            while stop.after(LOOK) {
                let Some(log) = log.upgrade() else { return };
                // Each partition's problem has been told, and is tried again.
                let _ = pass(&log, &mut seen);
            }
        })
        .map(drop)
    }
}

impl Stop {
    /// Waits. False: it is to stop.
    fn after(&self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        let mut stop = lock(&self.stop);
        while !*stop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            stop = self.changed.wait_timeout(stop, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        false
    }
}

/// Where a compacted partition ended when it was last looked through: topic number, partition.
pub(super) type Compacted = HashMap<(u32, u32), i64>;

/// Looks at every partition once. The last of the errors is answered.
pub(super) fn pass(log: &Log, seen: &mut Compacted) -> Result<(), Error> {
    let now = log.time.now();
    metrics::gauge!("weir_clock_jump_seconds").set(log.time.jump().map_or(0.0, |jump| jump as f64 / 1000.0));
    let topics: Vec<Arc<Topic>> = log.topics.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
    let mut failed = mark(log, &topics, now);
    let mut unread = Vec::new();
    let mut commits: HashMap<_, Vec<_>> = HashMap::new();
    for (group, place, offset) in operate::every_commit(&log.files)? {
        commits.entry(place).or_default().push((group, offset));
    }
    for topic in topics {
        for (number, partition) in (0..topic.row.partitions).zip(0..) {
            let done = if topic.is_compacted() {
                compact(log, &topic, partition, now, seen.entry((topic.row.number, number)).or_insert(0))
            } else if let Some(retention) = topic.retention() {
                let commits = commits.remove(&(topic.row.number, number)).unwrap_or_default();
                expire(log, &topic, number, (now, retention), commits, &mut unread)
            } else {
                Ok(())
            };
            // One that cannot be read must not keep all others.
            if let Err(error) = done {
                tracing::warn!(topic = %topic.name, partition, %error, "expired records cannot be removed");
                failed = Err(error);
            }
        }
    }
    *lock(&log.unread) = unread;
    failed
}

/// Notes the time, and how far each partition is by now.
fn mark(log: &Log, topics: &[Arc<Topic>], now: Now) -> Result<(), Error> {
    let mut change = Change { puts: vec![(keys::TIME.to_vec(), log.time.stored().to_vec())], ..Change::default() };
    let mut taken = Vec::new();
    let mut failed = Ok(());
    for topic in topics {
        for partition in 0..topic.row.partitions {
            let number = topic.row.number;
            match log.files.marks(number, partition) {
                Ok(marks) => {
                    let due = marks::due(topic, partition, &marks, now);
                    change.gone.extend(due.over.into_iter().map(|end| keys::mark_key(number, partition, end)));
                    if let Some(mark) = due.new {
                        change.puts.push((keys::mark_key(number, partition, mark.end), mark.write()));
                        taken.push((topic, partition, mark));
                    }
                }
                Err(error) => failed = Err(error),
            }
        }
    }
    log.queue.change(change).inspect_err(|_| {
        taken.iter().for_each(|(topic, partition, mark)| marks::give_back(topic, *partition, *mark));
    })?;
    failed
}

/// Removes what a partition no longer keeps, and tells what it has to keep for longer.
fn expire(
    log: &Log,
    topic: &Topic,
    number: u32,
    (now, retention): (Now, i64),
    commits: Vec<(String, i64)>,
    found: &mut Vec<Unread>,
) -> Result<(), Error> {
    let partition = i32::try_from(number).unwrap_or(i32::MAX);
    let Some((low, end)) = topic.range(partition) else { return Ok(()) };
    let marks = log.files.marks(topic.row.number, number)?;
    let first = had_its_time(log, topic, (number, &marks), (low, end), now.sure.saturating_sub(retention))?;
    let mut before = first;
    for (group, committed) in commits {
        before = before.min(committed);
        let age = marks::age(&marks, committed, now.sure);
        if committed < end && age >= retention / 2 {
            let (age, retention) = (age.unsigned_abs(), retention.unsigned_abs());
            found.push(Unread {
                group: group.into(),
                topic: topic.name.clone(),
                partition,
                records: end.saturating_sub(committed.max(low)).unsigned_abs(),
                age: Duration::from_millis(age),
                retention: Duration::from_millis(retention),
            });
        }
    }
    log.forget(topic, number, before)
}

/// The first offset that is not older than this.
fn had_its_time(
    log: &Log,
    topic: &Topic,
    (partition, marks): (u32, &[Mark]),
    (low, end): (i64, i64),
    until: i64,
) -> Result<i64, Error> {
    let marked = marks::before(marks, until).min(end);
    match marks.first() {
        // What is of older versions has only times of its own. They are the wall clock's: it must not be ahead.
        Some(first) if first.end > low && marked < first.end => {
            let until = until.min(until.saturating_add(log.time.wall()).saturating_sub(log.time.now().sure));
            let old = log.files.halves(topic, partition, (low, first.end.min(end)), until)?;
            Ok(old.unwrap_or(first.end.min(end)))
        }
        _ => Ok(marked),
    }
}

fn compact(log: &Log, topic: &Topic, partition: i32, now: Now, seen: &mut i64) -> Result<(), Error> {
    let Some((low, end)) = topic.range(partition) else { return Ok(()) };
    if end - *seen < COMPACT_AFTER {
        return Ok(());
    }
    let number = u32::try_from(partition).unwrap_or_default();
    let marks = log.files.marks(topic.row.number, number)?;
    let old_before = marks::before(&marks, now.sure.saturating_sub(TOMBSTONES));
    let mut latest = HashMap::new();
    let mut removals = Vec::new();
    let mut next = low;
    while next < end {
        let chunk = log.files.read(topic, partition, next, end, CHUNK)?;
        for (offset, content) in chunk.records {
            // Copied: what was read is one piece with the payload.
            let Some(key) = content.key.as_deref().map(Box::<[u8]>::from) else { continue };
            let old = content.payload.is_none() && offset < old_before;
            // The last record says where the partition ends.
            let stays = (!old || offset + 1 == end).then_some(offset);
            removals.extend(latest.insert(key, stays).flatten());
            removals.extend(stays.is_none().then_some(offset));
        }
        next = chunk.next;
    }
    for removals in removals.chunks(CHUNK.records) {
        let removals = removals.iter().map(|offset| keys::record_key(topic.row.number, number, *offset));
        log.queue.change(Change { removals: removals.collect(), ..Change::default() })?;
    }
    *seen = end;
    Ok(())
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
