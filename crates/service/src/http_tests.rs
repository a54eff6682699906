use std::time::Instant;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit};
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::Notify;

use super::*;

const LIMITS: HttpLimits = HttpLimits {
    header_timeout: Duration::from_secs(20),
    idle_timeout: Duration::from_secs(20),
    write_timeout: Duration::from_secs(20),
    max_connections: 100,
    max_header_bytes: 4096,
    max_headers: 20,
    drain: Duration::from_secs(20),
};
const SHORT: Duration = Duration::from_millis(200);
/// Longer than any test may take, so that a test that waits for nothing fails.
const PATIENCE: Duration = Duration::from_secs(10);

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinSet<()>,
    /// A handler that takes its time has begun.
    started: Arc<Notify>,
    watch: Watch,
}

impl Server {
    async fn start(limits: HttpLimits) -> Server {
        let started = Arc::new(Notify::new());
        let (slow, never) = (Arc::clone(&started), Arc::clone(&started));
        let router = Router::new()
            .route("/", get(async || "hello"))
            .route("/peer", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()))
            .route("/panic", get(async || if true { panic!("on purpose") } else { "" }))
            .route(
                "/slow",
                get(async move || {
                    slow.notify_one();
                    tokio::time::sleep(SHORT * 3).await;
                    "slow"
                }),
            )
            .route(
                "/never",
                get(async move || {
                    never.notify_one();
                    std::future::pending::<()>().await;
                    ""
                }),
            )
            .route("/large", get(async || "x".repeat(64 * 1024 * 1024)))
            .route("/echo", post(async |body: Bytes| body))
            .layer(DefaultBodyLimit::max(1024));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let mut task = JoinSet::new();
        let watch = Watch::default();
        task.spawn(serve_watched(listener, None, router, limits, watch.clone(), shutdown.clone()));
        Server { address, shutdown, task, started, watch }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// One request on its own connection: the whole answer.
    async fn request(&self, text: &str) -> String {
        let mut stream = self.connect().await;
        stream.write_all(text.as_bytes()).await.unwrap();
        read_all(&mut stream).await
    }

    /// Waits until so much was counted, which is after the answer.
    async fn counts(&self, totals: UnservedTotals) {
        let counted = async {
            while self.watch.totals() != totals {
                tokio::task::yield_now().await;
            }
        };
        let counted = tokio::time::timeout(PATIENCE, counted).await;
        assert!(counted.is_ok(), "{:?}, not {totals:?}", self.watch.totals());
    }

    async fn get(&self, path: &str) -> String {
        self.request(&format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")).await
    }
}

/// Until the other side closes.
async fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it is not closed");
    // A reset after the answer is an end, too.
    let _ = read;
    String::from_utf8_lossy(&bytes).into_owned()
}

/// One answer on a connection that stays open.
async fn read_answer(stream: &mut TcpStream, ends_with: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(ends_with) {
        let mut buffer = [0; 1024];
        let n = tokio::time::timeout(PATIENCE, stream.read(&mut buffer)).await.expect("no answer").unwrap();
        assert_ne!(n, 0, "closed after {text:?}");
        text.push_str(&String::from_utf8_lossy(&buffer[..n]));
    }
    text
}

#[tokio::test]
async fn answers_and_tells_the_peer() {
    let server = Server::start(LIMITS).await;
    assert!(server.get("/").await.ends_with("\r\n\r\nhello"));
    let mut stream = server.connect().await;
    let own = stream.local_addr().unwrap().to_string();
    stream.write_all(b"GET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(&mut stream, &own).await;
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let server = Server::start(HttpLimits { header_timeout: SHORT, ..LIMITS }).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        read_answer(&mut stream, "hello").await;
        // Longer than the time for a head, which does not run between requests.
        tokio::time::sleep(SHORT * 2).await;
    }
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\nGET /peer HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let own = stream.local_addr().unwrap().to_string();
    read_answer(&mut stream, &own).await;
}

#[tokio::test]
async fn who_sends_no_head_is_cut_off() {
    let server = Server::start(HttpLimits { header_timeout: SHORT, ..LIMITS }).await;
    for start in ["", "GET / HTTP/1.1\r\nhost"] {
        let mut stream = server.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let before = Instant::now();
        assert_eq!(read_all(&mut stream).await, "");
        assert!(before.elapsed() >= SHORT / 2 && before.elapsed() < PATIENCE / 2, "{:?}", before.elapsed());
    }
}

#[tokio::test]
async fn who_drips_the_head_is_cut_off() {
    let server = Server::start(HttpLimits { header_timeout: SHORT, ..LIMITS }).await;
    let (mut reader, mut writer) = server.connect().await.into_split();
    let before = Instant::now();
    let drip = async {
        loop {
            if writer.write_all(b"G").await.is_err() {
                return;
            }
            tokio::time::sleep(SHORT / 20).await;
        }
    };
    let mut bytes = Vec::new();
    tokio::select! {
        () = drip => {}
        _ = reader.read_to_end(&mut bytes) => {}
        () = tokio::time::sleep(PATIENCE) => panic!("still open"),
    }
    assert!(before.elapsed() >= SHORT / 2 && before.elapsed() < PATIENCE / 2, "{:?}", before.elapsed());
}

#[tokio::test]
async fn the_second_head_has_its_limit_too() {
    let server = Server::start(HttpLimits { header_timeout: SHORT, ..LIMITS }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(&mut stream, "hello").await;
    stream.write_all(b"GET / HT").await.unwrap();
    assert_eq!(read_all(&mut stream).await, "");
}

#[tokio::test]
async fn who_is_idle_for_too_long_is_closed() {
    let server = Server::start(HttpLimits { idle_timeout: SHORT, ..LIMITS }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(&mut stream, "hello").await;
    assert_eq!(read_all(&mut stream).await, "");
}

#[tokio::test]
async fn who_waits_for_us_is_not_cut_off() {
    let server = Server::start(HttpLimits { header_timeout: SHORT, idle_timeout: SHORT, ..LIMITS }).await;
    assert!(server.get("/slow").await.ends_with("slow"));
}

#[tokio::test]
async fn who_takes_no_answer_is_cut_off() {
    let server = Server::start(HttpLimits { write_timeout: SHORT, ..LIMITS }).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(SHORT * 10).await;
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("still open");
    assert!(!bytes.is_empty() && bytes.len() < 64 * 1024 * 1024, "{}", bytes.len());
}

#[tokio::test]
async fn heads_have_a_size() {
    let server = Server::start(LIMITS).await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(5000));
    assert!(server.request(&long).await.starts_with("HTTP/1.1 431 "));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(21));
    assert!(server.request(&many).await.starts_with("HTTP/1.1 431 "));
    assert!(server.request("GET / HTTP/9\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    assert!(server.get("/").await.ends_with("hello"), "others are not harmed");
}

/// What the HTTP layer answers by itself is counted by what it looks like, and nothing else is.
#[tokio::test]
async fn what_never_becomes_a_request_is_counted() {
    let server = Server::start(HttpLimits { header_timeout: SHORT, ..LIMITS }).await;
    let long = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(5000));
    let mut expected = [0; Unserved::ALL.len()];
    for (sent, status, why) in [
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\nhost: x\r\n\r\n", "400", Unserved::ProxyHeader),
        ("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "400", Unserved::ProxyHeader),
        ("\x16\x03\x01\x02\0\x01\0\x01\u{7c}\x03\x03", "400", Unserved::TlsOnPlainPort),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "", Unserved::Http2),
        ("GET / HTTP/9\r\n\r\n", "400", Unserved::Malformed),
        ("hello\r\n\r\n", "400", Unserved::Malformed),
        (&long, "431", Unserved::HeadTooLarge),
    ] {
        let answer = server.request(sent).await;
        assert_eq!(answer.split(' ').nth(1).unwrap_or_default(), status, "{sent:?}: {answer}");
        assert_eq!(why.status().map(|status| status.to_string()).unwrap_or_default(), status);
        expected[Unserved::ALL.iter().position(|one| *one == why).unwrap()] += 1;
        server.counts(UnservedTotals { requests: 0, unserved: expected }).await;
    }
    // Who says nothing, half of a head, or goes, said nothing wrong. And what is served is a request.
    for sent in ["", "GET / HTTP/1.1\r\nhost"] {
        assert_eq!(server.request(sent).await, "");
        drop(server.connect().await);
    }
    assert!(server.get("/").await.ends_with("hello"));
    assert_eq!(server.watch.totals(), UnservedTotals { requests: 1, unserved: expected });
}

#[tokio::test]
async fn a_body_beyond_the_limit_of_its_handler_is_413() {
    let server = Server::start(LIMITS).await;
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let answer = server.request(&format!("{head}content-length: 3\r\n\r\nabc")).await;
    assert!(answer.ends_with("abc"), "{answer}");
    let answer = server.request(&format!("{head}content-length: 2000\r\n\r\n{}", "x".repeat(2000))).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
}

#[tokio::test]
async fn beyond_the_cap_who_says_nothing_gives_way() {
    let server = Server::start(HttpLimits { max_connections: 3, ..LIMITS }).await;
    let mut served = server.connect().await;
    served.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    server.started.notified().await;
    let mut dripping = server.connect().await;
    let head = "POST /echo HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 9\r\n\r\n";
    dripping.write_all(head.as_bytes()).await.unwrap();
    read_answer(&mut dripping, "100 Continue\r\n\r\n").await;
    dripping.write_all(b"abc").await.unwrap();
    let mut silent = server.connect().await;
    for _ in 0..2 {
        assert!(server.get("/").await.ends_with("hello"));
    }
    // The first to give way was the one that has waited for longest, whatever it had sent.
    assert_eq!(read_all(&mut dripping).await, "");
    assert_eq!(tokio::time::timeout(SHORT, silent.read(&mut [0; 1])).await.map_err(drop).map(Result::ok), Err(()));
    assert!(tokio::time::timeout(SHORT, served.read(&mut [0; 1])).await.is_err(), "who waits for us was closed");
}

/// Connections may be idle for very long, because the one that is so for longest makes room.
#[tokio::test]
async fn beyond_the_cap_the_longest_idle_gives_way() {
    let server = Server::start(HttpLimits { max_connections: 3, idle_timeout: PATIENCE * 100, ..LIMITS }).await;
    let mut idle = Vec::new();
    for _ in 0..3 {
        let mut stream = server.connect().await;
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        read_answer(&mut stream, "hello").await;
        idle.push(stream);
    }
    assert!(server.get("/").await.ends_with("hello"));
    assert_eq!(read_all(&mut idle[0]).await, "");
    for stream in &mut idle[1..] {
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        read_answer(stream, "hello").await;
    }
}

#[tokio::test]
async fn where_all_are_served_the_next_one_waits() {
    let server = Server::start(HttpLimits { max_connections: 1, ..LIMITS }).await;
    let mut first = server.connect().await;
    first.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    server.started.notified().await;
    let mut second = server.connect().await;
    second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut buffer = [0; 16];
    assert!(tokio::time::timeout(SHORT, second.read(&mut buffer)).await.is_err(), "served beyond the cap");
    drop(first);
    read_answer(&mut second, "hello").await;
}

#[tokio::test]
async fn a_panic_ends_its_connection_only() {
    let server = Server::start(LIMITS).await;
    assert_eq!(server.get("/panic").await, "");
    assert!(server.get("/").await.ends_with("hello"));
}

#[tokio::test]
async fn shutdown_lets_requests_end_and_closes_what_is_idle() {
    let mut server = Server::start(LIMITS).await;
    let mut fresh = server.connect().await;
    let mut idle = server.connect().await;
    idle.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_answer(&mut idle, "hello").await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    server.started.notified().await;

    server.shutdown.cancel();
    let answer = read_all(&mut busy).await;
    assert!(answer.ends_with("slow") && answer.contains("connection: close"), "{answer}");
    assert_eq!(read_all(&mut idle).await, "");
    assert_eq!(read_all(&mut fresh).await, "");
    tokio::time::timeout(PATIENCE, server.task.join_next()).await.expect("it does not end").unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn shutdown_has_a_deadline() {
    let mut server = Server::start(HttpLimits { drain: SHORT, ..LIMITS }).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    server.started.notified().await;
    let before = Instant::now();
    server.shutdown.cancel();
    server.task.join_next().await.unwrap().unwrap();
    assert!(before.elapsed() >= SHORT / 2 && before.elapsed() < PATIENCE / 2, "{:?}", before.elapsed());
    assert_eq!(read_all(&mut busy).await, "");
}
