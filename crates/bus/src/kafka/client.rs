//! How every client of librdkafka is configured, and what becomes of its logs and statistics.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientConfig, ClientContext};

use super::addresses::Addresses;
use super::lock;
use super::outage::Outage;
use super::refusal::ConnectionRefusal;
use crate::{Error, Settings};

/// Of all clients, where the settings give them no other.
const CLIENT_ID: &str = "weir";

/// The name under which brokers know the clients.
pub(super) fn id(settings: &Settings) -> &str {
    settings.kafka.properties.get("client.id").map_or(CLIENT_ID, String::as_str)
}

/// What all clients have in common.
pub(crate) fn config(settings: &Settings) -> Result<ClientConfig, Error> {
    let kafka = &settings.kafka;
    let mut config = ClientConfig::new();
    config
        .set_log_level(RDKafkaLogLevel::Info)
        .set("client.id", CLIENT_ID)
        .set("reconnect.backoff.ms", "100")
        .set("reconnect.backoff.max.ms", "1000")
        .set("socket.keepalive.enable", "true")
        .set("socket.connection.setup.timeout.ms", "5000")
        .set("topic.metadata.refresh.interval.ms", "10000");
    for (key, value) in &kafka.properties {
        config.set(key, value);
        if key == "debug" {
            // Else what it tells would be thrown away by the client.
            config.set_log_level(RDKafkaLogLevel::Debug);
        }
    }
    // What is set from here on, here and for single clients, would be overruled silently: the settings refuse it.
    config
        .set("bootstrap.servers", kafka.brokers.join(","))
        .set("security.protocol", &kafka.security_protocol)
        .set("statistics.interval.ms", "1000");
    for (key, value) in [
        ("ssl.ca.location", &kafka.ca_file),
        ("ssl.certificate.location", &kafka.certificate_file),
        ("ssl.key.location", &kafka.key_file),
    ] {
        if !value.is_empty() {
            config.set(key, value);
        }
    }
    if kafka.security_protocol.starts_with("sasl") {
        let password = first_line("bus.kafka.sasl_password_file", &kafka.sasl_password_file)?;
        config
            .set("sasl.mechanism", &kafka.sasl_mechanism)
            .set("sasl.username", &kafka.sasl_username)
            .set("sasl.password", password);
    }
    Ok(config)
}

/// A password from its file. The text never enters an error.
pub(crate) fn first_line(setting: &str, path: &str) -> Result<String, Error> {
    let problem = |problem: String| Error::Setting { key: setting.into(), problem: problem.into() };
    let text = std::fs::read_to_string(path).map_err(|error| problem(format!("cannot read {path:?}: {error}")))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(problem(format!("the first line of {path:?} is empty: write the password there"))),
    }
}

/// The client refuses its settings, most likely `[bus.kafka.properties]` or a file for TLS.
pub(crate) fn unusable(client: &str, error: &KafkaError) -> Error {
    Error::Setting { key: "bus.kafka".into(), problem: format!("the {client} cannot be created: {error}").into() }
}

/// Logs and liveness of one client.
#[derive(Debug)]
pub(crate) struct Events {
    pub(crate) client: String,
    pub(crate) addresses: Addresses,
    up: AtomicUsize,
    /// Why brokers do not let this client in; none: nothing is known against it.
    refusal: Mutex<Option<ConnectionRefusal>>,
    /// It reaches no broker.
    down: AtomicBool,
    /// Why a connection failed last, with the address.
    failed: Mutex<String>,
}

/// The log is the process's, and so is what it says of brokers that are away.
static OUTAGE: Mutex<Outage> = Mutex::new(Outage::new());

impl Events {
    pub(crate) fn new(client: &str) -> Self {
        Self {
            client: client.to_owned(),
            addresses: Addresses::default(),
            up: AtomicUsize::new(0),
            refusal: Mutex::default(),
            down: AtomicBool::new(false),
            failed: Mutex::default(),
        }
    }

    /// Brokers that are connected, as the last statistics said.
    pub(crate) fn brokers_up(&self) -> usize {
        self.up.load(Ordering::Relaxed)
    }

    /// Why brokers do not let this client in, as far as is known.
    pub(crate) fn refusal(&self) -> Option<ConnectionRefusal> {
        lock(&self.refusal).clone()
    }

    /// A broker answered.
    pub(crate) fn is_let_in(&self) {
        *lock(&self.refusal) = None;
    }

    pub(crate) fn on_stats(&self, statistics: &Statistics) {
        let up = statistics.brokers.values().filter(|broker| broker.state == "UP" && broker.nodeid >= 0).count();
        self.up.store(up, Ordering::Relaxed);
        self.addresses.on_stats(statistics);
        if up > 0 {
            self.is_let_in();
            self.is_not_down();
            // Taken apart from the line, so that nobody waits for it with the lock.
            let line = lock(&OUTAGE).up(Instant::now());
            if let Some(line) = line {
                line.write(&self.client);
            }
        }
    }

    pub(crate) fn on_log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        let client = self.client.as_str();
        // A connection that is closed is only a line of its log.
        if facility.starts_with("FAIL")
            && let Some(refusal) = ConnectionRefusal::of(None, text)
        {
            self.note(refusal);
        }
        match level {
            // Reconnecting is librdkafka's business, and what it means for us is told by health: a broker that is away
            // would fill the log with one line for every attempt.
            _ if is_noise(facility) => tracing::debug!(client, facility, text, "librdkafka"),
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical => {
                tracing::error!(client, facility, text, "librdkafka");
            }
            RDKafkaLogLevel::Error | RDKafkaLogLevel::Warning => tracing::warn!(client, facility, text, "librdkafka"),
            RDKafkaLogLevel::Notice => tracing::info!(client, facility, text, "librdkafka"),
            RDKafkaLogLevel::Info | RDKafkaLogLevel::Debug => tracing::debug!(client, facility, text, "librdkafka"),
        }
    }

    fn is_not_down(&self) {
        if self.down.swap(false, Ordering::Relaxed) {
            lock(&OUTAGE).not_down();
        }
    }

    fn is_down(&self, reason: &str) {
        let failed = lock(&self.failed).clone();
        let reason = if failed.is_empty() { reason } else { &failed };
        let first = !self.down.swap(true, Ordering::Relaxed);
        let line = lock(&OUTAGE).down(Instant::now(), reason, first);
        if let Some(line) = line {
            line.write(&self.client);
        }
    }

    fn note(&self, refusal: ConnectionRefusal) {
        // Each attempt fails anew; once is enough to be told.
        let known = lock(&self.refusal).replace(refusal.clone());
        if known.is_none_or(|known| known.kind != refusal.kind) {
            tracing::error!(client = self.client, %refusal, "the broker refused the connection");
        }
    }

    pub(crate) fn on_error(&self, error: &KafkaError, reason: &str) {
        let client = self.client.as_str();
        if let Some(refusal) = ConnectionRefusal::of(error.rdkafka_error_code(), reason) {
            self.note(refusal);
        } else if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AllBrokersDown) {
            self.is_down(reason);
        } else {
            if matches!(
                error.rdkafka_error_code(),
                Some(RDKafkaErrorCode::BrokerTransportFailure | RDKafkaErrorCode::Resolve)
            ) {
                reason.clone_into(&mut lock(&self.failed));
            }
            tracing::debug!(client, %error, reason, "kafka client reported an error");
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.is_not_down();
    }
}

fn is_noise(facility: &str) -> bool {
    const NOISE: &[&str] =
        &["FAIL", "ERROR", "REQTMOUT", "REBALANCE", "ASSIGN", "HEARTBEAT", "SESSTMOUT", "COORD", "GROUP", "LEAVE"];
    NOISE.iter().any(|noise| facility.starts_with(noise))
}

impl ClientContext for Events {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.on_log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.on_stats(&statistics);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.on_error(&error, reason);
    }
}

impl ConsumerContext for Events {}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
