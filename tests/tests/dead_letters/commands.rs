//! `weir dead-letters` as a person uses it, beside a running `weir up` on its embedded log.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use weir_tests::process::{Launch, Process, program};
use weir_tests::wait;

const DOOR: &str = "WEIR__STREAMING__LISTEN";
const WITHIN: Duration = Duration::from_secs(90);

fn weir(up: &Process, arguments: &[&str]) -> Output {
    Command::new(program("weir").unwrap())
        .args(arguments)
        .env("WEIR__GRPC__LISTEN", up.grpc())
        .env("USER", "ada")
        .env_remove("SUDO_USER")
        .stdin(Stdio::null())
        .current_dir(up.folder())
        .output()
        .unwrap()
}

fn succeeds(up: &Process, arguments: &[&str]) -> String {
    let output = weir(up, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "weir {arguments:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// What it says when it fails, and its exit code.
fn fails(up: &Process, arguments: &[&str]) -> (String, i32) {
    let output = weir(up, arguments);
    assert!(!output.status.success(), "weir {arguments:?} took it");
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code().unwrap())
}

/// Delivers as GitHub does.
async fn post(up: &Process, endpoint: &str, body: &'static str, guid: u32) {
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"correct horse").unwrap();
    mac.update(body.as_bytes());
    let request = http::Request::post(format!("http://{}/webhooks/{endpoint}", up.address(DOOR)))
        .header("x-hub-signature-256", format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
        .header("x-github-event", "ping")
        .header("x-github-delivery", format!("00000000-0000-0000-0000-{guid:012}"))
        .body(Full::new(bytes::Bytes::from_static(body.as_bytes())))
        .unwrap();
    let answer = Client::builder(TokioExecutor::new()).build_http().request(request).await.unwrap();
    assert_eq!(answer.status(), 200);
}

fn listed(up: &Process, arguments: &[&str]) -> Vec<serde_json::Value> {
    let text = succeeds(up, &[&["dead-letters", "list", "--json"], arguments].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_finds_out_what_was_refused_and_sends_it_again() {
    let up = Launch::new("weir").arg("up").env("WEIR__STREAMING__CATCH_UP_PAUSE_MS", "10").listen(DOOR);
    let up = up.start().unwrap();
    up.ready(WITHIN).unwrap();
    let secret = up.folder().join("secret");
    std::fs::write(&secret, "correct horse\n").unwrap();
    let secret = secret.to_str().unwrap();
    let register = ["register", "endpoint", "mine", "--source", "github", "--tenant", "me", "--secret-file", secret];
    succeeds(&up, &register);
    assert!(String::from_utf8_lossy(&weir(&up, &["dead-letters", "list"]).stderr).contains("there are none"));

    for guid in 0..3 {
        post(&up, "mine", "this is no JSON", guid).await;
    }
    wait::until("three dead letters", WITHIN, || Ok((listed(&up, &[]).len() == 3).then_some(()))).unwrap();
    let table = succeeds(&up, &["dead-letters", "list", "--stage", "processing", "--since", "1h"]);
    assert_eq!(table.lines().filter(|line| line.contains("not_json") && line.contains("mine")).count(), 3, "{table}");
    let page = weir(&up, &["dead-letters", "list", "-n", "2"]);
    let says = String::from_utf8_lossy(&page.stderr).into_owned();
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
    up.stop(Duration::from_secs(30)).unwrap();
}
