//! Everything that Meta's platforms are known to send has a message of its own, and an activity.

#![allow(clippy::unwrap_used, reason = "a test says where it fails by failing there")]

mod leaves;
mod meta_delivery;

use common::activity::v1::Verb;
use meta_delivery::{changes, parse};
use serde_json::{Value, json};
use sources::ParsedEvent;

const ITEMS: &[(&str, &str)] = &[
    ("album", "album"),
    ("address", "address"),
    ("comment", "comment"),
    ("connection", "connection"),
    ("coupon", "coupon"),
    ("event", "event"),
    ("experience", "experience"),
    ("group", "group"),
    ("group_message", "group_message"),
    ("interest", "interest"),
    ("like", "like"),
    ("link", "link"),
    ("mention", "mention"),
    ("milestone", "milestone"),
    ("note", "note"),
    ("page", "page"),
    ("picture", "picture"),
    ("platform-story", "platform_story"),
    ("photo", "photo"),
    ("photo-album", "photo_album"),
    ("post", "post"),
    ("profile", "profile"),
    ("question", "question"),
    ("rating", "rating"),
    ("reaction", "reaction"),
    ("relationship-status", "relationship_status"),
    ("share", "share"),
    ("status", "status"),
    ("story", "story"),
    ("timeline cover", "timeline_cover"),
    ("tag", "tag"),
    ("video", "video"),
];

const VERBS: &[&str] =
    &["add", "block", "edit", "edited", "delete", "follow", "hide", "mute", "remove", "unblock", "unhide", "update"];

/// The one event of a body, which is typed, has an activity with a verb and an object, and lost nothing.
fn typed(body: &Value, topic: &str) -> ParsedEvent {
    let parsed = parse(body.to_string());
    let events: Vec<_> = parsed.events().cloned().collect();
    assert_eq!((events.len(), parsed.items.len()), (1, 1), "{body}: {parsed:?}");
    let event = events.into_iter().next().unwrap();
    assert_eq!(event.topic, topic, "{body}");
    assert_eq!(leaves::missing(body, [&event]), [""; 0], "{body}");
    assert!(!event.activities.is_empty(), "{body}");
    for (ordinal, activity) in event.activities.iter().enumerate() {
        assert_eq!(activity.id, format!("{}-{ordinal}", event.id));
        assert_eq!(activity.event_type, event.ce_type);
        assert_ne!(activity.verb(), Verb::Unspecified, "{body}");
        assert_ne!(activity.object.as_ref().unwrap().r#type, "", "{body}");
    }
    event
}

#[test]
fn every_item_and_verb_of_feed() {
    for (item, name) in ITEMS {
        for verb in VERBS {
            let value = json!({
                "item": item, "verb": verb, "post_id": "1_2", "parent_id": "1_2", "comment_id": "2_3", "photo_id": 4,
                "photo_ids": [4, "5"], "photos": ["https://a.example/4"], "video": "https://a.example/v", "video_id": 6,
                "album_id": 7, "event_id": "8", "share_id": 9, "recipient_id": 10, "sender_id": 11, "sender_name": "Ann",
                "from": {"id": "11", "name": "Ann"}, "message": "words", "link": "https://a.example", "photo": "p",
                "story": "s", "title": "t", "reaction_type": "care", "published": true, "is_hidden": false,
                "edited_time": 1_717_420_801, "created_time": 1_717_420_800, "brand_new": {"a": [1.0, null]},
                "post": {"id": "1_2", "status_type": "added_photos", "is_published": true, "updated_time": "u",
                    "permalink_url": "https://a.example/1_2", "promotion_status": "inactive"},
            });
            let event =
                typed(&changes(&[json!({"field": "feed", "value": value})]), &format!("events.facebook.{name}"));
            assert!(event.occurred_at.is_some());
            assert_eq!(event.subject, "1_2");
        }
    }
}

#[test]
fn every_item_and_verb_of_mention_and_ratings() {
    for verb in VERBS {
        for item in [json!("post"), json!("comment"), json!(null)] {
            let change = json!({"field": "mention", "value": {"item": item, "verb": verb, "post_id": "1_2"}});
            typed(&changes(&[change]), "events.facebook.mention");
        }
        for (item, name) in [("rating", "rating"), ("comment", "rating_comment"), ("reaction", "rating_reaction")] {
            let change = json!({"field": "ratings", "value": {
                "item": item, "verb": verb, "reviewer_id": 1, "rating": 5, "review_text": null,
                "recommendation_type": "NEGATIVE", "open_graph_story_id": 3,
            }});
            typed(&changes(&[change]), &format!("events.facebook.{name}"));
        }
    }
    let lead = json!({"ad_id": 0, "form_id": 1, "leadgen_id": 2, "created_time": 3, "page_id": 4, "adgroup_id": 5});
    typed(&changes(&[json!({"field": "leadgen", "value": lead})]), "events.facebook.leadgen");
}

#[test]
fn every_kind_of_conversation() {
    let of_both = [
        ("message", "message", "message"),
        ("message_edit", "message_edit", "message_edit"),
        ("postback", "postback", "postback"),
        ("read", "message_read", "message_seen"),
        ("reaction", "message_reaction", "message_reaction"),
        ("optin", "opt_in", "opt_in"),
        ("referral", "referral", "referral"),
        ("pass_thread_control", "pass_thread_control", "pass_thread_control"),
        ("take_thread_control", "take_thread_control", "take_thread_control"),
        ("request_thread_control", "request_thread_control", "request_thread_control"),
    ];
    let of_messenger = [
        ("delivery", "message_delivery"),
        ("payment", "payment"),
        ("checkout_update", "checkout_update"),
        ("app_roles", "app_roles"),
        ("account_linking", "account_linking"),
        ("policy-enforcement", "policy_enforcement"),
    ];
    let kinds = of_both.iter().map(|(key, page, _)| ("page", *key, format!("events.facebook.{page}")));
    let kinds =
        kinds.chain(of_both.iter().map(|(key, _, direct)| ("instagram", *key, format!("events.instagram.{direct}"))));
    let kinds = kinds.chain(of_messenger.iter().map(|(key, page)| ("page", *key, format!("events.facebook.{page}"))));
    for (object, key, topic) in kinds {
        let item = json!({
            "sender": {"id": "7"}, "recipient": {"id": 12}, "timestamp": 1_717_420_800_001_i64, key: {"mid": "m", "new": [1]},
        });
        let entries = [
            json!({"id": 12, "time": 3, "messaging": [item]}),
            json!({"id": 12, "time": 3, "standby": [item]}),
            json!({"id": 12, "time": 3, "changes": [{"field": "messages", "value": item}]}),
            json!({"id": 12, "time": 3, "field": "messages", "value": item}),
        ];
        for entry in entries {
            let event = typed(&json!({"object": object, "entry": [entry]}), &topic);
            assert_eq!(event.subject, "7");
        }
    }
}

#[test]
fn every_field_of_instagram_in_each_shape() {
    let fields = [
        (
            "comments",
            "comment",
            json!({"id": "1", "from": {"id": "2", "username": "u"}, "text": "t",
            "media": {"id": "3", "media_product_type": "FEED"}, "parent_id": "4"}),
        ),
        ("comments", "comment", json!({"comment_id": 1, "from": null, "text": null, "media_id": 3})),
        ("live_comments", "live_comment", json!({"id": "1", "text": "t", "media": {"id": "3"}})),
        ("mentions", "mention", json!({"media_id": "3", "comment_id": "4"})),
        ("mentions", "mention", json!({"media_id": "3"})),
        (
            "story_insights",
            "story_insights",
            json!({"media_id": "3", "impressions": 44, "reach": -1,
            "taps_forward": -1, "taps_back": 6, "exits": 0, "replies": -1}),
        ),
    ];
    for (field, name, value) in fields {
        let topic = format!("events.instagram.{name}");
        let entries = [
            json!({"id": "17", "time": 1_717_420_800, "changes": [{"field": field, "value": value}]}),
            json!({"id": "17", "time": 1_717_420_800, "field": field, "value": value}),
        ];
        let payloads: Vec<_> =
            entries.iter().map(|entry| typed(&json!({"object": "instagram", "entry": [entry]}), &topic).id).collect();
        assert_eq!(payloads[0], payloads[1], "{field}");
    }
}

#[test]
fn every_list_of_whatsapp() {
    let lists = [
        ("messages", "message", "3/7", json!({"from": 7, "id": "m", "type": "text", "text": {"body": "x"}})),
        (
            "message_echoes",
            "message",
            "3/7",
            json!({"from": "5", "to": "7", "id": "m", "type": "image", "image": null}),
        ),
        ("statuses", "message_status", "3/7", json!({"id": "m", "status": "read", "recipient_id": "7"})),
        ("errors", "error", "3", json!({"code": 1, "title": "t"})),
        ("calls", "call", "3/7", json!({"id": "c", "event": "connect", "from": "7"})),
        ("user_preferences", "user_preference", "3/7", json!({"wa_id": "7", "value": "stop"})),
        ("user_id_update", "user_id_update", "3/7", json!({"wa_id": "7", "user_id": {"current": "u"}})),
        ("groups", "group_update", "3/g", json!({"group_id": "g", "type": "group_create"})),
    ];
    for (list, name, subject, item) in lists {
        let mut item = item;
        item["timestamp"] = json!("1717420800");
        item["brand_new"] = json!({"a": [1.0, null, {}, []]});
        let value = json!({
            "messaging_product": "whatsapp", "metadata": {"phone_number_id": 3, "display_phone_number": "45", "new": 1},
            "contacts": [{"wa_id": "7", "profile": {"name": "Ilse"}, "new": [2]}], list: [item], "weather": ["fair"],
        });
        // The field does not matter.
        for field in ["messages", "unheard_of"] {
            for entry in [
                json!({"id": 12, "changes": [{"field": field, "value": value, "new": {"b": 1}}]}),
                json!({"id": 12, "field": field, "value": value}),
            ] {
                let body = json!({"object": "whatsapp_business_account", "entry": [entry]});
                let event = typed(&body, &format!("events.whatsapp.{name}"));
                assert_eq!((event.subject.as_str(), event.occurred_at.is_some()), (subject, true), "{body}");
                let account = event.activities[0].account.as_ref().unwrap();
                assert_eq!((account.id.as_str(), account.title.as_str()), ("12", "45"));
            }
        }
    }
}

#[test]
fn every_field_of_whatsapp() {
    let of_template = ["message_template_status_update", "message_template_quality_update"];
    let of_template = of_template.into_iter().chain(["message_template_components_update", "template_category_update"]);
    let of_number = ["phone_number_name_update", "phone_number_quality_update", "business_username_update", "security"];
    let others = [
        ("account_update", "account_update", "12"),
        ("account_alerts", "account_alert", "12"),
        ("account_review_update", "account_review_update", "12"),
        ("business_capability_update", "business_capability_update", "12"),
        ("payment_configuration_update", "payment_configuration_update", "12"),
        ("partner_solutions", "partner_solution", "12"),
        ("flows", "flow_update", "12"),
    ];
    let all = of_template.map(|field| (field, field, "34")).chain(of_number.map(|field| (field, field, "45")));
    for (field, name, subject) in all.chain(others) {
        let value = json!({
            "message_template_id": 34, "display_phone_number": "45", "event": "E", "brand_new": {"a": [1.0, null, {}, []]},
            // Not a list of events of their own here.
            "errors": [{"error_type": "t", "error_rate": 10}],
        });
        let body = json!({"object": "whatsapp_business_account", "entry": [
            {"id": 12, "time": 1_717_420_800, "changes": [{"field": field, "value": value}]},
        ]});
        assert_eq!(typed(&body, &format!("events.whatsapp.{name}")).subject, subject, "{field}");
    }
}

#[test]
fn every_field_of_a_page_a_person_and_a_permission() {
    let values = [json!("x"), json!(null), json!(7), json!({"page": "9", "a": [{}, []]}), json!([{"id": "4"}])];
    for (object, field, name) in [
        ("page", "name", "page_change"),
        ("page", "picture", "page_change"),
        ("user", "likes", "user_change"),
        ("user", "feed", "user_change"),
        ("permissions", "connected", "permission_change"),
    ] {
        let with = |change: Value| json!({"object": object, "entry": [{"id": "1", "time": 1_717_420_800, "changes": [change]}]});
        let topic = format!("events.facebook.{name}");
        typed(&with(json!({"field": field})), &topic);
        for value in &values {
            typed(&with(json!({"field": field, "verb": "add", "new": {"b": 1}, "value": value})), &topic);
        }
    }
    for (field, name, value) in [
        ("live_videos", "live_video", json!({"id": "5", "status": "live", "new": [1]})),
        ("videos", "video_status", json!({"id": 5, "status": {"video_status": "ready"}})),
        ("conversations", "conversation", json!({"thread_id": "t_1", "page_id": 108_204_610_000_417_i64})),
        (
            "inbox_labels",
            "inbox_label",
            json!({"user": {"id": "7"}, "action": "add", "label": {"id": "3", "name": "n"}}),
        ),
    ] {
        typed(&changes(&[json!({"field": field, "value": value})]), &format!("events.facebook.{name}"));
        // A page whose app wants no values says the field alone.
        typed(&changes(&[json!({"field": field})]), "events.facebook.page_change");
    }
    for (object, name) in [("page", "page_change"), ("user", "user_change")] {
        let body = json!({"object": object, "entry": [{"id": "1", "time": 1_717_420_800, "changed_fields": ["feed"]}]});
        typed(&body, &format!("events.facebook.{name}"));
    }
}

#[test]
fn what_is_not_known_is_kept_whole_with_one_activity() {
    let entry = |entry: Value| json!({"object": "page", "entry": [entry]});
    let cases = [
        (changes(&[json!({"field": "parcels"})]), "facebook", "parcels"),
        (
            changes(&[json!({"field": "feed", "value": {"item": "hologram", "a": [null, 1.50]}})]),
            "facebook",
            "feed/hologram",
        ),
        (changes(&[json!({"field": "feed", "value": {}})]), "facebook", "feed"),
        (
            json!({"object": "moon", "entry": [{"id": "1", "changes": [{"field": "feed", "value": {"item": "post"}}]}]}),
            "facebook",
            "feed/post",
        ),
        (
            json!({"object": 7, "entry": [{"id": "1", "changes": [{"field": "feed", "value": {"item": "post"}}]}]}),
            "facebook",
            "feed/post",
        ),
        (
            json!({"object": "moon", "entry": [{"id": "1", "time": 2, "changed_fields": ["picture"]}]}),
            "facebook",
            "changed_fields/picture",
        ),
        (
            entry(json!({"id": "1", "time": 2, "messaging": [{"sender": {"id": "7"}, "game_play": {"score": 5}}]})),
            "facebook",
            "messaging/game_play",
        ),
        (entry(json!({"id": "1", "time": 2, "standby": [{}]})), "facebook", "standby"),
        (entry(json!({"id": "1", "time": 2, "news": [{"a": 1}]})), "facebook", "entry"),
        (
            json!({"object": "instagram", "entry": [{"id": "1", "changes": [{"field": "feed", "value": {"item": "post"}}]}]}),
            "instagram",
            "feed/post",
        ),
        (
            json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [
            {"field": "messages", "value": {"messages": [], "weather": "fair"}}]}]}),
            "whatsapp",
            "messages",
        ),
        (
            json!({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [
            {"field": "history", "value": {"history": [{"threads": [{"messages": [{"id": "m"}]}]}]}}]}]}),
            "whatsapp",
            "history",
        ),
    ];
    for (body, platform, kind) in cases {
        let parsed = parse(body.to_string());
        let events: Vec<_> = parsed.events().collect();
        assert_eq!((events.len(), parsed.items.len()), (1, 1), "{body}: {parsed:?}");
        assert_eq!(events[0].topic, format!("events.{platform}.other"), "{body}");
        assert_eq!(events[0].platform, platform, "{body}");
        let [activity] = &events[0].activities[..] else { panic!("{body}: {events:?}") };
        let object = activity.object.as_ref().unwrap();
        assert_eq!((activity.verb(), object.r#type.as_str()), (Verb::Other, kind), "{body}");
        let decoded = leaves::decode(events[0]);
        assert_eq!(decoded.get_field_by_name("kind").unwrap().as_str(), Some(kind), "{body}");
        assert_eq!(leaves::missing(&body, events), [""; 0], "{body}");
    }
}

#[test]
fn a_delivery_that_does_not_say_what_it_is_about_is_taken_by_its_fields() {
    for object in ["", r#""object":null,"#] {
        let body =
            format!(r#"{{{object}"entry":[{{"id":"1","changes":[{{"field":"feed","value":{{"item":"post"}}}}]}}]}}"#);
        let parsed = parse(body);
        assert_eq!(parsed.events().map(|event| event.topic.as_ref()).collect::<Vec<_>>(), ["events.facebook.post"]);
    }
}

#[test]
fn several_arrays_in_one_entry_are_all_taken() {
    let body = json!({"object": "page", "entry": [{
        "id": "1", "time": 2,
        "changes": [{"field": "feed", "value": {"item": "post"}}],
        "messaging": [{"message": {"mid": "m"}}],
        "standby": [{"message": {"mid": "n"}}],
        "changed_fields": ["feed"],
        "field": "leadgen", "value": {"leadgen_id": 5},
    }]});
    let parsed = parse(body.to_string());
    let found: Vec<_> = parsed.events().map(|event| (event.index, event.topic.as_ref())).collect();
    let expected =
        ["post", "message", "message", "page_change", "leadgen"].map(|name| format!("events.facebook.{name}"));
    assert_eq!(found, (0..).zip(expected.iter().map(String::as_str)).collect::<Vec<_>>());
}
