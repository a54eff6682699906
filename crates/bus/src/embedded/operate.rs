//! What an operator decides by hand: where a group stands, and what a topic no longer keeps. All of it blocks.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use super::store::{Files, Topic};
use super::writer::Change;
use super::{Embedded, Log, keys};
use crate::threads::lock;
use crate::{Error, Group, GroupPlace, Start};

/// So many records are removed at once.
const AT_ONCE: usize = 1000;

impl Embedded {
    pub(crate) fn group_offset(&self, group: &str, topic: &str, partition: i32) -> Result<Option<i64>, Error> {
        let (group, Ok(topic)) = (self.settings.full_name(group), self.topic(topic)) else { return Ok(None) };
        Ok(self.log.files.committed(&group, &topic, partition)?.map(|(offset, _)| offset))
    }

    pub(crate) fn set_group_offset(&self, group: &str, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        let (group, topic) = (self.settings.full_name(group), self.topic(topic)?);
        let what = format!("the offset of {group} in {}/{partition}", topic.name);
        let refuse = |reason: &str| Error::unavailable(what.as_str(), reason);
        if self.log.groups.members(&group) > 0 {
            return Err(refuse(
                "it was not set: stop the group's members first (stop `weir up`, this command then opens the folder itself)",
            ));
        }
        let number = u32::try_from(partition).ok().filter(|number| *number < topic.row.partitions);
        let number = number.ok_or_else(|| refuse("the partition does not exist"))?;
        if offset < 0 {
            return Err(refuse("an offset must be at least 0"));
        }
        let put = (keys::group_key(&group, topic.row.number, number), keys::committed(offset, ""));
        self.log.queue.change(Change { puts: vec![put], ..Change::default() })
    }

    /// All groups of this installation that have committed.
    pub(crate) fn groups(&self) -> Result<Vec<Group>, Error> {
        let prefix = &self.settings.topic_prefix;
        let topics: HashMap<u32, Arc<Topic>> = {
            let topics = self.log.topics.read().unwrap_or_else(PoisonError::into_inner);
            topics.values().map(|topic| (topic.row.number, topic.clone())).collect()
        };
        let mut groups: BTreeMap<String, Vec<GroupPlace>> = BTreeMap::new();
        for (group, (topic, partition), committed) in every_commit(&self.log.files)? {
            let Some((group, topic)) = group.strip_prefix(prefix).zip(topics.get(&topic)) else { continue };
            let Some(name) = topic.name.strip_prefix(prefix) else { continue };
            let partition = i32::try_from(partition).unwrap_or(i32::MAX);
            let (low, end) = topic.range(partition).unwrap_or_default();
            let place = GroupPlace { topic: name.to_owned(), partition, committed, low, end };
            groups.entry(group.to_owned()).or_default().push(place);
        }
        let group = |(name, mut places): (String, Vec<GroupPlace>)| {
            places.sort();
            let members = self.log.groups.members(&self.settings.full_name(&name));
            Group { name, members, places }
        };
        Ok(groups.into_iter().map(group).collect())
    }

    pub(crate) fn delete_group(&self, group: &str) -> Result<(), Error> {
        let group = self.settings.full_name(group);
        let refuse = |reason: &str| Error::unavailable(group.as_str(), reason);
        if self.log.groups.members(&group) > 0 {
            return Err(refuse("it was not deleted: stop the group's members first"));
        }
        let mut gone = Vec::new();
        for entry in self.log.files.meta.prefix(keys::group_prefix(&group)) {
            let key = entry.key().map_err(|error| super::store::failed(&self.log.files.folder, &error))?;
            gone.push(key.to_vec());
        }
        if gone.is_empty() {
            return Err(refuse("the group does not exist: `weir groups list` shows the existing ones"));
        }
        self.log.queue.change(Change { gone, ..Change::default() })
    }

    /// Where a reader of each partition would begin.
    pub(crate) fn offsets_at(&self, topic: &str, start: &Start) -> Result<Vec<i64>, Error> {
        let topic = self.topic(topic)?;
        let partitions = 0..i32::try_from(topic.parts.len()).unwrap_or(i32::MAX);
        partitions.map(|partition| self.log.files.begin(&topic, partition, start)).collect()
    }

    pub(crate) fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<(), Error> {
        let topic = self.topic(topic)?;
        let what = format!("deleting records of {}/{partition}", topic.name);
        let refuse = |reason: String| Error::unavailable(what.as_str(), reason);
        let (_, end) = topic.range(partition).ok_or_else(|| refuse("the partition does not exist".to_owned()))?;
        if !(0..=end).contains(&before) {
            return Err(refuse(format!("offset {before} is not between 0 and {end}")));
        }
        self.log.forget(&topic, u32::try_from(partition).unwrap_or_default(), before)
    }
}

/// The group's full name, the topic's number with the partition, and the offset.
type Commit = (String, (u32, u32), i64);

/// Where all groups stand, in all partitions.
pub(super) fn every_commit(files: &Files) -> Result<Vec<Commit>, Error> {
    let mut found = Vec::new();
    for entry in files.meta.prefix(keys::GROUPS) {
        let (key, value) = entry.into_inner().map_err(|error| super::store::failed(&files.folder, &error))?;
        let commit = keys::read_group_key(&key).zip(keys::read_committed(&value));
        let ((group, topic, partition), (offset, _)) =
            commit.ok_or_else(|| files.broken("a committed offset is corrupt"))?;
        found.push((group.to_owned(), (topic, partition), offset));
    }
    Ok(found)
}

impl Log {
    /// Moves the first offset of a partition, and then removes what stands before it.
    pub(super) fn forget(&self, topic: &Topic, partition: u32, before: i64) -> Result<(), Error> {
        let Some(part) = topic.parts.get(partition as usize) else { return Ok(()) };
        // One at a time: of two that note the end, the later note must be the later end.
        let _alone = lock(&self.forgetting);
        let end = part.end.load(Ordering::Acquire);
        let (number, before) = (topic.row.number, before.min(end));
        if before > part.low.load(Ordering::Acquire) {
            // With the end: where all records are gone, nothing else remembers it.
            let put = (keys::range_key(number, partition), keys::range(before, end));
            self.queue.change(Change { puts: vec![put], ..Change::default() })?;
            part.low.fetch_max(before, Ordering::AcqRel);
        }
        let mut from = 0;
        loop {
            let removals = self.files.before(topic, partition, (from, part.low.load(Ordering::Acquire)), AT_ONCE)?;
            let Some(last) = removals.last().and_then(|key| keys::offset(key)) else { return Ok(()) };
            // Not from the beginning again: over all that was just removed that takes longer each time.
            from = last + 1;
            self.queue.change(Change { removals, ..Change::default() })?;
        }
    }
}
