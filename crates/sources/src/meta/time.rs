//! When something happened, as far as the platform says.

use common::json::{Object, Value};
use common::time;
use prost_types::Timestamp;

use crate::kind::Time;
use crate::members::Members as _;

/// The time of a change: `created_time`, or `edited_time` of an edit, in seconds.
pub(super) fn of_change(value: &Object) -> Time {
    let is_edit = matches!(value.str("verb"), Some("edit" | "edited" | "update"));
    let edited = value.get("edited_time").filter(|_| is_edit).map(|sent| read(sent, time::from_seconds));
    match edited {
        Some(time) if tells_apart(&time) => time,
        _ => member(value, "created_time", time::from_seconds),
    }
}

/// The time of an item of `messaging` or `standby`: `timestamp`, in milliseconds.
pub(super) fn of_message(item: &Object) -> Time {
    member(item, "timestamp", time::from_millis)
}

/// The time of a change of WhatsApp: the `timestamp` of what is in it, in seconds.
pub(super) fn of_whatsapp(value: &Object) -> Time {
    let first = |list: &&str| value.list(list).first()?.as_object();
    let inner = ["messages", "statuses", "groups", "message_echoes", "user_id_update"].iter().find_map(first);
    match inner.map(|inner| member(inner, "timestamp", time::from_seconds)) {
        Some(time) if time.sent => time,
        _ => member(value, "timestamp", time::from_seconds),
    }
}

/// Whether a time tells this occurrence from others of the same words, so that the time of sending need not enter the
/// identity. 0 and below stand for "unknown".
pub(super) fn tells_apart(time: &Time) -> bool {
    time.time.as_ref().is_some_and(|time| time.seconds > 0)
}

fn member(object: &Object, name: &str, from: fn(i64) -> Timestamp) -> Time {
    object.get(name).map_or_else(Time::default, |sent| read(sent, from))
}

fn read(sent: &Value, from: fn(i64) -> Timestamp) -> Time {
    let time = match sent {
        Value::Null => return Time::default(),
        Value::Number(number) => number.as_i64().map(from),
        Value::String(text) => text.parse().ok().map(from).or_else(|| time::from_rfc3339(text)),
        _ => None,
    };
    time.map_or_else(Time::unreadable, Time::at)
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
