//! Any record of any topic, for people: decoded by its `ce_type` with the schemas that are built in.

use bus::Stored;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::{Map, Value, json};

use crate::catalogue;

/// Decodes records.
#[derive(Debug)]
pub struct Decoder {
    pool: DescriptorPool,
}

/// Why a value cannot be shown as a message.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The schemas that are built in cannot be read.
    #[error("the built-in schemas cannot be read: {0}")]
    Schemas(#[from] prost_reflect::DescriptorError),
    /// A message that this version does not know.
    #[error("this version of weir does not know the message {0:?}")]
    UnknownType(String),
    /// The bytes are not that message.
    #[error("not a {0}: {1}")]
    Malformed(String, prost::DecodeError),
    /// The message has no JSON form.
    #[error("a {0} cannot be shown as JSON: {1}")]
    NoJson(String, serde_json::Error),
}

impl Decoder {
    /// A decoder for every message of Weir.
    ///
    /// # Errors
    /// Only where the binary was built wrongly.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { pool: DescriptorPool::decode(common::DESCRIPTORS)? })
    }

    /// A value as JSON: fields by their names in the schema, absent ones left out, bytes as text where they are
    /// text, sealed secrets not shown.
    ///
    /// # Errors
    /// Where `ce_type` is not known, or the bytes are not that message.
    pub fn value(&self, ce_type: &str, payload: &[u8]) -> Result<Value, Error> {
        let message = self.pool.get_message_by_name(ce_type).ok_or_else(|| Error::UnknownType(ce_type.to_owned()))?;
        let message = DynamicMessage::decode(message, payload).map_err(|e| Error::Malformed(ce_type.to_owned(), e))?;
        let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
        let mut value = message
            .serialize_with_options(serde_json::value::Serializer, &options)
            .map_err(|e| Error::NoJson(ce_type.to_owned(), e))?;
        match ce_type {
            "weir.raw.v1.Delivery" => {
                if let Ok(delivery) = common::raw::v1::Delivery::decode(payload) {
                    show_bytes(&mut value, "body", &delivery.body);
                }
            }
            "weir.deadletter.v1.DeadLetter" => {
                if let Ok(dead) = common::deadletter::v1::DeadLetter::decode(payload) {
                    self.show_refused(&mut value, &dead);
                }
            }
            _ if ce_type.starts_with("weir.registration.") => hide_secrets(&mut value),
            _ => {}
        }
        Ok(value)
    }

    /// The bytes of a dead letter are a record that another stage wrote, or one item of it.
    fn show_refused(&self, value: &mut Value, dead: &common::deadletter::v1::DeadLetter) {
        let read = catalogue::message_read_by(&dead.stage).unwrap_or_default();
        // An event that the log refused is none of these, and may be decoded as one all the same.
        let is_event = ["too_large", "unknown_topic"].contains(&dead.reason.as_str()) && read == "weir.raw.v1.Delivery";
        if dead.content_type == "application/protobuf"
            && !is_event
            && let Ok(message) = self.value(&read, &dead.payload)
        {
            value["payload"] = json!({ read: message });
            return;
        }
        show_bytes(value, "payload", &dead.payload);
    }

    /// A record with its headers, as one JSON object. What cannot be decoded is there as base64, with the reason.
    pub fn record(&self, record: &Stored) -> Value {
        let at = &record.coordinates;
        let headers = &record.headers;
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| {
            let empty = value.is_null() || value.as_str() == Some("");
            if !empty {
                object.insert(name.to_owned(), value);
            }
        };
        put("topic", json!(&*at.topic));
        put("partition", json!(at.partition));
        put("offset", json!(at.offset));
        put("key", json!(record.key.as_deref().map(String::from_utf8_lossy)));
        put("produced_at", json!(common::time::from_millis(record.produced_at_ms).to_string()));
        put("ce_id", json!(headers.id));
        put("ce_source", json!(headers.source));
        put("ce_type", json!(headers.r#type));
        put("ce_time", json!(headers.time.as_ref().map(ToString::to_string)));
        put("traceparent", json!(headers.traceparent));
        put("weir_from", json!(headers.from.as_ref().map(ToString::to_string)));
        match record.payload.as_deref() {
            None => {
                object.insert("value".to_owned(), Value::Null);
            }
            Some(payload) => match self.value(&headers.r#type, payload) {
                Ok(value) => {
                    object.insert("value".to_owned(), value);
                }
                Err(error) => {
                    object.insert("undecoded".to_owned(), json!(error.to_string()));
                    show_bytes_in(&mut object, "value", payload);
                }
            },
        }
        Value::Object(object)
    }

    /// A record for people: one line with where it stands, then the message.
    pub fn pretty(&self, record: &Stored) -> String {
        let at = &record.coordinates;
        let key = record.key.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let headers = &record.headers;
        let produced = common::time::from_millis(record.produced_at_ms).to_string();
        let time = headers.time.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut text = format!("── {} / {} / {}", at.topic, at.partition, at.offset);
        let mut put = |name: &str, value: &str| {
            if !value.is_empty() {
                text.push_str(name);
                // A line feed of a sender would look like a line of ours.
                text.push_str(&service::escape::word(value));
            }
        };
        put("  key ", &key);
        put("  produced ", &produced);
        put("\n   ce_type ", &headers.r#type);
        put("  ce_id ", &headers.id);
        put("\n   ce_source ", &headers.source);
        put("  ce_time ", &time);
        if let Some(from) = &headers.from {
            put("\n   weir-from ", &from.to_string());
        }
        text.push('\n');
        match record.payload.as_deref() {
            None => text.push_str("(removed: a record without a value)"),
            Some(payload) => match self.value(&headers.r#type, payload) {
                Ok(value) => text.push_str(&format!("{value:#}")),
                Err(error) => {
                    let mut object = Map::new();
                    show_bytes_in(&mut object, "value", payload);
                    text.push_str(&format!("({error})\n{:#}", Value::Object(object)));
                }
            },
        }
        text
    }
}

/// Puts bytes into an object: as text where they are UTF-8, else as base64 under a name that says so.
fn show_bytes(value: &mut Value, name: &str, bytes: &[u8]) {
    if let Value::Object(object) = value {
        show_bytes_in(object, name, bytes);
    }
}

fn show_bytes_in(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    use base64::Engine as _;
    object.remove(name);
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), json!(text)),
        Err(_) => {
            object.insert(format!("{name}_base64"), json!(base64::engine::general_purpose::STANDARD.encode(bytes)))
        }
    };
}

/// Sealed or not, a secret is nobody's business.
fn hide_secrets(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (name, member) in object {
                let is_secret = matches!(name.as_str(), "sealed" | "value") && member.is_string();
                if is_secret {
                    *member = json!("(not shown)");
                } else if name != "metadata" {
                    hide_secrets(member);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide_secrets),
        _ => {}
    }
}

#[cfg(test)]
#[path = "decode_tests.rs"]
mod tests;
