//! Removes what has had its time: records older than their topic keeps them, and, in compacted topics, all but the
//! latest of each key.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use super::Log;
use super::store::{Limit, Topic};
use super::writer::Change;
use crate::Error;
use crate::claims::Clock;
use crate::threads::{lock, thread};

/// How often it looks.
const LOOK: Duration = Duration::from_secs(60);
/// A compacted topic is looked through when so many records have come.
const COMPACT_AFTER: i64 = 1000;
/// How long the removal of a key stays to be seen.
const TOMBSTONES: i64 = 24 * 3600 * 1000;
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
    pub(super) fn start(&self, log: Weak<Log>, clock: Clock) -> Result<(), Error> {
        let stop = self.stop.clone();
        thread("weir-log-keeper", move || {
            let mut seen = Compacted::new();
            while stop.after(LOOK) {
                let Some(log) = log.upgrade() else { return };
                // Each partition's problem has been told, and is tried again.
                let _ = pass(&log, &clock, &mut seen);
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
pub(super) fn pass(log: &Log, clock: &Clock, seen: &mut Compacted) -> Result<(), Error> {
    let now = i64::try_from(clock.millis()).unwrap_or(i64::MAX);
    let topics: Vec<Arc<Topic>> = log.topics.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
    let mut failed = Ok(());
    for topic in topics {
        let setting =
            |key: &str| topic.row.config.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str());
        let retention = setting("retention.ms").and_then(|value| value.parse::<i64>().ok()).filter(|ms| *ms >= 0);
        let compacted = setting("cleanup.policy") == Some("compact");
        for (number, partition) in (0..topic.row.partitions).zip(0..) {
            let done = if compacted {
                compact(log, &topic, partition, now, seen.entry((topic.row.number, number)).or_insert(0))
            } else if let Some(retention) = retention {
                let first = log.files.first_at(&topic, partition, now.saturating_sub(retention));
                first.and_then(|first| log.forget(&topic, number, first))
            } else {
                Ok(())
            };
            // One that cannot be read must not keep all others.
            if let Err(error) = done {
                tracing::warn!(topic = %topic.name, partition, %error, "what has had its time cannot be removed");
                failed = Err(error);
            }
        }
    }
    failed
}

fn compact(log: &Log, topic: &Topic, partition: i32, now: i64, seen: &mut i64) -> Result<(), Error> {
    let Some((low, end)) = topic.range(partition) else { return Ok(()) };
    if end - *seen < COMPACT_AFTER {
        return Ok(());
    }
    let number = u32::try_from(partition).unwrap_or_default();
    let mut latest = HashMap::new();
    let mut removals = Vec::new();
    let mut next = low;
    while next < end {
        let chunk = log.files.read(topic, partition, next, end, CHUNK)?;
        for (offset, content) in chunk.records {
            // Copied: what was read is one piece with the payload.
            let Some(key) = content.key.as_deref().map(Box::<[u8]>::from) else { continue };
            let old = content.payload.is_none() && content.produced_at_ms < now.saturating_sub(TOMBSTONES);
            // The last record says where the partition ends.
            let stays = (!old || offset + 1 == end).then_some(offset);
            removals.extend(latest.insert(key, stays).flatten());
            removals.extend(stays.is_none().then_some(offset));
        }
        next = chunk.next;
    }
    for removals in removals.chunks(CHUNK.records) {
        let removals = removals.iter().map(|offset| super::keys::record_key(topic.row.number, number, *offset));
        log.queue.change(Change { puts: Vec::new(), removals: removals.collect() })?;
    }
    *seen = end;
    Ok(())
}

#[cfg(test)]
#[path = "keeper_tests.rs"]
mod tests;
