//! The settings of `[bus]`. What each means, and the value it has by default, stands in `settings.default.toml`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use common::kinds::Kind;
use serde::{Deserialize, Deserializer, Serialize};

use crate::compression;
pub use crate::secret::SecretUrl;
use crate::secret::{hide_secret_properties, shown};

/// Every setting of `[bus]` with its default, as commented TOML.
pub const DEFAULTS: &str = include_str!("../settings.default.toml");

/// Properties of librdkafka that keep Weir's promises, or that have a setting of their own.
const OWN_PROPERTIES: &[&str] = &[
    "acks",
    "request.required.acks",
    "auto.offset.reset",
    "bootstrap.servers",
    "metadata.broker.list",
    "enable.auto.commit",
    "enable.auto.offset.store",
    "enable.idempotence",
    "enable.partition.eof",
    "group.id",
    "group.protocol",
    "partition.assignment.strategy",
    "partitioner",
    "message.max.bytes",
    "message.timeout.ms",
    "delivery.timeout.ms",
    "session.timeout.ms",
    "transactional.id",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "queue.buffering.max.messages",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.ms",
    "linger.ms",
    "compression.codec",
    "compression.type",
    "isolation.level",
    "heartbeat.interval.ms",
    "max.poll.interval.ms",
    "auto.commit.interval.ms",
    "queued.min.messages",
    "queued.max.messages.kbytes",
    "fetch.message.max.bytes",
    "max.partition.fetch.bytes",
    "fetch.max.bytes",
    "receive.message.max.bytes",
    "statistics.interval.ms",
    "security.protocol",
    "sasl.mechanism",
    "sasl.mechanisms",
    "sasl.username",
    "sasl.password",
];

/// `[bus]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Stands before every topic's and group's name.
    pub topic_prefix: String,
    /// Partitions of the topics that are created.
    pub partitions: i32,
    /// Copies of each partition of the topics that are created; above 1 is production.
    pub replication_factor: i32,
    /// Whether missing topics are created.
    pub create_topics: bool,
    /// The folder for what is kept on this machine.
    #[serde(serialize_with = "common::kinds::folder")]
    pub data_dir: PathBuf,
    /// The cluster.
    pub kafka: KafkaSettings,
    /// Producing.
    pub producer: ProducerSettings,
    /// Consuming.
    pub consumer: ConsumerSettings,
    /// The claims' store.
    pub claims: ClaimsSettings,
}

/// `[bus.kafka]`
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    /// Addresses of brokers to begin with.
    #[serde(deserialize_with = "list", serialize_with = "common::kinds::broker")]
    pub brokers: Vec<String>,
    /// Part of the log's identity.
    pub generation: u32,
    /// After this long without a sign of life a consumer loses its partitions.
    pub session_timeout_ms: u32,
    /// After this long a record that is not acknowledged has failed.
    pub delivery_timeout_ms: u32,
    /// After this long without success a producer is built anew.
    pub stalled_producer_ms: u32,
    /// `plaintext`, `ssl`, `sasl_plaintext` or `sasl_ssl`.
    pub security_protocol: String,
    /// PEM file of certificate authorities, or empty.
    #[serde(serialize_with = "common::kinds::ca_file")]
    pub ca_file: String,
    /// PEM file of the client's certificate, or empty.
    #[serde(serialize_with = "common::kinds::certificate_file")]
    pub certificate_file: String,
    /// PEM file of the client's key, or empty.
    #[serde(serialize_with = "common::kinds::file")]
    pub key_file: String,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub sasl_mechanism: String,
    /// User name for SASL.
    pub sasl_username: String,
    /// File with the password for SASL, or empty.
    #[serde(serialize_with = "common::kinds::secret_file")]
    pub sasl_password_file: String,
    /// Further properties of librdkafka.
    #[serde(serialize_with = "hide_secret_properties")]
    pub properties: BTreeMap<String, String>,
}

/// `[bus.producer]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProducerSettings {
    /// Number of connections for producing.
    pub producers: usize,
    /// Most records sent and not yet acknowledged.
    pub max_in_flight_records: usize,
    /// Most bytes sent and not yet acknowledged.
    pub max_in_flight_bytes: usize,
    /// Largest record in bytes: key, value and headers.
    pub max_record_bytes: usize,
    /// `none`, `gzip`, `lz4`, `snappy` or `zstd`.
    pub compression: String,
    /// The same for single topics, by name or by prefix with a `*` at the end; the longest match counts.
    pub compression_by_topic: BTreeMap<String, String>,
    /// How long a record waits for company, in milliseconds.
    pub linger_ms: u32,
}

/// `[bus.consumer]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumerSettings {
    /// Most records out at once.
    pub max_in_flight_records: usize,
    /// Most bytes out at once.
    pub max_in_flight_bytes: usize,
    /// Most records in a batch.
    pub batch_records: usize,
    /// Most bytes fetched ahead.
    pub fetch_ahead_bytes: usize,
    /// How long a revoked partition is drained.
    pub revoke_drain_ms: u32,
    /// Full for this long, fetching is paused.
    pub pause_after_ms: u32,
    /// First wait before a failed record comes again.
    pub retry_backoff_ms: u32,
    /// Longest wait before a failed record comes again.
    pub retry_backoff_max_ms: u32,
}

/// Where claims are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimsStore {
    /// In the data directory, for one instance.
    Embedded,
    /// In Redis or Valkey, for several.
    Redis,
}

/// `[bus.claims]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClaimsSettings {
    /// Which store.
    pub store: ClaimsStore,
    /// Folder of the embedded store within `data_dir`.
    #[serde(serialize_with = "common::kinds::folder")]
    pub folder: PathBuf,
    /// Address of Redis.
    #[serde(serialize_with = "common::kinds::url")]
    pub url: SecretUrl,
    /// File with the password of Redis, or empty.
    #[serde(serialize_with = "common::kinds::secret_file")]
    pub password_file: String,
    /// How long a claim lasts.
    pub ttl_days: u32,
    /// How long the store may take to answer.
    pub timeout_ms: u32,
    /// Not a setting: see [`for_stage`](Self::for_stage).
    #[serde(skip)]
    pub(crate) stage: String,
}

impl fmt::Debug for KafkaSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KafkaSettings")
            .field("brokers", &self.brokers)
            .field("generation", &self.generation)
            .field("security_protocol", &self.security_protocol)
            .field("sasl_mechanism", &self.sasl_mechanism)
            .field("properties", &shown(&self.properties))
            .finish_non_exhaustive()
    }
}

fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a list of host:port, or one text with commas")]
    enum List {
        Many(Vec<String>),
        One(String),
    }
    Ok(match List::deserialize(deserializer)? {
        List::Many(items) => items,
        List::One(text) => text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect(),
    })
}

impl Settings {
    /// What is wrong, by key (from `bus.`), each with what would be right. Empty: nothing is.
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, key: &str, problem: &str| {
            if !ok {
                problems.push((format!("bus.{key}"), problem.to_owned()));
            }
        };
        let named = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        check(
            self.topic_prefix.len() <= 100 && self.topic_prefix.chars().all(named),
            "topic_prefix",
            "may hold letters, digits, dots, dashes and underscores, at most 100",
        );
        check((1..=10_000).contains(&self.partitions), "partitions", "must be 1 to 10000");
        check((1..=100).contains(&self.replication_factor), "replication_factor", "must be 1 to 100");
        check(!self.data_dir.as_os_str().is_empty(), "data_dir", "is empty: name a folder");
        self.validate_kafka(&mut check);
        self.validate_flow(&mut check);

        check(
            self.claims.ttl_days >= 8,
            "claims.ttl_days",
            "must be at least 8: platforms redeliver, topics keep 7 days",
        );
        check(self.claims.ttl_days <= 3650, "claims.ttl_days", "must be at most 3650");
        check(self.claims.timeout_ms >= 10, "claims.timeout_ms", "must be at least 10");
        if self.claims.store == ClaimsStore::Redis {
            let url = self.claims.url.expose();
            let known = ["redis://", "valkey://", "redis+unix://", "unix://"];
            check(
                known.iter().any(|scheme| url.starts_with(scheme)),
                "claims.url",
                "must begin with redis://, as in redis://127.0.0.1:6379/0",
            );
        } else {
            let folder = &self.claims.folder;
            check(
                !folder.as_os_str().is_empty()
                    && folder.components().all(|c| matches!(c, std::path::Component::Normal(_))),
                "claims.folder",
                "must be a folder within data_dir, without leading slash and without ..",
            );
        }
        problems
    }

    fn validate_kafka(&self, check: &mut impl FnMut(bool, &str, &str)) {
        let kafka = &self.kafka;
        for broker in &kafka.brokers {
            if let Some((problem, _)) = Kind::Broker.problem(broker) {
                check(false, "kafka.brokers", &problem);
            }
        }
        check(kafka.session_timeout_ms >= 1000, "kafka.session_timeout_ms", "must be at least 1000");
        check(kafka.delivery_timeout_ms >= 1000, "kafka.delivery_timeout_ms", "must be at least 1000");
        check(kafka.stalled_producer_ms >= 1000, "kafka.stalled_producer_ms", "must be at least 1000");
        let protocol = kafka.security_protocol.as_str();
        check(
            ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"].contains(&protocol),
            "kafka.security_protocol",
            "must be plaintext, ssl, sasl_plaintext or sasl_ssl",
        );
        if protocol.starts_with("sasl") {
            check(
                ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].contains(&kafka.sasl_mechanism.as_str()),
                "kafka.sasl_mechanism",
                "must be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
            );
            check(
                !kafka.sasl_username.is_empty(),
                "kafka.sasl_username",
                "is empty, and security_protocol asks for one",
            );
            check(
                !kafka.sasl_password_file.is_empty(),
                "kafka.sasl_password_file",
                "is empty, and security_protocol asks for a password",
            );
        }
        check(
            kafka.certificate_file.is_empty() == kafka.key_file.is_empty(),
            "kafka.key_file",
            "goes with certificate_file: give both or neither",
        );
        for key in kafka.properties.keys() {
            check(
                !OWN_PROPERTIES.contains(&key.as_str()),
                "kafka.properties",
                &format!("has {key:?}, which is Weir's own: it keeps a promise, or has a setting of its own"),
            );
        }
    }

    fn validate_flow(&self, check: &mut impl FnMut(bool, &str, &str)) {
        let (producer, consumer) = (&self.producer, &self.consumer);
        check((1..=64).contains(&producer.producers), "producer.producers", "must be 1 to 64");
        check(
            (1..=10_000_000).contains(&producer.max_in_flight_records),
            "producer.max_in_flight_records",
            "must be 1 to 10000000",
        );
        check(
            (1024..=1_000_000_000).contains(&producer.max_record_bytes),
            "producer.max_record_bytes",
            "must be 1024 to 1000000000",
        );
        check(
            producer.max_in_flight_bytes >= producer.max_record_bytes
                && producer.max_in_flight_bytes <= u32::MAX as usize,
            "producer.max_in_flight_bytes",
            "must be at least max_record_bytes, and at most 4294967295",
        );
        compression::validate(producer, check);
        check(producer.linger_ms <= 10_000, "producer.linger_ms", "must be at most 10000");
        check(consumer.max_in_flight_records >= 1, "consumer.max_in_flight_records", "must be at least 1");
        check(consumer.max_in_flight_bytes >= 1, "consumer.max_in_flight_bytes", "must be at least 1");
        check(consumer.batch_records >= 1, "consumer.batch_records", "must be at least 1");
        check(
            (1024 * 1024..=2_000_000_000).contains(&consumer.fetch_ahead_bytes),
            "consumer.fetch_ahead_bytes",
            "must be 1048576 to 2000000000",
        );
        check(
            consumer.revoke_drain_ms < self.kafka.session_timeout_ms,
            "consumer.revoke_drain_ms",
            "must be below kafka.session_timeout_ms, else the partition is lost before it is drained",
        );
        check(consumer.pause_after_ms >= 10, "consumer.pause_after_ms", "must be at least 10");
        check(consumer.retry_backoff_ms >= 1, "consumer.retry_backoff_ms", "must be at least 1");
        check(
            consumer.retry_backoff_max_ms >= consumer.retry_backoff_ms,
            "consumer.retry_backoff_max_ms",
            "must be at least retry_backoff_ms",
        );
    }

    /// Whether the log is the one within this process.
    pub fn is_embedded(&self) -> bool {
        self.kafka.brokers.is_empty()
    }

    /// A topic's name as the log knows it.
    pub(crate) fn full_name(&self, topic: &str) -> String {
        format!("{}{topic}", self.topic_prefix)
    }
}

impl ClaimsSettings {
    /// For a stage that rebuilds its claims by itself: a folder of its own, and in a store that others use too a mark of
    /// its own, so that the claims are not taken for whole because those of another stage are.
    pub fn for_stage(&mut self, stage: &str) {
        self.stage = format!("/{stage}");
        self.folder = PathBuf::from(format!("{}-{stage}", self.folder.display()));
    }

    /// For one of those that share the claims of a stage, and of which each can rebuild only a part: in a store that others
    /// use too a mark of its own, so that the claims are not taken for whole because another has rebuilt its part.
    pub fn for_part(&mut self, part: &str) {
        self.stage = format!("{}:{part}", self.stage);
    }

    pub(crate) fn ttl(&self) -> Duration {
        Duration::from_secs(u64::from(self.ttl_days) * 24 * 3600)
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
