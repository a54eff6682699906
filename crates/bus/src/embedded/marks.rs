//! Marks: how far a partition went, and when that was. What stands before a mark came before it, whatever the clock did,
//! and whatever time the records say.
//!
//! A partition has one from its beginning on, and then about a hundred for the time for which it keeps its records. What
//! older versions wrote stands before the first one: there the times of the records never go back, and count.

use std::sync::atomic::Ordering;

use fjall::PersistMode;

use super::keys::{self, Mark};
use super::store::{Files, Topic, Topics};
use crate::Error;
use crate::threads::lock;
use crate::timekeeper::Now;

/// So many marks for the time for which a partition keeps its records, and for that for which removals stay.
const MARKS: i64 = 100;
/// How long the removal of a key stays to be seen.
pub(super) const TOMBSTONES: i64 = 24 * 3600 * 1000;

/// The marks of a new partition, as entries of `meta`.
pub(super) fn first(topic: u32, partitions: u32, at: i64) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mark = Mark { end: 0, at, newest: i64::MIN };
    (0..partitions).map(|partition| (keys::mark_key(topic, partition, 0), mark.write())).collect()
}

/// What is before the last of the marks whose time is over. Each mark says the latest that it can be.
pub(super) fn before(marks: &[Mark], until: i64) -> i64 {
    marks.iter().filter(|mark| mark.at <= until).map(|mark| mark.end).max().unwrap_or(0)
}

/// For how long a record at this offset is there at least.
pub(super) fn age(marks: &[Mark], offset: i64, sure: i64) -> i64 {
    let latest = marks.iter().filter(|mark| mark.end > offset).map(|mark| mark.at).min();
    latest.map_or(0, |latest| sure.saturating_sub(latest).max(0))
}

impl Files {
    /// Those of a partition, by their ends.
    pub(super) fn marks(&self, topic: u32, partition: u32) -> Result<Vec<Mark>, Error> {
        let mut marks = Vec::new();
        for entry in self.meta.prefix(keys::mark_prefix(topic, partition)) {
            let (key, value) = entry.into_inner().map_err(|error| super::store::failed(&self.folder, &error))?;
            marks.push(Mark::read(&key, &value).ok_or_else(|| self.broken("a time mark of a partition is corrupt"))?);
        }
        Ok(marks)
    }

    /// Partitions of older versions get their first marks, before anything is written to them.
    pub(super) fn mark_old(&self, topics: &Topics, at: i64) -> Result<(), Error> {
        let mut batch = self.database.batch().durability(Some(PersistMode::SyncAll));
        let mut any = false;
        for topic in topics.read().unwrap_or_else(std::sync::PoisonError::into_inner).values() {
            for (partition, part) in (0..topic.row.partitions).zip(&topic.parts) {
                if !self.marks(topic.row.number, partition)?.is_empty() {
                    continue;
                }
                let mark = Mark { end: part.end.load(Ordering::Acquire), at, newest: i64::MAX };
                *lock(&part.newest) = i64::MIN;
                batch.insert(&self.meta, keys::mark_key(topic.row.number, partition, mark.end), mark.write());
                any = true;
            }
        }
        if any { batch.commit().map_err(|error| super::store::failed(&self.folder, &error)) } else { Ok(()) }
    }

    /// The latest time of a last record that is not beyond this: so late it was at least, when the log was written.
    pub(super) fn last_written(&self, topics: &Topics, wall: i64) -> Result<Option<i64>, Error> {
        let mut latest = None;
        for topic in topics.read().unwrap_or_else(std::sync::PoisonError::into_inner).values() {
            for partition in 0..topic.row.partitions {
                let last = self.last(topic.row.number, partition)?;
                let time = last.and_then(|(_, value)| keys::produced_at(&value)).filter(|time| *time <= wall);
                latest = latest.max(time);
            }
        }
        Ok(latest)
    }

    /// The first record that was produced at this time or later, by the clock that its writer had; the end, where none
    /// was. Times may go back and forth: what comes after it may be of any time.
    pub(super) fn first_at(&self, topic: &Topic, partition: i32, millis: i64) -> Result<i64, Error> {
        let Some((low, end)) = topic.range(partition) else { return Ok(0) };
        let number = u32::try_from(partition).unwrap_or_default();
        let marks = self.marks(topic.row.number, number)?;
        let mut from = low;
        for (index, mark) in marks.iter().enumerate().filter(|(_, mark)| mark.end > low) {
            let until = mark.end.min(end);
            // Of a compacted topic marks go, and what is before the first need not be of older versions.
            let found = match index {
                0 if !topic.is_compacted() => self.halves(topic, number, (from, until), millis)?,
                0 => self.scan(topic, number, (from, until), millis)?,
                _ if mark.newest < millis => None,
                _ => self.scan(topic, number, (from, until), millis)?,
            };
            if let Some(found) = found {
                return Ok(found);
            }
            from = until;
        }
        Ok(self.scan(topic, number, (from, end), millis)?.unwrap_or(end))
    }

    /// Looks at each.
    fn scan(&self, topic: &Topic, partition: u32, (from, end): (i64, i64), millis: i64) -> Result<Option<i64>, Error> {
        if from >= end {
            return Ok(None);
        }
        let key = |offset| keys::record_key(topic.row.number, partition, offset);
        for entry in self.records.range(key(from)..key(end)) {
            let (offset, value) = self.entry(entry)?;
            if keys::produced_at(&value).unwrap_or(0) >= millis {
                return Ok(Some(offset));
            }
        }
        Ok(None)
    }

    /// The same where times never go back.
    pub(super) fn halves(
        &self,
        topic: &Topic,
        partition: u32,
        (mut from, end): (i64, i64),
        millis: i64,
    ) -> Result<Option<i64>, Error> {
        let mut to = end;
        let mut found = None;
        while from < to {
            let middle = from + (to - from) / 2;
            // A gap is passed: what counts is the next record there is.
            match self.stamp_after(topic, partition, middle, end)? {
                Some((offset, stamp)) if stamp < millis => from = offset + 1,
                next => {
                    found = next.map(|(offset, _)| offset).or(found);
                    to = middle;
                }
            }
        }
        Ok(found)
    }

    fn stamp_after(&self, topic: &Topic, partition: u32, from: i64, end: i64) -> Result<Option<(i64, i64)>, Error> {
        let key = |offset| keys::record_key(topic.row.number, partition, offset);
        let Some(entry) = self.records.range(key(from)..key(end)).next() else { return Ok(None) };
        let (offset, value) = self.entry(entry)?;
        Ok(Some((offset, keys::produced_at(&value).unwrap_or(0))))
    }
}

/// What is to be written of the marks of a partition.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) new: Option<Mark>,
    /// Those that say nothing any more.
    pub(super) over: Vec<i64>,
}

/// Whether it is time for the next mark. A mark that is taken and not written has to be [given back](give_back).
pub(super) fn due(topic: &Topic, partition: u32, marks: &[Mark], now: Now) -> Due {
    let Some(part) = topic.parts.get(partition as usize) else { return Due::default() };
    let every = topic.retention().unwrap_or(TOMBSTONES) / MARKS;
    let last = marks.last().copied();
    let is_time = last.is_none_or(|last| !(last.at..last.at.saturating_add(every)).contains(&now.latest));
    let mut due = Due::default();
    if is_time {
        let mut newest = lock(&part.newest);
        let end = part.end.load(Ordering::Acquire);
        // One of the same end is written over where it turns out to have been earlier.
        let same = last.filter(|last| last.end == end);
        if same.is_none_or(|last| now.latest < last.at) {
            let since = std::mem::replace(&mut *newest, i64::MIN);
            let newest = same.map_or(since, |last| last.newest.max(since));
            due.new = Some(Mark { end, at: now.latest, newest });
        }
    }
    let useless = if topic.is_compacted() {
        before(marks, now.sure.saturating_sub(TOMBSTONES))
    } else {
        let low = part.low.load(Ordering::Acquire);
        marks.iter().map(|mark| mark.end).filter(|end| *end <= low).max().unwrap_or(0)
    };
    due.over = marks.iter().map(|mark| mark.end).filter(|end| *end < useless).collect();
    due
}

pub(super) fn give_back(topic: &Topic, partition: u32, mark: Mark) {
    if let Some(part) = topic.parts.get(partition as usize) {
        let mut newest = lock(&part.newest);
        *newest = mark.newest.max(*newest);
    }
}
