//! What an operator decides by hand: where a group stands, and what a topic no longer keeps. All of it blocks.

use std::sync::atomic::Ordering;

use super::store::Topic;
use super::writer::Change;
use super::{Embedded, Log, keys};
use crate::Error;
use crate::threads::lock;

/// So many records are removed at once.
const AT_ONCE: usize = 1000;

impl Embedded {
    pub(crate) fn group_offset(&self, group: &str, topic: &str, partition: i32) -> Result<Option<i64>, Error> {
        let (group, Ok(topic)) = (self.settings.full_name(group), self.topic(topic)) else { return Ok(None) };
        Ok(self.log.files.committed(&group, &topic, partition)?.map(|(offset, _)| offset))
    }

    pub(crate) fn set_group_offset(&self, group: &str, topic: &str, partition: i32, offset: i64) -> Result<(), Error> {
        let (group, topic) = (self.settings.full_name(group), self.topic(topic)?);
        let refuse = |reason: &str| Error::Unavailable {
            what: format!("the offset of {group} in {}/{partition}", topic.name).into(),
            reason: reason.into(),
        };
        if self.log.groups.has_members(&group) {
            return Err(refuse("it was not set: stop the group's members first"));
        }
        let number = u32::try_from(partition).ok().filter(|number| *number < topic.row.partitions);
        let number = number.ok_or_else(|| refuse("there is no such partition"))?;
        if offset < 0 {
            return Err(refuse("an offset is not below 0"));
        }
        let put = (keys::group_key(&group, topic.row.number, number), keys::committed(offset, ""));
        self.log.queue.change(Change { puts: vec![put], removals: Vec::new() })
    }

    pub(crate) fn delete_records(&self, topic: &str, partition: i32, before: i64) -> Result<(), Error> {
        let topic = self.topic(topic)?;
        let refuse = |reason: String| Error::Unavailable {
            what: format!("deleting records of {}/{partition}", topic.name).into(),
            reason: reason.into(),
        };
        let (_, end) = topic.range(partition).ok_or_else(|| refuse("there is no such partition".to_owned()))?;
        if !(0..=end).contains(&before) {
            return Err(refuse(format!("offset {before} is not within 0 and {end}")));
        }
        self.log.forget(&topic, u32::try_from(partition).unwrap_or_default(), before)
    }
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
            self.queue.change(Change { puts: vec![put], removals: Vec::new() })?;
            part.low.fetch_max(before, Ordering::AcqRel);
        }
        let mut from = 0;
        loop {
            let removals = self.files.before(topic, partition, (from, part.low.load(Ordering::Acquire)), AT_ONCE)?;
            let Some(last) = removals.last().and_then(|key| keys::offset(key)) else { return Ok(()) };
            // Not from the beginning again: over all that was just removed that takes longer each time.
            from = last + 1;
            self.queue.change(Change { puts: Vec::new(), removals })?;
        }
    }
}
