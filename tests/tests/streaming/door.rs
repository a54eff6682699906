//! A door to knock at: the service in this process, an operator with a key, and a client that sends exactly the bytes
//! it is told to.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bus::{Bus, Headers, Producer, Record, Stored};
use common::raw::v1::Delivery;
use common::registration::v1::{Endpoint, Registration, SealedSecret, registration::Kind};
use common::topics::REGISTRATIONS;
use service::Secret;
use service::seal::SealingKey;
use sources::signature::Algorithm;
use streaming::Streaming;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use weir_tests::github::{SIGNATURE, signature};
pub(crate) use weir_tests::installation::DOOR as LISTEN;
use weir_tests::installation::Installation;
use weir_tests::process::Launch;
use weir_tests::running::Running;
use weir_tests::topic;

/// Somebody with the sealing key and the right to write to the log.
pub(crate) struct Operator {
    pub(crate) bus: Bus,
    pub(crate) producer: Producer,
    key: SealingKey,
    installation: Installation,
}

impl Operator {
    pub(crate) fn new(brokers: &str, name: &str) -> Self {
        let installation = Installation::on(brokers, name)
            .unwrap()
            .with("WEIR__BUS__PARTITIONS", "3")
            .with("WEIR__STREAMING__CHECK_INTERVAL_MS", "100");
        let key = SealingKey::from_file(installation.key_file()).unwrap();
        let bus = installation.bus().unwrap();
        let producer = bus.producer().unwrap();
        Self { bus, producer, key, installation }
    }

    /// The program, to be started as a process of its own.
    pub(crate) fn launch(&self) -> Launch {
        self.installation.launch("streaming").unwrap()
    }

    /// Starts a door and does not wait for it.
    pub(crate) async fn start(&self, env: &[(&str, &str)]) -> Door {
        let settings = self.installation.settings_with::<Streaming>(None, env).unwrap();
        let running = Running::start::<Streaming>(&settings).await;
        Door { address: running.door.unwrap(), running }
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
        self.producer.try_send(Self::record(name, endpoint)).unwrap().await.unwrap();
    }

    /// The record that registers it.
    pub(crate) fn record(name: &str, endpoint: Endpoint) -> Record {
        let registration = Registration {
            id: format!("endpoint/{name}"),
            revision: 1,
            tenant: "acme".into(),
            kind: Some(Kind::Endpoint(endpoint)),
            ..Registration::default()
        };
        Record::new(&REGISTRATIONS, registration.id.clone(), &registration, Headers::default())
    }

    pub(crate) async fn remove(&self, name: &str) {
        let record = Record::tombstone(&REGISTRATIONS, format!("endpoint/{name}"));
        self.producer.try_send(record).unwrap().await.unwrap();
    }

    /// Everything that is on a topic now.
    pub(crate) async fn records(&self, topic: &str) -> Vec<Stored> {
        topic::read(&self.bus, topic).await.unwrap()
    }

    /// Every delivery that is on a topic now.
    pub(crate) async fn deliveries(&self, topic: &str) -> Vec<Delivery> {
        self.records(topic).await.iter().map(|record| record.decode().unwrap()).collect()
    }
}

/// The service, running in this process.
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) running: Running,
}

impl Door {
    pub(crate) async fn ready(&self, limit: Duration) {
        let ready = until(|| async { self.running.host.health().is_ready() });
        assert!(timeout(limit, ready).await.is_ok(), "not ready: {:#?}", self.running.digest());
    }

    /// The state and message of a check.
    pub(crate) fn check(&self, name: &str) -> (service::State, String) {
        self.running.check(name)
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
    (SIGNATURE, signature(secret, body))
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
