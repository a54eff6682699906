//! What people and pipes see.

use std::io::{self, IsTerminal as _, Write as _};

/// Writes a line to standard output. A reader that went away (`| head`) is no error of ours: then it is `false`,
/// and there is no point in going on.
#[must_use]
pub fn line(text: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Writes lines to standard output, to whoever is still there.
pub fn say(text: &str) {
    let _ = line(text);
}

/// Writes a line to standard error.
pub fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
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
