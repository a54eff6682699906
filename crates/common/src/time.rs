//! Platforms' times, and what to think of them.

use prost_types::Timestamp;
use serde_json::Value;

use crate::event::v1::TimeQuality;
use crate::json::by_value;

/// 2000-01-01T00:00:00Z: no platform of ours is older, so an earlier time is a mistake.
const EARLIEST: i64 = 946_684_800;
/// How far a platform's clock may be ahead of ours.
const LATEST_AHEAD: i64 = 24 * 3600;

/// What a `google.protobuf.Timestamp` may hold: the years 1 to 9999.
const YEARS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// As seconds this is in the year 5138, as milliseconds in 1973: a number from here on is milliseconds.
const MILLISECONDS_FROM: i128 = 100_000_000_000;

/// A time in the form of RFC 3339 with an offset, or `None`: as Weir writes it, and reads what it wrote.
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

/// Microseconds since 1970, as the lake has them; none where there are too many.
#[must_use]
pub fn to_micros(time: &Timestamp) -> Option<i64> {
    time.seconds.checked_mul(1_000_000)?.checked_add(i64::from(time.nanos) / 1000)
}

/// A time as platforms send it: a number, or a text that is a number or a date with time and offset.
///
/// A number is seconds since 1970, or milliseconds where seconds would be far beyond our time; it may have a fraction. A
/// date is as in RFC 3339, with a space in place of the `T` too, and an offset as `+02:00`, `+0200`, `+02`, `Z`, `UTC` or
/// `GMT`. `None`: nobody can say what moment is meant, as of a time without an offset.
pub fn read(sent: &Value) -> Option<Timestamp> {
    let time = match sent {
        Value::Number(number) => from_number(number.as_str()),
        Value::String(text) => {
            let text = text.trim_ascii();
            from_number(text).or_else(|| from_date(text))
        }
        _ => None,
    };
    time.filter(|time| YEARS.contains(&time.seconds))
}

fn from_number(text: &str) -> Option<Timestamp> {
    let plain = by_value(text);
    let (sign, digits) = plain.strip_prefix('-').map_or((1, plain.as_str()), |digits| (-1, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = [whole, fraction].iter().all(|part| part.bytes().all(|digit| digit.is_ascii_digit()));
    let whole: i128 = whole.parse().ok().filter(|_| is_number)?;
    // What is less than a nanosecond is cut off.
    let fraction: i128 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let unit = if whole < MILLISECONDS_FROM { 1 } else { 1000 };
    let nanos = sign * whole.checked_mul(1_000_000_000)?.checked_add(fraction)? / unit;
    Some(Timestamp {
        seconds: i64::try_from(nanos.div_euclid(1_000_000_000)).ok()?,
        nanos: i32::try_from(nanos.rem_euclid(1_000_000_000)).ok()?,
    })
}

fn from_date(text: &str) -> Option<Timestamp> {
    let utc = ["UTC", "GMT"].iter().find_map(|name| text.strip_suffix(name));
    let text = utc.map_or_else(|| text.to_owned(), |rest| format!("{}Z", rest.trim_ascii_end()));
    let (_, time) = text.split_once(['T', 't', ' '])?;
    // The parser takes a time without an offset for UTC.
    let has_offset = time.ends_with(['Z', 'z']) || time.contains(['+', '-']);
    if has_offset { text.parse().ok() } else { None }
}

/// Whether a time is not before any platform of ours: such a one stands for "unknown".
pub fn is_plausible(time: &Timestamp) -> bool {
    time.seconds >= EARLIEST
}

/// Judges the times that a platform gave to an event, against the time of its delivery.
///
/// `sent` is each time that the platform sent for what happened, the best first, and `reported` when it sent the delivery,
/// where it says that: `None` for what could not be read. The first that can be is taken, one of `reported` only where
/// none of `sent` can. A time before 2000 or more than a day ahead of `received_at` cannot be, and none is ever replaced
/// by now.
pub fn judge(
    sent: &[Option<Timestamp>],
    reported: Option<Option<Timestamp>>,
    received_at: &Timestamp,
) -> (Option<Timestamp>, TimeQuality) {
    let latest = received_at.seconds.saturating_add(LATEST_AHEAD);
    let can_be = |time: &Timestamp| is_plausible(time) && time.seconds <= latest;
    if let Some(time) = sent.iter().flatten().copied().find(can_be) {
        return (Some(time), TimeQuality::Sent);
    }
    if let Some(time) = reported.flatten().filter(can_be) {
        return (Some(time), TimeQuality::Reported);
    }
    let all: Vec<_> = sent.iter().chain(reported.as_slice()).collect();
    let quality = match all.as_slice() {
        [] => TimeQuality::Missing,
        all if all.iter().any(|time| time.is_none()) => TimeQuality::Unreadable,
        _ => TimeQuality::Absurd,
    };
    (None, quality)
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
