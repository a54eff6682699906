//! Terminals, pipes and clients that take nothing any more: nobody waits for them.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, PipeWriter, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bus::{Headers, Record, TopicSpec};
use weir_tests::child::{self, Child, Signal};
use weir_tests::environment::find_program;
use weir_tests::installation::{Installation, UP};
use weir_tests::process::{Launch, get, program};
use weir_tests::scratch::Scratch;
use weir_tests::{ports, promtool, usage, wait};

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
    let in_lake = || metric(&admin, "weir_stage_items_total", &["stage=\"loader\"", "what=\"sent_on\""]);
    let before = in_lake().unwrap();
    wait::until("rows reach the lake all the same", WITHIN, || Ok((in_lake()? > before + 200.0).then_some(())))
        .unwrap();
    assert!(metric(&admin, "weir_log_lines_dropped_total", &[]).unwrap() > lost);

    let begun = Instant::now();
    up.signal(Signal::Term).unwrap();
    let status = up.wait(WITHIN).unwrap();
    assert!(status.success() && begun.elapsed() < 2 * SOON, "{status} after {:?}", begun.elapsed());
}

/// `weir up` at a terminal of 80 columns and 24 lines, and what the terminal was sent.
struct AtTerminal {
    scratch: Scratch,
    child: Child,
    keys: PipeWriter,
    listeners: BTreeMap<&'static str, String>,
}

impl AtTerminal {
    fn up(name: &str, arguments: &str) -> Self {
        let scratch = Scratch::new(name).unwrap();
        let settings = ["WEIR__STREAMING__LISTEN", "WEIR__ADMIN__LISTEN", "WEIR__GRPC__LISTEN"];
        let free = |setting| (setting, format!("127.0.0.1:{}", ports::free().unwrap()));
        let listeners: BTreeMap<_, _> = settings.into_iter().map(free).collect();
        let run = format!("stty rows 24 cols 80; exec {} up {arguments}", program("weir").unwrap().display());
        let mut command = child::command(find_program("script", &[]).expect("bsdutils has script"));
        command.args(["-q", "-e", "-f", "-c", &run, "screen"]).current_dir(scratch.path()).envs(&listeners);
        let (stdin, keys) = std::io::pipe().unwrap();
        command.stdin(stdin).stdout(Stdio::null()).stderr(Stdio::null());
        let child = Child::spawn(name, command).unwrap();
        let up = Self { scratch, child, keys, listeners };
        let admin = &up.listeners["WEIR__ADMIN__LISTEN"];
        let ready =
            wait::until("it is ready", WITHIN, || Ok(matches!(get(admin, "/readyz"), Ok((200, _))).then_some(())));
        ready.unwrap_or_else(|error| panic!("{error:#}: {}", up.screen()));
        up
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.scratch.path().join("screen")).unwrap()).into_owned()
    }

    fn until(&self, what: &str) -> String {
        let shown = wait::until(what, WITHIN, || {
            let screen = self.screen();
            Ok(screen.contains(what).then_some(screen))
        });
        shown.unwrap_or_else(|error| panic!("{error:#}: {}", self.screen()))
    }

    /// Ends it with Ctrl-C; all that it showed.
    fn stop(mut self) -> String {
        self.keys.write_all(b"\x03").unwrap();
        let status = self.child.wait(WITHIN).unwrap();
        assert!(status.success(), "{status}: {}", self.screen());
        self.screen()
    }
}

#[test]
fn at_a_terminal_log_lines_do_not_bury_the_addresses() {
    let up = AtTerminal::up("terminal", "");
    let door = up.listeners["WEIR__STREAMING__LISTEN"].clone();
    let screen = up.until("taken in");
    let log = std::fs::read_to_string(up.scratch.path().join("weir-data/weir.log")).unwrap();
    assert!(log.lines().count() > 20 && log.contains(" INFO "), "{log}");
    assert!(!screen.contains(" INFO ") && !screen.contains("check ok"), "{screen}");
    assert!(screen.contains(&format!("http://{door}/webhooks/ENDPOINT")), "{screen}");
    for told in ["log lines ./weir-data/weir.log", "Your first webhook:", "ready", "loader"] {
        assert!(screen.contains(told), "no {told:?} in {screen}");
    }
    // What was told at the start is still there: less was written than the terminal has lines.
    let lines = screen.lines().filter(|line| line.starts_with(char::is_alphanumeric) || line.starts_with("  ")).count();
    assert!(lines < 60, "{lines} lines: {screen}");
    assert!(up.stop().contains("Stopped."));
}

#[test]
fn at_a_terminal_the_addresses_stay_while_events_scroll_by() {
    let up = AtTerminal::up("terminal-simulate", "--simulate --rate 50");
    let door = format!("http://{}/webhooks/ENDPOINT", up.listeners["WEIR__STREAMING__LISTEN"]);
    let screen = up.until("rows in the lake");
    wait::until("an event, and the table below it", WITHIN, || {
        let screen = up.screen();
        let after = screen.rsplit_once("ce_type weir.").map(|(_, after)| after.matches(&door).count());
        Ok((after > Some(2)).then_some(()))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {screen}"));
    let screen = up.stop();
    let totals = screen.split("Totals:").nth(1).unwrap_or_else(|| panic!("no totals in {screen}"));
    // The last of it is what a small terminal shows.
    let (topics, counts) = totals.split_once("  stopped").unwrap();
    assert!(topics.contains("facebook.comment") && counts.contains("rows in the lake"), "{totals}");
    let count = |name: &str| -> u64 {
        let line = counts.lines().find_map(|line| line.trim_start().strip_prefix(name));
        line.map_or(0, |line| line.split_whitespace().next().unwrap().replace(',', "").parse().unwrap())
    };
    assert_eq!(count("enriched"), count("rows in the lake") + count("not loaded yet"), "no row is missing: {counts}");
}

/// A quarter of a second with the libraries of the log optimised, a whole one without.
const OPENED: Duration = Duration::from_millis(700);
const RECORDS: usize = 45_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_with_many_megabytes_takes_little_of_the_processor() {
    let installation = Installation::embedded("terminal-restart").unwrap();
    let data = installation.folder().join("data").display().to_string();
    let installation = installation.with("WEIR__BUS__DATA_DIR", data);
    let bus = installation.bus().unwrap();
    let mut topics = weir::topics::needed();
    // No service reads this one, neither as its work nor for its claims: what is measured is opening the log.
    let other = TopicSpec { name: "other".into(), ..topics[0].clone() };
    topics.push(other.clone());
    assert_eq!(bus.prepare_topics(&topics).await.unwrap(), []);
    let producer = bus.producer().unwrap();
    let mut receipts = Vec::new();
    for number in 0..RECORDS {
        let headers = Headers { id: number.to_string(), ..Headers::default() };
        let record = Record::encoded(other.name.as_str(), number.to_string(), vec![7; 1000], headers);
        let receipt = loop {
            match producer.try_send(record.clone()) {
                Err(bus::Error::Full) => tokio::time::sleep(Duration::from_millis(1)).await,
                sent => break sent.unwrap(),
            }
        };
        receipts.push(receipt);
    }
    for receipt in receipts {
        receipt.await.unwrap();
    }
    drop((producer, bus));

    let up = installation.launch(UP).unwrap().start().unwrap();
    up.ready(WITHIN).unwrap();
    let took = usage::processor_time(up.pid()).unwrap();
    assert!(took < OPENED, "{took:?}\n{}", up.logged().unwrap());
    assert_eq!(up.stop(WITHIN).unwrap().code(), Some(0));
}

#[test]
fn a_first_start_warns_of_nothing() {
    let up = Launch::new("weir").arg("up").arg("--simulate").listen("WEIR__STREAMING__LISTEN").start().unwrap();
    up.ready(WITHIN).unwrap();
    wait::until("a row reaches the lake", WITHIN, || {
        let rows = metric(up.admin(), "weir_stage_items_total", &["stage=\"loader\"", "what=\"sent_on\""])?;
        Ok((rows > 0.0).then_some(()))
    })
    .unwrap();
    let (status, page) = get(up.admin(), "/metrics").unwrap();
    assert_eq!(status, 200);
    promtool::check_metrics(&page).unwrap();
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
