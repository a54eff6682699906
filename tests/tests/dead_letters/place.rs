//! An installation with a processing stage in this process, on one log or the other.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bus::{Bus, Coordinates, Headers, Record, Stored};
use common::deadletter::v1::dead_letter_service_client::DeadLetterServiceClient;
use common::deadletter::v1::{DeadLetter, ReplayRequest, ReplayResponse, Selection};
use common::health::v1::State;
use common::raw::v1::{Delivery, Header};
use common::topics::LOADS;
use processing::{Processing, Settings};
use prost::Message as _;
use service::{Host, Service as _, Settings as _};
use tokio::task::JoinSet;
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::Channel;
use weir_tests::kafka;
use weir_tests::scratch::Scratch;
use weir_tests::topic;

pub(crate) const LIMIT: Duration = Duration::from_secs(60);

pub(crate) type Client = DeadLetterServiceClient<Channel>;

/// Which log stands behind it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Log {
    Embedded,
    Kafka,
}

pub(crate) struct Place {
    pub(crate) settings: Settings,
    pub(crate) bus: Bus,
    /// The endpoint of its deliveries.
    pub(crate) endpoint: String,
    scratch: Scratch,
}

impl Place {
    pub(crate) async fn new(log: Log, name: &str) -> Self {
        let scratch = Scratch::new(name).unwrap();
        let path = |name: &str| scratch.path().join(name).display().to_string();
        let env = [
            ("WEIR__ADMIN__LISTEN", "127.0.0.1:0".to_owned()),
            ("WEIR__GRPC__LISTEN", "127.0.0.1:0".to_owned()),
            ("WEIR__SECRETS__KEY_FILE", path("secrets.key")),
            ("WEIR__REGISTRATIONS__CREATE_KEY_FILE", "true".to_owned()),
            ("WEIR__REGISTRATIONS__DATABASE", format!("sqlite://{}", path("registrations.db"))),
            ("WEIR__PROCESSING__HEALTH_INTERVAL_MS", "200".to_owned()),
            ("WEIR__SHUTDOWN__DEADLINE_MS", "10000".to_owned()),
            ("WEIR__BUS__PARTITIONS", "2".to_owned()),
            ("WEIR__BUS__CREATE_TOPICS", "true".to_owned()),
            ("WEIR__BUS__DATA_DIR", path("data")),
        ];
        let env = env.map(|(key, value)| (key.to_owned(), value));
        let mut settings: Settings = service::load(processing::DEFAULTS, None, env).unwrap();
        let prefix = kafka::prefix(name);
        settings.bus.topic_prefix.clone_from(&prefix);
        settings.bus.kafka.brokers = match log {
            Log::Embedded => Vec::new(),
            Log::Kafka => vec![kafka::shared().unwrap().bootstrap().to_owned()],
        };
        let bus = Bus::open(&settings.bus).unwrap();
        let endpoint = prefix.trim_end_matches('.').to_owned();
        let place = Self { settings, bus, endpoint, scratch };
        place.make_topics().await;
        place
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.scratch.path()
    }

    async fn make_topics(&self) {
        let mut topics = processing::description().needed();
        topics.push(LOADS.spec());
        self.bus.prepare_topics(&topics).await.unwrap();
    }

    pub(crate) async fn start(&self) -> Stage {
        let host = Host::new("processing", &self.settings.host());
        let processing = Processing::new(&self.settings, &host).unwrap();
        let addresses = host.serve(processing.add_to(Routes::default())).await.unwrap();
        let mut running = JoinSet::new();
        running.spawn(processing.run());
        let channel = Channel::from_shared(format!("http://{}", addresses.grpc)).unwrap().connect().await.unwrap();
        let client = Client::new(channel).max_decoding_message_size(64 << 20);
        let stage = Stage { host, client, running };
        stage.until("ready", |stage| stage.host.health().is_ready()).await;
        stage
    }

    /// A delivery of now.
    pub(crate) fn delivery(&self, source: &str, body: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> Delivery {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let header = |(name, value): &(&str, &str)| Header { name: (*name).into(), value: (*value).into() };
        Delivery {
            delivery_id: format!("{:032x}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            source: source.into(),
            endpoint: self.endpoint.clone(),
            tenant: "acme".into(),
            scheme: "hub-sha256".into(),
            received_at: Some(service::clock::timestamp()),
            headers: headers.iter().map(header).collect(),
            body: body.into().into(),
        }
    }

    /// Puts a delivery on its raw topic, as the door does.
    pub(crate) async fn put(&self, delivery: &Delivery) -> Coordinates {
        let headers = Headers {
            id: delivery.delivery_id.clone(),
            source: format!("weir/streaming/{}", self.endpoint),
            ..Headers::default()
        };
        let topic = common::topics::raw(&delivery.source);
        self.send(Record::new(&topic, delivery.delivery_id.clone(), delivery, headers)).await
    }

    pub(crate) async fn send(&self, record: Record) -> Coordinates {
        self.bus.producer().unwrap().try_send(record).unwrap().await.unwrap()
    }

    /// Puts a dead letter on its topic that no stage of this test has written.
    pub(crate) async fn put_letter(&self, letter: &DeadLetter) {
        let headers = Headers { id: letter.id.clone(), source: letter.stage.clone(), ..Headers::default() };
        self.send(Record::new(&common::topics::DEAD_LETTERS, letter.source.clone(), letter, headers)).await;
    }

    /// All records that are on a topic now.
    pub(crate) async fn read(&self, topic: &str) -> Vec<Stored> {
        topic::read(&self.bus, topic).await.unwrap()
    }

    /// The records of a topic, once there are so many; it is an error if there are more.
    pub(crate) async fn exactly(&self, topic: &str, count: usize) -> Vec<Stored> {
        topic::read_exactly(&self.bus, topic, count).await.unwrap()
    }

    /// Waits until there is such a record.
    pub(crate) async fn comes(&self, topic: &str, wanted: impl Fn(&Stored) -> bool) {
        let began = Instant::now();
        while !self.read(topic).await.iter().any(&wanted) {
            assert!(began.elapsed() < LIMIT, "not on {topic}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    pub(crate) async fn letters(&self, count: usize) -> Vec<DeadLetter> {
        self.exactly("dead-letters", count).await.iter().map(|stored| stored.decode().unwrap()).collect()
    }
}

/// What the topics say, beside where it stands: topic, id, type, message.
pub(crate) async fn came_out(place: &Place, topics: &[(&str, usize)]) -> BTreeSet<(String, String, String, Vec<u8>)> {
    let mut all = BTreeSet::new();
    for (topic, count) in topics {
        for stored in place.exactly(topic, *count).await {
            let payload = stored.payload.unwrap().to_vec();
            assert!(all.insert(((*topic).to_owned(), stored.headers.id, stored.headers.r#type, payload)), "twice");
        }
    }
    all
}

/// A stage that runs.
pub(crate) struct Stage {
    pub(crate) host: Host,
    pub(crate) client: Client,
    running: JoinSet<anyhow::Result<()>>,
}

impl Stage {
    pub(crate) fn check(&self, name: &str) -> (State, String) {
        let digest = self.host.health().digest();
        let check = digest.checks.iter().find(|check| check.name == name).unwrap();
        (check.state(), check.message.clone())
    }

    pub(crate) async fn until(&self, what: &str, look: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !look(self) {
            assert!(began.elapsed() < LIMIT, "{what}: {:#?}", self.host.health().digest().checks);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn counts(&self) -> (u64, u64, u64, u64) {
        let counts = self.host.health().digest().counts.into_iter().filter(|count| count.hop == "processing");
        counts.fold((0, 0, 0, 0), |all, count| {
            let dropped: u64 = count.dropped.values().sum();
            (all.0 + count.taken_in, all.1 + count.sent_on, all.2 + count.dead_lettered, all.3 + dropped)
        })
    }

    /// Waits until it has taken in so many items.
    pub(crate) async fn until_taken(&self, items: u64) {
        self.until("all is taken in", |stage| stage.counts().0 >= items).await;
    }

    /// Taken in, sent on, dead letters, dropped as duplicates: once nothing is in work.
    pub(crate) async fn balance(&self) -> (u64, u64, u64, u64) {
        self.until("nothing is in work", |stage| {
            let all = stage.counts();
            all.0 == all.1 + all.2 + all.3
        })
        .await;
        self.counts()
    }

    /// Replays until the end; all answers.
    pub(crate) async fn replay(&self, request: ReplayRequest) -> Result<Vec<ReplayResponse>, Status> {
        let mut stream = self.client.clone().replay(request).await?.into_inner();
        let mut answers = Vec::new();
        while let Some(answer) = stream.message().await? {
            answers.push(answer);
        }
        Ok(answers)
    }

    /// Replays what has this reason; the last answer.
    pub(crate) async fn replay_reason(&self, reason: &str) -> ReplayResponse {
        let selection = Selection { reason: reason.into(), ..Selection::default() };
        self.replay(of(selection)).await.unwrap().pop().unwrap()
    }

    pub(crate) async fn stop(mut self) {
        self.host.shutdown().cancel();
        self.running.join_next().await.unwrap().unwrap().unwrap();
        self.host.close().await;
    }
}

pub(crate) fn of(selection: Selection) -> ReplayRequest {
    ReplayRequest { selection: Some(selection), requested_by: "ada".into(), rate: 1000, ..ReplayRequest::default() }
}

/// A comment on a post of a page.
pub(crate) fn comment(id: &str, text: &str) -> String {
    format!(
        r#"{{"field":"feed","value":{{"item":"comment","verb":"add","comment_id":"{id}","post_id":"7_1","parent_id":"7_1","from":{{"id":"9","name":"Ann"}},"message":"{text}","created_time":1699999000}}}}"#
    )
}

pub(crate) const BROKEN: &str = r#"{"field":"feed","value":"broken"}"#;

/// A Meta delivery of one page with these changes.
pub(crate) fn page(changes: &[String]) -> String {
    format!(r#"{{"object":"page","entry":[{{"id":"7","time":1699999001,"changes":[{}]}}]}}"#, changes.join(","))
}

pub(crate) fn decode_delivery(stored: &Stored) -> Delivery {
    Delivery::decode(stored.payload.clone().unwrap()).unwrap()
}
