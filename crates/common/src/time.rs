//! Platforms' times, and what to think of them.

use prost_types::Timestamp;

use crate::event::v1::TimeQuality;

/// 2000-01-01T00:00:00Z: no platform of ours is older, so an earlier time is a mistake.
const EARLIEST: i64 = 946_684_800;
/// How far a platform's clock may be ahead of ours.
const LATEST_AHEAD: i64 = 24 * 3600;

/// A time in the form of RFC 3339 with an offset, or `None`.
pub fn from_rfc3339(text: &str) -> Option<Timestamp> {
    // The parser behind `FromStr` also takes dates without time and times without offset, of which
    // nobody can say what moment they mean.
    let has_offset = text.ends_with('Z')
        || text
            .len()
            .checked_sub(6)
            .and_then(|at| text.get(at..))
            .is_some_and(|end| end.starts_with(['+', '-']) && end.as_bytes()[3] == b':');
    if !has_offset || !text.contains('T') {
        return None;
    }
    text.parse().ok()
}

/// Seconds since 1970.
pub fn from_seconds(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}

/// Milliseconds since 1970.
pub fn from_millis(millis: i64) -> Timestamp {
    // The remainder is below 1000, so the product fits.
    Timestamp { seconds: millis.div_euclid(1000), nanos: (millis.rem_euclid(1000) * 1_000_000) as i32 }
}

/// Milliseconds since 1970, rounded down.
pub fn to_millis(time: &Timestamp) -> i64 {
    time.seconds.saturating_mul(1000).saturating_add(i64::from(time.nanos) / 1_000_000)
}

/// Judges the time that a platform gave to an event, against the time of its delivery.
///
/// `sent` is whether the platform sent anything as the time; `time` is what could be read of it.
/// A time before 2000 or more than a day ahead of `received_at` is absurd, and never replaced by now.
pub fn judge(sent: bool, time: Option<Timestamp>, received_at: &Timestamp) -> (Option<Timestamp>, TimeQuality) {
    match time {
        Some(time) if time.seconds >= EARLIEST && time.seconds <= received_at.seconds.saturating_add(LATEST_AHEAD) => {
            (Some(time), TimeQuality::Sent)
        }
        None if !sent => (None, TimeQuality::Missing),
        _ => (None, TimeQuality::Absurd),
    }
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
