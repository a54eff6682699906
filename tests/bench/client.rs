//! Kafka's client with the properties that the bus gives it, so that what the client costs alone is the same client.
//! The properties stand in crates/bus/src/kafka: what changes there has to change here.

use std::time::Duration;

use bus::Settings;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::RDKafkaErrorCode;
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::{Offset, TopicPartitionList};

/// How long one question to the broker may take.
pub(crate) const ASK: Duration = Duration::from_secs(20);

fn common(settings: &Settings) -> ClientConfig {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", settings.kafka.brokers.join(","))
        .set("client.id", "weir-bench")
        .set("security.protocol", &settings.kafka.security_protocol)
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.keepalive.enable", "true")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("topic.metadata.refresh.interval.ms", "10000")
        .set("statistics.interval.ms", "1000");
    config
}

pub(crate) fn producer(settings: &Settings) -> ClientConfig {
    let limits = &settings.producer;
    let mut config = common(settings);
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("compression.type", &limits.compression)
        .set("linger.ms", limits.linger_ms.to_string())
        .set("message.max.bytes", limits.max_record_bytes.to_string())
        .set("message.timeout.ms", settings.kafka.delivery_timeout_ms.to_string())
        .set("queue.buffering.max.messages", (limits.max_in_flight_records * 2).to_string())
        .set("queue.buffering.max.kbytes", (limits.max_in_flight_bytes / 512 + 1024).to_string());
    config
}

/// A consumer of a group, whose partitions are assigned by hand.
pub(crate) fn consumer(settings: &Settings, group: &str) -> ClientConfig {
    let ahead = settings.consumer.fetch_ahead_bytes;
    let mut config = common(settings);
    config
        .set("group.id", group)
        .set("auto.offset.reset", "error")
        .set("enable.auto.commit", "true")
        .set("auto.commit.interval.ms", "1000")
        .set("enable.auto.offset.store", "false")
        .set("queued.min.messages", "10000")
        .set("queued.max.messages.kbytes", (ahead / 1024).to_string())
        .set("fetch.message.max.bytes", "1048576")
        .set("fetch.max.bytes", ahead.to_string())
        .set("receive.message.max.bytes", (settings.producer.max_record_bytes.max(ahead) + 1_048_576).to_string());
    config
}

/// A consumer that only asks: where a group stands, and where topics end.
pub(crate) fn asking(settings: &Settings, group: &str) -> anyhow::Result<BaseConsumer> {
    Ok(common(settings).set("group.id", group).set("enable.auto.commit", "false").create()?)
}

/// Names with the prefix.
pub(crate) fn full_names(settings: &Settings, topics: &[String]) -> Vec<String> {
    topics.iter().map(|topic| format!("{}{topic}", settings.topic_prefix)).collect()
}

/// How many records stand on these topics; names without the prefix.
pub(crate) fn count(asking: &BaseConsumer, settings: &Settings, topics: &[String]) -> anyhow::Result<u64> {
    let mut count = 0;
    for topic in full_names(settings, topics) {
        for partition in 0..settings.partitions {
            let (low, high) = range(asking, &topic, partition)?;
            count += u64::try_from(high - low)?;
        }
    }
    Ok(count)
}

/// Where a partition begins and ends. A topic that was made just now is known to the client before it has leaders.
fn range(asking: &BaseConsumer, topic: &str, partition: i32) -> anyhow::Result<(i64, i64)> {
    let leaderless = [RDKafkaErrorCode::NotLeaderForPartition, RDKafkaErrorCode::LeaderNotAvailable];
    weir_tests::wait::until("the leader of a partition", ASK, || match asking.fetch_watermarks(topic, partition, ASK) {
        Err(error) if error.rdkafka_error_code().is_some_and(|code| leaderless.contains(&code)) => Ok(None),
        found => Ok(Some(found?)),
    })
}

/// How many records the group has done, if none was ever deleted.
pub(crate) fn committed(asking: &BaseConsumer, settings: &Settings, topics: &[String]) -> anyhow::Result<u64> {
    let mut asked = TopicPartitionList::new();
    for topic in full_names(settings, topics) {
        asked.add_partition_range(&topic, 0, settings.partitions - 1);
    }
    let answer = asking.committed_offsets(asked, ASK)?;
    let offsets = answer.elements().into_iter().map(|element| match element.offset() {
        Offset::Offset(offset) => u64::try_from(offset).unwrap_or_default(),
        _ => 0,
    });
    Ok(offsets.sum())
}

/// A record to be produced as often as wanted.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) topic: String,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) value: Option<Vec<u8>>,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
}

impl Kept {
    /// As the bus makes them for each record.
    pub(crate) fn headers(&self) -> OwnedHeaders {
        self.headers.iter().fold(OwnedHeaders::new_with_capacity(self.headers.len()), |all, (key, value)| {
            all.insert(Header { key, value: Some(value) })
        })
    }

    /// Bytes of key, value and headers.
    pub(crate) fn bytes(&self) -> u64 {
        let of = |bytes: &Option<Vec<u8>>| bytes.as_ref().map_or(0, Vec::len);
        let headers: usize = self.headers.iter().map(|(key, value)| key.len() + value.len()).sum();
        (of(&self.key) + of(&self.value) + headers) as u64
    }
}
