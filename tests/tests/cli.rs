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
use weir_tests::installation::{Installation, UP};
use weir_tests::process::program;
use weir_tests::up::{Said, Up};
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
    let told = run("WEIR_BUS_KAFKA_BROKERS", "127.0.0.1:9092");
    assert!(told.contains("write WEIR__BUS__KAFKA__BROKERS"), "{told}");
    assert!(!scratch.path().join("weir-data").exists(), "it did not go on with the embedded log: {told}");
    let told = run("WEIR__STREAMING__LISTEN", &address);
    assert!(told.contains("streaming.listen") && told.contains(&address), "{told}");
    let told = run("WEIR__STREAMING__LISTN", "127.0.0.1:0");
    assert!(told.contains("WEIR__STREAMING__LISTN") && told.contains("listen"), "{told}");
    let told = run("WEIR__BUS__PARTITIONS", "six");
    assert!(told.contains("bus.partitions") && told.contains("WEIR__BUS__PARTITIONS"), "{told}");
    let told = run("WEIR__STREAMING__LISTEN", &address);
    assert!(told.contains("`weir up --ports 18080` moves all three ports"), "{told}");
    let below = write(scratch.path(), "a-file", "") + "/data";
    let told = run("WEIR__DATA__DIR", &below);
    assert!(told.contains("(setting data.dir)") && told.contains(&below) && !told.contains("key_file"), "{told}");
}

#[test]
fn missing_topics_are_told_in_few_words_and_made_by_one_command() {
    let installation = Installation::on_kafka("cli-missing").unwrap().with("WEIR__BUS__CREATE_TOPICS", "false");
    let process = installation.launch(UP).unwrap().start().unwrap();
    let failing = wait::until("every stage tells its missing topics", WITHIN, || {
        let Ok((_, health)) = process.get("/health") else { return Ok(None) };
        let health: serde_json::Value = serde_json::from_str(&health)?;
        let checks = health["checks"].as_array().unwrap();
        assert!(checks.iter().all(|check| check["message"].as_str().unwrap().len() <= 1024), "{checks:#?}");
        let failing = checks.iter().filter(|check| check["state"] == "failing");
        let failing: Vec<_> = failing.filter(|check| check["name"].as_str().unwrap().ends_with("_topics")).collect();
        Ok((failing.len() == 4).then(|| failing.into_iter().cloned().collect::<Vec<_>>()))
    });
    for check in failing.unwrap() {
        let message = check["message"].as_str().unwrap();
        assert!(message.contains(" topics are missing: run `weir topics --create`, or apply"), "{message}");
        assert!(message.len() < 300, "{message}");
    }
    let status = wait::until("each stage tells its own, once, and nothing else", WITHIN, || {
        let status: serde_json::Value = serde_json::from_str(&process.get("/status.json")?.1)?;
        let problems = status["problems"].as_array().unwrap();
        let of = |stage: &str| {
            let told = format!("failing (page): {stage}: ");
            problems.iter().filter(|problem| problem.as_str().unwrap().starts_with(&told)).count()
        };
        let each = ["streaming", "processing", "enricher", "loader"].map(of);
        Ok((each == [1; 4] && problems.len() == 4).then_some(status))
    });
    let status = status.unwrap_or_else(|error| panic!("{error:#}: {}", process.get("/status.json").unwrap().1));
    assert!(!status.to_string().contains("allow_removals"), "{status:#}");
    let (_, page) = process.get("/").unwrap();
    // Of these its own style and script are 9 kB.
    assert!(page.len() < 24_000, "a page for a phone: {} bytes", page.len());

    let weir = |arguments: &[&str]| {
        let mut command = Command::new(program(UP).unwrap());
        for setting in ["WEIR__BUS__KAFKA__BROKERS", "WEIR__BUS__TOPIC_PREFIX"] {
            command.env(setting, installation.setting(setting));
        }
        Said::by(command.args(arguments).current_dir(process.folder()))
    };
    let missing = weir(&["topics", "--check"]);
    assert_eq!(missing.code, Some(1), "{missing:#?}");
    let all = missing.out.lines().count() - 1;
    assert!(all > 100 && missing.out.ends_with(&format!("0 of {all} topics are as they should be\n")), "{missing:#?}");
    let made = weir(&["topics", "--create"]);
    let told = format!("created {all} topics, 0 existed\n{all} of {all} topics are as they should be\n");
    assert_eq!((made.code, made.out), (Some(0), told), "{}", made.err);
    process.ready(WITHIN).unwrap();
    assert!(weir(&["topics", "--check"]).succeeded());
}

#[test]
fn the_settings_of_the_allocator_are_those_that_it_uses() {
    let mut weir = Command::new(program("weir").unwrap());
    let output = weir.arg("--version").env("MALLOC_CONF", "confirm_conf:true").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("-- Set conf value: narenas:2\n"), "{said}");
    assert!(said.contains("-- Set conf value: dirty_decay_ms:1000\n"), "{said}");
    assert!(!said.contains("Invalid conf"), "{said}");
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
