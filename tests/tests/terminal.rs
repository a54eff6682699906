//! Terminals, pipes and clients that take nothing any more: nobody waits for them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use weir_tests::child::{self, Child, Signal};
use weir_tests::process::{Launch, get, program};
use weir_tests::scratch::Scratch;
use weir_tests::{ports, wait};

const WITHIN: Duration = Duration::from_secs(90);
/// Half of what the shutdown may take until it is cut off.
const SOON: Duration = Duration::from_secs(10);

/// The sum of what a metric has for these labels.
fn metric(admin: &str, name: &str, labels: &[&str]) -> anyhow::Result<f64> {
    let (_, page) = get(admin, "/metrics")?;
    let lines = page.lines().filter(|line| line.starts_with(name) && labels.iter().all(|label| line.contains(label)));
    Ok(lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
}

#[test]
fn weir_up_goes_on_and_ends_although_nobody_reads_what_it_writes() {
    let scratch = Scratch::new("unread").unwrap();
    let admin = format!("127.0.0.1:{}", ports::free().unwrap());
    let (_unread, pipe) = std::io::pipe().unwrap();
    let mut command = child::command(program("weir").unwrap());
    command.args(["up", "--simulate", "--rate", "50"]).current_dir(scratch.path());
    command.env("WEIR__ADMIN__LISTEN", &admin).env("WEIR__GRPC__LISTEN", "127.0.0.1:0");
    // All that there is to be told, so that the pipe and the queue before it are full at once.
    command.env("WEIR__STREAMING__LISTEN", "127.0.0.1:0").env("WEIR__TELEMETRY__LOG", "trace");
    command.stdin(Stdio::null()).stdout(pipe.try_clone().unwrap()).stderr(pipe);
    let up = Child::spawn("weir up", command).unwrap();

    let lost = wait::until("log lines are dropped", WITHIN, || {
        let Ok(lost) = metric(&admin, "weir_log_lines_dropped_total", &[]) else { return Ok(None) };
        Ok((lost > 0.0).then_some(lost))
    })
    .unwrap();
    let in_lake = || metric(&admin, "weir_hop_total", &["hop=\"loader\"", "what=\"sent_on\""]);
    let before = in_lake().unwrap();
    wait::until("rows reach the lake all the same", WITHIN, || Ok((in_lake()? > before + 200.0).then_some(())))
        .unwrap();
    assert!(metric(&admin, "weir_log_lines_dropped_total", &[]).unwrap() > lost);

    let begun = Instant::now();
    up.signal(Signal::Term).unwrap();
    let status = up.wait(WITHIN).unwrap();
    assert!(status.success() && begun.elapsed() < 2 * SOON, "{status} after {:?}", begun.elapsed());
}

#[test]
fn a_first_start_warns_of_nothing() {
    let up = Launch::new("weir").arg("up").arg("--simulate").listen("WEIR__STREAMING__LISTEN").start().unwrap();
    up.ready(WITHIN).unwrap();
    wait::until("a row reaches the lake", WITHIN, || {
        let rows = metric(up.admin(), "weir_hop_total", &["hop=\"loader\"", "what=\"sent_on\""])?;
        Ok((rows > 0.0).then_some(()))
    })
    .unwrap();
    let log = up.logged().unwrap();
    let warned = log.lines().filter(|line| ["WARN", "ERROR"].iter().any(|level| line.contains(level)));
    assert_eq!(warned.collect::<Vec<_>>(), Vec::<&str>::new(), "{log}");
    assert_eq!(up.stop(WITHIN).unwrap().code(), Some(0));
}

#[test]
fn a_client_that_is_paused_does_not_hold_the_end_up() {
    let up = Launch::new("weir").arg("up").arg("--simulate").listen("WEIR__STREAMING__LISTEN").start().unwrap();
    up.ready(WITHIN).unwrap();
    let mut command = Command::new(program("weir").unwrap());
    command.args(["tail", "activities", "--from", "beginning", "--follow", "--json"]);
    command.args(["--grpc", &format!("http://{}", up.grpc())]).current_dir(up.folder());
    let mut tail = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(tail.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with('{'));
    let stop = |signal: &str| {
        let sent = Command::new("/bin/sh").args(["-c", &format!("kill -s {signal} {}", tail.id())]).status().unwrap();
        assert!(sent.success());
    };
    stop("STOP");

    let begun = Instant::now();
    let status = up.stop(WITHIN).unwrap();
    let took = begun.elapsed();
    tail.kill().unwrap();
    tail.wait().unwrap();
    assert_eq!(status.code(), Some(0), "{}", up.logged().unwrap());
    assert!(took < SOON, "{took:?}");
}

#[test]
fn a_full_disk_under_standard_output_is_told() {
    let run = |arguments: &[&str]| {
        let scratch = Scratch::new("full").unwrap();
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(program("weir").unwrap());
        command.args(arguments).current_dir(scratch.path()).stdin(Stdio::null()).stdout(full).output().unwrap()
    };
    for arguments in
        [&["topics"][..], &["acls"], &["--help"], &["tail", "--help"], &["--version"], &["up", "--print-config"]]
    {
        let output = run(arguments);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {told}");
        assert!(told.contains("cannot write to standard output: No space left on device"), "{arguments:?}: {told}");
    }
}
