//! What is refused is told why, and leaves no trace.

use std::io::Write as _;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use weir_tests::kafka;

use crate::door::{Operator, head, hub, standard};

const TOPICS: [&str; 7] = [
    "raw.github",
    "raw.github.bulk",
    "raw.meta",
    "raw.meta.bulk",
    "raw.standard_webhooks",
    "raw.standard_webhooks.bulk",
    "dead-letters",
];
const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn bomb() -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..100 {
        gzip.write_all(&[b'0'; 1 << 20]).unwrap();
    }
    gzip.finish().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_gets_its_status_and_leaves_no_trace() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "refuses");
    let door = operator
        .open(&[("WEIR__STREAMING__MAX_BODY_BYTES", "2000000"), ("WEIR__STREAMING__BODY_TIMEOUT_MS", "500")])
        .await;
    operator.register("hub", "github", &["s3cret"], 0).await;
    operator.register("app", "meta", &["s3cret"], 0).await;
    operator.register("any", "standard_webhooks", &[STANDARD_SECRET], 0).await;
    let body: &[u8] = br#"{"repository":{"id":1}}"#;
    let (name, good) = hub("s3cret", body);

    // Signatures.
    for endpoint in ["hub", "app"] {
        for (headers, says) in [
            (vec![], "missing"),
            (vec![(name, String::new())], "malformed"),
            (vec![(name, good.replace("sha256=", ""))], "malformed"),
            (vec![(name, good.replace("sha256=", "sha1="))], "malformed"),
            (vec![(name, good[..70].to_owned())], "malformed"),
            (vec![(name, good.clone()), (name, good.clone())], "malformed"),
            (vec![hub("other", body)], "match"),
            (vec![hub("s3cret", b"{}")], "match"),
            (vec![hub("", body)], "match"),
        ] {
            let answer = door.post(endpoint, &headers, body).await;
            assert_eq!(answer.status, 401, "{endpoint} {headers:?} {answer:?}");
            assert!(answer.body.contains(says), "{endpoint} {headers:?} {answer:?}");
            assert!(!answer.body.contains("s3cret") && !answer.body.contains(name), "{answer:?}");
        }
    }
    let mut stale = standard(STANDARD_SECRET, "msg_1", body);
    assert_eq!(door.post("any", &stale, b"{}").await.status, 401);
    stale[1].1 = "1000000000".into();
    let answer = door.post("any", &stale, body).await;
    assert_eq!(answer.status, 401);
    assert_eq!(door.post("any", &stale[..2], body).await.status, 401);

    // Names and methods.
    for path in ["/webhooks/nobody", "/webhooks/hub/", "/webhooks/HUB", "/webhooks/%68ub", "/webhooks/", "/hub", "//"] {
        assert_eq!(door.request("POST", path, &[hub("s3cret", body)], body).await.status, 404, "{path}");
    }
    assert_eq!(door.request("GET", "/webhooks/nobody", &[], b"").await.status, 404);
    for method in ["PUT", "DELETE", "PATCH"] {
        let answer = door.request(method, "/webhooks/hub", &[hub("s3cret", body)], body).await;
        assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "GET, POST"), "{method}");
    }
    let answer = door.request("GET", "/webhooks/hub", &[], b"").await;
    assert_eq!((answer.status, answer.headers["allow"].as_str()), (405, "POST"));

    // Bodies. The bomb is signed, and would be 100 MB.
    let bomb = bomb();
    let encoded = ("content-encoding", "gzip".to_owned());
    assert_eq!(door.post("hub", &[hub("s3cret", &bomb), encoded], &bomb).await.status, 415);
    let large = vec![b'a'; 2_000_001];
    assert_eq!(door.deliver("hub", "s3cret", &large).await.status, 413);

    let mut truncated = door.connect().await;
    truncated.write_all(&head("POST", "/webhooks/hub", &[hub("s3cret", body)], body.len() + 1)).await.unwrap();
    truncated.write_all(body).await.unwrap();
    drop(truncated);

    let mut slow = door.connect().await;
    let begun = Instant::now();
    slow.write_all(&head("POST", "/webhooks/hub", &[hub("s3cret", body)], body.len())).await.unwrap();
    slow.write_all(&body[..5]).await.unwrap();
    let mut status = [0; 12];
    slow.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 408");
    assert!(begun.elapsed() < Duration::from_secs(3));

    // The door is as it was, and nothing of all that is on the log.
    assert!(door.running.host.health().is_ready());
    let id = door.deliver("hub", "s3cret", body).await.delivery_id();
    for topic in TOPICS {
        let found: Vec<_> = operator.records(topic).await.into_iter().map(|record| record.headers.id).collect();
        let expected: &[String] = if topic == "raw.github" { std::slice::from_ref(&id) } else { &[] };
        assert_eq!(found, expected, "{topic}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_heads_hold_no_connection_for_long() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "loris");
    let door = operator
        .open(&[("WEIR__STREAMING__MAX_CONNECTIONS", "8"), ("WEIR__STREAMING__HEADER_TIMEOUT_MS", "500")])
        .await;
    operator.register("hub", "github", &["s3cret"], 0).await;
    let mut lorises = Vec::new();
    for _ in 0..8 {
        let mut connection = door.connect().await;
        connection.write_all(b"POST /webhooks/hub HTTP/1.1\r\nx-a: ").await.unwrap();
        lorises.push(connection);
    }
    // All places are taken; who waits gets one when the time of the others is over.
    let begun = Instant::now();
    assert_eq!(door.deliver("hub", "s3cret", b"{}").await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    drop(lorises);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_wait_and_nobody_else_does() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "strangers");
    let door = std::sync::Arc::new(operator.open(&[]).await);
    operator.register("hub", "github", &["s3cret"], 0).await;
    assert_eq!(door.deliver("hub", "s3cret", b"{}").await.status, 200);
    let mut strangers = tokio::task::JoinSet::new();
    for stranger in 0..64 {
        let door = std::sync::Arc::clone(&door);
        strangers.spawn(async move {
            let mut statuses = Vec::new();
            for attempt in 0..5 {
                statuses.push(door.deliver(&format!("nobody-{stranger}-{attempt}"), "guess", b"{}").await.status);
                statuses.push(door.deliver("hub", "guess", b"{}").await.status);
            }
            statuses
        });
    }
    let mut slowest = Duration::ZERO;
    for _ in 0..20 {
        let begun = Instant::now();
        assert_eq!(door.deliver("hub", "s3cret", b"{}").await.status, 200);
        slowest = slowest.max(begun.elapsed());
    }
    let statuses = strangers.join_all().await.concat();
    assert!(statuses.chunks(2).all(|pair| pair == [404, 401]), "{statuses:?}");
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
}
