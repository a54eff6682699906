//! Two instances of streaming and two of processing as processes, over Kafka, Redis and PostgreSQL.

use std::collections::HashMap;
use std::time::Duration;

use bus::{Reader, Start, Stored};
use bytes::Bytes;
use common::activity::v1::Activity;
use common::event::EVENT_TYPES;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use prost::Message as _;
use weir_tests::balance::Balance;
use weir_tests::github::{Delivery, registration};
use weir_tests::installation::{DOOR, Installation};
use weir_tests::postgres::Postgres;
use weir_tests::processes::Processes;
use weir_tests::redis::Redis;

use crate::ledger::{Found, Ledger, Outcome, compare_activities};

pub(crate) const NAMES: [&str; 4] = ["streaming-0", "streaming-1", "processing-0", "processing-1"];

/// How long the pipeline may stand still before the test gives up on it.
const STALLED: Duration = Duration::from_secs(90);

pub(crate) struct System {
    pub(crate) processes: Processes,
    doors: [String; 2],
    grpc: String,
    // After the processes, so that these are stopped first.
    installation: Installation,
    _redis: Redis,
    _postgres: Postgres,
}

impl System {
    pub(crate) async fn start(name: &str) -> Self {
        let (redis, postgres) =
            (Redis::start(weir_tests::redis::Options::default()).unwrap(), Postgres::start().unwrap());
        let installation = Installation::on_kafka(name)
            .unwrap()
            .with("WEIR__BUS__KAFKA__SESSION_TIMEOUT_MS", "6000")
            .with("WEIR__BUS__CLAIMS__STORE", "redis")
            .with("WEIR__BUS__CLAIMS__URL", redis.url())
            .with("WEIR__REGISTRATIONS__DATABASE", postgres.database().unwrap());
        let mut processes = Processes::default();
        for name in NAMES {
            let (service, _) = name.split_once('-').unwrap();
            processes.add(name, installation.launch(service).unwrap().start().unwrap());
        }
        let door = |name: &str| processes.lock(name).unwrap().address(DOOR).to_owned();
        let doors = [door(NAMES[0]), door(NAMES[1])];
        let grpc = format!("http://{}", processes.lock("processing-0").unwrap().grpc());
        processes.ready(Duration::from_secs(120)).await.unwrap();
        Self { processes, doors, grpc, installation, _redis: redis, _postgres: postgres }
    }

    pub(crate) fn door(&self, number: usize) -> &str {
        &self.doors[number]
    }

    async fn registrar(&self) -> RegistrationServiceClient<tonic::transport::Channel> {
        RegistrationServiceClient::new(weir_tests::connect::grpc(&self.grpc).await.unwrap())
    }

    /// Where processing answers gRPC.
    pub(crate) fn grpc(&self) -> &str {
        &self.grpc
    }

    pub(crate) async fn register_github(&self, name: &str, secret: &str) {
        self.registrar().await.register(registration(name, "github", "acme", secret)).await.unwrap();
    }

    /// Posts a signed delivery, and gives the status.
    pub(crate) async fn post_github(&self, door: usize, endpoint: &str, secret: &str, body: &'static [u8]) -> u16 {
        let delivery = Delivery { endpoint, secret, event: "ping", number: 0, body: Bytes::from_static(body) };
        delivery.post(self.door(door)).await.unwrap()
    }

    /// Reads everything that came out, until nothing that was acknowledged is missing and nothing more is on its way.
    pub(crate) async fn outcome(&self, ledger: &Ledger) -> Outcome {
        let bus = self.installation.bus().unwrap();
        let all = bus.topics().await.unwrap();
        let of = |prefix: &str| all.iter().filter(|topic| topic.starts_with(prefix)).cloned().collect::<Vec<_>>();
        let mut topics = of("events.");
        topics.extend(["activities".to_owned(), "dead-letters".to_owned()]);
        let mut raw = bus.reader(&of("raw."), Start::Beginning).await.unwrap();
        let mut typed = bus.reader(&topics, Start::Beginning).await.unwrap();

        let mut outcome = Outcome::default();
        let mut seen = HashMap::<(String, String), u64>::new();
        let mut moved = std::time::Instant::now();
        loop {
            let before = seen.len();
            self.read_raw(&mut raw, &mut outcome).await;
            self.read_typed(&mut typed, &mut outcome, &mut seen).await;
            if seen.len() > before {
                moved = std::time::Instant::now();
            }
            let complete = ledger.expected.keys().all(|key| outcome.events.contains_key(key));
            if (complete && self.lag().await == 0) || moved.elapsed() > STALLED {
                break;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.read_typed(&mut typed, &mut outcome, &mut seen).await;
        outcome.repeated = seen.values().map(|count| count - 1).sum();
        let wrong = compare_activities(ledger, &outcome);
        assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong[..wrong.len().min(20)].join("\n"));
        outcome
    }

    /// What all instances of a stage say that they did; all of it has its end.
    pub(crate) async fn balance(&self, hop: &str) -> Balance {
        let balance = self.processes.balance(hop).await.unwrap();
        balance.holds().unwrap();
        balance
    }

    /// Raw records that processing has not finished, as it says itself.
    async fn lag(&self) -> u64 {
        let mut lag = 0.0;
        for name in &NAMES[2..] {
            let Ok((200, metrics)) = self.processes.on(name, |process| process.get("/metrics")).await else {
                return u64::MAX;
            };
            lag += metrics
                .lines()
                .filter(|line| line.starts_with("weir_consumer_lag_records{"))
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                .sum::<f64>();
        }
        lag as u64
    }

    fn bare<'a>(&self, topic: &'a str) -> &'a str {
        topic.strip_prefix(self.installation.prefix()).unwrap()
    }

    async fn read_raw(&self, reader: &mut Reader, outcome: &mut Outcome) {
        while let Some(stored) = reader.next_until_end().await.unwrap() {
            let topic = self.bare(&stored.coordinates.topic).to_owned();
            outcome.raw += 1;
            *outcome.raw_by_partition.entry(topic).or_default().entry(stored.coordinates.partition).or_default() += 1;
        }
    }

    async fn read_typed(&self, reader: &mut Reader, outcome: &mut Outcome, seen: &mut HashMap<(String, String), u64>) {
        while let Some(stored) = reader.next_until_end().await.unwrap() {
            let topic = self.bare(&stored.coordinates.topic).to_owned();
            let times = seen.entry((topic.clone(), stored.headers.id.clone())).or_default();
            *times += 1;
            let first = *times == 1;
            match topic.as_str() {
                "dead-letters" => outcome.dead_letters += u64::from(first),
                "activities" => {
                    let activity = Activity::decode(payload(&stored)).unwrap();
                    let id = activity.context.as_ref().unwrap().event_id.clone();
                    outcome.activities.entry(id).or_default().insert(activity.ordinal, activity);
                }
                _ => {
                    assert!(
                        EVENT_TYPES.iter().any(|one| one.topic == topic),
                        "{topic}: the generator sends nothing unknown"
                    );
                    let key = simulate::key::natural_key(&topic, payload(&stored)).unwrap();
                    // Every typed event has its context in field 1.
                    let context = FirstField::decode(payload(&stored)).unwrap().context.unwrap();
                    assert_eq!(context.event_id, stored.headers.id, "ce_id is the event's id");
                    let key = (topic, key);
                    let found = outcome.events.entry(key.clone()).or_insert_with(|| Found {
                        key,
                        context,
                        ids: Default::default(),
                    });
                    found.ids.insert(stored.headers.id);
                }
            }
        }
    }
}

fn payload(stored: &Stored) -> &[u8] {
    stored.payload.as_deref().unwrap()
}

/// What every typed event begins with.
#[derive(Clone, PartialEq, prost::Message)]
struct FirstField {
    #[prost(message, optional, tag = "1")]
    context: Option<common::event::v1::Context>,
}
