use std::sync::mpsc;
use std::thread;

use super::*;

const PATIENCE: Duration = Duration::from_secs(20);

/// Writes what it is allowed to: one line for each message, and all of it once nobody can send any more.
struct Held {
    allowed: mpsc::Receiver<()>,
    written: mpsc::Sender<String>,
}

impl Write for Held {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = self.allowed.recv();
        let _ = self.written.send(String::from_utf8(line.to_vec()).unwrap());
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Set {
    lines: Lines,
    rest: Rest,
    allow: mpsc::Sender<()>,
    written: mpsc::Receiver<String>,
}

fn set() -> Set {
    let (allow, allowed) = mpsc::channel();
    let (to_test, written) = mpsc::channel();
    let (lines, rest) = to(Held { allowed, written: to_test }, false);
    Set { lines, rest, allow, written }
}

fn dropped(lines: &Lines) -> u64 {
    lines.waiting.dropped.load(Ordering::Relaxed)
}

#[test]
fn lines_are_written_in_their_order() {
    let Set { lines, rest, allow, written } = set();
    for line in ["one\n", "two\n", "three\n"] {
        lines.make_writer().write_all(line.as_bytes()).unwrap();
    }
    drop(allow);
    rest.wait(PATIENCE);
    assert_eq!(written.try_iter().collect::<Vec<_>>(), ["one\n", "two\n", "three\n"]);
    assert_eq!(dropped(&lines), 0);
}

#[test]
fn nobody_waits_for_a_reader_that_stopped() {
    let Set { lines, rest, allow, written } = set();
    let long = "x".repeat(100_000);
    let begun = Instant::now();
    let writers = [0, 1, 2, 3].map(|_| {
        let (mut lines, long) = (lines.clone(), long.clone());
        thread::spawn(move || (0..100).for_each(|_| lines.write_all(long.as_bytes()).unwrap()))
    });
    for writer in writers {
        writer.join().unwrap();
    }
    let kept = MAX_BYTES as u64 / 100_000;
    assert_eq!(dropped(&lines), 400 - kept, "all but what 4 MiB hold");
    rest.wait(Duration::from_millis(50));
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    assert_eq!(written.try_iter().count(), 0);

    // It reads again: nothing more is lost.
    drop(allow);
    rest.wait(PATIENCE);
    assert_eq!(written.try_iter().count() as u64, kept);
    lines.make_writer().write_all(b"later\n").unwrap();
    rest.wait(PATIENCE);
    assert_eq!(written.try_iter().collect::<Vec<_>>(), ["later\n"]);
}

#[test]
fn short_lines_are_bounded_too() {
    let Set { lines, allow, .. } = set();
    for _ in 0..2 * MAX_LINES {
        lines.make_writer().write_all(b"\n").unwrap();
    }
    assert_eq!(dropped(&lines), (2 * MAX_LINES - MAX_BYTES / LEAST) as u64);
    drop(allow);
}

#[test]
fn what_cannot_be_written_is_counted() {
    struct Broken;
    impl Write for Broken {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let (lines, rest) = to(Broken, false);
    lines.make_writer().write_all(b"one\n").unwrap();
    rest.wait(PATIENCE);
    assert_eq!(dropped(&lines), 1);
}

#[test]
fn what_a_terminal_would_obey_is_replaced() {
    let Set { lines, rest, allow, written } = set();
    lines.make_writer().write_all("\u{9b}2J \u{202e}\n".as_bytes()).unwrap();
    drop(allow);
    rest.wait(PATIENCE);
    assert_eq!(written.try_iter().collect::<Vec<_>>(), ["\\u009b2J \\u202e\n"]);
}
