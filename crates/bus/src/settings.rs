//! The settings of `[bus]`. What each means, and the value it has by default, stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use common::kinds::{Kind, Problem, Problems};
use common::units::{Bytes, Count, DAY, Days, MAX, Millis};
use serde::{Deserialize, Serialize};

pub use crate::secret::SecretUrl;
use crate::secret::{hide_secret_properties, shown};

mod compression;

/// Every setting of `[bus]` with its default, as commented TOML.
pub const DEFAULTS: &str = include_str!("../settings.default.toml");

/// What fits into 32 bits of milliseconds.
const LONGEST: u64 = 49 * DAY;

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
    pub topic_prefix: String,
    #[serde(with = "Count::<1, 10_000>")]
    pub partitions: i32,
    #[serde(with = "Count::<1, 100>")]
    pub replication_factor: i32,
    pub create_topics: bool,
    #[serde(serialize_with = "common::kinds::folder")]
    pub data_dir: PathBuf,
    pub kafka: KafkaSettings,
    pub producer: ProducerSettings,
    pub consumer: ConsumerSettings,
    pub claims: ClaimsSettings,
}

/// `[bus.kafka]`
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KafkaSettings {
    #[serde(deserialize_with = "common::kinds::list", serialize_with = "common::kinds::broker")]
    pub brokers: Vec<String>,
    #[serde(with = "Count::<0, 4_294_967_295>")]
    pub generation: u32,
    #[serde(with = "Millis::<1000, LONGEST>")]
    pub session_timeout_ms: u32,
    #[serde(with = "Millis::<1000, LONGEST>")]
    pub delivery_timeout_ms: u32,
    #[serde(with = "Millis::<1000, LONGEST>")]
    pub stalled_producer_ms: u32,
    pub security_protocol: String,
    #[serde(serialize_with = "common::kinds::ca_file")]
    pub ca_file: String,
    #[serde(serialize_with = "common::kinds::certificate_file")]
    pub certificate_file: String,
    #[serde(serialize_with = "common::kinds::file")]
    pub key_file: String,
    pub sasl_mechanism: String,
    pub sasl_username: String,
    #[serde(serialize_with = "common::kinds::secret_file")]
    pub sasl_password_file: String,
    #[serde(serialize_with = "hide_secret_properties")]
    pub properties: BTreeMap<String, String>,
}

/// `[bus.producer]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProducerSettings {
    #[serde(with = "Count::<1, 64>")]
    pub producers: usize,
    #[serde(with = "Count::<1, 10_000_000>")]
    pub max_in_flight_records: usize,
    #[serde(with = "Bytes::<1024, 4_294_967_295>")]
    pub max_in_flight_bytes: usize,
    #[serde(with = "Bytes::<1024, 1_000_000_000>")]
    pub max_record_bytes: usize,
    pub compression: String,
    pub compression_by_topic: BTreeMap<String, String>,
    #[serde(with = "Millis::<0, 10_000>")]
    pub linger_ms: u32,
}

/// `[bus.consumer]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsumerSettings {
    #[serde(with = "Count::<1, MAX>")]
    pub max_in_flight_records: usize,
    #[serde(with = "Bytes::<1, MAX>")]
    pub max_in_flight_bytes: usize,
    #[serde(with = "Count::<1, MAX>")]
    pub batch_records: usize,
    #[serde(with = "Bytes::<1_048_576, 2_000_000_000>")]
    pub fetch_ahead_bytes: usize,
    #[serde(with = "Millis::<0, LONGEST>")]
    pub revoke_drain_ms: u32,
    #[serde(with = "Millis::<10, LONGEST>")]
    pub pause_after_ms: u32,
    #[serde(with = "Millis::<1, LONGEST>")]
    pub retry_backoff_ms: u32,
    #[serde(with = "Millis::<1, LONGEST>")]
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
    pub store: ClaimsStore,
    #[serde(serialize_with = "common::kinds::folder")]
    pub folder: PathBuf,
    #[serde(serialize_with = "common::kinds::url")]
    pub url: SecretUrl,
    #[serde(serialize_with = "common::kinds::secret_file")]
    pub password_file: String,
    #[serde(with = "Days::<8, 3650>")]
    pub ttl_days: u32,
    #[serde(with = "Millis::<10, LONGEST>")]
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

impl Settings {
    /// What is wrong, although every value has the right type and range.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("bus");
        let named = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        problems.check(
            self.topic_prefix.len() <= 100 && self.topic_prefix.chars().all(named),
            "topic_prefix",
            format!("{:?} is not a valid prefix of a topic name", self.topic_prefix),
            "use at most 100 letters, digits, dots, dashes and underscores",
        );
        problems.check(!self.data_dir.as_os_str().is_empty(), "data_dir", "is empty", "name a folder");
        self.validate_kafka(&mut problems);
        self.validate_flow(&mut problems);

        if self.claims.store == ClaimsStore::Redis {
            let url = self.claims.url.expose();
            let known = ["redis://", "valkey://", "redis+unix://", "unix://"];
            problems.check(
                known.iter().any(|scheme| url.starts_with(scheme)),
                "claims.url",
                "is not a Redis URL",
                "begin it with redis://, as in redis://127.0.0.1:6379/0",
            );
        } else {
            let folder = &self.claims.folder;
            problems.check(
                !folder.as_os_str().is_empty()
                    && folder.components().all(|c| matches!(c, std::path::Component::Normal(_))),
                "claims.folder",
                format!("{:?} is not within data_dir", folder.display()),
                "name a folder without leading slash and without ..",
            );
        }
        problems.into_vec()
    }

    fn validate_kafka(&self, problems: &mut Problems) {
        let kafka = &self.kafka;
        for broker in &kafka.brokers {
            if let Some((problem, fix)) = Kind::Broker.problem(broker) {
                problems.check(false, "kafka.brokers", problem, fix);
            }
        }
        let one_of = |value: &str, known: &[&str]| (known.contains(&value), format!("{value:?} is not known"));
        let protocol = kafka.security_protocol.as_str();
        let (ok, problem) = one_of(protocol, &["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"]);
        problems.check(ok, "kafka.security_protocol", problem, "give plaintext, ssl, sasl_plaintext or sasl_ssl");
        if protocol.starts_with("sasl") {
            let (ok, problem) = one_of(&kafka.sasl_mechanism, &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);
            problems.check(ok, "kafka.sasl_mechanism", problem, "give PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
            for (key, value, fix) in [
                ("kafka.sasl_username", &kafka.sasl_username, "give the name of the user"),
                ("kafka.sasl_password_file", &kafka.sasl_password_file, "name a file whose first line is the password"),
            ] {
                problems.check(!value.is_empty(), key, "is empty, and security_protocol needs it", fix);
            }
        }
        problems.check(
            kafka.certificate_file.is_empty() == kafka.key_file.is_empty(),
            "kafka.key_file",
            "must be set together with certificate_file",
            "give both or neither",
        );
        for key in kafka.properties.keys() {
            problems.check(
                !OWN_PROPERTIES.contains(&key.as_str()),
                "kafka.properties",
                format!("has {key:?}, which Weir sets itself or which has its own setting"),
                "remove it",
            );
        }
    }

    fn validate_flow(&self, problems: &mut Problems) {
        let (producer, consumer) = (&self.producer, &self.consumer);
        problems.check(
            producer.max_in_flight_bytes >= producer.max_record_bytes,
            "producer.max_in_flight_bytes",
            "is less than one record",
            "give at least max_record_bytes",
        );
        compression::validate(producer, problems);
        problems.check(
            consumer.revoke_drain_ms < self.kafka.session_timeout_ms,
            "consumer.revoke_drain_ms",
            "is not below kafka.session_timeout_ms: the partition is lost before it is drained",
            "give less than bus.kafka.session_timeout_ms",
        );
        problems.check(
            consumer.retry_backoff_max_ms >= consumer.retry_backoff_ms,
            "consumer.retry_backoff_max_ms",
            "is less than the first wait",
            "give at least retry_backoff_ms",
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
