//! What people and pipes see. Characters that a terminal would obey are replaced here, whoever wrote them: see
//! [`service::escape`].

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use service::escape;

/// Why standard output could not be written, the first time. A command that could not say all it had to say has failed,
/// whatever it goes on to do: [`failure`].
static FAILURE: OnceLock<io::Error> = OnceLock::new();
/// Whether a write to standard output is under way, which lasts for ever where nobody reads.
static WRITING: AtomicBool = AtomicBool::new(false);

/// Writes a line to standard output. A reader that went away (`| head`) is no error of ours: then it is `false`,
/// and there is no point in going on.
#[must_use]
pub fn line(text: &str) -> bool {
    let mut out = io::stdout().lock();
    WRITING.store(true, Ordering::Relaxed);
    let written = writeln!(out, "{}", escape::lines(text)).and_then(|()| out.flush());
    WRITING.store(false, Ordering::Relaxed);
    match written {
        Ok(()) => true,
        Err(error) => {
            if error.kind() != io::ErrorKind::BrokenPipe {
                let _ = FAILURE.set(error);
            }
            false
        }
    }
}

/// Writes lines to standard output, to whoever is still there.
pub fn say(text: &str) {
    let _ = line(text);
}

/// Why something is missing on standard output; none where only its reader went away.
pub fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}

/// Whether a write to standard output is under way.
pub fn is_writing() -> bool {
    WRITING.load(Ordering::Relaxed)
}

/// Writes a line to standard error.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", escape::lines(text));
}

/// Whether people look at standard output.
pub fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// A count with its thousands apart.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A duration in the unit that people would choose; a dash for none.
pub fn duration(duration: Option<std::time::Duration>) -> String {
    let Some(duration) = duration else {
        return "-".to_owned();
    };
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 0.001 => format!("{:.0} µs", s * 1e6),
        s if s < 0.1 => format!("{:.1} ms", s * 1e3),
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s => format!("{s:.1} s"),
    }
}

#[cfg(test)]
#[path = "out_tests.rs"]
mod tests;
