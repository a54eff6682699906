//! Records, as a subscriber has them, and what Weir reads in them.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bus::Stored;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, SerializeOptions, Value as Typed};
use serde_json::Value;
use weir_tests::environment::workspace;

/// The golden bytes of every message of Weir.
const GOLDEN: &str = "crates/common/src/snapshots/common__golden_tests__messages.snap";

/// A message as it stands in a record.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// Its full name: `ce_type`.
    pub(crate) message: String,
    pub(crate) payload: Vec<u8>,
}

impl Encoded {
    /// That of a record.
    pub(crate) fn of(record: &Stored) -> Self {
        Self { message: record.headers.r#type.clone(), payload: record.payload.as_deref().unwrap().to_vec() }
    }

    /// As the programs in other languages take it.
    pub(crate) fn line(&self) -> String {
        format!("{} {}\n", self.message, STANDARD.encode(&self.payload))
    }

    /// What Weir reads in it.
    pub(crate) fn json(&self) -> Value {
        let json = decode(&self.message, &self.payload);
        normal(json.serialize_with_options(serde_json::value::Serializer, &SerializeOptions::new()).unwrap())
    }
}

fn decode(message: &str, payload: &[u8]) -> DynamicMessage {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| DescriptorPool::decode(common::DESCRIPTORS).unwrap());
    DynamicMessage::decode(POOL.get_message_by_name(message).unwrap(), payload).unwrap()
}

/// Every message with all of its fields set.
pub(crate) fn golden() -> Vec<Encoded> {
    let text = std::fs::read_to_string(workspace().join(GOLDEN)).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("weir.")?.split_once(' '));
    let golden = lines.map(|(name, bytes)| {
        let message = format!("weir.{name}");
        let mut decoded = decode(&message, &hex::decode(bytes).unwrap());
        make_times_valid(&mut decoded);
        Encoded { message, payload: decoded.encode_to_vec() }
    });
    golden.collect()
}

/// Golden times have fractions of a second below zero, which no JSON has.
fn make_times_valid(message: &mut DynamicMessage) {
    if message.descriptor().full_name() == "google.protobuf.Timestamp" {
        message.set_field_by_name("nanos", Typed::I32(120_000_000));
        return;
    }
    for (_, value) in message.fields_mut() {
        match value {
            Typed::Message(message) => make_times_valid(message),
            Typed::List(items) => items.iter_mut().filter_map(Typed::as_message_mut).for_each(make_times_valid),
            Typed::Map(members) => members.values_mut().filter_map(Typed::as_message_mut).for_each(make_times_valid),
            _ => {}
        }
    }
}

/// JSON with one text for each number: `7` and `7.0` are equal.
pub(crate) fn normal(json: Value) -> Value {
    match json {
        Value::Number(number) => Value::from(number.as_f64().unwrap()),
        Value::Array(items) => items.into_iter().map(normal).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, normal(value))).collect(),
        other => other,
    }
}
