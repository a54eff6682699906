//! Standard output and standard error that nobody reads, that left, or that are full.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says what is wrong by panicking")]

mod support;

use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use support::{PATIENCE, smallest, text};

/// Starts it with a pipe for standard output and standard error that nobody reads.
struct Unread {
    child: Child,
    admin: String,
    _pipe: std::io::PipeReader,
}

impl Unread {
    fn start(command: &mut Command) -> Unread {
        // Found by binding, since the log that would tell it is not read.
        let admin = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let (pipe, stderr) = std::io::pipe().unwrap();
        command.env("WEIR__ADMIN__LISTEN", &admin).stdin(Stdio::null());
        let child = command.stdout(stderr.try_clone().unwrap()).stderr(stderr).spawn().unwrap();
        Unread { child, admin, _pipe: pipe }
    }

    /// The value of a metric, as soon as it is `wanted`.
    fn wait_for_metric(&self, name: &str, wanted: impl Fn(f64) -> bool) -> f64 {
        let until = Instant::now() + PATIENCE;
        loop {
            let value = metrics(&self.admin).and_then(|page| {
                let line = page.lines().find(|line| line.starts_with(name))?.rsplit(' ').next()?.to_owned();
                line.parse().ok()
            });
            if let Some(value) = value.filter(|value| wanted(*value)) {
                return value;
            }
            assert!(Instant::now() < until, "{name} is {value:?}");
            pause();
        }
    }

    fn end(&mut self, signal: &str) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", self.child.id())]).status().unwrap();
        assert!(sent.success());
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), begun.elapsed());
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            pause();
        }
    }
}

impl Drop for Unread {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Between two looks.
fn pause() {
    std::thread::park_timeout(Duration::from_millis(20));
}

fn metrics(admin: &str) -> Option<String> {
    let mut stream = std::net::TcpStream::connect(admin).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    write!(stream, "GET /metrics HTTP/1.1\r\nhost: {admin}\r\nconnection: close\r\n\r\n").ok()?;
    let mut page = String::new();
    stream.read_to_string(&mut page).ok()?;
    Some(page)
}

#[test]
fn a_log_that_nobody_reads_holds_nothing_up() {
    let mut command = smallest();
    let mut unread = Unread::start(command.env("WEIR__SMALLEST__EVERY_MS", "1"));
    // More than the pipe and the queue hold: lines are lost, rounds are not.
    let lost = unread.wait_for_metric("weir_log_lines_dropped_total", |lost| lost > 0.0);
    let rounds = unread.wait_for_metric("weir_check_value{service=\"smallest\",check=\"rounds\"}", |_| true);
    unread.wait_for_metric("weir_check_value{service=\"smallest\",check=\"rounds\"}", |now| now > rounds + 100.0);
    unread.wait_for_metric("weir_log_lines_dropped_total", |now| now > lost);
    let (code, took) = unread.end("TERM");
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}, with a deadline of 20 s");
}

#[test]
fn what_fails_ends_although_nobody_reads_why() {
    for end in ["with_error", "with_panic"] {
        let mut command = smallest();
        let mut unread = Unread::start(command.env("WEIR__TELEMETRY__LOG", "trace").env("WEIR__SMALLEST__END", end));
        let begun = Instant::now();
        while unread.child.try_wait().unwrap().is_none() {
            assert!(begun.elapsed() < PATIENCE, "it does not end");
            pause();
        }
        assert_eq!(unread.child.wait().unwrap().code(), Some(1));
    }
}

#[test]
fn a_deadline_and_a_second_signal_end_it_although_nobody_reads_the_log() {
    let mut command = smallest();
    command.env("WEIR__SMALLEST__EVERY_MS", "1").env("WEIR__SMALLEST__END", "never");
    let mut unread = Unread::start(command.env("WEIR__SHUTDOWN__DEADLINE_MS", "300"));
    unread.wait_for_metric("weir_log_lines_dropped_total", |lost| lost > 0.0);
    let (code, took) = unread.end("TERM");
    assert_eq!(code, Some(75));
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_disk_that_is_full_is_an_error_and_a_reader_that_left_is_none() {
    for arguments in [&["--help"][..], &["--version"], &["--check-config"], &["--print-config"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = smallest().args(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            text(&output.stderr).contains("cannot write to standard output: No space left on device"),
            "{output:?}"
        );

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = smallest().args(arguments).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        assert_eq!((output.status.code(), text(&output.stderr).as_str()), (Some(0), ""), "{arguments:?}");
    }
}
