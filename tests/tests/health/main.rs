//! Health-check beside real services: what it says when one of them is killed, and when it is back.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod alertmanager;
mod asked;
mod canary;
mod errors;
mod fired;
mod monitored;
mod outage;
mod pipeline;

use std::process::Command;
use std::time::{Duration, Instant};

use common::health::v1::pipeline_service_client::PipelineServiceClient;
use common::health::v1::{GetPipelineRequest, Pipeline, State};
use weir_tests::process::{get, program};
use weir_tests::{connect, promtool, wait};

use crate::pipeline::{INTERVAL, Running, TIMEOUT, total};

const LIMIT: Duration = Duration::from_secs(90);

/// What gRPC says.
async fn asked(running: &Running) -> Pipeline {
    let channel = connect::grpc(&format!("http://{}", running.health.grpc())).await.unwrap();
    let answer = PipelineServiceClient::new(channel).get_pipeline(GetPipelineRequest {}).await.unwrap();
    answer.into_inner().pipeline.unwrap()
}

/// `weir health`: its exit code and what it prints.
fn weir_health(grpc: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let url = format!("http://{grpc}");
    let mut command = Command::new(program("weir").unwrap());
    let output = command.args(["health", "--grpc", &url]).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// Waits until the door's counts have all that it refused, every delivery went through both stages, and all is well.
fn settled(running: &Running, deliveries: u64, refused: u64) {
    let mut seen = String::new();
    let settled = wait::until("all went through", LIMIT, || {
        let status = running.status()?;
        let (door, work) = (total(&status, "streaming"), total(&status, "processing"));
        seen = format!("{}: {door:?} {work:?} {}", status["state"], status["problems"]);
        let at_door = (door.taken_in, door.sent_on) == (deliveries + refused, deliveries);
        let done = at_door && work.sent_on >= deliveries && work.in_work() == 0;
        Ok((done && status["state"] == "ok").then_some(()))
    });
    settled.unwrap_or_else(|error| panic!("{error}: {seen}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_is_killed_is_told_in_time_and_its_counts_go_on_when_it_is_back() {
    let mut running = Running::start("killed");
    for n in 0..40 {
        assert_eq!(running.deliver("hub", "s3cret", n).await, 200);
    }
    // Refused at the door: counted, and gone.
    assert_eq!(running.deliver("hub", "guess", 100).await, 401);
    assert_eq!(running.deliver("nobody", "guess", 101).await, 404);
    settled(&running, 40, 2);
    let before = running.status().unwrap();
    let (door, work) = (total(&before, "streaming"), total(&before, "processing"));
    assert_eq!((door.taken_in, door.sent_on, door.in_work()), (42, 40, 0), "{door:?}");
    assert_eq!(door.dropped, [("signature_mismatch".to_owned(), 1), ("unknown_endpoint".to_owned(), 1)].into());
    assert_eq!((work.taken_in, work.sent_on, work.in_work()), (40, 40, 0), "{work:?}");
    // The hours of both stages are those of the door.
    let hours = |hop: &str| -> Vec<(String, u64)> {
        let rows = before["balance"].as_array().unwrap().iter();
        rows.filter(|row| row["hop"] == hop && row["endpoint"] == "hub")
            .map(|row| (row["hour"].as_str().unwrap().to_owned(), row["sent_on"].as_u64().unwrap()))
            .collect()
    };
    assert_eq!(hours("streaming"), hours("processing"));

    let page = running.get("/").1;
    assert!(page.contains("All is well") && page.contains("signature_mismatch"), "{page}");
    let (status, check) = running.get("/check");
    assert_eq!((status, check.starts_with("WEIR OK: All is well |")), (200, true), "{check}");
    let (code, out, _) = weir_health(running.health.grpc(), &[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.starts_with("All is well") && out.contains("processing"), "{out}");

    running.processing.kill().unwrap();
    let killed = Instant::now();
    wait::until("the page says so", LIMIT, || Ok(running.get("/").1.contains("0 of 1 instances").then_some(())))
        .unwrap();
    let told = killed.elapsed();
    println!("told after {told:?}");
    assert!(told < INTERVAL + TIMEOUT + Duration::from_secs(1), "told after {told:?}");
    let page = running.get("/").1;
    assert!(
        page.contains("Something is broken: one thing to do now") && page.contains("0 of 1 instances answer"),
        "{page}"
    );
    let pipeline = asked(&running).await;
    assert_eq!(pipeline.state(), State::Failing);
    let states: Vec<_> = pipeline.hops.iter().map(|hop| (hop.service.as_str(), hop.state(), hop.instances)).collect();
    assert_eq!(states, [("streaming", State::Ok, 1), ("processing", State::Failing, 0)]);
    assert!(running.get("/check").1.starts_with(
        "WEIR CRITICAL: Something is broken: one thing to do now. failing (page): processing: 0 of 1 instances answer"
    ));
    let (code, out, _) = weir_health(running.health.grpc(), &["--json"]);
    assert_eq!(code, Some(2), "{out}");
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&json["state"], &json["hops"][1]["instances"]), (&"failing".into(), &0.into()));

    // Meanwhile the door goes on.
    for n in 40..60 {
        assert_eq!(running.deliver("hub", "s3cret", n).await, 200);
    }
    running.processing.restart().unwrap();
    settled(&running, 60, 2);
    let after = running.status().unwrap();
    let work = total(&after, "processing");
    // What it did before the end and was not asked for comes on top, or came again.
    assert!(work.taken_in >= 60 && work.in_work() == 0, "{work:?}");
    assert!(running.get("/").1.contains("All is well"));

    // The metrics say the same.
    let metrics = running.get("/metrics").1;
    for line in [
        "weir_pipeline_state 0",
        "weir_pipeline_hop_state{hop=\"processing\"} 0",
        "weir_pipeline_hop_instances{hop=\"streaming\"} 1",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    for process in [&running.health, &running.streaming, &running.processing] {
        promtool::check_metrics(&process.get("/metrics").unwrap().1).unwrap();
    }
}

/// Else the test above could not fail.
#[test]
fn promtool_finds_what_is_wrong() {
    for (page, found) in [
        ("weir_a_bytes 1\n", "no help text"),
        ("# HELP weir_a An a.\n# TYPE weir_a counter\nweir_a 1\n", "_total"),
        ("weir_a{b=\"\n", "error"),
    ] {
        let told = promtool::check_metrics(page).unwrap_err().to_string();
        assert!(told.contains(found), "{told}");
    }
}

#[test]
fn nobody_and_somebody_else_are_no_health_check() {
    let free = format!("127.0.0.1:{}", weir_tests::ports::free().unwrap());
    let (code, out, err) = weir_health(&free, &[]);
    assert_eq!((code, out.as_str()), (Some(3), ""));
    assert!(err.contains(&free) && err.contains("grpc.listen"), "{err}");

    let running = Running::start("other");
    let (code, _, err) = weir_health(running.streaming.grpc(), &[]);
    assert_eq!(code, Some(3));
    assert!(err.contains("is not health-check"), "{err}");

    // The page keeps to itself, and what every process has is there too.
    let (status, head) = weir_tests_head(running.health.admin(), "/");
    assert_eq!(status, 200);
    assert!(head.contains("content-security-policy: default-src 'none'") && head.contains("no-store"), "{head}");
    for path in ["/health", "/livez", "/readyz", "/checks", "/status.json", "/metrics"] {
        assert_eq!(get(running.health.admin(), path).unwrap().0, 200, "{path}");
    }
}

/// Status and head, in lower case.
fn weir_tests_head(address: &str, path: &str) -> (u16, String) {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let head = answer.split("\r\n\r\n").next().unwrap().to_lowercase();
    (head[9..12].parse().unwrap(), head)
}
