//! Real deliveries of Facebook, Instagram and WhatsApp: every one is understood, and no value of any is lost.

#![allow(clippy::unwrap_used, reason = "a test says where it fails by failing there")]

mod leaves;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::activity::v1::Verb;
use common::event::v1::Context;
use common::raw::v1::Delivery;
use common::registrations::Registrations;
use serde_json::Value;
use sources::{ParsedEvent, Source as _};

#[allow(clippy::disallowed_methods, reason = "a test is told where its data is by the environment")]
#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
fn test_data() -> Option<PathBuf> {
    let Ok(folder) = std::env::var("WEIR_TEST_DATA") else {
        println!("skipped: WEIR_TEST_DATA is not set");
        return None;
    };
    Some(PathBuf::from(folder).join("meta_webhooks"))
}

#[test]
fn no_value_of_any_delivery_is_lost() {
    let Some(root) = test_data() else { return };
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
    // What is of a kind that Weir knows is typed; the rest is a field that nobody knows.
    assert_eq!(topics.get("events.facebook.other"), Some(&1), "{topics:#?}");
    for platform in ["instagram", "whatsapp"] {
        assert_eq!(topics.get(&format!("events.{platform}.other")), None, "{topics:#?}");
    }
}

/// Of what the real deliveries say `created_time` of: by the time of sending beside it, as far as that is theirs too.
#[test]
fn the_time_is_that_of_this_occurrence() {
    let Some(root) = test_data() else { return };
    let mut qualities: BTreeMap<String, usize> = BTreeMap::new();
    let mut of = BTreeMap::new();
    for folder in ["instagram", "webhooks", "whatsapp"] {
        for file in std::fs::read_dir(root.join(folder)).unwrap() {
            let file = file.unwrap().path();
            let delivery = delivery(std::fs::read(&file).unwrap());
            for event in sources::meta::Meta.parse(&delivery, &Registrations::default()).events() {
                let message = leaves::decode(event);
                let context = message.get_field_by_name("context").unwrap();
                let context: Context = context.as_message().unwrap().transcode_to().unwrap();
                let quality = context.time_quality().as_str_name().trim_start_matches("TIME_QUALITY_").to_owned();
                let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
                let time = context.occurred_at.map(|time| time.seconds);
                *qualities.entry(quality.clone()).or_default() += 1;
                of.insert(name, (time, quality));
            }
        }
    }
    // Whatever Meta sent has a time.
    let all: Vec<_> = qualities.iter().map(|(quality, count)| (quality.as_str(), *count)).collect();
    assert_eq!(all, [("REPORTED", 36), ("SENT", 83)]);
    for (name, time, quality) in [
        // Both are of one photo.
        ("feed-photo-add-message", 1_448_555_796, "SENT"),
        ("feed-photo-remove-25", 1_448_555_879, "SENT"),
        // All three are of one comment.
        ("feed-comment-edited-25", 1_448_555_737, "SENT"),
        ("feed-comment-edited-with-video", 1_448_555_737, "SENT"),
        ("feed-comment-unhide", 1_467_894_562, "SENT"),
        ("feed-like-remove-25", 1_450_701_322, "SENT"),
        ("feed-event-add", 1_502_232_487, "SENT"),
        ("leadgen", 1_485_964_825, "SENT"),
        // `created_time` is hours, minutes and seconds before it was sent: of the making.
        ("feed-video-hide", 1_549_034_772, "REPORTED"),
        ("feed-photo-edited", 1_467_890_039, "REPORTED"),
        ("feed-status-edited-photos", 1_451_949_440, "REPORTED"),
        ("ratings-reaction-edit", 1_489_617_899, "REPORTED"),
        ("unknown-change-value", 1_452_107_389, "REPORTED"),
        // There is none.
        ("feed-post-hide", 1_467_890_409, "REPORTED"),
        ("wh-mentions", 1_519_399_310, "REPORTED"),
        ("messaging-delivery-basic", 1_458_668_856, "REPORTED"),
        ("user-email", 1_505_485_762, "REPORTED"),
    ] {
        assert_eq!(of[name], (Some(time), quality.to_owned()), "{name}");
    }
}

/// Of a delivery with one event: each leaf of its value stands under the path it was sent under.
fn check_paths(name: &str, sent: &Value, event: &ParsedEvent) {
    if event.topic.ends_with(".other") {
        return;
    }
    let entry = &sent["entry"][0];
    let item = ["changes", "messaging", "standby"].iter().find_map(|list| entry[*list].get(0)).unwrap();
    let value = item.get("value").unwrap_or(item);
    // The one message, status, … of a change of WhatsApp, and the whole change of a field of a page or a person.
    let lists = ["messages", "statuses", "groups", "user_id_update"];
    let of_list = lists.iter().find_map(|list| value.get(list)?.get(0)).filter(|_| event.platform == "whatsapp");
    let mut change = item.clone();
    let is_whole = event.ce_type.ends_with("Change") && change.as_object_mut().unwrap().remove("field").is_some();
    let value = of_list.unwrap_or(if is_whole { &change } else { value });
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
