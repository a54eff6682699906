//! Records of topics, read into memory.

use std::collections::HashMap;

use anyhow::Context as _;
use bus::Settings;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Headers as _};
use rdkafka::{Message as _, Offset, TopicPartitionList};

use crate::client::{self, ASK, Kept};

/// A record with its place.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
    /// When it was produced, in milliseconds since 1970.
    pub(crate) at_ms: i64,
    pub(crate) record: Kept,
}

/// Reads topics that nobody writes to at that moment.
pub(crate) struct Stock {
    settings: Settings,
    /// Without the prefix.
    topics: Vec<String>,
    next: HashMap<(String, i32), i64>,
}

impl Stock {
    pub(crate) fn new(settings: &Settings, topics: &[String]) -> Self {
        Self { settings: settings.clone(), topics: topics.to_vec(), next: HashMap::new() }
    }

    /// Where the next record of each partition stands.
    pub(crate) fn positions(&self) -> anyhow::Result<TopicPartitionList> {
        let mut list = TopicPartitionList::new();
        for topic in client::full_names(&self.settings, &self.topics) {
            for partition in 0..self.settings.partitions {
                let next = self.next.get(&(topic.clone(), partition)).copied().unwrap_or_default();
                list.add_partition_offset(&topic, partition, Offset::Offset(next))?;
            }
        }
        Ok(list)
    }

    /// Goes on to after this record.
    pub(crate) fn pass(&mut self, topic: &str, partition: i32, offset: i64) {
        self.next.insert((topic.to_owned(), partition), offset + 1);
    }

    /// Everything that was written since the last time, in the order of the time of producing.
    pub(crate) fn take(&mut self) -> anyhow::Result<Vec<Placed>> {
        let mut config = client::consumer(&self.settings, "bench-stock");
        config.set("enable.partition.eof", "true").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create()?;
        let positions = self.positions()?;
        let mut open = positions.count();
        consumer.assign(&positions)?;
        let mut taken = Vec::new();
        // Each partition tells its end once, as nobody writes.
        while open > 0 {
            match consumer.poll(ASK).context("the broker returned no record")? {
                Ok(message) => {
                    let placed = placed(&message);
                    self.pass(&placed.record.topic, placed.partition, placed.offset);
                    taken.push(placed);
                }
                Err(KafkaError::PartitionEOF(_)) => open -= 1,
                Err(error) => return Err(error).context("cannot read records"),
            }
        }
        taken.sort_by_key(|placed| placed.at_ms);
        Ok(taken)
    }
}

fn placed(message: &BorrowedMessage<'_>) -> Placed {
    let headers = message.headers().map_or_else(Vec::new, |headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect()
    });
    Placed {
        partition: message.partition(),
        offset: message.offset(),
        at_ms: message.timestamp().to_millis().unwrap_or_default(),
        record: Kept {
            topic: message.topic().to_owned(),
            key: message.key().map(<[u8]>::to_vec),
            value: message.payload().map(<[u8]>::to_vec),
            headers,
        },
    }
}
