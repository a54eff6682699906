use std::sync::Arc;

use bus::{Coordinates, Headers};
use common::deadletter::v1::DeadLetter;
use common::raw::v1::Delivery;
use common::registration::v1::registration::Kind;
use common::registration::v1::{Endpoint, Registration, SealedSecret};
use prost_reflect::{FieldDescriptor, Kind as FieldKind, MapKey, MessageDescriptor, Value as FieldValue};

use super::*;

fn decoder() -> Decoder {
    Decoder::new().unwrap()
}

/// A message with something in every field, two levels deep.
fn full(message: &MessageDescriptor, depth: u32) -> DynamicMessage {
    let mut out = DynamicMessage::new(message.clone());
    for field in message.fields() {
        if let Some(value) = sample(&field, depth) {
            out.set_field(&field, value);
        }
    }
    out
}

fn sample(field: &FieldDescriptor, depth: u32) -> Option<FieldValue> {
    if field.is_map() {
        let FieldKind::Message(entry) = field.kind() else { return None };
        let value = sample(&entry.map_entry_value_field(), depth)?;
        return Some(FieldValue::Map([(MapKey::String("/a".into()), value)].into()));
    }
    let one = match field.kind() {
        FieldKind::String => FieldValue::String(format!("text of {}", field.name())),
        FieldKind::Bytes => FieldValue::Bytes("bytes".into()),
        FieldKind::Bool => FieldValue::Bool(true),
        FieldKind::Int32 => FieldValue::I32(-3),
        FieldKind::Int64 => FieldValue::I64(1 << 60),
        FieldKind::Uint32 => FieldValue::U32(3),
        FieldKind::Uint64 => FieldValue::U64(3),
        FieldKind::Double => FieldValue::F64(0.5),
        FieldKind::Enum(_) => FieldValue::EnumNumber(1),
        FieldKind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            let mut time = DynamicMessage::new(message);
            time.set_field_by_name("seconds", FieldValue::I64(1_780_000_000));
            FieldValue::Message(time)
        }
        FieldKind::Message(message) if depth > 0 => FieldValue::Message(full(&message, depth - 1)),
        _ => return None,
    };
    Some(if field.is_list() { FieldValue::List(vec![one]) } else { one })
}

#[test]
fn every_message_is_decoded() {
    let decoder = decoder();
    let mut count = 0;
    for message in decoder.pool.all_messages() {
        if !message.full_name().starts_with("weir.") || message.is_map_entry() {
            continue;
        }
        count += 1;
        let bytes = full(&message, 2).encode_to_vec();
        let value = decoder.value(message.full_name(), &bytes).unwrap();
        let object = value.as_object().unwrap();
        for field in message.fields() {
            // Of a oneof there is the last; what is nested too deep is left out.
            if field.containing_oneof().is_some_and(|oneof| !oneof.is_synthetic()) {
                continue;
            }
            assert!(object.contains_key(field.name()), "{}.{}: {value}", message.full_name(), field.name());
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn every_typed_event_and_topic_message_has_a_schema() {
    let decoder = decoder();
    for event in common::event::EVENT_TYPES {
        assert_eq!(decoder.value(event.proto, b"").unwrap(), json!({}), "{}", event.proto);
    }
}

#[test]
fn whole_numbers_stay_numbers() {
    let comment = common::facebook::v1::Comment { created_time: Some(1_780_000_000), ..Default::default() };
    let value = decoder().value("weir.facebook.v1.Comment", &comment.encode_to_vec()).unwrap();
    assert_eq!(value["created_time"], json!(1_780_000_000));
}

#[test]
fn a_body_is_shown_as_text_where_it_is_text() {
    let text = Delivery { body: "{\"a\":\"é\"}".into(), ..Delivery::default() };
    assert_eq!(decoder().value("weir.raw.v1.Delivery", &text.encode_to_vec()).unwrap()["body"], "{\"a\":\"é\"}");
    let bytes = Delivery { body: vec![0xff, 0].into(), ..Delivery::default() };
    let value = decoder().value("weir.raw.v1.Delivery", &bytes.encode_to_vec()).unwrap();
    assert_eq!(value["body_base64"], "/wA=");
    assert_eq!(value.get("body"), None);
}

#[test]
fn a_dead_letter_shows_what_was_refused() {
    let delivery = Delivery { endpoint: "shop".into(), body: "not json".into(), ..Delivery::default() };
    let whole = DeadLetter {
        stage: "processing".into(),
        content_type: "application/protobuf".into(),
        payload: delivery.encode_to_vec().into(),
        ..DeadLetter::default()
    };
    let value = decoder().value("weir.deadletter.v1.DeadLetter", &whole.encode_to_vec()).unwrap();
    assert_eq!(value["payload"]["weir.raw.v1.Delivery"]["body"], "not json");
    let item = DeadLetter { content_type: "application/json".into(), payload: "[5]".into(), ..DeadLetter::default() };
    assert_eq!(decoder().value("weir.deadletter.v1.DeadLetter", &item.encode_to_vec()).unwrap()["payload"], "[5]");
}

#[test]
fn secrets_are_not_shown() {
    let sealed = |text: &str| SealedSecret { sealed: text.into(), key_id: "abcd".into(), expires_at: None };
    let registration = Registration {
        id: "endpoint/shop".into(),
        kind: Some(Kind::Endpoint(Endpoint {
            secrets: vec![sealed("SECRET"), sealed("SECRET")],
            verify_token: Some(sealed("SECRET")),
            ..Endpoint::default()
        })),
        metadata: [("value".to_owned(), "is shown".to_owned())].into(),
        ..Registration::default()
    };
    let value = decoder().value("weir.registration.v1.Registration", &registration.encode_to_vec()).unwrap();
    assert_eq!(value["endpoint"]["secrets"][0], json!({ "sealed": "(not shown)", "key_id": "abcd" }));
    assert_eq!(value["endpoint"]["verify_token"]["sealed"], "(not shown)");
    assert_eq!(value["metadata"]["value"], "is shown");
}

fn stored(ce_type: &str, payload: Option<&[u8]>) -> Stored {
    Stored {
        coordinates: Coordinates {
            log: Arc::from("log"),
            topic: Arc::from("test.events.facebook.comment"),
            partition: 3,
            offset: 1042,
        },
        key: Some("104_1".into()),
        payload: payload.map(|payload| payload.to_vec().into()),
        headers: Headers {
            id: "0123456789abcdef0123456789abcdef".into(),
            source: "/facebook/104".into(),
            r#type: ce_type.into(),
            time: Some(common::time::from_seconds(1_780_000_000)),
            ..Headers::default()
        },
        produced_at_ms: 1_780_000_000_123,
    }
}

#[test]
fn a_record_is_shown_with_its_headers() {
    let comment = common::facebook::v1::Comment { message: Some("Hello".into()), ..Default::default() };
    let record = stored("weir.facebook.v1.Comment", Some(&comment.encode_to_vec()));
    insta::assert_snapshot!("pretty", decoder().pretty(&record));
    insta::assert_snapshot!("json", decoder().record(&record));
}

#[test]
fn what_cannot_be_decoded_is_shown_all_the_same() {
    let unknown = stored("weir.later.v9.Thing", Some(b"\xff\x01"));
    insta::assert_snapshot!("unknown", decoder().pretty(&unknown));
    let value = decoder().record(&unknown);
    assert_eq!(value["value_base64"], "/wE=");
    assert!(value["undecoded"].as_str().unwrap().contains("weir.later.v9.Thing"));
    let malformed = decoder().record(&stored("weir.facebook.v1.Comment", Some(b"\xff")));
    assert!(malformed["undecoded"].as_str().unwrap().contains("weir.facebook.v1.Comment"));
    let removed = stored("", None);
    assert_eq!(decoder().record(&removed)["value"], Value::Null);
    assert!(decoder().pretty(&removed).contains("removed"));
}
