//! `weir rebuild` and `weir job` as people and schedulers use them, beside a running `weir up`, on its embedded log and on
//! Kafka.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

mod jobs;
mod rebuild;
mod trace;

use std::time::Duration;

use weir_tests::github::Delivery;
use weir_tests::installation::Installation;
use weir_tests::up::Up;

const WITHIN: Duration = Duration::from_secs(90);
const SECRET: &str = "correct horse";
/// Of each issue comes one activity.
const ISSUES: u32 = 30;
const ALL: u64 = ISSUES as u64;

/// Where the deliveries are.
#[derive(Debug, Clone, Copy)]
enum Log {
    Embedded,
    Kafka,
}

/// What it says, and whether it succeeded.
fn says(up: &Up, arguments: &[&str]) -> (bool, String) {
    let said = up.weir(arguments);
    (said.succeeded(), said.all())
}

fn succeeds(up: &Up, arguments: &[&str]) -> String {
    up.succeeds(arguments).all()
}

/// A `weir up` whose rows are in the lake at once, with an endpoint of GitHub's.
fn up(log: Log, commit_interval_ms: u64) -> Up {
    let installation = match log {
        Log::Embedded => Installation::embedded("tools"),
        Log::Kafka => Installation::on_kafka("tools"),
    };
    let installation = installation
        .unwrap()
        .with("WEIR__STREAMING__CATCH_UP_PAUSE_MS", "10")
        .with("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "200")
        .with("WEIR__LOADER__COMMIT_INTERVAL_MS", commit_interval_ms.to_string());
    let up = Up::start(installation, &[], WITHIN);
    up.register("mine", SECRET);
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
    let (number, body) = (number.into(), body.into());
    let delivery = Delivery { endpoint: "mine", secret: SECRET, event: "issues", number, body };
    assert_eq!(up.post(&delivery).await, 200);
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
