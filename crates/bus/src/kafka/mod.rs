//! The back end over Apache Kafka.
//!
//! * [`client`]: how every client of librdkafka is configured, and what becomes of its logs and statistics
//! * [`producer`]: producers with a poll thread each, built anew when they stop for good
//! * [`consumer`]: the poll thread of a group's member; [`member`]: what its client tells it; [`assignment`]: partitions
//!   come and go; [`trial`]: records of a suspected partition, one at a time
//! * [`addresses`]: a client that has lost the addresses of all brokers gets them again
//! * [`joining`]: whether a member gets into its group; [`coverage`]: whether the group has all partitions;
//!   [`fetching`]: whether it is given their records
//! * [`refusal`]: why brokers do not let a client in, by settings
//! * [`reader`]: reading a topic without a group; [`followers`]: several of them; [`lookup`]: single records
//! * [`topics`]: creating and checking topics; [`extent`]: from where to where they go;
//!   [`topic_id`]: who a topic is; [`operate`]: what an operator decides by hand

use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use common::health::v1::FailureKind;
use rdkafka::client::Client;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::{ClientConfig, ClientContext};

use self::refusal::ConnectionRefusal;
use crate::gate::Gate;
pub(crate) use crate::threads::{blocking, lock, thread};
use crate::{Error, Settings};

pub(crate) mod addresses;
pub(crate) mod assignment;
pub(crate) mod client;
pub(crate) mod consumer;
pub(crate) mod coverage;
pub(crate) mod extent;
mod fetching;
pub(crate) mod followers;
pub(crate) mod joining;
mod lives;
pub(crate) mod lookup;
pub(crate) mod member;
pub(crate) mod message;
pub(crate) mod operate;
mod outage;
mod positions;
pub(crate) mod producer;
pub(crate) mod reader;
pub(crate) mod refusal;
pub(crate) mod spans;
#[cfg(test)]
mod teller;
pub(crate) mod topic_id;
pub(crate) mod topics;
pub(crate) mod trial;

use client::Events;

/// How long logs, statistics and errors that wait are taken in. They are there, nothing is waited for.
const SERVE: Duration = Duration::from_millis(5);

/// A cluster, and the one client that is used for asking it.
pub(crate) struct Kafka {
    pub(crate) settings: Arc<Settings>,
    /// The log's identity, as soon as it is known.
    log: OnceLock<Arc<str>>,
    pub(crate) asking: BaseConsumer<Events>,
    last_away: Mutex<Option<Instant>>,
    /// What all consumers of this bus pass.
    pub(crate) gate: Arc<Gate>,
}

impl std::fmt::Debug for Kafka {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kafka").field("brokers", &self.settings.kafka.brokers).field("log", &self.log).finish()
    }
}

impl Kafka {
    pub(crate) fn open(settings: Arc<Settings>) -> Result<Self, Error> {
        let asking = client::config(&settings)?
            .create_with_context(Events::new("asking"))
            .map_err(|error| client::unusable("client", &error))?;
        Ok(Self { settings, log: OnceLock::new(), asking, last_away: Mutex::default(), gate: Arc::default() })
    }

    pub(crate) fn config(&self) -> Result<ClientConfig, Error> {
        client::config(&self.settings)
    }

    pub(crate) fn known_log(&self) -> Option<&Arc<str>> {
        self.log.get()
    }

    /// The log's identity as this client knows it. Blocks at most `limit`.
    pub(crate) fn identify<C: ClientContext>(&self, client: &Client<C>, limit: Duration) -> Option<Arc<str>> {
        if let Some(log) = self.log.get() {
            return Some(log.clone());
        }
        let cluster = client.fetch_cluster_id(limit)?;
        let log = format!("{cluster}.{}", self.settings.kafka.generation);
        Some(self.log.get_or_init(|| log.into()).clone())
    }

    /// Asks the cluster who it is. Blocks at most `limit`.
    pub(crate) fn ask_identity(&self, limit: Duration) -> Result<Arc<str>, Error> {
        self.identify(self.asking.client(), limit).ok_or_else(|| self.away("no answer"))
    }

    /// Whether a broker answers. Blocks at most `limit`.
    pub(crate) fn ping(&self, limit: Duration) -> Result<(), Error> {
        // A topic that is never there keeps the answer small.
        let answer = self.asking.fetch_metadata(Some("weir.ping"), limit);
        self.serve_asking();
        match answer {
            Ok(metadata) if !metadata.brokers().is_empty() => {
                self.asking.context().is_let_in();
                Ok(())
            }
            Ok(_) => Err(self.away("its answer names no broker")),
            Err(error) => Err(self.away(&error.to_string())),
        }
    }

    /// When it was last known not to answer.
    pub(crate) fn last_away(&self) -> Option<Instant> {
        *lock(&self.last_away)
    }

    /// Logs and statistics of the asking client wait for somebody to look.
    pub(crate) fn serve_asking(&self) {
        // Without any time the client takes one of them and stops there.
        while self.asking.poll(SERVE).is_some() {}
        self.find_again(self.asking.client(), self.asking.context());
    }

    /// To be called again and again by whoever polls the client.
    pub(crate) fn find_again<C: ClientContext>(&self, client: &Client<C>, events: &Events) {
        events.addresses.find_again(client, &events.client, &self.settings.kafka.brokers);
    }

    /// The log cannot be reached. That it does not let this service in says more than that it did not answer.
    pub(crate) fn away(&self, reason: &str) -> Error {
        *lock(&self.last_away) = Some(Instant::now());
        let refusal = self.asking.context().refusal();
        Error::Unavailable {
            what: format!("kafka at {}", self.settings.kafka.brokers.join(",")).into(),
            failure: refusal.as_ref().map_or(FailureKind::Unreachable, ConnectionRefusal::failure),
            reason: refusal.map_or_else(|| reason.to_owned(), |refusal| refusal.to_string()).into(),
        }
    }
}
