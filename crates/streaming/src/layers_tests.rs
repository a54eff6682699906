//! The door with no broker behind it, over real connections: what is refused is refused without one.

use std::collections::HashMap;
use std::net::SocketAddr;

use service::{Host, Secret, Settings as _};
use sources::signature::Algorithm;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::{DEFAULTS, EndpointSettings, Settings, Streaming};

use super::*;

const SECRET: &str = "It's a Secret to Everybody";

/// Runs a test, and does not wait for what still asks for the broker when it ends.
fn on_runtime(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(test);
    runtime.shutdown_background();
}

struct Running {
    address: SocketAddr,
    log: bus::Settings,
    host: Host,
    tasks: JoinSet<anyhow::Result<()>>,
}

/// A door whose broker is not there.
async fn start(env: &[(&str, &str)]) -> Running {
    let mut all = vec![
        ("WEIR__BUS__KAFKA__BROKERS", "127.0.0.1:1"),
        ("WEIR__BUS__KAFKA__DELIVERY_TIMEOUT_MS", "1000"),
        ("WEIR__STREAMING__LISTEN", "127.0.0.1:0"),
        ("WEIR__STREAMING__CHECK_INTERVAL_MS", "100"),
        ("WEIR__SHUTDOWN__DEADLINE_MS", "3000"),
    ];
    all.retain(|(name, _)| env.iter().all(|(other, _)| other != name));
    all.extend(env);
    let all = all.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned()));
    let mut settings = service::load::<Settings>(DEFAULTS, None, all).unwrap();
    let endpoint = |name: &str, source: &str| EndpointSettings {
        name: name.into(),
        source: source.into(),
        tenant: "acme".into(),
        secrets: vec![Secret::new("old"), Secret::new(SECRET)],
        verify_token: Some(Secret::new("token")),
        rate_limit: None,
    };
    settings.streaming.endpoints = vec![endpoint("hub", "github"), endpoint("app", "meta")];
    assert!(settings.validate().is_empty());
    let host = Host::new("streaming", &settings.host());
    let streaming = Streaming::new(&settings, &host).await.unwrap();
    let address = streaming.address();
    let mut tasks = JoinSet::new();
    tasks.spawn(streaming.run());
    Running { address, log: settings.bus, host, tasks }
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HashMap<String, String>,
    body: String,
}

impl Running {
    /// Waits until a check has this state, and gives its message.
    async fn check(&self, name: &str, state: service::State) -> String {
        let reached = async {
            loop {
                let digest = self.host.health().digest();
                let check = digest.checks.into_iter().find(|check| check.name == name).unwrap();
                if check.state() == state {
                    return check.message;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(10), reached).await.unwrap_or_else(|_| panic!("{name} is not {state:?}"))
    }

    /// Sends these bytes and reads until the connection is closed.
    async fn send(&self, request: &[u8]) -> Answer {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(request).await.unwrap();
        read(&mut connection).await
    }

    async fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        if !headers.iter().any(|(name, _)| *name == "content-length" || *name == "transfer-encoding") {
            request.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut request = request.into_bytes();
        request.extend_from_slice(body);
        self.send(&request).await
    }
}

async fn read(connection: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    timeout(Duration::from_secs(20), connection.read_to_end(&mut bytes)).await.expect("no answer").unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers =
        lines.filter_map(|line| line.split_once(": ")).map(|(n, v)| (n.to_lowercase(), v.to_owned())).collect();
    Answer { status, headers, body: body.to_owned() }
}

fn signature(body: &[u8]) -> String {
    format!("sha256={}", hex::encode(Algorithm::Sha256.hmac(SECRET.as_bytes(), &[body])))
}

#[test]
fn what_can_never_be_is_refused_at_once() {
    on_runtime(async {
        let door = start(&[]).await;
        let long = format!("/webhooks/{}", "a".repeat(65));
        for (method, path, status, allow) in [
            ("GET", "/", 200, None),
            ("HEAD", "/", 200, None),
            ("POST", "/", 405, Some("GET, HEAD")),
            ("GET", "/health", 404, None),
            ("POST", "/webhooks", 404, None),
            ("POST", "/webhooks/", 404, None),
            ("POST", "/webhooks/hub/", 404, None),
            ("POST", "/webhooks/%68ub", 404, None),
            ("POST", "/webhooks/Hub", 404, None),
            ("POST", &long, 404, None),
            ("PUT", "/webhooks/hub", 405, Some("GET, POST")),
            ("GET", "/webhooks/hub", 405, Some("POST")),
            // Nobody knows yet which endpoints there are: 503, and never 404.
            ("POST", "/webhooks/unknown", 503, None),
            ("GET", "/webhooks/unknown", 503, None),
        ] {
            let answer = door.request(method, path, &[], b"").await;
            assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
            assert_eq!(answer.headers.get("allow").map(String::as_str), allow, "{method} {path}");
            assert_eq!(answer.headers.contains_key("retry-after"), status == 503, "{method} {path}");
            assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{method} {path}");
            assert_eq!(answer.body.is_empty(), method == "HEAD", "{method} {path}");
        }
    });
}

/// After a change of the balancer: every connection fails before there is a request, and the door says so.
#[test]
fn connections_that_come_to_no_request_are_a_warning() {
    on_runtime(async {
        let door = start(&[]).await;
        door.check("streaming_http", service::State::Ok).await;
        let request = "POST /webhooks/hub HTTP/1.1\r\nhost: x\r\n\r\n";
        let sent = format!("PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n{request}");
        for _ in 0..10 {
            assert_eq!(door.send(sent.as_bytes()).await.status, 400);
        }
        let message = door.check("streaming_http", service::State::Warning).await;
        assert!(message.contains("0 requests came") && message.contains("turn the PROXY protocol off"), "{message}");
        assert!(!message.contains("192.0.2.1"), "{message}");
        // It was changed back.
        for _ in 0..11 {
            assert_eq!(door.request("GET", "/", &[], b"").await.status, 200);
        }
        door.check("streaming_http", service::State::Ok).await;
    });
}

#[test]
fn a_signature_that_does_not_fit_is_refused_without_a_broker() {
    on_runtime(async {
        let door = start(&[]).await;
        let body = br#"{"zen":"Keep it logically awesome."}"#;
        let wrong = signature(b"another body");
        for (headers, says) in [
            (vec![], "the signature is missing\n"),
            (vec![("x-hub-signature-256", "sha256=zz")], "the signature is malformed\n"),
            (vec![("x-hub-signature-256", "0123")], "the signature is malformed\n"),
            (vec![("x-hub-signature-256", wrong.as_str())], "the signature does not match\n"),
        ] {
            let answer = door.request("POST", "/webhooks/hub", &headers, body).await;
            assert_eq!((answer.status, answer.body.as_str()), (401, says), "{headers:?}");
            assert!(!answer.headers.contains_key("retry-after"));
        }
    });
}

/// Nothing exports traces here.
#[test]
fn the_trace_of_a_trusted_sender_goes_on_with_its_delivery() {
    const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    on_runtime(async {
        for (trusted, stored) in [("true", [Some(SENT), None, None]), ("false", [None; 3])] {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path().to_str().unwrap();
            let door = start(&[
                ("WEIR__BUS__KAFKA__BROKERS", ""),
                ("WEIR__BUS__DATA_DIR", folder),
                ("WEIR__BUS__CREATE_TOPICS", "true"),
                ("WEIR__STREAMING__TRUST_TRACEPARENT", trusted),
            ])
            .await;
            door.check("streaming_topics", service::State::Ok).await;
            // Of one repository, so that they stay in their order.
            let body = br#"{"repository":{"id":1}}"#;
            let signature = signature(body);
            for sent in [Some(SENT), Some("00-nonsense-01"), None] {
                let mut headers = vec![("x-hub-signature-256", signature.as_str()), ("x-github-event", "ping")];
                headers.extend(sent.map(|sent| ("traceparent", sent)));
                assert_eq!(door.request("POST", "/webhooks/hub", &headers, body).await.status, 200);
            }
            let log = bus::Bus::open(&door.log).unwrap();
            let mut raw = log.reader(&["raw.github".to_owned()], bus::Start::Beginning).await.unwrap();
            let mut seen = Vec::new();
            while let Some(record) = raw.next_until_end().await.unwrap() {
                seen.push(record.headers.traceparent);
            }
            assert_eq!(seen, stored.map(|stored| stored.map(str::to_owned)), "trusted: {trusted}");
        }
    });
}

#[test]
fn that_the_topics_were_fine_long_ago_says_nothing_of_now() {
    on_runtime(async {
        let folder = tempfile::tempdir().unwrap();
        let data = ("WEIR__BUS__DATA_DIR", folder.path().to_str().unwrap());
        let door = start(&[("WEIR__BUS__KAFKA__BROKERS", ""), data, ("WEIR__BUS__CREATE_TOPICS", "true")]).await;
        door.check("streaming_topics", service::State::Ok).await;
        let later = door.host.health().checks_at(std::time::Instant::now() + Duration::from_secs(241));
        let topics = later.iter().find(|check| check.name == "streaming_topics").unwrap();
        assert_eq!(topics.state(), service::State::Unknown, "{topics:?}");
    });
}

#[test]
fn bodies_beyond_the_limits() {
    on_runtime(async {
        let door =
            start(&[("WEIR__STREAMING__MAX_BODY_BYTES", "2048"), ("WEIR__STREAMING__BODY_TIMEOUT_MS", "300")]).await;
        // A bomb that would unpack to whatever: nobody unpacks it.
        let answer = door.request("POST", "/webhooks/hub", &[("content-encoding", "gzip")], &[0x1f, 0x8b]).await;
        assert_eq!((answer.status, answer.headers["accept-encoding"].as_str()), (415, "identity"));

        // Declared too large: told before a byte of it is sent.
        let answer = door.request("POST", "/webhooks/hub", &[("content-length", "2049")], b"").await;
        assert_eq!(answer.status, 413);
        let answer = door.request("POST", "/webhooks/hub", &[("content-length", "99999999999999")], b"").await;
        assert_eq!(answer.status, 413);
        // Not declared: told as soon as it is.
        let mut chunked = format!("{:x}\r\n", 1500).into_bytes();
        chunked.extend([b'a'; 1500]);
        let body = [chunked.as_slice(), b"\r\n", &chunked, b"\r\n0\r\n\r\n"].concat();
        let answer = door.request("POST", "/webhooks/hub", &[("transfer-encoding", "chunked")], &body).await;
        assert_eq!(answer.status, 413);

        // Slow: the time is for the whole body, and not for each byte.
        let mut slow = TcpStream::connect(door.address).await.unwrap();
        slow.write_all(b"POST /webhooks/hub HTTP/1.1\r\nhost: weir\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
        let begun = Instant::now();
        let (mut from, mut to) = slow.split();
        let drip = async {
            loop {
                // The door closes in the end.
                if to.write_all(b"a").await.is_err() {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let mut answer = [0; 12];
        tokio::select! {
            () = drip => {}
            read = from.read_exact(&mut answer) => { read.unwrap(); }
        }
        assert_eq!(&answer, b"HTTP/1.1 408");
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());

        // Broken off.
        let mut half = TcpStream::connect(door.address).await.unwrap();
        half.write_all(b"POST /webhooks/hub HTTP/1.1\r\nhost: weir\r\ncontent-length: 1000\r\n\r\n{\"a\"")
            .await
            .unwrap();
        half.shutdown().await.unwrap();
        let mut bytes = Vec::new();
        half.read_to_end(&mut bytes).await.unwrap();
        assert!(bytes.is_empty() || bytes.starts_with(b"HTTP/1.1 400"), "{}", String::from_utf8_lossy(&bytes));
    });
}

#[test]
fn beyond_the_memory_for_bodies_others_come_again() {
    on_runtime(async {
        let door =
            start(&[("WEIR__STREAMING__MAX_BODY_BYTES", "100000"), ("WEIR__STREAMING__MAX_BUFFERED_BYTES", "100000")])
                .await;
        let mut first = TcpStream::connect(door.address).await.unwrap();
        let head = b"POST /webhooks/hub HTTP/1.1\r\nhost: weir\r\nconnection: close\r\ncontent-length: 90000\r\n\r\n";
        first.write_all(head).await.unwrap();
        first.write_all(&[b'a'; 89_999]).await.unwrap();
        let body = vec![b'b'; 50_000];
        // Once nearly all of the first has arrived, it holds nearly all of the memory.
        door.check("streaming_saturation", service::State::Warning).await;
        let answer = door.request("POST", "/webhooks/hub", &[("x-hub-signature-256", "sha256=00")], &body).await;
        assert_eq!(answer.status, 503, "{answer:?}");
        assert_eq!(answer.headers["retry-after"], "5");
        // The first goes on, and gives back what it held.
        first.write_all(b"a").await.unwrap();
        assert_eq!(read(&mut first).await.status, 401);
        assert_eq!(door.request("POST", "/webhooks/hub", &[], &body).await.status, 401);
    });
}

#[test]
fn when_full_it_refuses_before_it_looks() {
    on_runtime(async {
        let full = [("WEIR__STREAMING__MAX_IN_FLIGHT", "1"), ("WEIR__BUS__KAFKA__DELIVERY_TIMEOUT_MS", "60000")];
        let door = start(&full).await;
        let body = br#"{"repository":{"id":1}}"#;
        let head = format!("POST /webhooks/hub HTTP/1.1\r\nhost: weir\r\ncontent-length: {}\r\n", body.len());
        let mut first = TcpStream::connect(door.address).await.unwrap();
        let signed = format!("{head}x-hub-signature-256: {}\r\n\r\n", signature(body));
        first.write_all(&[signed.as_bytes(), body].concat()).await.unwrap();
        door.check("streaming_saturation", service::State::Warning).await;

        // No signature is asked for, and the connection can be used again.
        let mut other = TcpStream::connect(door.address).await.unwrap();
        for last in [false, true] {
            let close = if last { "connection: close\r\n" } else { "" };
            let request = format!("{head}{close}\r\n");
            other.write_all(&[request.as_bytes(), body].concat()).await.unwrap();
            if !last {
                let mut answer = vec![0; 12];
                other.read_exact(&mut answer).await.unwrap();
                assert_eq!(answer, b"HTTP/1.1 503");
                continue;
            }
            let mut rest = Vec::new();
            other.read_to_end(&mut rest).await.unwrap();
            let rest = String::from_utf8(rest).unwrap();
            assert!(rest.contains("\r\nretry-after: 5\r\n") && rest.contains("HTTP/1.1 503"), "{rest}");
        }
        // A large body is not waited for, and one that waits for leave gets none.
        for headers in [&[("content-length", "1000000")][..], &[("expect", "100-continue"), ("content-length", "9")]] {
            let answer = door.request("POST", "/webhooks/hub", headers, b"").await;
            assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "5"), "{answer:?}");
        }
        // Who does not exist is told so, full or not.
        assert_eq!(door.request("POST", "/webhooks/Hub", &[], body).await.status, 404);
    });
}

#[test]
fn handshakes_need_no_broker() {
    on_runtime(async {
        let door = start(&[]).await;
        let query = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=";
        let answer = door.request("GET", &format!("/webhooks/app?{query}token"), &[], b"").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "1158201444"));
        assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff");
        assert_eq!(door.request("GET", &format!("/webhooks/app?{query}other"), &[], b"").await.status, 403);
        assert_eq!(door.request("GET", "/webhooks/app", &[], b"").await.status, 400);
    });
}

#[test]
fn without_a_broker_nothing_is_accepted_and_health_says_why() {
    on_runtime(async {
        let mut door = start(&[]).await;
        let body = br#"{"repository":{"id":1}}"#;
        let begun = Instant::now();
        let answer = door.request("POST", "/webhooks/hub", &[("x-hub-signature-256", &signature(body))], body).await;
        assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "5"), "{answer:?}");
        assert!(begun.elapsed() < Duration::from_secs(8), "{:?}", begun.elapsed());

        assert!(!door.host.health().is_ready());
        let message = door.check("streaming_kafka", service::State::Failing).await;
        assert!(!message.is_empty());

        // It ends within the deadline all the same.
        let begun = Instant::now();
        door.host.shutdown().cancel();
        let ended = timeout(Duration::from_secs(5), door.tasks.join_next()).await.unwrap();
        assert!(ended.is_some());
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    });
}
