//! `weir dead-letters` as a person uses it, beside a running `weir up` on its embedded log.

use std::time::Duration;

use bytes::Bytes;
use weir_tests::github::Delivery;
use weir_tests::installation::Installation;
use weir_tests::up::{Said, Up};
use weir_tests::wait;

const WITHIN: Duration = Duration::from_secs(90);
const SECRET: &str = "correct horse";

fn weir(up: &Up, arguments: &[&str]) -> Said {
    Said::by(up.command(arguments).env("USER", "ada").env_remove("SUDO_USER"))
}

fn succeeds(up: &Up, arguments: &[&str]) -> String {
    let said = weir(up, arguments);
    assert!(said.succeeded(), "weir {arguments:?}: {said:#?}");
    said.out
}

/// What it says when it fails, and its exit code.
fn fails(up: &Up, arguments: &[&str]) -> (String, i32) {
    let said = weir(up, arguments);
    assert!(!said.succeeded(), "weir {arguments:?} took it");
    (said.err, said.code.unwrap())
}

/// Delivers as GitHub does.
async fn post(up: &Up, endpoint: &str, body: &'static str, guid: u32) {
    let body = Bytes::from_static(body.as_bytes());
    let delivery = Delivery { endpoint, secret: SECRET, event: "ping", number: guid.into(), body };
    assert_eq!(up.post(&delivery).await, 200);
}

fn listed(up: &Up, arguments: &[&str]) -> Vec<serde_json::Value> {
    let text = succeeds(up, &[&["dead-letters", "list", "--json"], arguments].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_finds_out_what_was_refused_and_sends_it_again() {
    let installation = Installation::embedded("commands").unwrap().with("WEIR__STREAMING__CATCH_UP_PAUSE_MS", "10");
    let up = Up::start(installation, &[], WITHIN);
    up.register("mine", SECRET);
    assert!(weir(&up, &["dead-letters", "list"]).err.contains("no dead letter matches"));

    for guid in 0..3 {
        post(&up, "mine", "this is no JSON", guid).await;
    }
    wait::until("three dead letters", WITHIN, || Ok((listed(&up, &[]).len() == 3).then_some(()))).unwrap();
    let table = succeeds(&up, &["dead-letters", "list", "--stage", "processing", "--since", "1h"]);
    assert_eq!(table.lines().filter(|line| line.contains("not_json") && line.contains("mine")).count(), 3, "{table}");
    let says = weir(&up, &["dead-letters", "list", "-n", "2"]).err;
    let token = says.trim().rsplit(' ').next().unwrap();
    assert_eq!(listed(&up, &["-n", "2", "--page", token]).len(), 1, "{says}");
    let id = listed(&up, &["-n", "1"])[0]["id"].as_str().unwrap().to_owned();
    let shown = succeeds(&up, &["dead-letters", "show", &id]);
    for part in ["this is no JSON", "\"reason\": \"not_json\"", "would be sent to raw.github"] {
        assert!(shown.contains(part), "{shown}");
    }
    let stats = succeeds(&up, &["dead-letters", "stats"]);
    assert!(stats.starts_with("3 dead letters") && stats.contains("0 replays so far"), "{stats}");
    let json: serde_json::Value = serde_json::from_str(&succeeds(&up, &["dead-letters", "stats", "--json"])).unwrap();
    assert_eq!(json["count"], 3);

    // Nothing is sent that was not asked for.
    let would = succeeds(&up, &["dead-letters", "replay", "--endpoint", "mine", "--dry-run"]);
    assert!(would.contains("3 selected; 3 would be sent"), "{would}");
    let (says, code) = fails(&up, &["dead-letters", "replay", "--endpoint", "mine"]);
    assert!(says.contains("add --yes") && code == 1, "{says}");
    assert_eq!(listed(&up, &[]).len(), 3);
    let done = succeeds(&up, &["dead-letters", "replay", "--id", &id, "--yes"]);
    assert!(done.contains("1 of 1 sent"), "{done}");
    wait::until("it is refused again", WITHIN, || Ok((listed(&up, &[]).len() == 4).then_some(()))).unwrap();
    assert_eq!(listed(&up, &["-n", "1"])[0]["attempts"], 2);
    let replays = succeeds(&up, &["dead-letters", "replays"]);
    assert!(replays.contains("ada") && replays.contains(&format!("--id {id}")), "{replays}");

    // Of the deliveries themselves nothing can come out: nobody can read them. Those that were replayed are no others.
    let raw = ["replay", "raw", "--from", "1h", "--endpoint", "mine"];
    let would = succeeds(&up, &[&raw[..], &["--dry-run"]].concat());
    for part in ["deliveries looked at  3", "events missing        0", "items refused         3", "0 would be sent"] {
        assert!(would.contains(part), "{would}");
    }
    for (arguments, says) in [
        (&["--endpoint", "min"][..], "weir register list"),
        (&["--to", "2h"], "not after selection.from"),
        (&["--source", "stripe"], "github"),
    ] {
        let (told, code) = fails(&up, &[&raw[..], arguments].concat());
        assert!(told.contains(says) && code == 1, "{arguments:?} says: {told}");
    }

    // What is wrong is said, with what would be right.
    for (arguments, says, code) in [
        (&["list", "--stage", "procesing"][..], "enricher", 64),
        (&["list", "--since", "yesterday"], "2026-01-31T10:00:00Z", 64),
        (&["show", "12"], "32 digits", 64),
        (&["show", "00000000000000000000000000000000"], "weir dead-letters list", 1),
        (&["replay"], "nothing is selected", 1),
        (&["replay", "--until", "1h", "--yes"], "nothing is selected", 1),
        (&["replay", "--all", "--reason", "empty"], "exclude each other", 1),
        (&["replay", "--reason", "no_such_reason", "--yes"], "nothing to replay", 1),
        (&["list", "--page", "x"], "page_token", 1),
        (&["list", "--grpc", "http://127.0.0.1:1"], "Is Weir running", 1),
    ] {
        let (told, exit) = fails(&up, &[&["dead-letters"], arguments].concat());
        assert!(told.contains(says), "{arguments:?} says: {told}");
        assert_eq!(exit, code, "{arguments:?}: {told}");
    }
    up.stop();
}
