//! A running stage, what goes in, and what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Coordinates, Headers, Record, Stored, TopicKind, TopicSpec};
use common::deadletter::v1::DeadLetter;
use common::raw::v1::Delivery;
use common::registration::v1::{Account, RegisterRequest, Registration, registration::Kind};
use control::registrations::store::RegistrationStore;
use processing::{Processing, Settings};
use prost::Message as _;
use prost_types::Timestamp;
use service::{Host, Settings as _};
use weir_tests::installation::Installation;
use weir_tests::kafka::{self, Kafka};
pub(crate) use weir_tests::running::{LIMIT, Running};
use weir_tests::{github, raw, topic};

pub(crate) const RECEIVED: Timestamp = Timestamp { seconds: 1_700_000_000, nanos: 0 };

/// An installation: a topic prefix, a folder, settings. Stages are started in it one after the other, or side by side.
pub(crate) struct Place {
    pub(crate) settings: Settings,
    pub(crate) bus: Bus,
    installation: Installation,
    /// So that endpoints, and with them metrics, belong to one test.
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        Self::on(kafka::shared().unwrap(), name)
    }

    pub(crate) fn on(kafka: &Kafka, name: &str) -> Self {
        let installation = Installation::on(kafka.bootstrap(), name).unwrap();
        let path = |name: &str| installation.folder().join(name).display().to_string();
        let (key, database) = (path("secrets.key"), format!("sqlite://{}", path("registrations.db")));
        let installation = installation
            .with("WEIR__SECRETS__KEY_FILE", key)
            .with("WEIR__REGISTRATIONS__CREATE_KEY_FILE", "true")
            .with("WEIR__REGISTRATIONS__DATABASE", database)
            .with("WEIR__REGISTRATIONS__COMPARE_INTERVAL_MS", "500")
            .with("WEIR__PROCESSING__HEALTH_INTERVAL_MS", "200")
            .with("WEIR__SHUTDOWN__DEADLINE_MS", "10000")
            .with("WEIR__BUS__PARTITIONS", "2");
        let settings = installation.settings::<Processing>().unwrap();
        let (bus, name) = (Bus::open(&settings.bus).unwrap(), installation.name().to_owned());
        Self { settings, bus, installation, name }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.installation.folder()
    }

    /// Makes the topics of raw deliveries and of registrations, for tests that write before a stage has run.
    pub(crate) async fn make_raw_topics(&self) {
        let log = TopicKind::Log { retention: Duration::from_secs(7 * 24 * 3600) };
        let mut topics = vec![TopicSpec { name: "registrations".into(), kind: TopicKind::Compacted }];
        for source in sources::all() {
            topics.push(TopicSpec { name: format!("raw.{}", source.name()), kind: log });
            topics.push(TopicSpec { name: format!("raw.{}.bulk", source.name()), kind: log });
        }
        self.bus.prepare_topics(&topics).await.unwrap();
    }

    pub(crate) async fn start(&self) -> Running {
        Running::start::<Processing>(&self.settings).await
    }

    pub(crate) async fn start_with(&self, store: Arc<dyn RegistrationStore>) -> Running {
        let host = Host::new("processing", &self.settings.host());
        let processing = Processing::with_store(&self.settings, &host, store).unwrap();
        Running::run(host, processing).await
    }

    /// Another instance, with a folder of its own.
    pub(crate) async fn start_another(&self) -> Running {
        let mut settings = self.settings.clone();
        settings.bus.data_dir = self.folder().join("another");
        let running = Running::start::<Processing>(&settings).await;
        running.ready().await;
        running
    }

    pub(crate) async fn start_ready(&self) -> Running {
        let running = self.start().await;
        running.ready().await;
        running
    }

    /// Puts records on a raw topic; where each stands.
    pub(crate) async fn put(
        &self,
        topic: &str,
        values: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Vec<Coordinates> {
        let record = |(key, value): (String, Vec<u8>)| {
            let headers = Headers {
                r#type: "weir.raw.v1.Delivery".into(),
                source: format!("weir/streaming/{}", self.name),
                ..Headers::default()
            };
            Record::encoded(topic, key, value, headers)
        };
        topic::send(&self.bus, values.into_iter().map(record)).await.unwrap()
    }

    pub(crate) async fn put_deliveries(
        &self,
        topic: &str,
        deliveries: impl IntoIterator<Item = Delivery>,
    ) -> Vec<Coordinates> {
        let values = deliveries.into_iter().map(|delivery| (delivery.endpoint.clone(), delivery.encode_to_vec()));
        self.put(topic, values).await
    }

    /// Puts one delivery that belongs to a trace.
    pub(crate) async fn put_traced(&self, topic: &str, delivery: Delivery, traceparent: &str) -> Coordinates {
        let headers = Headers {
            r#type: "weir.raw.v1.Delivery".into(),
            traceparent: Some(traceparent.into()),
            ..Headers::default()
        };
        let record = Record::encoded(topic, "key", delivery.encode_to_vec(), headers);
        self.bus.producer().unwrap().try_send(record).unwrap().await.unwrap()
    }

    /// A delivery to this test's endpoint.
    pub(crate) fn delivery(&self, source: &str, body: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> Delivery {
        raw::delivery(&self.name, source, body, headers, RECEIVED)
    }

    /// A comment on a post of a page.
    pub(crate) fn change(comment: &str, text: &str) -> String {
        raw::comment(comment, text)
    }

    /// A Meta delivery of one page with these changes.
    pub(crate) fn page(page: &str, changes: &[String]) -> String {
        raw::page(page, changes)
    }

    /// All records that are on a topic now.
    pub(crate) async fn read(&self, topic: &str) -> Vec<Stored> {
        topic::read(&self.bus, topic).await.unwrap()
    }

    /// The records of a topic, once there are so many; it is an error if there are more.
    pub(crate) async fn read_exactly(&self, topic: &str, count: usize) -> Vec<Stored> {
        topic::read_exactly(&self.bus, topic, count).await.unwrap()
    }

    /// The ids on the topic of comments.
    pub(crate) async fn ids(&self) -> BTreeSet<String> {
        let topics = self.bus.topics().await.unwrap();
        if !topics.iter().any(|topic| topic == "events.facebook.comment") {
            return BTreeSet::new();
        }
        self.read("events.facebook.comment").await.into_iter().map(|stored| stored.headers.id).collect()
    }

    pub(crate) async fn dead_letters(&self, count: usize) -> Vec<DeadLetter> {
        let stored = self.read_exactly("dead-letters", count).await;
        stored.iter().map(|stored| stored.decode().unwrap()).collect()
    }
}

pub(crate) fn endpoint(name: &str, source: &str, secret: &str) -> RegisterRequest {
    let mut request = github::registration(name, source, "acme", secret);
    if let Some(registration) = &mut request.registration {
        registration.metadata = BTreeMap::from([("owner".to_owned(), "ann".to_owned())]);
    }
    request
}

pub(crate) fn account(endpoint: &str, account_id: &str, tenant: &str) -> RegisterRequest {
    let account = Account { endpoint: endpoint.into(), account_id: account_id.into() };
    RegisterRequest {
        registration: Some(Registration {
            tenant: tenant.into(),
            kind: Some(Kind::Account(account)),
            ..Registration::default()
        }),
        ..RegisterRequest::default()
    }
}
