//! The bytes of every message, with every field set: what was written once can always be read.

use std::fmt::Write as _;

use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value};

mod generated {
    #![allow(clippy::too_many_lines, reason = "generated: one line for each message")]
    include!(concat!(env!("OUT_DIR"), "/reencode.rs"));
}
use generated::reencode;

/// A message with every field set to a value that depends on its number only. A message within itself
/// would end there; of a oneof the last field wins, so each has its turn in `variants`.
fn filled(descriptor: &MessageDescriptor, depth: usize) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    for field in descriptor.fields() {
        if depth < 3 {
            message.set_field(&field, value(&field, depth));
        }
    }
    message
}

fn value(field: &FieldDescriptor, depth: usize) -> Value {
    if field.is_map() {
        let text = |word: &str| format!("{word}-{}", field.number());
        let kind = field.kind();
        let values = kind.as_message().unwrap().map_entry_value_field();
        let value = if values.kind() == Kind::String { Value::String(text("value")) } else { value(&values, depth) };
        return Value::Map([(MapKey::String(text("key")), value)].into());
    }
    let number = field.number();
    let one = match field.kind() {
        Kind::String => Value::String(format!("{}-{number}", field.name())),
        Kind::Bytes => Value::Bytes(vec![0, 0xff, u8::try_from(number % 256).unwrap()].into()),
        Kind::Bool => Value::Bool(true),
        Kind::Double => Value::F64(f64::from(number) + 0.5),
        Kind::Int32 => Value::I32(-i32::try_from(number).unwrap()),
        Kind::Int64 => Value::I64(-i64::from(number)),
        Kind::Uint32 => Value::U32(number),
        Kind::Uint64 => Value::U64(u64::from(number) << 40),
        Kind::Enum(kind) => Value::EnumNumber(kind.values().last().unwrap().number()),
        Kind::Message(kind) => Value::Message(filled(&kind, depth + 1)),
        other => panic!("{}: no sample for {other:?}", field.full_name()),
    };
    if field.is_list() { Value::List(vec![one.clone(), one]) } else { one }
}

#[test]
fn bytes_of_every_message() {
    let pool = DescriptorPool::decode(crate::DESCRIPTORS).unwrap();
    let mut golden = String::new();
    let messages = pool
        .all_messages()
        .filter(|message| message.full_name().starts_with("weir.") && message.parent_message().is_none());
    for descriptor in messages {
        // One variant for each field of a oneof, so that all of them are in the file.
        let in_oneof: Vec<_> =
            descriptor.fields().filter(|f| f.containing_oneof().is_some_and(|o| !o.is_synthetic())).collect();
        let mut variants = vec![filled(&descriptor, 0)];
        for field in in_oneof {
            let mut variant = variants[0].clone();
            variant.set_field(&field, value(&field, 0));
            variants.push(variant);
        }
        variants.dedup();
        for variant in variants {
            let bytes = variant.encode_to_vec();
            // The Rust type knows every field: through it and back nothing is lost and nothing moves.
            assert_eq!(reencode(descriptor.full_name(), &bytes).unwrap(), bytes, "{}", descriptor.full_name());
            writeln!(golden, "{} {}", descriptor.full_name(), hex::encode(bytes)).unwrap();
        }
    }
    insta::assert_snapshot!("messages", golden);
}
