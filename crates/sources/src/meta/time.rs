//! When something happened, as far as the platform says.

use common::json::{Object, Value};
use common::time;
use serde_json::value::RawValue;

use crate::body;
use crate::kind::Time;
use crate::members::Members as _;

/// For so long Meta sends a delivery again, in seconds.
const REDELIVERY: i64 = 36 * 3600;

/// The time of a change: `edited_time` of an edit, or `created_time` where that is the time of this occurrence.
pub(super) fn of_change(value: &Object) -> Time {
    let is_edit = matches!(value.str("verb"), Some("edit" | "edited" | "update"));
    let edited = value.get("edited_time").filter(|_| is_edit);
    Time::of([edited, value.get("created_time").filter(|_| names_the_occurrence(value))])
}

/// Whether `created_time` is when this happened, and not when that was made to which it happened.
///
/// What is added is made by it, and real deliveries have the time of going in it too, of what is removed. Of what
/// is edited, hidden or shown they have the time at which the post, the video or the reaction was made. A comment alone
/// has a new one with whatever happens to it. What other verbs mean by it nobody knows: in doubt two events stay two.
fn names_the_occurrence(value: &Object) -> bool {
    let is_comment = || value.str("item").is_some_and(|item| item.eq_ignore_ascii_case("comment"));
    matches!(value.str("verb"), None | Some("add" | "remove" | "delete")) || is_comment()
}

/// The time of an item of a conversation, or of a change of WhatsApp: `timestamp`.
pub(super) fn of_message(item: &Object) -> Time {
    Time::of([item.get("timestamp")])
}

/// The time of a change without what cannot be its time: a `created_time` of before all that may still be delivered at the
/// time of sending is of something else, whatever the verb.
pub(super) fn within_redelivery(mut time: Time, value: &Object, sent_at: Option<&Value>) -> Time {
    if let Some(sent_at) = sent_at.and_then(time::read).filter(|_| value.contains_key("created_time")) {
        time.sent.retain(|time| time.is_none_or(|time| time.seconds >= sent_at.seconds.saturating_sub(REDELIVERY)));
    }
    time
}

/// When an entry was sent, in seconds, or in milliseconds with conversations.
pub(super) fn of_entry(time: Option<&RawValue>) -> Option<Value> {
    time.and_then(|time| body::value(time.get().as_bytes()).ok())
}

#[cfg(test)]
#[path = "time_tests.rs"]
mod tests;
