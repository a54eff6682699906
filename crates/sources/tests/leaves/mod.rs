//! Finds every leaf value of a delivery again in the typed events that came out of it.

#![allow(dead_code, reason = "shared by several test binaries, each of which uses a part of it")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MapKey, ReflectMessage as _};
use serde_json::Value;
use sources::ParsedEvent;

/// Leaf values by their text, each with how often it is there.
pub(crate) type Leaves = BTreeMap<String, usize>;

/// The text of a leaf; `None` for lists and objects.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(string) => Some(string.clone()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

/// Every leaf of `value` with its JSON Pointer, below `path`.
pub(crate) fn paths(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                paths(&format!("{path}/{index}"), item, found);
            }
        }
        Value::Object(members) => {
            for (key, item) in members {
                paths(&format!("{path}/{}", key.replace('~', "~0").replace('/', "~1")), item, found);
            }
        }
        leaf => found.push((path.to_owned(), text(leaf).unwrap())),
    }
}

/// Every leaf of `value`.
pub(crate) fn of_json(value: &Value) -> Leaves {
    let mut found = Vec::new();
    paths("", value, &mut found);
    count(found)
}

fn count(found: Vec<(String, String)>) -> Leaves {
    let mut leaves = Leaves::new();
    for (_, text) in found {
        *leaves.entry(text).or_default() += 1;
    }
    leaves
}

/// The typed message of an event, decoded by the name it carries.
pub(crate) fn decode(event: &ParsedEvent) -> DynamicMessage {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| DescriptorPool::decode(common::DESCRIPTORS).unwrap());
    let descriptor = POOL.get_message_by_name(&event.ce_type).unwrap_or_else(|| panic!("no message {}", event.ce_type));
    DynamicMessage::decode(descriptor, event.payload.as_slice()).unwrap()
}

/// Every leaf of the typed event with the JSON Pointer it was sent under, and every leaf of its unknown
/// map. Of an event of an unknown kind: the leaves of its JSON and its envelope. Leaves out the context.
pub(crate) fn paths_of_event(event: &ParsedEvent) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let message = decode(event);
    for (field, value) in message.fields() {
        match field.name() {
            "context" if field.number() == 1 => {}
            "unknown" if field.number() == 9 => {
                for (key, json) in value.as_map().unwrap() {
                    let MapKey::String(path) = key else { panic!("a key of unknown is not a string") };
                    paths(path, &common::json::parse(json.as_str().unwrap()).unwrap(), &mut found);
                }
            }
            "json" | "envelope" if event.ce_type == "weir.event.v1.Other" => {
                let json = value.as_str().unwrap();
                if !json.is_empty() {
                    paths("", &common::json::parse(json).unwrap(), &mut found);
                }
            }
            _ => paths_of_value(&format!("/{}", key_of(&field)), value, &mut found),
        }
    }
    found
}

/// Every leaf of the typed event and its unknown map.
pub(crate) fn of_event(event: &ParsedEvent) -> Leaves {
    count(paths_of_event(event))
}

/// The leaves of `sent` that are not in any of the events at least as often as they were sent.
pub(crate) fn missing<'a>(sent: &Value, events: impl IntoIterator<Item = &'a ParsedEvent>) -> Vec<String> {
    let mut found = Leaves::new();
    for event in events {
        for (text, times) in of_event(event) {
            *found.entry(text).or_default() += times;
        }
    }
    let lost = |(text, times): &(String, usize)| found.get(text).copied().unwrap_or(0) < *times;
    of_json(sent).into_iter().filter(lost).map(|(text, _)| text).collect()
}

/// The leaves of `sent` that do not stand in the event under the path they were sent under.
pub(crate) fn missing_paths(sent: &Value, event: &ParsedEvent) -> Vec<(String, String)> {
    let found: std::collections::BTreeSet<_> = paths_of_event(event).into_iter().collect();
    let mut leaves = Vec::new();
    paths("", sent, &mut leaves);
    leaves.into_iter().filter(|leaf| !found.contains(leaf)).collect()
}

/// The JSON member that a field was read from: its name, or the `json_name` that the schema gives it. One member is called as
/// a field of Weir's own, so its field cannot be.
fn key_of(field: &FieldDescriptor) -> String {
    if field.full_name() == "weir.github.v1.Status.status_context" {
        return "context".to_owned();
    }
    let mut camel = String::new();
    let mut upper = false;
    for c in field.name().chars() {
        match c {
            '_' => upper = true,
            c if upper => {
                camel.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => camel.push(c),
        }
    }
    let key = if field.json_name() == camel { field.name() } else { field.json_name() };
    key.replace('~', "~0").replace('/', "~1")
}

fn paths_of_value(path: &str, value: &prost_reflect::Value, found: &mut Vec<(String, String)>) {
    use prost_reflect::Value as Typed;
    let text = match value {
        Typed::Message(message) if message.descriptor().full_name() == "google.protobuf.Timestamp" => {
            message.transcode_to::<prost_types::Timestamp>().unwrap().to_string()
        }
        Typed::Message(message) => {
            for (field, value) in message.fields() {
                paths_of_value(&format!("{path}/{}", key_of(&field)), value, found);
            }
            return;
        }
        Typed::List(items) => {
            for (index, item) in items.iter().enumerate() {
                paths_of_value(&format!("{path}/{index}"), item, found);
            }
            return;
        }
        Typed::String(text) => text.clone(),
        Typed::Bool(boolean) => boolean.to_string(),
        Typed::I64(number) => number.to_string(),
        Typed::F64(number) => number.to_string(),
        other => panic!("{path}: no reader makes {other:?}"),
    };
    found.push((path.to_owned(), text));
}
