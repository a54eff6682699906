//! The part of topics that was produced within a time: what is around a delivery need not be read to the end of the topics.

use std::collections::HashMap;
use std::time::Duration;

use bus::{Start, Stored};
use common::time::{from_millis, to_millis};
use prost_types::Timestamp;

use super::{Reading, Records};

/// The records of a window, in no order.
#[derive(Debug)]
pub struct Window {
    /// `None`: there are none.
    reading: Option<Reading>,
    /// Where the window ends, of each partition that has more.
    ends: HashMap<(String, i32), i64>,
}

impl Records {
    /// What was produced `before` this time and up to `after` it, on topics named without the prefix. By the clocks of the
    /// producers: where one was set meanwhile, records of that time may be outside.
    ///
    /// # Errors
    /// When a topic does not exist or the log does not answer.
    pub async fn around(
        &self,
        topics: &[String],
        time: &Timestamp,
        before: Duration,
        after: Duration,
    ) -> anyhow::Result<Window> {
        let millis = |duration: Duration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        let at = to_millis(time);
        let from = Start::AtTime(from_millis(at.saturating_sub(millis(before))));
        let to = Start::AtTime(from_millis(at.saturating_add(millis(after))));
        let (mut ends, mut with_some) = (HashMap::new(), Vec::new());
        for topic in topics {
            let (first, end) = (self.offsets_at(topic, &from).await?, self.offsets_at(topic, &to).await?);
            let known = ends.len();
            let partitions = (0..).zip(first.into_iter().zip(end));
            ends.extend(
                partitions.filter(|(_, (first, end))| first < end).map(|(n, (_, end))| ((topic.clone(), n), end)),
            );
            if ends.len() > known {
                with_some.push(topic.clone());
            }
        }
        let reading = if with_some.is_empty() { None } else { Some(self.read(&with_some, from, false).await?) };
        Ok(Window { reading, ends })
    }
}

impl Window {
    /// The next record; `None` when all of the window have come. `prefix` is that of the topics.
    ///
    /// # Errors
    /// When the log or the connection fails.
    pub async fn next(&mut self, prefix: &str) -> anyhow::Result<Option<Stored>> {
        let Some(reading) = &mut self.reading else { return Ok(None) };
        while !self.ends.is_empty() {
            let Some(record) = reading.next_until_end().await? else { break };
            let at = &record.coordinates;
            let place = (at.topic.strip_prefix(prefix).unwrap_or(&at.topic).to_owned(), at.partition);
            // Behind the window, while another partition has not come to its end.
            let Some(end) = self.ends.get(&place).copied() else { continue };
            if at.offset + 1 >= end {
                self.ends.remove(&place);
            }
            if at.offset < end {
                return Ok(Some(record));
            }
        }
        Ok(None)
    }
}
