//! A running stage, what goes in, and what comes out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus::{Bus, Headers, Record, Stored, TopicKind, TopicSpec};
use common::deadletter::v1::DeadLetter;
use common::health::v1::{Digest, State};
use common::raw::v1::{Delivery, Header};
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use common::registration::v1::{Account, Endpoint, PlainSecret, RegisterRequest, Registration, registration::Kind};
use control::registrations::store::RegistrationStore;
use processing::{Processing, Settings};
use prost::Message as _;
use prost_types::Timestamp;
use service::{Addresses, Host, Service as _, Settings as _};
use tokio::task::JoinSet;
use tonic::service::Routes;
use tonic::transport::Channel;
use weir_tests::kafka::{self, Kafka};
use weir_tests::scratch::Scratch;
use weir_tests::topic;

pub(crate) const LIMIT: Duration = Duration::from_secs(60);
pub(crate) const RECEIVED: Timestamp = Timestamp { seconds: 1_700_000_000, nanos: 0 };

/// An installation: a topic prefix, a folder, settings. Stages are started in it one after the other, or side by side.
pub(crate) struct Place {
    pub(crate) settings: Settings,
    pub(crate) bus: Bus,
    scratch: Scratch,
    /// So that endpoints, and with them metrics, belong to one test.
    pub(crate) name: String,
}

impl Place {
    pub(crate) fn new(name: &str) -> Self {
        Self::on(kafka::shared().unwrap(), name)
    }

    pub(crate) fn on(kafka: &Kafka, name: &str) -> Self {
        let scratch = Scratch::new(name).unwrap();
        let key = scratch.path().join("secrets.key");
        let database = scratch.path().join("registrations.db");
        let env = [
            ("WEIR__ADMIN__LISTEN", "127.0.0.1:0".to_owned()),
            ("WEIR__GRPC__LISTEN", "127.0.0.1:0".to_owned()),
            ("WEIR__SECRETS__KEY_FILE", key.display().to_string()),
            ("WEIR__REGISTRATIONS__CREATE_KEY_FILE", "true".to_owned()),
            ("WEIR__REGISTRATIONS__DATABASE", format!("sqlite://{}", database.display())),
            ("WEIR__REGISTRATIONS__COMPARE_INTERVAL_MS", "500".to_owned()),
            ("WEIR__PROCESSING__HEALTH_INTERVAL_MS", "200".to_owned()),
            ("WEIR__SHUTDOWN__DEADLINE_MS", "10000".to_owned()),
            ("WEIR__BUS__PARTITIONS", "2".to_owned()),
        ];
        let env = env.map(|(key, value)| (key.to_owned(), value));
        let defaults = processing::DEFAULTS;
        let mut settings: Settings = service::load(defaults, None, env).unwrap();
        let prefix = kafka::prefix(name);
        settings.bus.kafka.brokers = vec![kafka.bootstrap().to_owned()];
        settings.bus.topic_prefix.clone_from(&prefix);
        settings.bus.create_topics = true;
        settings.bus.data_dir = scratch.path().to_owned();
        let bus = Bus::open(&settings.bus).unwrap();
        Self { settings, bus, scratch, name: prefix.trim_end_matches('.').to_owned() }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.scratch.path()
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

    pub(crate) async fn start(&self) -> Stage {
        self.start_with(None).await
    }

    pub(crate) async fn start_with(&self, store: Option<Arc<dyn RegistrationStore>>) -> Stage {
        let host = Host::new("processing", &self.settings.host());
        let processing = match store {
            Some(store) => Processing::with_store(&self.settings, &host, store).unwrap(),
            None => Processing::new(&self.settings, &host).unwrap(),
        };
        Stage::run(host, processing).await
    }

    /// Another instance, with a folder of its own.
    pub(crate) async fn start_another(&self) -> Stage {
        let mut settings = self.settings.clone();
        settings.bus.data_dir = self.folder().join("another");
        let host = Host::new("processing", &settings.host());
        let processing = Processing::new(&settings, &host).unwrap();
        let stage = Stage::run(host, processing).await;
        stage.ready().await;
        stage
    }

    pub(crate) async fn start_ready(&self) -> Stage {
        let stage = self.start().await;
        stage.ready().await;
        stage
    }

    /// Puts records on a raw topic; where each stands.
    pub(crate) async fn put(
        &self,
        topic: &str,
        values: impl IntoIterator<Item = (String, Vec<u8>)>,
    ) -> Vec<bus::Coordinates> {
        let producer = self.bus.producer().unwrap();
        let mut sent = Vec::new();
        for (key, value) in values {
            let headers = Headers {
                r#type: "weir.raw.v1.Delivery".into(),
                source: format!("weir/streaming/{}", self.name),
                ..Headers::default()
            };
            let record = Record::encoded(topic, key, value, headers);
            loop {
                match producer.try_send(record.clone()) {
                    Ok(delivery) => break sent.push(delivery),
                    Err(bus::Error::Full) => tokio::time::sleep(Duration::from_millis(5)).await,
                    Err(error) => panic!("{error}"),
                }
            }
        }
        let mut stands = Vec::new();
        for delivery in sent {
            stands.push(delivery.await.unwrap());
        }
        stands
    }

    pub(crate) async fn put_deliveries(
        &self,
        topic: &str,
        deliveries: impl IntoIterator<Item = Delivery>,
    ) -> Vec<bus::Coordinates> {
        let values = deliveries.into_iter().map(|delivery| (delivery.endpoint.clone(), delivery.encode_to_vec()));
        self.put(topic, values).await
    }

    /// Puts one delivery that belongs to a trace.
    pub(crate) async fn put_traced(&self, topic: &str, delivery: Delivery, traceparent: &str) -> bus::Coordinates {
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
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Delivery {
            delivery_id: format!("{:032x}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            source: source.into(),
            endpoint: self.name.clone(),
            tenant: "acme".into(),
            scheme: "hub-sha256".into(),
            received_at: Some(RECEIVED),
            headers: headers
                .iter()
                .map(|(name, value)| Header { name: (*name).into(), value: (*value).into() })
                .collect(),
            body: body.into().into(),
        }
    }

    /// A comment on a post of a page.
    pub(crate) fn change(comment: &str, text: &str) -> String {
        format!(
            r#"{{"field":"feed","value":{{"item":"comment","verb":"add","comment_id":"{comment}","post_id":"7_1","parent_id":"7_1","from":{{"id":"9","name":"Ann"}},"message":"{text}","created_time":1699999000}}}}"#
        )
    }

    /// A Meta delivery of one page with these changes.
    pub(crate) fn page(page: &str, changes: &[String]) -> String {
        format!(
            r#"{{"object":"page","entry":[{{"id":"{page}","time":1699999001,"changes":[{}]}}]}}"#,
            changes.join(",")
        )
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

/// A stage that runs in this process.
pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) addresses: Addresses,
    running: JoinSet<anyhow::Result<()>>,
}

impl Stage {
    async fn run(host: Host, processing: Processing) -> Self {
        let addresses = host.serve(processing.add_to(Routes::default())).await.unwrap();
        let mut running = JoinSet::new();
        running.spawn(processing.run());
        Self { host, addresses, running }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.host.health().digest()
    }

    pub(crate) fn state(&self, check: &str) -> (State, String) {
        let digest = self.digest();
        let check = digest.checks.iter().find(|found| found.name == check).expect("such a check");
        (check.state(), check.message.clone())
    }

    pub(crate) async fn until(&self, what: &str, look: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !look(self) {
            assert!(begun.elapsed() < LIMIT, "{what}: not within {LIMIT:?}: {:#?}", self.digest().checks);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn ready(&self) {
        self.until("ready", |stage| stage.host.health().is_ready()).await;
    }

    /// Waits until nothing is in work; then what became of what was taken in: taken in, sent on, dead letters, and what
    /// was dropped by reason. Holds that these add up.
    pub(crate) async fn balance(&self) -> (u64, u64, u64, BTreeMap<String, u64>) {
        let sum = |stage: &Self| {
            let mut all = (0, 0, 0, BTreeMap::new());
            for count in stage.digest().counts.into_iter().filter(|count| count.hop == "processing") {
                all.0 += count.taken_in;
                all.1 += count.sent_on;
                all.2 += count.dead_lettered;
                for (reason, n) in count.dropped {
                    *all.3.entry(reason).or_default() += n;
                }
            }
            all
        };
        let ended = |(_, sent_on, dead, dropped): &(u64, u64, u64, BTreeMap<String, u64>)| {
            sent_on + dead + dropped.values().sum::<u64>()
        };
        self.until("nothing is in work", |stage| {
            let all = sum(stage);
            assert!(ended(&all) <= all.0, "more ended than was taken in: {all:?}");
            ended(&all) == all.0
        })
        .await;
        sum(self)
    }

    pub(crate) async fn registrations(&self) -> RegistrationServiceClient<Channel> {
        let channel = Channel::from_shared(format!("http://{}", self.addresses.grpc)).unwrap();
        RegistrationServiceClient::new(channel.connect().await.unwrap())
    }

    /// The sum of a counter over all lines of /metrics that have this endpoint and these labels.
    pub(crate) async fn counted(&self, metric: &str, endpoint: &str, labels: &[(&str, &str)]) -> u64 {
        let page = get(self.addresses.admin, "/metrics").await;
        let endpoint = format!("endpoint=\"{endpoint}\"");
        let labels: Vec<String> = labels.iter().map(|(key, value)| format!("{key}=\"{value}\"")).collect();
        page.lines()
            .filter(|line| {
                line.starts_with(metric) && line.contains(&endpoint) && labels.iter().all(|l| line.contains(l))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum::<f64>() as u64
    }

    /// Ends it as SIGTERM would.
    pub(crate) async fn stop(mut self) {
        self.host.shutdown().cancel();
        self.running.join_next().await.unwrap().unwrap().unwrap();
        self.host.close().await;
    }

    /// Waits until it ends by itself; why it did.
    pub(crate) async fn breaks(mut self) -> anyhow::Error {
        let ended = tokio::time::timeout(LIMIT, self.running.join_next()).await.expect("it ends");
        self.host.close().await;
        ended.unwrap().unwrap().unwrap_err()
    }

    /// Ends it in the middle of whatever it does.
    pub(crate) async fn crash(mut self) {
        self.running.shutdown().await;
        self.host.close().await;
    }
}

async fn get(address: std::net::SocketAddr, path: &str) -> String {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

pub(crate) fn endpoint(name: &str, source: &str, secret: &str) -> RegisterRequest {
    let endpoint = Endpoint { name: name.into(), source: source.into(), ..Endpoint::default() };
    RegisterRequest {
        registration: Some(Registration {
            tenant: "acme".into(),
            kind: Some(Kind::Endpoint(endpoint)),
            metadata: BTreeMap::from([("owner".to_owned(), "ann".to_owned())]),
            ..Registration::default()
        }),
        secrets: vec![PlainSecret { value: secret.into(), expires_at: None }],
        ..RegisterRequest::default()
    }
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
