use common::time::from_seconds;
use prost_types::Timestamp;
use serde_json::json;

use super::*;

/// In seconds.
const T: i64 = 1_717_420_800;

fn change(value: Value) -> Time {
    of_change(value.as_object().unwrap())
}

fn at(seconds: i64) -> Time {
    Time { sent: vec![Some(from_seconds(seconds))], reported: None }
}

#[test]
fn the_time_of_a_change() {
    let unreadable = Time { sent: vec![None], reported: None };
    assert_eq!(change(json!({"created_time": T})), at(T));
    assert_eq!(change(json!({"created_time": T.to_string()})), at(T));
    assert_eq!(change(json!({"created_time": T * 1000})), at(T));
    assert_eq!(change(json!({"created_time": "2024-06-03T13:20:00+0000"})), at(T));
    assert_eq!(change(json!({"created_time": "yesterday"})), unreadable);
    assert_eq!(change(json!({"created_time": []})), unreadable);
    assert_eq!(change(json!({"created_time": null})), Time::default());
    assert_eq!(change(json!({"time": T})), Time::default());
    // Zero tells nothing apart, and the judgement about it is not made here.
    assert_eq!(change(json!({"created_time": 0})), at(0));
    assert!(!at(0).tells_apart() && !unreadable.tells_apart() && !at(946_684_799).tells_apart());
    assert!(at(946_684_800).tells_apart());
}

#[test]
fn what_was_made_before_is_not_the_time_of_what_happened_to_it() {
    for item in ["post", "photo", "video", "status", "album", "reaction", "rating", "share", "hologram"] {
        for (verb, own) in [
            ("add", true),
            ("remove", true),
            ("delete", true),
            ("edit", false),
            ("edited", false),
            ("update", false),
            ("hide", false),
            ("unhide", false),
            ("mute", false),
            ("block", false),
            ("a verb of next year", false),
        ] {
            let expected = if own { at(T) } else { Time::default() };
            assert_eq!(change(json!({"item": item, "verb": verb, "created_time": T})), expected, "{item} {verb}");
            assert_eq!(change(json!({"item": "Comment", "verb": verb, "created_time": T})), at(T), "comment {verb}");
        }
    }
    // Without a verb the change itself is what was made: a lead, a rating of the older form.
    assert_eq!(change(json!({"leadgen_id": "1", "created_time": T})), at(T));
    assert_eq!(change(json!({"verb": null, "created_time": T})), at(T));
}

#[test]
fn an_edit_happened_when_it_was_edited() {
    let edit = |verb: &str, item: &str, edited: Value| {
        change(json!({"verb": verb, "item": item, "created_time": T, "edited_time": edited}))
    };
    let two = Time { sent: [T + 100, T].map(from_seconds).map(Some).to_vec(), reported: None };
    assert_eq!(edit("edit", "photo", json!(T + 100)), at(T + 100));
    assert_eq!(edit("edited", "comment", json!(T + 100)), two);
    assert_eq!(edit("edited", "comment", Value::Null), at(T));
    assert_eq!(edit("edited", "photo", Value::Null), Time::default());
    assert_eq!(edit("hide", "photo", json!(T + 100)), Time::default());
}

#[test]
fn what_is_older_than_any_redelivery_is_the_time_of_something_else() {
    let sent = |created: i64, sent_at: Value| {
        let value = json!({"verb": "remove", "created_time": created});
        within_redelivery(change(value.clone()), value.as_object().unwrap(), Some(&sent_at))
    };
    let nothing = Time::default();
    assert_eq!(sent(T, json!(T)), at(T));
    assert_eq!(sent(T, json!(T - 100)), at(T));
    assert_eq!(sent(T, json!(T + REDELIVERY)), at(T));
    assert_eq!(sent(T, json!(T + REDELIVERY + 1)), nothing);
    assert_eq!(sent(T, json!((T + REDELIVERY) * 1000 + 999)), at(T));
    assert_eq!(sent(T, json!((T + REDELIVERY) * 1000 + 1000)), nothing);
    assert_eq!(sent(T, json!("soon")), at(T));
    // A message is of its own time, however late it comes.
    let item = json!({"timestamp": T * 1000});
    let item = item.as_object().unwrap();
    assert_eq!(within_redelivery(of_message(item), item, Some(&json!(T + 2 * REDELIVERY))), at(T));
}

#[test]
fn the_time_of_a_conversations_item() {
    let message = |item: Value| of_message(item.as_object().unwrap());
    let precise = Time { sent: vec![Some(Timestamp { seconds: T, nanos: 250_000_000 })], reported: None };
    assert_eq!(message(json!({"timestamp": 1_717_420_800_250_i64})), precise);
    assert_eq!(message(json!({"timestamp": "1717420800250"})), precise);
    // WhatsApp has seconds, as texts.
    assert_eq!(message(json!({"timestamp": "1717420800"})), at(T));
    assert_eq!(message(json!({})), Time::default());
    assert!(!message(json!({"timestamp": i64::MAX})).tells_apart());
    assert!(!message(json!({"timestamp": i64::MIN})).tells_apart());
}

#[test]
fn when_an_entry_was_sent() {
    let of = |text: &str| of_entry(Some(&serde_json::from_str::<Box<RawValue>>(text).unwrap()));
    assert_eq!(of("1717420800"), Some(json!(T)));
    assert_eq!(of("\"soon\""), Some(json!("soon")));
    assert_eq!(of_entry(None), None);
}
