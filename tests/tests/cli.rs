//! The commands of `weir` as a person uses them: `up --simulate`, `tail`, `register`, and what they say to wrong things.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use bytes::Bytes;
use weir_tests::child::Signal;
use weir_tests::github::Delivery;
use weir_tests::installation::Installation;
use weir_tests::process::program;
use weir_tests::up::Up;
use weir_tests::wait;

const WITHIN: Duration = Duration::from_secs(90);

fn succeeds(up: &Up, arguments: &[&str]) -> String {
    up.succeeds(arguments).out
}

/// What it says when it fails; a wrong thing never ends well.
fn fails(up: &Up, arguments: &[&str]) -> String {
    up.fails(arguments).err
}

/// Waits until what `weir up` printed holds `wanted` at least `times`.
fn printed(up: &Up, wanted: &str, times: usize) -> String {
    wait::until(&format!("{times} times {wanted:?} is printed"), WITHIN, || {
        let text = up.process.logged()?;
        Ok((text.matches(wanted).count() >= times).then_some(text))
    })
    .unwrap_or_else(|error| panic!("{error:#}\n{}", up.process.logged().unwrap()))
}

async fn post(up: &Up, endpoint: &str, secret: &str) -> u16 {
    let body = br#"{"zen":"Keep it logically awesome.","hook_id":7,"repository":{"id":1,"full_name":"ada/engine"}}"#;
    let (number, body) = (secret.len() as u64, Bytes::from_static(body));
    up.post(&Delivery { endpoint, secret, event: "ping", number, body }).await
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_events_registers_an_endpoint_and_goes_on_tomorrow() {
    let mut up = Up::start(Installation::on_kafka("cli").unwrap(), &["--simulate", "--rate", "50"], WITHIN);

    // Three decoded events, and a line of counts every five seconds.
    let text = printed(&up, "\n── ", 3);
    for member in ["\"context\"", "\"event_id\"", "\"tenant\"", "ce_type weir."] {
        assert!(text.contains(member), "no {member} in:\n{text}");
    }
    printed(&up, "acknowledged", 2);

    let three = succeeds(&up, &["tail", "events.facebook.comment", "-n", "3"]);
    assert_eq!(three.matches("ce_type weir.facebook.v1.Comment").count(), 3, "{three}");
    let json = succeeds(&up, &["tail", "activities", "-n", "2", "--json"]);
    for line in json.lines() {
        let record: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert!(record.to_string().contains("VERB_"), "{record}");
    }
    assert_eq!(json.lines().count(), 2);
    assert!(
        fails(&up, &["tail", "events.facebook.comet"]).contains("events.facebook.comment"),
        "it lists those there are"
    );

    // The first webhook of one's own.
    let old = write(up.folder(), "old.secret", "correct horse\n");
    let new = write(up.folder(), "new.secret", "battery staple\n");
    let url = succeeds(
        &up,
        &["register", "endpoint", "my-repo", "--source", "github", "--tenant", "me", "--secret-file", &old],
    );
    assert!(url.contains("/webhooks/my-repo"), "{url}");
    assert_eq!(post(&up, "my-repo", "correct horse").await, 200);
    assert_eq!(post(&up, "my-repo", "battery staple").await, 401);
    succeeds(&up, &["register", "rotate", "my-repo", "--old-secret-file", &old, "--secret-file", &new]);
    assert_eq!(post(&up, "my-repo", "battery staple").await, 200);
    assert_eq!(post(&up, "my-repo", "correct horse").await, 200, "accepted until it expires");
    assert!(succeeds(&up, &["register", "list"]).contains("endpoint/my-repo"));
    let shown = succeeds(&up, &["register", "get", "endpoint/my-repo"]);
    assert!(!shown.contains("horse") && !shown.contains("staple"), "{shown}");
    let again =
        fails(&up, &["register", "endpoint", "my-repo", "--source", "gitlob", "--tenant", "me", "--secret-file", &old]);
    assert!(again.contains("github"), "it names the sources there are: {again}");
    wait::until("the ping is typed", WITHIN, || {
        Ok(succeeds(&up, &["tail", "events.github.ping", "-n", "1"])
            .contains("Keep it logically awesome")
            .then_some(()))
    })
    .unwrap();
    succeeds(&up, &["register", "delete", "endpoint/my-repo"]);
    // The door hears of it from the topic, a moment after the command has ended.
    let deleted = Instant::now();
    while post(&up, "my-repo", "battery staple").await != 404 {
        assert!(deleted.elapsed() < WITHIN, "the door still takes deliveries of a deleted endpoint");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // Ctrl-C: the totals, and a clean end. The next start goes on with the same data.
    up.process.signal(Signal::Int).unwrap();
    let status = up.process.wait(Duration::from_secs(30)).unwrap();
    assert!(status.success(), "{status}\n{}", up.process.logged().unwrap());
    let registered = up.process.logged().unwrap().matches("registered").count();
    up.process.restart().unwrap();
    up.process.ready(WITHIN).unwrap();
    printed(&up, "\n── ", 6);
    let text = up.process.logged().unwrap();
    assert!(text.matches("registered").count() < registered * 2, "everything was registered again");
    for secret in ["correct horse", "battery staple"] {
        assert!(!text.contains(secret), "a secret is in the log");
    }
    up.stop();
}

#[test]
fn a_port_in_use_and_wrong_settings_are_told_with_the_setting() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let scratch = weir_tests::scratch::Scratch::new("cli-wrong").unwrap();
    let run = |name: &str, value: &str| {
        let mut command = Command::new(program("weir").unwrap());
        let output = command.args(["up"]).env(name, value).current_dir(scratch.path()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
    };
    let told = run("WEIR__STREAMING__LISTEN", &address);
    assert!(told.contains("streaming.listen") && told.contains(&address), "{told}");
    let told = run("WEIR__STREAMING__LISTN", "127.0.0.1:0");
    assert!(told.contains("WEIR__STREAMING__LISTN") && told.contains("listen"), "{told}");
    let told = run("WEIR__BUS__PARTITIONS", "six");
    assert!(told.contains("bus.partitions") && told.contains("WEIR__BUS__PARTITIONS"), "{told}");
}

/// Many a container begins with few open files, and may have more.
#[test]
fn a_program_takes_as_many_open_files_as_it_may_have() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let scratch = weir_tests::scratch::Scratch::new("cli-files").unwrap();
    let asked = "[[health_check.services]]\nname = \"streaming\"\naddresses = [\"http://127.0.0.1:1\"]\nexpected = 1\n";
    let config = write(scratch.path(), "weir.toml", asked);
    // It says how many there are, then it finds its port taken and ends.
    let output = Command::new("/bin/sh")
        .args(["-c", "ulimit -Sn 64 && ulimit -Hn 300 && exec \"$0\" --config \"$1\""])
        .args([program("weir-health-check").unwrap().as_os_str(), config.as_ref()])
        .env("WEIR__ADMIN__LISTEN", taken.local_addr().unwrap().to_string())
        .env("WEIR__GRPC__LISTEN", "127.0.0.1:0")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("admin.listen"), "{said}");
    assert!(said.contains("open_files=300") || said.contains("\"open_files\":300"), "{said}");
}
