//! A door with a hundred thousand endpoints: what its page of metrics costs. It is a program of its own, because it looks at
//! the memory of its process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use bus::{Bus, Error, Headers, Producer, Receipt, Record, TopicKind, TopicSpec};
use common::registration::v1::{Endpoint, Registration, registration::Kind};
use common::topics::{REGISTRATIONS, raw, raw_bulk};
use secrecy::SecretString;
use service::seal::SealingKey;
use service::{Host, Settings as _};
use sources::signature::Algorithm;
use streaming::{DEFAULTS, Settings, Streaming};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const ENDPOINTS: usize = 100_000;
/// So many of them have deliveries: five times as many as have series of their own.
const BUSY: usize = 1_000;
const SECRET: &str = "It's a Secret to Everybody";
/// What a page of metrics may have and take, and what the process may grow by for two of them.
const BYTES: usize = 1_000_000;
const TIME: Duration = Duration::from_millis(50);
const GROWTH: usize = 5_000_000;

fn settings(folder: &Path) -> Settings {
    let data = folder.join("data").display().to_string();
    let key = folder.join("key").display().to_string();
    let env = [
        ("WEIR__DATA__DIR", data.as_str()),
        ("WEIR__BUS__KAFKA__BROKERS", ""),
        ("WEIR__BUS__CREATE_TOPICS", "true"),
        ("WEIR__SECRETS__KEY_FILE", &key),
        ("WEIR__STREAMING__LISTEN", "127.0.0.1:0"),
        ("WEIR__ADMIN__LISTEN", "127.0.0.1:0"),
        ("WEIR__GRPC__LISTEN", "127.0.0.1:0"),
    ];
    service::load(DEFAULTS, None, env.map(|(key, value)| (key.to_owned(), value.to_owned()))).unwrap()
}

fn registered(key: &SealingKey, n: usize) -> Record {
    let name = name(n);
    let id = format!("endpoint/{name}");
    // Sealing takes longest: those that have deliveries have a secret.
    let secret = n.is_multiple_of(ENDPOINTS / BUSY).then(|| key.seal(&id, &SecretString::from(SECRET)).unwrap());
    let secrets = secret.into_iter().collect();
    let endpoint = Endpoint { name, source: "github".into(), secrets, ..Endpoint::default() };
    let registration = Registration {
        id: id.clone(),
        revision: 1,
        tenant: "acme".into(),
        kind: Some(Kind::Endpoint(endpoint)),
        ..Registration::default()
    };
    Record::new(&REGISTRATIONS, id, &registration, Headers::default())
}

fn name(n: usize) -> String {
    format!("customer-{n}-production-webhooks")
}

/// Puts all of them on the log.
async fn register(producer: &Producer, key: &SealingKey) {
    let mut sent: Vec<Receipt> = Vec::new();
    for n in 0..ENDPOINTS {
        loop {
            match producer.try_send(registered(key, n)) {
                Ok(receipt) => break sent.push(receipt),
                // Room is where the oldest are durable.
                Err(Error::Full) => {
                    for receipt in sent.drain(..) {
                        receipt.await.unwrap();
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    for receipt in sent {
        receipt.await.unwrap();
    }
}

/// The status and the body.
async fn ask(address: SocketAddr, head: String, body: &str) -> (u16, String) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let request = format!("{head}host: weir\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(Duration::from_secs(30), connection.read_to_end(&mut answer)).await.expect("no answer").unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

async fn deliver(door: SocketAddr, n: usize) {
    let body = format!("{{\"zen\":\"{n}\"}}");
    let signature = hex::encode(Algorithm::Sha256.hmac(SECRET.as_bytes(), &[body.as_bytes()]));
    let head = format!("POST /webhooks/{} HTTP/1.1\r\nx-hub-signature-256: sha256={signature}\r\n", name(n));
    let (status, answer) = ask(door, head, &body).await;
    assert_eq!(status, 200, "{answer}");
}

async fn metrics(admin: SocketAddr) -> String {
    let (status, page) = ask(admin, "GET /metrics HTTP/1.1\r\n".to_owned(), "").await;
    assert_eq!(status, 200);
    page
}

/// The memory that the process has, in bytes.
fn resident() -> usize {
    let told = std::fs::read_to_string("/proc/self/statm").unwrap();
    told.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_metrics_of_a_hundred_thousand_endpoints_stay_small_and_quick() {
    let folder = tempfile::tempdir().unwrap();
    let key = SealingKey::create_file(folder.path().join("key")).unwrap();
    let settings = settings(folder.path());
    let bus = Bus::open(&settings.bus).unwrap();
    let log = TopicKind::Log { retention: Duration::from_secs(24 * 3600) };
    let topics = [(REGISTRATIONS.name().to_owned(), TopicKind::Compacted)]
        .into_iter()
        .chain([raw("github").name(), raw_bulk("github").name()].map(|name| (name.to_owned(), log)));
    let topics: Vec<_> = topics.map(|(name, kind)| TopicSpec { name, kind }).collect();
    assert!(bus.prepare_topics(&topics).await.unwrap().is_empty());
    register(&bus.producer().unwrap(), &key).await;

    let host = Host::new("streaming", &settings.host());
    let streaming = Streaming::new(&settings, &host).await.unwrap();
    let door = streaming.address();
    let admin = host.serve(tonic::service::Routes::default()).await.unwrap().admin;
    let mut tasks = JoinSet::new();
    tasks.spawn(streaming.run());
    let ready = async {
        while !host.health().is_ready() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(timeout(Duration::from_secs(60), ready).await.is_ok(), "{:#?}", host.health().digest());
    // From all over them; some at a time, as the log makes many durable at once.
    for some in (0..BUSY).collect::<Vec<_>>().chunks(100) {
        let deliveries: JoinSet<()> = some.iter().map(|n| deliver(door, n * (ENDPOINTS / BUSY))).collect();
        deliveries.join_all().await;
    }

    let page = metrics(admin).await;
    let before = resident();
    let mut fastest = Duration::MAX;
    for _ in 0..2 {
        metrics(admin).await;
    }
    let growth = resident().saturating_sub(before);
    for _ in 0..10 {
        let began = Instant::now();
        metrics(admin).await;
        fastest = fastest.min(began.elapsed());
    }
    let series = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).count();
    println!("{} bytes, {series} series, {fastest:?}, {growth} bytes more for two looks", page.len());
    assert!(page.len() <= BYTES, "{} bytes\n{}", page.len(), page.get(..10_000).unwrap_or(&page));
    // What another program does on this machine at the same time is not what the page takes.
    assert!(fastest <= TIME, "{fastest:?}");
    assert!(growth <= GROWTH, "{growth} bytes");
    let own = page.lines().filter(|line| line.contains(",endpoint=\"customer-") && line.contains("\"taken_in\""));
    assert_eq!(own.count(), 200, "{page}");
    let others =
        "weir_endpoint_items_total{stage=\"streaming\",endpoint=\"(others)\",what=\"taken_in\",reason=\"\"} 800\n";
    assert!(page.contains(others), "{page}");
    assert!(page.contains("weir_stage_items_total{stage=\"streaming\",what=\"sent_on\",reason=\"\"} 1000\n"), "{page}");

    let began = Instant::now();
    let (status, digest) = ask(admin, "GET /health HTTP/1.1\r\n".to_owned(), "").await;
    println!("the digest: {} bytes, {:?}", digest.len(), began.elapsed());
    assert!(status == 200 && digest.len() <= BYTES && digest.contains("(others)"), "{} bytes", digest.len());

    host.shutdown().cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
    host.close().await;
}
