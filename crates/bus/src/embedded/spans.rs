//! Parts of a topic.

use super::Embedded;
use super::store::Limit;
use crate::Error;
use crate::span::{AT_ONCE, OffsetRange, Span};

impl Embedded {
    pub(crate) fn ranges(&self, topic: &str) -> Result<Vec<OffsetRange>, Error> {
        let topic = self.topic(topic)?;
        let partitions = 0..i32::try_from(topic.parts.len()).unwrap_or(i32::MAX);
        Ok(partitions
            .filter_map(|partition| topic.range(partition).map(|(low, end)| OffsetRange { partition, low, end }))
            .collect())
    }

    /// The same ranges, each from the first record on that was produced at this time or later. Blocks.
    pub(crate) fn ranges_at(
        &self,
        topic: &str,
        ranges: Vec<OffsetRange>,
        millis: i64,
    ) -> Result<Vec<OffsetRange>, Error> {
        let topic = self.topic(topic)?;
        let from = |range: OffsetRange| {
            let first = self.log.files.first_at(&topic, range.partition, millis)?;
            Ok(OffsetRange { low: first.clamp(range.low, range.end), ..range })
        };
        ranges.into_iter().map(from).collect()
    }

    /// Blocks.
    pub(crate) fn span(&self, topic: &str, partition: i32, from: i64, until: i64) -> Result<Span, Error> {
        let topic = self.topic(topic)?;
        let low = topic.range(partition).map_or(until, |(low, _)| low);
        let limit = Limit { records: AT_ONCE.0, bytes: AT_ONCE.1 };
        match self.log.files.read(&topic, partition, from.max(low), until, limit) {
            Ok(chunk) => {
                let records = chunk.records.into_iter().map(|record| self.stored(&topic, partition, record)).collect();
                Ok(Span { records, next: chunk.next })
            }
            // It had its time just now.
            Err(Error::OutOfRange { low, .. }) => Ok(Span { records: Vec::new(), next: low.min(until) }),
            Err(error) => Err(error),
        }
    }
}
