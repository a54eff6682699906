//! From where to where partitions go, now and when the log was opened.

use std::sync::atomic::Ordering;

use super::Embedded;
use crate::{Error, Extent};

impl Embedded {
    /// Of a topic by its name without the prefix.
    pub(crate) fn extents(&self, topic: &str) -> Result<Vec<Extent>, Error> {
        let topic = self.topic(topic)?;
        let partitions = 0..i32::try_from(topic.parts.len()).unwrap_or(i32::MAX);
        let extents = partitions.filter_map(|partition| topic.range(partition));
        Ok(extents.map(|(first, end)| Extent { first, end }).collect())
    }

    /// Where its partitions ended when the log was opened; none once somebody has [looked](Self::looked_at_opening).
    pub(crate) fn ends_at_opening(&self, topic: &str) -> Result<Option<Vec<i64>>, Error> {
        if self.log.looked.load(Ordering::Acquire) {
            return Ok(None);
        }
        Ok(Some(self.topic(topic)?.parts.iter().map(|part| part.opened).collect()))
    }

    /// From now on the ends of now are what counts.
    pub(crate) fn looked_at_opening(&self) {
        self.log.looked.store(true, Ordering::Release);
    }
}
