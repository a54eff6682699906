//! What comes out of every fixture of Meta's platforms: ids, typed events and activities, byte for byte.
//! An id that changes here makes every redelivery a new event: it must not.

#![allow(clippy::unwrap_used, reason = "a test says where it fails by failing there")]

mod leaves;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use common::activity::v1::Activity;
use common::raw::v1::Delivery;
use prost::{Message as _, Name as _};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use serde_json::Value;
use sources::{Item, Source as _, Tenants};

/// One account belongs to another tenant than the endpoint.
struct TwoTenants;

impl Tenants for TwoTenants {
    fn tenant_of(&self, endpoint: &str, account: &str) -> Option<&str> {
        (endpoint == "fb" && account == "108204610000982").then_some("globex")
    }
}

fn fixtures() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let mut files: Vec<_> = ["facebook", "instagram", "whatsapp"]
        .iter()
        .flat_map(|platform| std::fs::read_dir(root.join(platform)).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files
}

fn delivery(file: &Path) -> Delivery {
    Delivery {
        delivery_id: "00112233445566778899aabbccddeeff".to_owned(),
        source: "meta".to_owned(),
        endpoint: "fb".to_owned(),
        tenant: "acme".to_owned(),
        scheme: "hub-sha256".to_owned(),
        received_at: Some("2024-06-03T14:00:00Z".parse().unwrap()),
        headers: Vec::new(),
        body: std::fs::read(file).unwrap().into(),
    }
}

/// A message as JSON, without the context, of which the id, the tenant, the index and the time are told elsewhere.
fn show(pool: &DescriptorPool, name: &str, bytes: &[u8]) -> String {
    let mut message = DynamicMessage::decode(pool.get_message_by_name(name).unwrap(), bytes).unwrap();
    message.clear_field_by_name("context");
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    let value = message.serialize_with_options(serde_json::value::Serializer, &options).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

#[test]
fn every_fixture() {
    let pool = DescriptorPool::decode(common::DESCRIPTORS).unwrap();
    let files = fixtures();
    assert!(files.len() > 40, "{}", files.len());
    for file in files {
        let mut golden = String::new();
        let parsed = sources::meta::Meta.parse(&delivery(&file), &TwoTenants);
        for (index, item) in parsed.items.iter().enumerate() {
            match item {
                Item::Event(event) => {
                    assert_eq!(event.index as usize, index);
                    let time = event.occurred_at.map_or("-".to_owned(), |time| time.to_string());
                    writeln!(golden, "#{index} {} {} {}", event.id, event.topic, event.ce_type).unwrap();
                    writeln!(golden, "{} of {} at {time}, key {}", event.account_id, event.tenant, event.subject)
                        .unwrap();
                    writeln!(golden, "{}", show(&pool, &event.ce_type, &event.payload)).unwrap();
                    for activity in &event.activities {
                        let name = Activity::full_name();
                        writeln!(golden, "{}", show(&pool, &name, &activity.encode_to_vec())).unwrap();
                    }
                }
                Item::Refused(refused) => {
                    assert_eq!(refused.index as usize, index);
                    let payload = String::from_utf8(refused.payload.clone()).unwrap();
                    writeln!(golden, "#{index} refused {}: {}\n{payload}", refused.reason.as_str(), refused.message)
                        .unwrap();
                }
            }
        }
        let platform = file.parent().unwrap().file_name().unwrap().to_str().unwrap();
        let name = format!("{platform}__{}", file.file_stem().unwrap().to_str().unwrap());
        insta::assert_snapshot!(name, golden);
    }
}

#[test]
fn no_value_of_any_fixture_is_lost() {
    for file in fixtures() {
        let delivery = delivery(&file);
        let sent: Value = serde_json::from_slice(&delivery.body).unwrap();
        let parsed = sources::meta::Meta.parse(&delivery, &TwoTenants);
        if parsed.refusals().next().is_none() {
            assert_eq!(leaves::missing(&sent, parsed.events()), [""; 0], "{}", file.display());
        }
    }
}
