//! Every fixture of GitHub and of Standard Webhooks with what comes out of it: id, key, time, typed event,
//! activities. An id that changes makes every redelivery a new event, so no id here may ever change.

#![allow(clippy::unwrap_used, reason = "a test says by it what it expects")]

mod leaves;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use common::raw::v1::{Delivery, Header};
use common::registration::v1::{Account, Registration, registration::Kind};
use common::registrations::Registrations;
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use sources::{Item, Source};

const GUID: &str = "5f3f2c10-ea0c-11f0-8d5e-0b6f7a1c2d3e";

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "snap"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

fn delivery(source: &dyn Source, headers: &[(&str, &str)], body: Vec<u8>) -> Delivery {
    Delivery {
        delivery_id: "000102030405060708090a0b0c0d0e0f".to_owned(),
        source: source.name().to_owned(),
        endpoint: "gate".to_owned(),
        tenant: "acme".to_owned(),
        scheme: String::new(),
        received_at: Some("2026-01-05T13:00:00Z".parse().unwrap()),
        headers: headers
            .iter()
            .map(|&(name, value)| Header { name: name.to_owned(), value: value.to_owned() })
            .collect(),
        body: body.into(),
    }
}

/// The repository of the fixtures belongs to another tenant than the endpoint.
fn tenants() -> Registrations {
    let account = Account { endpoint: "gate".to_owned(), account_id: "640021123".to_owned() };
    let mut registrations = Registrations::default();
    let registration = Registration {
        tenant: "lockkeepers".to_owned(),
        kind: Some(Kind::Account(account)),
        ..Registration::default()
    };
    registrations.apply("account/gate/640021123", Some(registration));
    registrations
}

fn json(message: &DynamicMessage) -> String {
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    // Through a value, whose members are sorted: those of a map have no order of their own.
    let value = message.serialize_with_options(serde_json::value::Serializer, &options).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

fn describe(item: &Item) -> String {
    let event = match item {
        Item::Event(event) => event,
        Item::Refused(refused) => return format!("refused: {refused:?}\n"),
    };
    let pool = DescriptorPool::decode(common::DESCRIPTORS).unwrap();
    let descriptor = pool.get_message_by_name("weir.activity.v1.Activity").unwrap();
    let mut text = format!(
        "id: {}\ntopic: {}\ntype: {}\ntenant: {}\naccount: {}\nsubject: {}\noccurred_at: {}\n{}\n",
        event.id,
        event.topic,
        event.ce_type,
        event.tenant,
        event.account_id,
        event.subject,
        event.occurred_at.map_or_else(|| "-".to_owned(), |time| time.to_string()),
        json(&leaves::decode(event)),
    );
    for activity in &event.activities {
        let message = DynamicMessage::decode(descriptor.clone(), activity.encode_to_vec().as_slice()).unwrap();
        writeln!(text, "activity: {}", json(&message)).unwrap();
    }
    text
}

fn assert_golden(folder: &str, file: &Path, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(format!("../fixtures/{folder}"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(file.file_name().unwrap().to_str().unwrap(), text));
}

#[test]
fn github() {
    for file in fixtures("github") {
        let body = std::fs::read(&file).unwrap();
        let name = file.file_name().unwrap().to_str().unwrap();
        let kind = name.split('.').next().unwrap();
        let delivery =
            delivery(&sources::github::GitHub, &[("x-github-event", kind), ("x-github-delivery", GUID)], body.clone());
        let parsed = sources::github::GitHub.parse(&delivery, &tenants());
        let [Item::Event(event)] = &parsed.items[..] else { panic!("{name}: {parsed:?}") };
        assert_golden("github", &file, &describe(&parsed.items[0]));

        if name.ends_with(".json") {
            let sent = serde_json::from_slice(&body).unwrap();
            assert_eq!(leaves::missing(&sent, [event]), [""; 0], "{name}");
        }
        // The same delivery once more, at another time and under another delivery id of the door.
        let again = Delivery { delivery_id: "ff".repeat(16), received_at: None, ..delivery };
        let again = sources::github::GitHub.parse(&again, &tenants());
        assert_eq!(again.events().next().unwrap().id, event.id, "{name}");
    }
}

#[test]
fn a_form_says_what_its_json_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/github");
    let parsed = |name: &str| {
        let body = std::fs::read(folder.join(name)).unwrap();
        let headers = [("x-github-event", "issue_comment"), ("x-github-delivery", GUID)];
        sources::github::GitHub.parse(&delivery(&sources::github::GitHub, &headers, body), &tenants())
    };
    let [Item::Event(form)] = &parsed("issue_comment.created.form").items[..] else { panic!() };
    let [Item::Event(json)] = &parsed("issue_comment.created.json").items[..] else { panic!() };
    let strip = |event| leaves::paths_of_event(event).into_iter().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(strip(form), strip(json));
    assert_eq!(form.activities[0].text.as_deref(), Some("Seen it & fixed it: 100% dry + tight"));
}

#[test]
fn standard_webhooks() {
    for file in fixtures("standard_webhooks") {
        let body = std::fs::read(&file).unwrap();
        let id = format!("msg_2x7Kq0_{}", file.file_stem().unwrap().to_str().unwrap());
        let headers = [("webhook-id", id.as_str()), ("webhook-timestamp", "1767616201")];
        let delivery = delivery(&sources::standard_webhooks::StandardWebhooks, &headers, body);
        let parsed = sources::standard_webhooks::StandardWebhooks.parse(&delivery, &tenants());
        assert_eq!(parsed.items.len(), 1);
        assert_golden("standard_webhooks", &file, &describe(&parsed.items[0]));
    }
}
