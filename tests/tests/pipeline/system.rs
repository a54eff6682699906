//! Two instances of streaming and two of processing as processes, over Kafka, Redis and PostgreSQL.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bus::{Bus, Reader, Start, Stored};
use common::activity::v1::Activity;
use common::event::EVENT_TYPES;
use common::registration::v1::registration::Kind;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use common::registration::v1::{Endpoint, PlainSecret, RegisterRequest, Registration};
use hmac::{Hmac, KeyInit as _, Mac as _};
use prost::Message as _;
use simulate::Endpoints;
use weir_tests::kafka::{self, Kafka};
use weir_tests::postgres::Postgres;
use weir_tests::process::{Launch, Process};
use weir_tests::redis::Redis;
use weir_tests::scratch::Scratch;

use crate::balance::Balance;
use crate::ledger::{Found, Ledger, Outcome, compare_activities};

pub(crate) const NAMES: [&str; 4] = ["streaming-0", "streaming-1", "processing-0", "processing-1"];
const DOOR: &str = "WEIR__STREAMING__LISTEN";

/// How long the pipeline may stand still before the test gives up on it.
const STALLED: Duration = Duration::from_secs(90);

pub(crate) struct System {
    processes: Arc<BTreeMap<&'static str, Mutex<Process>>>,
    addresses: BTreeMap<&'static str, [String; 2]>,
    kafka: &'static Kafka,
    prefix: String,
    // After the processes, so that these are stopped first.
    _redis: Redis,
    _postgres: Postgres,
    _scratch: Scratch,
}

/// Kills processes while the system is in use.
pub(crate) struct Killer(Arc<BTreeMap<&'static str, Mutex<Process>>>);

impl Killer {
    pub(crate) async fn kill_and_restart(&self, name: &'static str) {
        let processes = self.0.clone();
        let restart = move || lock(&processes[name]).restart().unwrap();
        tokio::task::spawn_blocking(restart).await.unwrap();
    }
}

fn lock(process: &Mutex<Process>) -> MutexGuard<'_, Process> {
    process.lock().unwrap()
}

impl System {
    pub(crate) async fn start(name: &str) -> Self {
        let kafka = kafka::shared().unwrap();
        let prefix = kafka::prefix(name);
        let (redis, postgres) =
            (Redis::start(weir_tests::redis::Options::default()).unwrap(), Postgres::start().unwrap());
        let database = postgres.database().unwrap();
        let scratch = Scratch::new(name).unwrap();
        let key_file = scratch.path().join("sealing-key");
        service::seal::SealingKey::create_file(&key_file).unwrap();

        let launch = |name: &'static str| {
            let program = if name.starts_with("streaming") { "weir-streaming" } else { "weir-processing" };
            let mut launch = Launch::new(program)
                .env("WEIR__BUS__KAFKA__BROKERS", kafka.bootstrap())
                .env("WEIR__BUS__KAFKA__SESSION_TIMEOUT_MS", "6000")
                .env("WEIR__BUS__TOPIC_PREFIX", &prefix)
                .env("WEIR__BUS__CREATE_TOPICS", "true")
                .env("WEIR__SECRETS__KEY_FILE", key_file.to_str().unwrap());
            if program == "weir-streaming" {
                launch = launch.listen(DOOR);
            } else {
                launch = launch
                    .env("WEIR__BUS__CLAIMS__STORE", "redis")
                    .env("WEIR__BUS__CLAIMS__URL", redis.url())
                    .env("WEIR__REGISTRATIONS__DATABASE", &database);
            }
            (name, Mutex::new(launch.start().unwrap()))
        };
        let processes: BTreeMap<_, _> = NAMES.into_iter().map(launch).collect();
        let addresses = processes
            .iter()
            .map(|(name, process)| {
                let process = lock(process);
                (*name, [process.address(DOOR).to_owned(), process.grpc().to_owned()])
            })
            .collect();
        let system = Self {
            processes: Arc::new(processes),
            addresses,
            kafka,
            prefix,
            _redis: redis,
            _postgres: postgres,
            _scratch: scratch,
        };
        system.all_ready(Duration::from_secs(120)).await;
        system
    }

    pub(crate) async fn all_ready(&self, limit: Duration) {
        let processes = self.processes.clone();
        let ready = move || processes.values().for_each(|process| lock(process).ready(limit).unwrap());
        tokio::task::spawn_blocking(ready).await.unwrap();
    }

    pub(crate) fn killer(&self) -> Killer {
        Killer(self.processes.clone())
    }

    pub(crate) fn door(&self, number: usize) -> &str {
        &self.addresses[NAMES[number]][0]
    }

    async fn registrar(&self) -> RegistrationServiceClient<tonic::transport::Channel> {
        RegistrationServiceClient::new(
            weir_tests::connect::grpc(&format!("http://{}", self.addresses["processing-0"][1])).await.unwrap(),
        )
    }

    /// Registers everything that a simulation delivers to.
    pub(crate) async fn register(&self, endpoints: &Endpoints, pages: u32) {
        let mut registrar = self.registrar().await;
        for request in endpoints.registrations(pages) {
            registrar.register(request).await.unwrap();
        }
    }

    pub(crate) async fn register_github(&self, name: &str, secret: &str) {
        let endpoint = Endpoint { name: name.into(), source: "github".into(), ..Endpoint::default() };
        let request = RegisterRequest {
            registration: Some(Registration {
                tenant: "acme".into(),
                kind: Some(Kind::Endpoint(endpoint)),
                ..Registration::default()
            }),
            secrets: vec![PlainSecret { value: secret.into(), expires_at: None }],
            ..RegisterRequest::default()
        };
        self.registrar().await.register(request).await.unwrap();
    }

    /// Posts a signed delivery, and gives the status.
    pub(crate) async fn post_github(&self, door: usize, endpoint: &str, secret: &str, body: &'static [u8]) -> u16 {
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body);
        let signature = hex::encode(mac.finalize().into_bytes());
        let request = http::Request::post(format!("http://{}/webhooks/{endpoint}", self.door(door)))
            .header("x-hub-signature-256", format!("sha256={signature}"))
            .header("x-github-event", "ping")
            .header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958")
            .header("content-type", "application/json")
            .body(http_body_util::Full::new(bytes::Bytes::from_static(body)))
            .unwrap();
        let client = hyper_util::client::legacy::Client::builder(hyper_util::rt::TokioExecutor::new()).build_http();
        client.request(request).await.unwrap().status().as_u16()
    }

    fn bus(&self) -> Bus {
        let environment = [
            ("WEIR__BUS__KAFKA__BROKERS".to_owned(), self.kafka.bootstrap().to_owned()),
            ("WEIR__BUS__TOPIC_PREFIX".to_owned(), self.prefix.clone()),
        ];
        let settings: weir::settings::Settings = service::load(weir::settings::DEFAULTS, None, environment).unwrap();
        Bus::open(&settings.bus).unwrap()
    }

    /// Reads everything that came out, until nothing that was acknowledged is missing and nothing more is on its way.
    pub(crate) async fn outcome(&self, ledger: &Ledger) -> Outcome {
        let bus = self.bus();
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

    /// What all instances of a stage say that they did.
    pub(crate) async fn balance(&self, hop: &'static str) -> Balance {
        let processes = self.processes.clone();
        let ask = move || {
            let mut balance = Balance::default();
            for name in NAMES.iter().filter(|name| name.starts_with(hop)) {
                balance.add(hop, &lock(&processes[name]).get("/health").unwrap().1);
            }
            balance
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    /// Raw records that processing has not finished, as it says itself.
    async fn lag(&self) -> u64 {
        let processes = self.processes.clone();
        let ask = move || {
            let mut lag = 0.0;
            for name in &NAMES[2..] {
                let Ok((200, metrics)) = lock(&processes[name]).get("/metrics") else { return u64::MAX };
                lag += metrics
                    .lines()
                    .filter(|line| line.starts_with("weir_consumer_lag_records{"))
                    .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
                    .sum::<f64>();
            }
            lag as u64
        };
        tokio::task::spawn_blocking(ask).await.unwrap()
    }

    fn bare<'a>(&self, topic: &'a str) -> &'a str {
        topic.strip_prefix(self.prefix.as_str()).unwrap()
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
