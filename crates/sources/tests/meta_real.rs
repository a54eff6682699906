//! Real deliveries of Facebook, Instagram and WhatsApp: every one is understood, and no value of any is lost.

#![allow(clippy::unwrap_used, reason = "a test says where it fails by failing there")]

mod leaves;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::activity::v1::Verb;
use common::raw::v1::Delivery;
use common::registrations::Registrations;
use serde_json::Value;
use sources::{ParsedEvent, Source as _};

#[test]
fn no_value_of_any_delivery_is_lost() {
    #[allow(clippy::disallowed_methods, reason = "a test is told where its data is by the environment")]
    let Ok(folder) = std::env::var("WEIR_TEST_DATA") else {
        println!("skipped: WEIR_TEST_DATA is not set");
        return;
    };
    let root = PathBuf::from(folder).join("meta_webhooks");
    let mut topics: BTreeMap<String, usize> = BTreeMap::new();
    let mut deliveries = 0;
    for folder in ["instagram", "webhooks", "whatsapp"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let file = file.unwrap().path();
            let name = file.display().to_string();
            let body = std::fs::read(&file).unwrap();
            let sent: Value = serde_json::from_slice(&body).unwrap();
            let delivery = delivery(body);
            let parsed = sources::meta::Meta.parse(&delivery, &Registrations::default());
            deliveries += 1;

            // None of them is broken.
            assert_eq!(parsed.refusals().collect::<Vec<_>>(), Vec::<&sources::ParseRefusal>::new(), "{name}");
            let events: Vec<&ParsedEvent> = parsed.events().collect();
            assert_eq!(leaves::missing(&sent, events.iter().copied()), [""; 0], "{name}");
            for event in &events {
                let is_other = event.topic.ends_with(".other");
                assert!(!event.activities.is_empty(), "{name}");
                if event.platform == "whatsapp" {
                    assert_eq!(event.topic, "events.whatsapp.other", "{name}");
                }
                for activity in &event.activities {
                    assert_ne!(activity.verb, 0, "{name}");
                    assert_eq!(activity.verb() == Verb::Other, is_other, "{name}");
                    assert!(!activity.action.is_empty(), "{name}");
                    let account = activity.account.as_ref().unwrap();
                    assert_eq!((account.r#type.as_str(), &account.id), ("page", &event.account_id), "{name}");
                    let of_post = ["comment", "post", "photo", "video", "status", "reaction", "like"];
                    let told = activity.event_type.starts_with("weir.facebook")
                        && value(&sent).is_some_and(|value| {
                            of_post.contains(&value["item"].as_str().unwrap_or_default())
                                && value["post_id"].is_string()
                        });
                    assert!(!told || activity.thread.is_some(), "{name}: {activity:?}");
                }
                *topics.entry(event.topic.to_string()).or_default() += 1;
            }
            if let [event] = &events[..] {
                check_paths(&name, &sent, event);
            }
            let key = sources::meta::Meta.ordering_key(&http::HeaderMap::new(), &delivery.body);
            assert_eq!(key.as_deref(), Some(events[0].account_id.as_str()), "{name}");
        }
    }
    assert_eq!(deliveries, 114);
    println!("{topics:#?}");
    // What is of a kind that Weir knows is typed; the rest is of users, permissions and unknown fields.
    assert_eq!(topics.get("events.facebook.other"), Some(&11), "{topics:#?}");
    assert_eq!(topics.get("events.instagram.other"), None, "{topics:#?}");
}

/// Of a delivery with one event: each leaf of its value stands under the path it was sent under.
fn check_paths(name: &str, sent: &Value, event: &ParsedEvent) {
    if event.topic.ends_with(".other") {
        return;
    }
    let entry = &sent["entry"][0];
    let item = ["changes", "messaging", "standby"].iter().find_map(|list| entry[*list].get(0)).unwrap();
    let value = item.get("value").unwrap_or(item);
    assert_eq!(leaves::missing_paths(value, event), [], "{name}");
}

/// The value of the first change.
fn value(sent: &Value) -> Option<&Value> {
    sent["entry"][0]["changes"].get(0)?.get("value")
}

fn delivery(body: Vec<u8>) -> Delivery {
    Delivery {
        delivery_id: "0".repeat(32),
        source: "meta".to_owned(),
        endpoint: "fb".to_owned(),
        tenant: "acme".to_owned(),
        scheme: "hub-sha256".to_owned(),
        received_at: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        headers: Vec::new(),
        body: body.into(),
    }
}
