//! `weir rebuild` and `weir job` as people and schedulers use them, beside a running `weir up`, on its embedded log and on
//! Kafka.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod jobs;
mod rebuild;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use weir_tests::kafka;
use weir_tests::process::{Launch, Process, program};

const DOOR: &str = "WEIR__STREAMING__LISTEN";
const WITHIN: Duration = Duration::from_secs(90);
/// Of each issue comes one activity.
const ISSUES: u32 = 30;
const ALL: u64 = ISSUES as u64;

/// Where the deliveries are.
#[derive(Debug, Clone, Copy)]
enum Log {
    Embedded,
    Kafka,
}

/// A running `weir up`.
struct Up {
    process: Process,
    /// The settings with which commands find the log, where it is not asked for over gRPC.
    log: Vec<(&'static str, String)>,
}

impl Up {
    fn folder(&self) -> &Path {
        self.process.folder()
    }

    fn stop(self) {
        self.process.stop(Duration::from_secs(30)).unwrap();
    }
}

fn weir(up: &Up, arguments: &[&str]) -> Output {
    Command::new(program("weir").unwrap())
        .args(arguments)
        .env("WEIR__GRPC__LISTEN", up.process.grpc())
        .env("WEIR__ENRICHER__PROCESSING_URL", format!("http://{}", up.process.grpc()))
        .envs(up.log.iter().cloned())
        .stdin(Stdio::null())
        .current_dir(up.folder())
        .output()
        .unwrap()
}

/// What it says, and whether it succeeded.
fn says(up: &Up, arguments: &[&str]) -> (bool, String) {
    let output = weir(up, arguments);
    let all = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&all).into_owned())
}

fn succeeds(up: &Up, arguments: &[&str]) -> String {
    let (succeeded, text) = says(up, arguments);
    assert!(succeeded, "weir {arguments:?}: {text}");
    text
}

/// A `weir up` whose rows are in the lake at once, with an endpoint of GitHub's.
fn up(log: Log, commit_interval_ms: u64) -> Up {
    let log = match log {
        Log::Embedded => vec![],
        Log::Kafka => vec![
            ("WEIR__BUS__KAFKA__BROKERS", kafka::shared().unwrap().bootstrap().to_owned()),
            ("WEIR__BUS__TOPIC_PREFIX", kafka::prefix("tools")),
        ],
    };
    let launch = Launch::new("weir").arg("up").env("WEIR__STREAMING__CATCH_UP_PAUSE_MS", "10").listen(DOOR);
    let launch = launch.env("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "200");
    let launch = launch.env("WEIR__LOADER__COMMIT_INTERVAL_MS", commit_interval_ms.to_string());
    let process = log.iter().fold(launch, |launch, (key, value)| launch.env(key, value)).start().unwrap();
    process.ready(WITHIN).unwrap();
    let up = Up { process, log };
    let secret = up.folder().join("secret");
    std::fs::write(&secret, "correct horse\n").unwrap();
    let secret = secret.to_str().unwrap();
    succeeds(&up, &["register", "endpoint", "mine", "--source", "github", "--tenant", "me", "--secret-file", secret]);
    up
}

/// Issues, a redelivery of the first, and one delivery that nobody can read.
async fn deliver(up: &Up) {
    for number in 1..=ISSUES {
        post(up, number, issue(number)).await;
    }
    post(up, 1, issue(1)).await;
    post(up, ISSUES + 1, "this is no JSON".to_owned()).await;
}

/// Delivers as GitHub does.
async fn post(up: &Up, number: u32, body: String) {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"correct horse").unwrap();
    mac.update(body.as_bytes());
    let request = http::Request::post(format!("http://{}/webhooks/mine", up.process.address(DOOR)))
        .header("x-hub-signature-256", format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
        .header("x-github-event", "issues")
        .header("x-github-delivery", format!("00000000-0000-0000-0000-{number:012}"))
        .body(Full::new(bytes::Bytes::from(body)))
        .unwrap();
    let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
}

fn issue(number: u32) -> String {
    format!(
        r#"{{"action":"opened","issue":{{"id":{number},"number":{number},"title":"t","body":"this is the text of an issue in plain English, with a #hashtag"}},"repository":{{"id":1,"full_name":"ada/engine"}},"sender":{{"id":2,"login":"ada"}}}}"#
    )
}

fn rows(up: &Up, table: &str) -> Option<u64> {
    let (succeeded, text) = says(up, &["lake", "count", table, "--json"]);
    let count: serde_json::Value = succeeded.then(|| serde_json::from_str(&text).unwrap())?;
    count["rows"].as_u64()
}

/// The number behind a name in a table of a report.
fn number(report: &str, name: &str) -> u64 {
    let line = report.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {report}"));
    line[name.len()..].split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
}
