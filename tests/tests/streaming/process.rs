//! The door as a process of its own: its numbers, its settings, its end.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use weir_tests::child::Signal;
use weir_tests::{kafka, ports, promtool};

use crate::door::{Client, LISTEN, Operator, hub, within};

const SOON: Duration = Duration::from_secs(30);

/// The sum of all series of a metric that have these labels.
fn sum(page: &str, name: &str, labels: &[(&str, &str)]) -> f64 {
    let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
    page.lines()
        .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
        .filter(|line| labels.iter().all(|label| line.contains(label)))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum()
}

/// What the HTTP layer answers by itself is in the metrics and in the log, by what it looks like.
#[tokio::test(flavor = "multi_thread")]
async fn what_never_becomes_a_request_is_counted_and_logged() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "unserved");
    let process = operator.launch().start().unwrap();
    process.ready(SOON).unwrap();
    let client = Client(process.address(LISTEN).parse().unwrap());
    let sent: [(&[u8], &str, &str); 4] = [
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n", "400", "proxy_header"),
        (b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03", "400", "tls_on_plain_port"),
        (b"who is there?\r\n\r\n", "400", "malformed"),
        (&[b"GET / HTTP/1.1\r\nx: ", vec![b'y'; 40_000].as_slice()].concat(), "431", "head_too_large"),
    ];
    for (bytes, status, reason) in sent {
        for _ in 0..3 {
            assert_eq!(client.send(bytes).await.status.to_string(), status, "{reason}");
        }
        within(SOON, reason, || async {
            let (_, page) = process.get("/metrics").unwrap();
            let labels = [("stage", "streaming"), ("status", status), ("reason", reason)];
            (sum(&page, "weir_refused_total", &labels) - 3.0).abs() < f64::EPSILON
                && (sum(&page, "weir_http_unserved_total", &labels[2..3]) - 3.0).abs() < f64::EPSILON
        })
        .await;
    }
    // One line for each reason, however many connections there are.
    let logged = process.logged().unwrap();
    let lines: Vec<_> = logged.lines().filter(|line| line.contains("a connection ended without a request")).collect();
    assert_eq!(lines.len(), sent.len(), "{logged}");
    assert!(lines[0].contains("PROXY TCP4") && lines[0].contains("127.0.0.1:"), "{}", lines[0]);
    assert!(process.stop(SOON).unwrap().success(), "{}", process.logged().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn numbers_add_up_and_strangers_make_none_of_their_own() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "numbers");
    let process = operator.launch().start().unwrap();
    process.ready(SOON).unwrap();
    let client = Client(process.address(LISTEN).parse().unwrap());
    operator.register("hub", "github", &["s3cret"], 0).await;
    for number in 0..20 {
        assert_eq!(client.deliver("hub", "s3cret", format!("{number}").as_bytes()).await.status, 200);
    }
    for _ in 0..3 {
        assert_eq!(client.deliver("hub", "guess", b"{}").await.status, 401);
    }
    for number in 0..5 {
        assert_eq!(client.deliver(&format!("made-up-{number}"), "guess", b"{}").await.status, 404);
    }

    let (status, page) = process.get("/metrics").unwrap();
    assert_eq!(status, 200);
    let (github, hub) = ([("stage", "streaming"), ("source", "github")], ("endpoint", "hub"));
    let count = |name: &str, labels: &[(&str, &str)]| sum(&page, name, labels);
    for (name, labels, expected) in [
        ("weir_records_in_total", &github[..], 20.0),
        ("weir_records_out_total", &[github[1], ("topic", "raw.github")], 20.0),
        ("weir_records_out_total", &github, 20.0),
        ("weir_dropped_total", &github, 0.0),
        ("weir_refused_total", &[("status", "401"), ("reason", "signature_mismatch")], 3.0),
        ("weir_refused_total", &[("status", "404"), ("reason", "unknown_endpoint")], 5.0),
        ("weir_ack_seconds_count", &github[1..], 20.0),
        ("weir_in_flight_requests", &github[..1], 0.0),
        ("weir_endpoint_items_total", &[hub, ("what", "taken_in")], 23.0),
        ("weir_endpoint_items_total", &[hub, ("what", "sent_on")], 20.0),
        ("weir_endpoint_items_total", &[hub, ("what", "dropped"), ("reason", "signature_mismatch")], 3.0),
        ("weir_endpoint_items_total", &[("what", "taken_in")], 23.0),
        ("weir_stage_items_total", &[("what", "taken_in")], 28.0),
        ("weir_stage_items_total", &[("what", "dropped"), ("reason", "unknown_endpoint")], 5.0),
    ] {
        let counted = count(name, labels);
        assert!((counted - expected).abs() < f64::EPSILON, "{name} {labels:?}: {counted}, not {expected}\n{page}");
    }
    assert!(!page.contains("made-up"), "{page}");
    promtool::check_metrics(&page).unwrap();

    // The digest's counts: 28 deliveries, and what became of each.
    let digest: serde_json::Value = serde_json::from_str(&process.get("/health").unwrap().1).unwrap();
    let of = |endpoint: &str, name: &str| -> u64 {
        let counts = digest["counts"].as_array().unwrap().iter().filter(|count| count["endpoint"] == endpoint);
        counts.filter_map(|count| count[name].as_u64().or_else(|| count["dropped"][name].as_u64())).sum()
    };
    assert_eq!((of("hub", "taken_in"), of("hub", "sent_on"), of("hub", "signature_mismatch")), (23, 20, 3), "{digest}");
    assert_eq!((of("", "taken_in"), of("", "sent_on"), of("", "unknown_endpoint")), (5, 0, 5), "{digest}");

    // Neither the log nor the digest shows a secret.
    let logged = process.logged().unwrap();
    let (_, health) = process.get("/health").unwrap();
    assert!(!logged.contains("s3cret") && !health.contains("s3cret"));
    assert!(health.contains("streaming_kafka"), "{health}");
    assert!(process.stop(SOON).unwrap().success(), "{}", process.logged().unwrap());
}

#[test]
fn what_it_cannot_start_with_is_named() {
    let operator = Operator::new("127.0.0.1:1", "settings");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = weir_tests::scratch::Scratch::new("settings").unwrap();
    let missing = folder.path().join("missing");
    for (key, value, code, says) in [
        (LISTEN, taken.local_addr().unwrap().to_string(), 1, "streaming.listen"),
        ("WEIR__STREAMING__LISTENS", "127.0.0.1:0".into(), 64, "streaming.listens"),
        ("WEIR__STREAMING__MAX_CONNECTIONS", "many".into(), 64, "streaming.max_connections"),
        ("WEIR__STREAMING__CATCH_UP_TIMEOUT_MS", "5000".into(), 64, "streaming.catch_up_timeout_ms"),
        ("WEIR__SECRETS__KEY_FILE", missing.display().to_string(), 1, "secrets.key_file"),
    ] {
        let process = operator.launch().env(key, value).start().unwrap();
        let status = process.wait(SOON).unwrap();
        let logged = process.logged().unwrap();
        assert_eq!(status.code(), Some(code), "{key}: {logged}");
        assert!(logged.contains(says), "{key}: {logged}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_within_the_deadline_while_the_broker_is_away() {
    let operator = Operator::new(&format!("127.0.0.1:{}", ports::free().unwrap()), "away");
    let config = weir_tests::scratch::Scratch::new("away").unwrap();
    let file = config.path().join("weir.toml");
    let endpoint =
        "[[streaming.endpoints]]\nname = \"hub\"\nsource = \"github\"\ntenant = \"acme\"\nsecrets = [\"s\"]\n";
    std::fs::write(&file, endpoint).unwrap();
    let process = operator
        .launch()
        .arg("--config")
        .arg(file.display().to_string())
        .env("WEIR__SHUTDOWN__DEADLINE_MS", "3000")
        .start()
        .unwrap();
    let client = Client(process.address(LISTEN).parse().unwrap());
    // The admin server is the last to listen.
    let alive = || Ok(process.get("/livez").is_ok_and(|(status, _)| status == 200).then_some(()));
    weir_tests::wait::until("it listens", SOON, alive).unwrap();
    assert_eq!(process.get("/readyz").unwrap().0, 503);

    // A delivery that nobody will acknowledge is under way.
    let mut delivery = tokio::task::JoinSet::new();
    delivery.spawn(async move { client.post("hub", &[hub("s", b"{}")], b"{}").await.status });
    let sent = || {
        sum(
            &process.get("/metrics").unwrap().1,
            "weir_endpoint_items_total",
            &[("endpoint", "hub"), ("what", "taken_in")],
        )
    };
    weir_tests::wait::until("it is under way", SOON, || Ok((sent() > 0.5).then_some(()))).unwrap();
    let begun = Instant::now();
    process.signal(Signal::Term).unwrap();
    let status = process.wait(Duration::from_secs(10)).unwrap();
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}: {}", begun.elapsed(), process.logged().unwrap());
    assert!(!status.success(), "a delivery was left, and that is said");
    // Its sender got no thanks: a 503, or the end of the connection.
    assert!(delivery.join_next().await.unwrap().map_or(true, |status| status == 503));
}
