//! An installation with a processing stage in this process, on one log or the other.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bus::{Bus, Coordinates, Headers, Record, Stored};
use common::deadletter::v1::dead_letter_service_client::DeadLetterServiceClient;
use common::deadletter::v1::{DeadLetter, ReplayRequest, ReplayResponse, Selection};
use common::health::v1::State;
use common::raw::v1::Delivery;
use common::topics::LOADS;
use processing::{Processing, Settings};
use prost::Message as _;
use tonic::Status;
use tonic::transport::Channel;
use weir_tests::installation::Installation;
pub(crate) use weir_tests::raw::comment;
pub(crate) use weir_tests::running::LIMIT;
use weir_tests::running::Running;
use weir_tests::{raw, topic};

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
    installation: Installation,
}

impl Place {
    pub(crate) async fn new(log: Log, name: &str) -> Self {
        let installation = match log {
            Log::Embedded => Installation::embedded(name),
            Log::Kafka => Installation::on_kafka(name),
        };
        let installation = installation.unwrap();
        // Also on an embedded log: a topic of another installation is told by its prefix.
        let prefix = format!("{}.", installation.name());
        let database = installation.folder().join("registrations.db");
        let installation = installation
            .with("WEIR__BUS__TOPIC_PREFIX", prefix)
            .with("WEIR__REGISTRATIONS__DATABASE", format!("sqlite://{}", database.display()))
            .with("WEIR__PROCESSING__HEALTH_INTERVAL_MS", "200")
            .with("WEIR__SHUTDOWN__DEADLINE_MS", "10000")
            .with("WEIR__BUS__PARTITIONS", "2");
        let settings = installation.settings::<Processing>().unwrap();
        let (bus, endpoint) = (Bus::open(&settings.bus).unwrap(), installation.name().to_owned());
        let place = Self { settings, bus, endpoint, installation };
        place.make_topics().await;
        place
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.installation.folder()
    }

    async fn make_topics(&self) {
        let mut topics = processing::description().needed();
        topics.push(LOADS.spec());
        self.bus.prepare_topics(&topics).await.unwrap();
    }

    pub(crate) async fn start(&self) -> Stage {
        let running = Running::start::<Processing>(&self.settings).await;
        let client = Client::new(running.grpc().await).max_decoding_message_size(64 << 20);
        running.ready().await;
        Stage { running, client }
    }

    /// A delivery of now.
    pub(crate) fn delivery(&self, source: &str, body: impl Into<Vec<u8>>, headers: &[(&str, &str)]) -> Delivery {
        raw::delivery(&self.endpoint, source, body, headers, service::clock::timestamp())
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
    pub(crate) client: Client,
    running: Running,
}

impl Stage {
    pub(crate) fn check(&self, name: &str) -> (State, String) {
        self.running.check(name)
    }

    pub(crate) async fn until(&self, what: &str, look: impl Fn(&Running) -> bool) {
        self.running.until(what, look).await;
    }

    /// Waits until it has taken in so many items.
    pub(crate) async fn until_taken(&self, items: u64) {
        self.until("all is taken in", |stage| stage.counted().taken_in >= items).await;
    }

    /// Taken in, sent on, dead letters, dropped as duplicates: once nothing is in work.
    pub(crate) async fn balance(&self) -> (u64, u64, u64, u64) {
        self.running.balance().await.numbers()
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

    pub(crate) async fn stop(self) {
        self.running.stop().await;
    }
}

pub(crate) fn of(selection: Selection) -> ReplayRequest {
    ReplayRequest { selection: Some(selection), requested_by: "ada".into(), rate: 1000, ..ReplayRequest::default() }
}

pub(crate) const BROKEN: &str = r#"{"field":"feed","value":"broken"}"#;

/// A Meta delivery of one page with these changes.
pub(crate) fn page(changes: &[String]) -> String {
    raw::page("7", changes)
}

pub(crate) fn decode_delivery(stored: &Stored) -> Delivery {
    Delivery::decode(stored.payload.clone().unwrap()).unwrap()
}
