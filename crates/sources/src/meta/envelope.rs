//! What stood around an item, as its event has it.

use std::collections::BTreeMap;

use common::json::{self, Object, Value, canonical};
use common::meta::v1::Envelope;
use serde_json::value::RawValue;

use super::cut::{Around, List};
use crate::body::{self, text_of};

/// What has no field, by its path.
type Unknown = BTreeMap<String, String>;

/// Where the event of an item has what stood at this place of the item.
pub(super) fn place(list: List, pointer: &str) -> String {
    match list {
        List::Messaging | List::Standby | List::ChangedFields => pointer.to_owned(),
        List::Changes | List::Entry => match pointer.strip_prefix("/value") {
            Some(below) if below.is_empty() || below.starts_with('/') => below.to_owned(),
            _ => format!("{}{pointer}", around_item(list)),
        },
    }
}

/// The same where the event is of the whole change: of what is beside its value, and of the value as one of its members.
pub(super) fn place_in_change(list: List, placed: &str) -> String {
    match placed.strip_prefix(&around_item(list)) {
        Some(beside) => beside.to_owned(),
        None if placed.is_empty() || placed.starts_with('/') => format!("/value{placed}"),
        None => placed.to_owned(),
    }
}

/// The path of what stands beside the value of an item.
pub(super) fn around_item(list: List) -> String {
    if list == List::Entry { "envelope/entry".to_owned() } else { format!("envelope/entry/{}", list.name()) }
}

/// What stood around an item, as its event has it, and what of it has no field.
///
/// What has none goes to the event's unknown map under a path that is no JSON Pointer of the item:
/// `envelope/…` for the delivery, `envelope/entry/…` for the entry, `envelope/entry/changes/…` for the change.
pub(super) fn envelope(around: &Around<'_>, field: Option<String>, change: &Object) -> (Envelope, Unknown) {
    let mut unknown = Unknown::new();
    let mut keep = |path: &str, key: &str, json: String| {
        unknown.insert(format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), json);
    };
    let json = |text: &RawValue| body::value(text.get().as_bytes()).unwrap_or_default();
    // What cannot be read as it was sent is kept so.
    let text =
        |text: &RawValue| json::parse(text.get()).map_or_else(|_| text.get().to_owned(), |value| canonical(&value));
    around.delivery.iter().for_each(|(key, sent)| keep("envelope", key, text(sent)));
    around.entry.iter().for_each(|(key, sent)| keep("envelope/entry", key, text(sent)));
    let list = around.list.name();
    let item = around_item(around.list);
    change.iter().for_each(|(key, value)| keep(&item, key, canonical(value)));

    let unreadable = |text: &RawValue| json::parse(text.get()).is_err();
    for (path, key, sent) in [("envelope", "object", around.object), ("envelope/entry", "id", Some(around.id))] {
        if let Some(sent) = sent.filter(|sent| unreadable(sent)) {
            keep(path, key, sent.get().to_owned());
        }
    }
    let object = match around.object.map(json) {
        Some(Value::String(object)) => Some(object),
        Some(other) => {
            keep("envelope", "object", canonical(&other));
            None
        }
        None => None,
    };
    let entry_time = around.time.and_then(|sent| {
        let time = text_of(&json(sent)).unwrap_or_default();
        // Only a number that prints as it was sent: else the text that was sent is kept.
        let whole = time.parse().ok().filter(|whole: &i64| whole.to_string() == time);
        if whole.is_none() {
            keep("envelope/entry", "time", text(sent));
        }
        whole
    });
    let uid = around.uid.and_then(|sent| {
        let uid = text_of(&json(sent));
        if uid.is_none() || unreadable(sent) {
            keep("envelope/entry", "uid", text(sent));
        }
        uid
    });
    let standby = around.list == List::Standby || field.as_deref() == Some(List::Standby.name());
    let envelope = Envelope {
        object,
        entry_id: text_of(&json(around.id)),
        entry_time,
        list: Some(list.to_owned()),
        field,
        standby: standby.then_some(true),
        uid,
    };
    (envelope, unknown)
}
