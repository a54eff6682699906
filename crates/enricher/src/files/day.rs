//! The UTC day that a row belongs to.

use common::time::from_millis;
use prost_types::Timestamp;

const DAY: i64 = 24 * 3600;
/// 2000-01-01T00:00:00Z: nothing was received before.
const EARLIEST: i64 = 946_684_800;
/// 9999-12-31T23:59:59Z: later days have names of another form, which no engine reads.
const LATEST: i64 = 253_402_300_799;

/// The day of `received_at`, as `2026-03-01`. Where that is absent or cannot be (before 2000, or more than a day after the
/// record was produced) it is the day in which the record was produced: the same each time the record is worked on.
pub fn of(received_at: Option<&Timestamp>, produced_at_ms: i64) -> String {
    let produced = from_millis(produced_at_ms.clamp(EARLIEST * 1000, LATEST * 1000)).seconds;
    let seconds = received_at
        .map(|at| at.seconds)
        .filter(|at| (EARLIEST..=(produced + DAY).min(LATEST)).contains(at))
        .unwrap_or(produced);
    let text = Timestamp { seconds, nanos: 0 }.to_string();
    text.split('T').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[path = "day_tests.rs"]
mod tests;
