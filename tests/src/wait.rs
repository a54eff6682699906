//! Waiting for something outside the process, with a limit.

use std::time::{Duration, Instant};

use anyhow::bail;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until `look` gives a value, at most `limit`.
///
/// # Errors
/// What `look` fails with, at once; otherwise that `what` has not happened within the limit.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let begun = Instant::now();
    loop {
        if let Some(value) = look()? {
            return Ok(value);
        }
        if begun.elapsed() >= limit {
            bail!("{what}: not within {limit:?}");
        }
        pause();
    }
}

#[expect(clippy::disallowed_methods, reason = "another process gives no sign that could be waited for: look again")]
fn pause() {
    std::thread::sleep(PAUSE);
}
