//! `weir rebuild` as a person uses it, beside a running `weir up` on its embedded log.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on says where")]

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use weir_tests::process::{Launch, Process, program};
use weir_tests::wait;

const DOOR: &str = "WEIR__STREAMING__LISTEN";
const WITHIN: Duration = Duration::from_secs(90);
/// Of each issue comes one activity.
const ISSUES: u32 = 30;

fn weir(up: &Process, arguments: &[&str]) -> Output {
    Command::new(program("weir").unwrap())
        .args(arguments)
        .env("WEIR__GRPC__LISTEN", up.grpc())
        .stdin(Stdio::null())
        .current_dir(up.folder())
        .output()
        .unwrap()
}

/// What it says, and whether it succeeded.
fn says(up: &Process, arguments: &[&str]) -> (bool, String) {
    let output = weir(up, arguments);
    let all = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&all).into_owned())
}

fn succeeds(up: &Process, arguments: &[&str]) -> String {
    let (succeeded, text) = says(up, arguments);
    assert!(succeeded, "weir {arguments:?}: {text}");
    text
}

/// Delivers as GitHub does.
async fn post(up: &Process, number: u32, body: String) {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"correct horse").unwrap();
    mac.update(body.as_bytes());
    let request = http::Request::post(format!("http://{}/webhooks/mine", up.address(DOOR)))
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

fn rows(up: &Process, table: &str) -> Option<u64> {
    let (succeeded, text) = says(up, &["lake", "count", table, "--json"]);
    let count: serde_json::Value = succeeded.then(|| serde_json::from_str(&text).unwrap())?;
    count["rows"].as_u64()
}

/// The number behind a name in a table of a report.
fn number(report: &str, name: &str) -> u64 {
    let line = report.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {report}"));
    line[name.len()..].split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuilt_table_is_compared_with_the_one_there_is() {
    let up = Launch::new("weir").arg("up").env("WEIR__STREAMING__CATCH_UP_PAUSE_MS", "10").listen(DOOR);
    let up = up.env("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "200").env("WEIR__LOADER__COMMIT_INTERVAL_MS", "200");
    let up = up.start().unwrap();
    up.ready(WITHIN).unwrap();
    let secret = up.folder().join("secret");
    std::fs::write(&secret, "correct horse\n").unwrap();
    let secret = secret.to_str().unwrap();
    succeeds(&up, &["register", "endpoint", "mine", "--source", "github", "--tenant", "me", "--secret-file", secret]);
    for number in 1..=ISSUES {
        post(&up, number, issue(number)).await;
    }
    // A redelivery, and one that nobody can read.
    post(&up, 1, issue(1)).await;
    post(&up, ISSUES + 1, "this is no JSON".to_owned()).await;
    let all = u64::from(ISSUES);
    wait::until("all rows", WITHIN, || Ok((rows(&up, "activities") == Some(all)).then_some(()))).unwrap();

    let same = succeeds(&up, &["rebuild", "--into", "rebuilt"]);
    assert_eq!((number(&same, "deliveries read"), number(&same, "rows")), (all + 2, all), "{same}");
    assert_eq!((number(&same, "repeated"), number(&same, "refused")), (1, 1), "{same}");
    assert_eq!((number(&same, "the same"), number(&same, "different")), (all, 0), "{same}");
    assert_eq!((number(&same, "only in activities"), number(&same, "only in rebuilt")), (0, 0), "{same}");
    assert!(same.contains("Nothing was switched") && same.contains("select * from rebuilt union all"), "{same}");
    assert_eq!((rows(&up, "rebuilt"), rows(&up, "activities")), (Some(all), Some(all)));

    // Another enrichment: nothing looks at the text any more.
    let config = up.folder().join("other.toml");
    let steps = "[[enricher.steps]]\nname = \"registrations\"\ntype = \"lookup\"\nurl = \"processing\"\n\
                 lookup = \"registrations\"\nkey = [\"tenant\", \"endpoint\", \"source\", \"account_id\"]\n";
    std::fs::write(&config, steps).unwrap();
    let config = config.to_str().unwrap();
    let other = succeeds(&up, &["rebuild", "--into", "other", "--config", config]);
    assert_eq!((number(&other, "the same"), number(&other, "different")), (0, all), "{other}");
    assert_eq!((number(&other, "language"), number(&other, "hashtags")), (all, all), "{other}");
    assert!(other.contains("activities: [\"hashtag\"]") && other.contains("other: []"), "{other}");

    // A table that lacks something, and what may not be.
    let later = succeeds(&up, &["rebuild", "--into", "part", "--from", "1h"]);
    assert_eq!(number(&later, "the same"), all, "{later}");
    std::fs::create_dir_all(up.folder().join("weir-data/lake/left/day=2026-01-01")).unwrap();
    std::fs::write(up.folder().join("weir-data/lake/left/day=2026-01-01/x.parquet"), "half").unwrap();
    for (arguments, told) in [
        (&["--into", "activities"][..], "choose another name"),
        (&["--into", "rebuilt"], "choose another name"),
        (&["--into", "left"], "Remove the folder"),
        (&["--into", "No/Name"], "no name for a table"),
        (&["--into", "x", "--from", "1h", "--to", "2h"], "--to is not after --from"),
        (&["--into", "x", "--to", "1h"], "no delivery of this time"),
    ] {
        let (succeeded, text) = says(&up, &[&["rebuild"], arguments].concat());
        assert!(!succeeded && text.contains(told), "{arguments:?} says: {text}");
    }
    up.stop(Duration::from_secs(30)).unwrap();
}
