//! A door to knock at: the service in this process, an operator with a key, and a client that sends exactly the bytes
//! it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bus::{Bus, Headers, Producer, Record, Start, Stored};
use common::raw::v1::Delivery;
use common::registration::v1::{Endpoint, Registration, SealedSecret, registration::Kind};
use common::topics::REGISTRATIONS;
use service::seal::SealingKey;
use service::{Host, Secret, Settings as _};
use sources::signature::Algorithm;
use streaming::{DEFAULTS, Settings, Streaming};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use weir_tests::process::Launch;
use weir_tests::scratch::Scratch;

pub(crate) const LISTEN: &str = "WEIR__STREAMING__LISTEN";

/// Somebody with the sealing key and the right to write to the log.
pub(crate) struct Operator {
    pub(crate) bus: Bus,
    producer: Producer,
    key: SealingKey,
    scratch: Scratch,
    brokers: String,
    prefix: String,
}

impl Operator {
    pub(crate) fn new(brokers: &str, name: &str) -> Self {
        let scratch = Scratch::new(name).unwrap();
        let key = SealingKey::create_file(scratch.path().join("key")).unwrap();
        let prefix = weir_tests::kafka::prefix(name);
        let bus = Bus::open(&load(brokers, &prefix, &scratch, &[]).bus).unwrap();
        let producer = bus.producer().unwrap();
        Self { bus, producer, key, scratch, brokers: brokers.to_owned(), prefix }
    }

    /// The program, to be started as a process of its own.
    pub(crate) fn launch(&self) -> Launch {
        let mut environment = environment(&self.brokers, &self.prefix, &self.scratch);
        environment.remove(LISTEN);
        let launch = Launch::new("weir-streaming").listen(LISTEN);
        environment.into_iter().fold(launch, |launch, (key, value)| launch.env(key, value))
    }

    /// Starts a door and does not wait for it.
    pub(crate) async fn start(&self, env: &[(&str, &str)]) -> Door {
        let settings = load(&self.brokers, &self.prefix, &self.scratch, env);
        let host = Host::new("streaming", &settings.host());
        let streaming = Box::pin(Streaming::new(&settings, &host)).await.unwrap();
        let address = streaming.address();
        let mut tasks = JoinSet::new();
        tasks.spawn(streaming.run());
        Door { address, host, tasks }
    }

    /// Starts a door and waits until it is ready.
    pub(crate) async fn open(&self, env: &[(&str, &str)]) -> Door {
        let door = self.start(env).await;
        door.ready(Duration::from_secs(30)).await;
        door
    }

    pub(crate) fn seal(&self, endpoint: &str, secret: &str) -> SealedSecret {
        self.key.seal(&format!("endpoint/{endpoint}"), Secret::new(secret).secret()).unwrap()
    }

    /// Registers an endpoint, and returns when that is on the log.
    pub(crate) async fn register(&self, name: &str, source: &str, secrets: &[&str], rate_limit: u32) {
        let endpoint = Endpoint {
            name: name.into(),
            source: source.into(),
            secrets: secrets.iter().map(|secret| self.seal(name, secret)).collect(),
            verify_token: Some(self.seal(name, "token")),
            rate_limit,
        };
        self.publish(name, endpoint).await;
    }

    pub(crate) async fn publish(&self, name: &str, endpoint: Endpoint) {
        let registration = Registration {
            id: format!("endpoint/{name}"),
            revision: 1,
            tenant: "acme".into(),
            kind: Some(Kind::Endpoint(endpoint)),
            ..Registration::default()
        };
        let record = Record::new(&REGISTRATIONS, registration.id.clone(), &registration, Headers::default());
        self.producer.try_send(record).unwrap().await.unwrap();
    }

    pub(crate) async fn remove(&self, name: &str) {
        let record = Record::tombstone(&REGISTRATIONS, format!("endpoint/{name}"));
        self.producer.try_send(record).unwrap().await.unwrap();
    }

    /// Everything that is on a topic now.
    pub(crate) async fn records(&self, topic: &str) -> Vec<Stored> {
        let mut reader = self.bus.reader(&[topic.to_owned()], Start::Beginning).await.unwrap();
        let mut records = Vec::new();
        while let Some(record) = timeout(Duration::from_secs(30), reader.next_until_end()).await.unwrap().unwrap() {
            records.push(record);
        }
        records
    }

    /// Every delivery that is on a topic now.
    pub(crate) async fn deliveries(&self, topic: &str) -> Vec<Delivery> {
        self.records(topic).await.iter().map(|record| record.decode().unwrap()).collect()
    }
}

/// The settings of a door, as its environment.
fn environment(brokers: &str, prefix: &str, scratch: &Scratch) -> HashMap<&'static str, String> {
    let key = scratch.path().join("key");
    HashMap::from([
        ("WEIR__BUS__KAFKA__BROKERS", brokers.to_owned()),
        ("WEIR__BUS__TOPIC_PREFIX", prefix.to_owned()),
        ("WEIR__BUS__CREATE_TOPICS", "true".to_owned()),
        ("WEIR__BUS__PARTITIONS", "3".to_owned()),
        ("WEIR__BUS__DATA_DIR", scratch.path().display().to_string()),
        ("WEIR__SECRETS__KEY_FILE", key.display().to_string()),
        (LISTEN, "127.0.0.1:0".to_owned()),
        ("WEIR__STREAMING__CHECK_INTERVAL_MS", "100".to_owned()),
    ])
}

fn load(brokers: &str, prefix: &str, scratch: &Scratch, env: &[(&str, &str)]) -> Settings {
    let mut all: HashMap<&str, String> = environment(brokers, prefix, scratch);
    all.extend(env.iter().map(|(key, value)| (*key, (*value).to_owned())));
    let all = all.into_iter().map(|(key, value)| (key.to_owned(), value));
    service::load::<Settings>(DEFAULTS, None, all).unwrap()
}

/// The service, running in this process.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) host: Host,
    pub(crate) tasks: JoinSet<anyhow::Result<()>>,
}

impl Door {
    pub(crate) async fn ready(&self, limit: Duration) {
        let ready = until(|| async { self.host.health().is_ready() });
        assert!(timeout(limit, ready).await.is_ok(), "not ready: {:#?}", self.host.health().digest());
    }

    /// The state and message of a check.
    pub(crate) fn check(&self, name: &str) -> (service::State, String) {
        let digest = self.host.health().digest();
        let check = digest.checks.iter().find(|check| check.name == name).unwrap();
        (check.state(), check.message.clone())
    }

    pub(crate) fn client(&self) -> Client {
        Client(self.address)
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    pub(crate) async fn post(&self, endpoint: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
        self.client().post(endpoint, headers, body).await
    }

    pub(crate) async fn deliver(&self, endpoint: &str, secret: &str, body: &[u8]) -> Answer {
        self.client().deliver(endpoint, secret, body).await
    }

    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
        self.client().request(method, path, headers, body).await
    }
}

/// Somebody who knocks at an address, with a connection for each request.
#[derive(Clone, Copy)]
pub(crate) struct Client(pub(crate) SocketAddr);

impl Client {
    pub(crate) async fn post(&self, endpoint: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
        self.request("POST", &format!("/webhooks/{endpoint}"), headers, body).await
    }

    /// Delivers as GitHub and Meta sign.
    pub(crate) async fn deliver(&self, endpoint: &str, secret: &str, body: &[u8]) -> Answer {
        self.post(endpoint, &[hub(secret, body)], body).await
    }

    /// Sends exactly these bytes.
    pub(crate) async fn send(&self, bytes: &[u8]) -> Answer {
        let mut connection = TcpStream::connect(self.0).await.unwrap();
        let _ = connection.write_all(bytes).await;
        answer(&mut connection).await
    }

    pub(crate) async fn request(&self, method: &str, path: &str, headers: &[(&str, String)], body: &[u8]) -> Answer {
        let mut connection = TcpStream::connect(self.0).await.unwrap();
        // An answer may come before the whole body was sent, and the rest of it may then find nobody.
        let _ = connection.write_all(&head(method, path, headers, body.len())).await;
        let _ = connection.write_all(body).await;
        answer(&mut connection).await
    }
}

pub(crate) fn head(method: &str, path: &str, headers: &[(&str, String)], length: usize) -> Vec<u8> {
    let mut head =
        format!("{method} {path} HTTP/1.1\r\nhost: weir\r\nconnection: close\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The header with GitHub's and Meta's signature.
pub(crate) fn hub(secret: &str, body: &[u8]) -> (&'static str, String) {
    let digest = Algorithm::Sha256.hmac(secret.as_bytes(), &[body]);
    ("x-hub-signature-256", digest.iter().fold("sha256=".to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

/// The headers of a Standard Webhooks message, signed now.
pub(crate) fn standard(secret: &str, id: &str, body: &[u8]) -> [(&'static str, String); 3] {
    let now = service::clock::timestamp().seconds.to_string();
    let key = BASE64.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    let signed = [id.as_bytes(), b".", now.as_bytes(), b".", body];
    let signature = format!("v1,{}", BASE64.encode(Algorithm::Sha256.hmac(&key, &signed)));
    [("webhook-id", id.to_owned()), ("webhook-timestamp", now), ("webhook-signature", signature)]
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Answer {
    /// The id that the door gave to an accepted delivery.
    pub(crate) fn delivery_id(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        let id = self.body.split('"').nth(3).unwrap().to_owned();
        assert!(id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()), "{id}");
        id
    }
}

/// The answer on a connection that is closed after it.
pub(crate) async fn answer(connection: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match timeout(Duration::from_secs(30), connection.read(&mut buffer)).await.expect("no answer") {
            Ok(0) | Err(_) => break,
            Ok(n) => bytes.extend_from_slice(&buffer[..n]),
        }
    }
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned()));
    Answer { status, headers: headers.collect(), body: body.to_owned() }
}

/// Looks again and again.
pub(crate) async fn until<F: Future<Output = bool>>(mut look: impl FnMut() -> F) {
    while !look().await {
        sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until it is so, and tells how long that took.
pub(crate) async fn within<F: Future<Output = bool>>(limit: Duration, what: &str, look: impl FnMut() -> F) -> Duration {
    let begun = Instant::now();
    assert!(timeout(limit, until(look)).await.is_ok(), "{what}: not within {limit:?}");
    begun.elapsed()
}
