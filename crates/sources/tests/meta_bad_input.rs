//! What is broken is refused alone, with its reason and its bytes, and takes nothing with it.

#![allow(clippy::unwrap_used, reason = "a test says where it fails by failing there")]

mod leaves;
mod meta_delivery;

use meta_delivery::{changes, like, parse};
use proptest::prelude::*;
use serde_json::{Value, json};
use sources::{Item, Parsed, Reason};

const T: i64 = 1_717_420_800;

/// Every index is there once, in order.
fn check(parsed: &Parsed) {
    assert!(!parsed.items.is_empty());
    assert_eq!(parsed.items.len(), parsed.events().count() + parsed.refusals().count());
    for (index, item) in (0..).zip(&parsed.items) {
        let found = match item {
            Item::Event(event) => event.index,
            Item::Refused(refused) => refused.index,
        };
        assert_eq!(found, index);
    }
}

#[test]
fn of_a_thousand_changes_one_is_broken() {
    for broken in [
        json!({"field": "feed", "value": "broken"}),
        json!({"field": "feed"}),
        json!({"field": ["feed"], "value": {"item": "post"}}),
        json!(null),
        json!("feed"),
    ] {
        let mut all: Vec<Value> = (0..1000).map(|person| like(&person.to_string(), T)).collect();
        all[617] = broken.clone();
        let parsed = parse(changes(&all).to_string());
        check(&parsed);
        assert_eq!(parsed.events().count(), 999);
        let refused: Vec<_> = parsed.refusals().collect();
        assert_eq!((refused.len(), refused[0].index, refused[0].reason), (1, 617, Reason::WrongShape));
        assert_eq!(refused[0].content_type, "application/json");
        // One change in its envelope, of its own size.
        assert_eq!(serde_json::from_slice::<Value>(&refused[0].payload).unwrap(), changes(&[broken]));
        assert!(refused[0].payload.len() < 200);
    }
}

#[test]
fn what_cannot_be_read_within_an_item_is_refused_alone() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let broken = format!(r#"{{"field":"feed","value":{deep}}}"#);
    let body = format!(
        r#"{{"object":"page","entry":[{{"id":"1","time":2,"changes":[{},{broken},{}]}}]}}"#,
        like("1", T),
        like("2", T)
    );
    let parsed = parse(body);
    check(&parsed);
    assert_eq!(parsed.events().count(), 2);
    let refused: Vec<_> = parsed.refusals().map(|refused| (refused.index, refused.reason)).collect();
    assert_eq!(refused, [(1, Reason::TooDeep)]);
    let payload = parsed.refusals().next().unwrap().payload.clone();
    assert!(String::from_utf8(payload).unwrap().contains(&broken), "the bytes that were sent");
}

/// A sender that cuts a text in the middle of an emoji: the text is read, what was sent is kept, and two stay two.
#[test]
fn half_of_a_surrogate_pair_is_no_reason_to_refuse() {
    use common::facebook::v1::Comment;
    use prost::Message as _;
    let comment = |message: &str, more: &str| {
        format!(
            r#"{{"object":"page"{more},"entry":[{{"id":"1","time":2,"changes":[{{"field":"feed","value":{{"item":"comment","verb":"add","comment_id":"1_2","message":"{message}","new":["{message}"]}}}}]}}]}}"#
        )
    };
    let read = |body: String| {
        let parsed = parse(body);
        check(&parsed);
        let [Item::Event(event)] = &parsed.items[..] else { panic!("{parsed:?}") };
        (event.id, Comment::decode(event.payload.as_slice()).unwrap(), event.activities.clone())
    };
    let (whole, _, _) = read(comment("half \u{fffd}", ""));
    let (half, event, activities) = read(comment(r"half \ud83d", ""));
    let (other, _, _) = read(comment(r"half \ud83c", ""));
    assert_eq!(event.message.as_deref(), Some("half \u{fffd}"));
    assert_eq!(event.unknown["/message"], r#""half \ud83d""#);
    assert_eq!(event.unknown["/new/0"], r#""half \ud83d""#);
    assert_eq!(activities[0].text.as_deref(), Some("half \u{fffd}"));
    assert!(whole != half && half != other && other != whole);
    assert_eq!(half, read(comment(r"half \ud83d", "")).0, "a redelivery is the same event");
    // A mark before it changes nothing.
    assert_eq!(half, read(format!("\u{feff}{}", comment(r"half \ud83d", ""))).0);
    assert_eq!(whole, read(format!("\u{feff}{}", comment("half \u{fffd}", ""))).0);

    // What stands around an item, and its name.
    let (_, event, _) = read(comment("text", r#","more":{"a":"\ude00"}"#));
    assert_eq!(event.unknown["envelope/more"], r#"{"a":"\ude00"}"#);
    let (_, event, _) = read(comment("text", r#","\ude00":[1]"#));
    assert_eq!(event.message.as_deref(), Some("text"));
    assert_eq!(event.unknown[r"envelope/\ude00"], "[1]");
}

#[test]
fn a_body_of_which_nothing_can_be_understood_is_refused_whole() {
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let deep_around = format!(r#"{{"more":{deep},"entry":[{{"id":"1","changed_fields":["feed"]}}]}}"#);
    let deep_item = format!(r#"{{"object":"page","entry":[{{"id":"1","changes":[{deep}]}}]}}"#);
    let cases: &[(&[u8], Reason)] = &[
        (b"", Reason::Empty),
        (b"  ", Reason::Empty),
        (b"\xff{}", Reason::NotUtf8),
        (b"{\"object\":\"page\xc3\"}", Reason::NotUtf8),
        (b"hello", Reason::NotJson),
        (b"{\"object\":\"page\",}", Reason::NotJson),
        (b"{\"object\":\"page\",\"entry\":[{\"id\"", Reason::Truncated),
        (b"{\"object\":\"page\",\"entry\":[]", Reason::Truncated),
        (b"[]", Reason::WrongShape),
        (b"null", Reason::WrongShape),
        (b"{\"entry\":{}}", Reason::WrongShape),
        (b"{\"entry\":\"1\"}", Reason::WrongShape),
        (b"{\"action\":\"opened\",\"repository\":{\"id\":1},\"sender\":{\"id\":2}}", Reason::WrongShape),
        (b"{}", Reason::Empty),
        (b"{\"object\":\"page\"}", Reason::Empty),
        (b"{\"object\":\"page\",\"entry\":null}", Reason::Empty),
        (b"{\"object\":\"page\",\"entry\":[]}", Reason::Empty),
        (b"{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"time\":2}]}", Reason::Empty),
        (
            b"{\"object\":\"page\",\"entry\":[{\"id\":\"1\",\"changes\":[]},{\"id\":\"2\",\"messaging\":null}]}",
            Reason::Empty,
        ),
        (deep.as_bytes(), Reason::TooDeep),
        (deep_around.as_bytes(), Reason::TooDeep),
        (deep_item.as_bytes(), Reason::TooDeep),
        (b"{\"entry\":[{\"id\":\"1\",\"changes\":[ 7 ]}]}", Reason::WrongShape),
        (b"{\"object\":\"\\ud83d\",\"entry\":[{\"id\":\"1\"}]}", Reason::Empty),
    ];
    for (body, reason) in cases {
        let parsed = parse(*body);
        let text = String::from_utf8_lossy(&body[..body.len().min(80)]);
        let refused: Vec<_> = parsed.refusals().collect();
        assert_eq!((parsed.items.len(), refused.len()), (1, 1), "{text}");
        assert_eq!((refused[0].reason, &refused[0].payload[..]), (*reason, *body), "{text}: {}", refused[0].message);
    }
}

#[test]
fn what_another_platform_delivered_is_not_called_empty() {
    let long = "x".repeat(1000);
    let body =
        json!({"action": "opened", "issue": {"id": 3}, "repository": {"id": 1}, "sender": {"id": 2}, long: 1, "z": 2});
    let parsed = parse(body.to_string());
    let message = &parsed.refusals().next().unwrap().message;
    assert_eq!(
        message,
        "this is not a delivery of Meta: it has no \"entry\", but [\"action\", \"issue\", \"repository\", \"sender\", \
         \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"]. Check whose webhook leads to this endpoint"
    );
}

#[test]
fn broken_entries_leave_the_others_alone() {
    let good = json!({"id": "1", "time": 2, "changes": [like("1", T)]});
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    let body = format!(r#"{{"entry":[{good},{{"id":"1","hop":{deep},"changes":[{{}}]}},{good}]}}"#);
    let parsed = parse(body);
    check(&parsed);
    let refused: Vec<_> = parsed.refusals().map(|refused| (refused.index, refused.reason)).collect();
    assert_eq!(refused, [(1, Reason::TooDeep)]);
    let cases = [
        (json!("entry"), Reason::WrongShape),
        (json!(null), Reason::WrongShape),
        (json!([]), Reason::WrongShape),
        (json!({"changes": [like("1", T)]}), Reason::WrongShape),
        (json!({"id": null, "changes": [like("1", T)]}), Reason::WrongShape),
        (json!({"id": {}, "changes": [like("1", T)]}), Reason::WrongShape),
        (json!({"id": "9".repeat(1000), "changes": [like("1", T)]}), Reason::WrongShape),
        (json!({"id": "1", "changes": {"field": "feed"}}), Reason::WrongShape),
        (json!({"id": "1", "messaging": ["hello"]}), Reason::WrongShape),
        (json!({"id": "1", "standby": [null]}), Reason::WrongShape),
        (json!({"id": "1", "changed_fields": [7]}), Reason::WrongShape),
        (json!({"id": "1", "field": 7, "value": {}}), Reason::WrongShape),
        (json!({"id": "1", "field": "feed"}), Reason::WrongShape),
        (json!({"id": "1", "time": 2}), Reason::Empty),
        (json!({}), Reason::WrongShape),
    ];
    for (entry, reason) in cases {
        let parsed = parse(json!({"object": "page", "entry": [good, entry, good]}).to_string());
        check(&parsed);
        assert_eq!(parsed.events().count(), 2, "{entry}");
        let refused: Vec<_> = parsed.refusals().collect();
        assert_eq!((refused.len(), refused[0].index, refused[0].reason), (1, 1, reason), "{entry}");
        let expected = json!({"object": "page", "entry": [entry]});
        assert_eq!(serde_json::from_slice::<Value>(&refused[0].payload).unwrap(), expected);
    }
}

#[test]
fn odd_types_are_no_reason_to_refuse() {
    let value = json!({
        "item": "comment", "verb": 7, "from": "me", "sender_id": {}, "post_id": 1.5, "comment_id": null, "message": [1],
        "created_time": "1e400", "published": "yes", "photos": "one", "photo_ids": {"a": 1}, "post": [], "message_tags": [1],
    });
    let parsed = parse(changes(&[json!({"field": "feed", "value": value})]).to_string());
    let events: Vec<_> = parsed.events().collect();
    assert_eq!((events.len(), parsed.items.len()), (1, 1));
    assert_eq!(events[0].topic, "events.facebook.comment");
    // When it was sent is known all the same.
    assert_eq!(events[0].occurred_at.map(|time| time.seconds), Some(1_717_420_900));
    for time in ["0", "-1", "9223372036854775807", "9223372036854775808", "1e999", "253402300800000"] {
        let body = format!(
            r#"{{"object":"page","entry":[{{"id":1,"time":{time},"changes":[{{"field":"feed","value":{{"item":"like","created_time":{time}}}}}],"messaging":[{{"timestamp":{time},"message":{{}}}}]}}]}}"#
        );
        let parsed = parse(body);
        assert_eq!(parsed.events().filter(|event| event.occurred_at.is_none()).count(), 2, "{time}: {parsed:?}");
    }
}

#[test]
fn small_items_around_which_much_stands_stay_small() {
    let long = "x".repeat(100_000);
    let items = vec!["7"; 1000].join(",");
    let body = format!(
        r#"{{"object":"{long}","more":"{long}","entry":[{{"id":"1","time":"{long}","uid":"{long}","hop":"{long}","changes":[{items}]}}]}}"#
    );
    let parsed = parse(body.clone());
    check(&parsed);
    let size: usize = parsed.refusals().map(|refused| refused.payload.len()).sum();
    assert_eq!(parsed.items.len(), 1000);
    assert!(size < body.len() + 1000 * 100, "{size}");
}

/// Any JSON, with the names that mean something strewn in.
fn any_json() -> impl Strategy<Value = Value> {
    let name = prop_oneof![
        4 => prop::sample::select(vec![
            "object", "entry", "id", "time", "changes", "messaging", "standby", "changed_fields", "field", "value",
            "item", "verb", "from", "post", "message", "timestamp", "created_time", "sender", "delivery", "mids",
        ]).prop_map(str::to_owned),
        1 => ".{0,4}",
    ];
    let text = prop_oneof![
        4 => prop::sample::select(vec![
            "page", "instagram", "whatsapp_business_account", "feed", "comments", "messages", "comment", "like", "add",
        ]).prop_map(str::to_owned),
        1 => ".{0,8}",
    ];
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
        3 => text.prop_map(Value::from),
    ];
    leaf.prop_recursive(7, 128, 6, move |inner| {
        prop_oneof![
            1 => prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            3 => prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_json_panics(value in any_json()) {
        check(&parse(value.to_string()));
    }

    #[test]
    fn no_entry_panics(object in any_json(), entries in prop::collection::vec(any_json(), 0..3)) {
        check(&parse(json!({"object": object, "entry": entries}).to_string()));
    }

    #[test]
    fn no_item_panics_or_takes_another_with_it(
        object in prop::sample::select(vec!["page", "instagram", "whatsapp_business_account", "user"]),
        list in prop::sample::select(vec!["changes", "messaging", "standby", "changed_fields"]),
        items in prop::collection::vec(any_json(), 1..5),
    ) {
        let body = json!({"object": object, "entry": [{"id": "1", "time": 2, list: items}]}).to_string();
        let parsed = parse(body.as_str());
        check(&parsed);
        prop_assert_eq!(parsed.items.len(), items.len());
        if parsed.refusals().count() == 0 {
            let sent = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(leaves::missing(&sent, parsed.events()), [""; 0]);
        }
    }

    #[test]
    fn no_value_of_a_known_kind_is_refused(
        item in prop::sample::select(vec!["comment", "like", "post", "rating", "hologram"]),
        value in any_json(),
    ) {
        let mut value = value.as_object().cloned().unwrap_or_default();
        value.insert("item".to_owned(), json!(item));
        let body = changes(&[json!({"field": "feed", "value": value})]).to_string();
        let parsed = parse(body.as_str());
        prop_assert_eq!(parsed.events().count(), 1);
        let sent = serde_json::from_str(&body).unwrap();
        prop_assert_eq!(leaves::missing(&sent, parsed.events()), [""; 0]);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        check(&parse(bytes));
    }

    #[test]
    fn no_cut_of_a_delivery_panics(at in 0_usize..400) {
        let mut body = changes(&[like("1", T), like("2", T)]).to_string().into_bytes();
        body.truncate(at);
        check(&parse(body));
    }
}
