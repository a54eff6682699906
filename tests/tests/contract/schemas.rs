//! A released schema is finished: nothing in it is ever removed, reused or changed.

use std::path::Path;

use prost::Message as _;
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorSet,
    field_descriptor_proto::{Label, Type},
};

use crate::breaking::{breaking, unreleased};

const RELEASED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/released.binpb");

fn current() -> FileDescriptorSet {
    FileDescriptorSet::decode(common::DESCRIPTORS).unwrap()
}

fn released() -> FileDescriptorSet {
    FileDescriptorSet::decode(std::fs::read(RELEASED).unwrap().as_slice()).unwrap()
}

#[test]
fn nothing_that_was_released_is_broken() {
    assert_eq!(breaking(&released(), &current()), [""; 0], "a released schema must not change in these ways");
}

#[test]
fn everything_is_released() {
    let missing = unreleased(&released(), &current());
    assert_eq!(missing, [""; 0], "new, and not guarded yet: run `make proto-release` and commit proto/released.binpb");
}

/// Applies a change to the field `weir.raw.v1.Delivery.endpoint`, then tells what it breaks.
fn after(change: impl FnOnce(&mut Vec<FieldDescriptorProto>, usize)) -> Vec<String> {
    let old = current();
    let mut new = old.clone();
    let file = new.file.iter_mut().find(|file| file.package() == "weir.raw.v1").unwrap();
    let delivery = file.message_type.iter_mut().find(|message| message.name() == "Delivery").unwrap();
    let index = delivery.field.iter().position(|field| field.name() == "endpoint").unwrap();
    change(&mut delivery.field, index);
    breaking(&old, &new)
}

#[test]
fn each_breaking_change_is_found() {
    let label = "weir.raw.v1.Delivery.endpoint = 3";
    assert_eq!(after(|_, _| ()), [""; 0]);
    assert_eq!(after(|fields, i| drop(fields.remove(i))), [format!("{label}: field removed")]);
    assert_eq!(
        after(|fields, i| {
            fields[i].name = Some("door".into());
            fields[i].json_name = Some("door".into());
        }),
        [format!("{label}: tag is reused or renamed, now door")]
    );
    assert_eq!(after(|fields, i| fields[i].set_type(Type::Bytes)), [format!("{label}: type changed")]);
    assert_eq!(after(|fields, i| fields[i].set_label(Label::Repeated)), [format!("{label}: cardinality changed")]);
    assert_eq!(after(|fields, i| fields[i].proto3_optional = Some(true)), [format!("{label}: cardinality changed")]);
    assert_eq!(after(|fields, i| fields[i].number = Some(99)), [format!("{label}: field removed")]);
    // To add is not to break.
    assert_eq!(
        after(|fields, i| {
            let mut more = fields[i].clone();
            more.number = Some(99);
            more.name = Some("more".into());
            fields.push(more);
        }),
        [""; 0]
    );
}

#[test]
fn removed_messages_enum_values_and_methods_are_found() {
    let old = current();
    let mut new = old.clone();
    for file in &mut new.file {
        match file.package() {
            "weir.raw.v1" => file.message_type.retain(|message| message.name() != "Header"),
            "weir.activity.v1" => file.enum_type[0].value.retain(|value| value.name() != "VERB_EDIT"),
            "weir.health.v1" => file.enum_type[0].value[1].name = Some("STATE_FINE".into()),
            "weir.registration.v1" => {
                file.service[0].method.retain(|method| method.name() != "List");
                file.service[0].method[0].server_streaming = Some(true);
            }
            _ => {}
        }
    }
    assert_eq!(
        breaking(&old, &new),
        [
            "weir.raw.v1.Header: message removed",
            "weir.activity.v1.Verb.VERB_EDIT: enum value removed",
            "weir.health.v1.State.STATE_OK: enum value is now called STATE_FINE",
            "weir.registration.v1.RegistrationService/List: method removed",
            "weir.registration.v1.RegistrationService/Register: method has another shape",
        ]
    );
}

/// The names under which JSON may have a field, where another field of the message has them too. The usual runtime of Python,
/// Ruby and PHP refuses the whole file of such a message, and so each file that imports it.
fn collisions(set: &FileDescriptorSet) -> Vec<String> {
    fn look(message: &DescriptorProto, within: &str, found: &mut Vec<String>) {
        let name = format!("{within}.{}", message.name());
        for (index, field) in message.field.iter().enumerate() {
            let of_others = message.field.iter().enumerate().filter(|(other, _)| *other != index);
            let mut taken = of_others.flat_map(|(_, other)| [other.name(), other.json_name()]);
            if taken.any(|other| other == field.json_name()) {
                found.push(format!("{name}.{}: {}", field.name(), field.json_name()));
            }
        }
        message.nested_type.iter().for_each(|nested| look(nested, &name, found));
    }
    let mut found = Vec::new();
    for file in &set.file {
        file.message_type.iter().for_each(|message| look(message, file.package(), &mut found));
    }
    found
}

#[test]
fn no_two_fields_of_a_message_have_one_name_in_json() {
    for set in [current(), released()] {
        assert_eq!(collisions(&set), [""; 0], "a runtime that knows both refuses the schema: rename the field");
    }
}

#[test]
fn names_that_collide_in_json_are_found() {
    let with = |name: &str, json_name: &str| {
        let mut set = current();
        let file = set.file.iter_mut().find(|file| file.package() == "weir.raw.v1").unwrap();
        let delivery = file.message_type.iter_mut().find(|message| message.name() == "Delivery").unwrap();
        let field = FieldDescriptorProto {
            name: Some(name.to_owned()),
            json_name: Some(json_name.to_owned()),
            ..FieldDescriptorProto::default()
        };
        delivery.field.push(field);
        collisions(&set)
    };
    assert_eq!(with("more", "more"), [""; 0]);
    // A name that is given, beside a name in the schema; one that is derived, beside another; and both ways round.
    assert_eq!(with("more", "delivery_id"), ["weir.raw.v1.Delivery.more: delivery_id"]);
    assert_eq!(
        with("more", "deliveryId"),
        ["weir.raw.v1.Delivery.delivery_id: deliveryId", "weir.raw.v1.Delivery.more: deliveryId"]
    );
    assert_eq!(with("deliveryId", "more"), ["weir.raw.v1.Delivery.delivery_id: deliveryId"]);
}

/// Every message, field, enum, value, service and method says what it is.
#[test]
fn everything_in_the_schemas_is_documented() {
    let mut bare = Vec::new();
    for file in proto_files() {
        let mut documented = false;
        for (number, line) in std::fs::read_to_string(&file).unwrap().lines().enumerate() {
            let line = line.trim();
            let is_named = ["message ", "enum ", "service ", "rpc ", "oneof ", "package "]
                .iter()
                .any(|word| line.starts_with(word))
                || (line.contains(" = ")
                    && line.ends_with(';')
                    && !line.starts_with("syntax")
                    && !line.starts_with("option"));
            if is_named && !documented {
                bare.push(format!("{}:{}: {line}", file.display(), number + 1));
            }
            documented = line.starts_with("//");
        }
    }
    assert_eq!(bare, [""; 0], "without a comment in the line above");
}

fn proto_files() -> Vec<std::path::PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "proto") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto"), &mut found);
    assert!(found.len() >= 8, "found only {found:?}");
    found
}
