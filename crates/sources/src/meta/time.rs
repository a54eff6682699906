//! When something happened, as far as the platform says.

use common::json::{Object, Value};
use common::time;
use prost_types::Timestamp;

use super::members::Members as _;
use crate::draft::Time;

/// The event's time, and whether it tells this occurrence from others of the same words.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct When {
    /// For the event.
    pub(super) time: Time,
    /// Whether the value has a time of its own, so that the time of sending need not enter the identity.
    pub(super) own: bool,
}

/// The time of a change: `created_time`, or `edited_time` of an edit, in seconds.
pub(super) fn of_change(value: Option<&Value>) -> When {
    let Some(Value::Object(value)) = value else {
        return When::default();
    };
    let is_edit = matches!(value.str("verb"), Some("edit" | "edited" | "update"));
    let edited = value.get("edited_time").filter(|_| is_edit).map(|sent| read(sent, time::from_seconds));
    match edited {
        Some(when) if when.own => when,
        _ => member(value, "created_time", time::from_seconds),
    }
}

/// The time of an item of `messaging` or `standby`: `timestamp`, in milliseconds.
pub(super) fn of_message(item: &Object) -> When {
    member(item, "timestamp", time::from_millis)
}

/// The time of a change of WhatsApp: the `timestamp` of what is in it, in seconds.
pub(super) fn of_whatsapp(value: Option<&Value>) -> When {
    let Some(Value::Object(value)) = value else {
        return When::default();
    };
    let first = |list: &&str| value.list(list).first()?.as_object();
    let inner = ["messages", "statuses", "groups", "message_echoes", "user_id_update"].iter().find_map(first);
    match inner.map(|inner| member(inner, "timestamp", time::from_seconds)) {
        Some(when) if when.time.sent => when,
        _ => member(value, "timestamp", time::from_seconds),
    }
}

fn member(object: &Object, name: &str, from: fn(i64) -> Timestamp) -> When {
    object.get(name).map_or_else(When::default, |sent| read(sent, from))
}

fn read(sent: &Value, from: fn(i64) -> Timestamp) -> When {
    let time = match sent {
        Value::Null => return When::default(),
        Value::Number(number) => number.as_i64().map(from),
        Value::String(text) => text.parse().ok().map(from).or_else(|| time::from_rfc3339(text)),
        _ => None,
    };
    match time {
        // 0 and below stand for "unknown": they tell no occurrence from another.
        Some(time) => When { own: time.seconds > 0, time: Time::at(time) },
        None => When { own: false, time: Time::unreadable() },
    }
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
