//! Finds every leaf value of a delivery again in the typed events that came out of it.

#![allow(dead_code, reason = "shared by several test binaries, each of which uses a part of it")]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use common::addresses::{self, Carried};
use common::event::JSON_TEXTS;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, MapKey, ReflectMessage as _};
use serde_json::Value;
use sources::ParsedEvent;

/// Leaf values by their text, each with how often it is there.
pub(crate) type Leaves = BTreeMap<String, usize>;

/// What has no field, by its JSON Pointer.
pub(crate) type Unknown = BTreeMap<String, Value>;

/// The text of a leaf: a scalar, or a list or an object that is empty. `None` for other lists and objects.
pub(crate) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some("null".to_owned()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::String(string) => Some(string.clone()),
        Value::Array(items) => items.is_empty().then(|| "[]".to_owned()),
        Value::Object(members) => members.is_empty().then(|| "{}".to_owned()),
    }
}

/// Every leaf of `value` with its JSON Pointer, below `path`.
pub(crate) fn paths(path: &str, value: &Value, found: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                paths(&format!("{path}/{index}"), item, found);
            }
        }
        Value::Object(members) if !members.is_empty() => {
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

/// Every leaf of the typed event with the JSON Pointer it was sent under, every leaf of its unknown map, and every address
/// that it does not carry because it follows from what it carries. Of an event of an unknown kind: the leaves of its JSON and
/// its envelope. Leaves out the context.
pub(crate) fn paths_of_event(event: &ParsedEvent) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let message = decode(event);
    let unknown = unknown_of(&message);
    for (path, value) in &unknown {
        paths(path, value, &mut found);
    }
    if event.ce_type == "weir.event.v1.Other" {
        for name in ["json", "envelope"] {
            let json = message.get_field_by_name(name).unwrap();
            if !json.as_str().unwrap().is_empty() {
                paths("", &common::json::parse(json.as_str().unwrap()).unwrap(), &mut found);
            }
        }
        return found;
    }
    paths_of_message("", &message, &unknown, &mut found);
    found
}

/// The unknown map of an event.
pub(crate) fn unknown_of(event: &DynamicMessage) -> Unknown {
    let Some(unknown) = event.get_field_by_name("unknown") else { return Unknown::new() };
    let text = |(key, json): (&MapKey, &prost_reflect::Value)| {
        let MapKey::String(path) = key else { panic!("a key of unknown is not a string") };
        (path.clone(), common::json::parse(json.as_str().unwrap()).unwrap())
    };
    unknown.as_map().unwrap().iter().map(text).collect()
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

/// The JSON member that a field was read from: its name, or the `json_name` that the schema gives it. Some members are called
/// as a field of Weir's own, so their fields cannot be.
fn key_of(field: &FieldDescriptor) -> String {
    if ["weir.github.v1.Status.status_context", "weir.whatsapp.v1.Message.message_context"].contains(&field.full_name())
    {
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

/// What the message carries in its fields, and the addresses that follow.
fn paths_of_message(path: &str, message: &DynamicMessage, unknown: &Unknown, found: &mut Vec<(String, String)>) {
    let name = message.descriptor().full_name().to_owned();
    // What is there and has no field set: an empty object, or one of which nothing fits.
    if !path.is_empty() && message.fields().next().is_none() {
        found.push((path.to_owned(), "{}".to_owned()));
    }
    for (field, value) in message.fields() {
        let own = path.is_empty() && field.number() < 10 && ["context", "unknown"].contains(&field.name());
        let at = format!("{path}/{}", key_of(&field));
        if own {
        } else if JSON_TEXTS.contains(&(&name, field.name())) {
            paths(&at, &common::json::parse(value.as_str().unwrap()).unwrap(), found);
        } else {
            paths_of_value(&at, value, unknown, found);
        }
    }
    let Some(addresses) = addresses::of(&name) else { return };
    for name in addresses.names().filter(|name| carried(path, message, unknown, name) == Carried::Absent) {
        if let Some(value) = addresses.derive(name, |member| carried(path, message, unknown, member)) {
            paths(&format!("{path}/{name}"), &value, found);
        }
    }
}

/// What the message carries at a path with dots: in a field, else in the unknown map.
fn carried<'a>(path: &str, message: &DynamicMessage, unknown: &'a Unknown, member: &str) -> Carried<'a> {
    let (name, below) = member.split_once('.').unwrap_or((member, ""));
    let path = format!("{path}/{name}");
    match message.get_field_by_name(name).filter(|_| message.has_field_by_name(name)).as_deref() {
        Some(prost_reflect::Value::Message(message)) if !below.is_empty() => carried(&path, message, unknown, below),
        Some(prost_reflect::Value::String(text)) => Carried::Text(text.clone().into()),
        Some(prost_reflect::Value::I64(number)) => Carried::Text(number.to_string().into()),
        Some(_) => Carried::Other,
        None if below.is_empty() => unknown.get(&path).map_or(Carried::Absent, Carried::of),
        None => Carried::Absent,
    }
}

fn paths_of_value(path: &str, value: &prost_reflect::Value, unknown: &Unknown, found: &mut Vec<(String, String)>) {
    use prost_reflect::Value as Typed;
    let text = match value {
        Typed::Message(message) if message.descriptor().full_name() == "google.protobuf.Timestamp" => {
            message.transcode_to::<prost_types::Timestamp>().unwrap().to_string()
        }
        Typed::Message(message) => return paths_of_message(path, message, unknown, found),
        Typed::List(items) => {
            let mut index = 0;
            for item in items {
                // What does not fit is in the unknown map alone, so what is behind it stood further behind.
                while unknown.contains_key(&format!("{path}/{index}")) {
                    index += 1;
                }
                paths_of_value(&format!("{path}/{index}"), item, unknown, found);
                index += 1;
            }
            return;
        }
        Typed::Map(items) => {
            for (key, item) in items {
                let MapKey::String(name) = key else { panic!("{path}: a name that is no string") };
                let name = name.replace('~', "~0").replace('/', "~1");
                paths_of_value(&format!("{path}/{name}"), item, unknown, found);
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
