//! Two occurrences are two events, and one occurrence is one, however often and in whatever batch it comes.

#![allow(clippy::unwrap_used, reason = "a test says where it fails by failing there")]

mod meta_delivery;

use std::collections::BTreeSet;

use common::event::v1::{Context, TimeQuality};
use common::identity::Id;
use common::registrations::Registrations;
use meta_delivery::{changes, delivery, like, parse};
use serde_json::{Value, json};
use sources::{Item, Parsed, Source as _, Tenants};

const T: i64 = 1_717_420_800;

fn ids(parsed: &Parsed) -> Vec<Id> {
    assert_eq!(parsed.refusals().count(), 0, "{parsed:?}");
    parsed.events().map(|event| event.id).collect()
}

fn ids_of(body: &Value) -> Vec<Id> {
    ids(&parse(body.to_string()))
}

#[test]
fn two_likes_of_one_post_in_one_second_are_two_events() {
    let ids = ids_of(&changes(&[like("1", T), like("2", T)]));
    assert_ne!(ids[0], ids[1]);
    // And one person's like, taken back, and given again is three.
    let mut back = like("1", T + 1);
    back["value"]["verb"] = json!("remove");
    let ids: BTreeSet<_> = ids_of(&changes(&[like("1", T), back, like("1", T + 2)])).into_iter().collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn a_redelivery_in_other_batches_is_no_new_event() {
    let all: Vec<Value> = (0..20).map(|person| like(&person.to_string(), T + person / 3)).collect();
    let one: BTreeSet<_> = ids_of(&changes(&all)).into_iter().collect();
    assert_eq!(one.len(), 20);
    let mut again = BTreeSet::new();
    for (number, batch) in all.chunks(3).enumerate() {
        let mut body = changes(&batch.iter().rev().cloned().collect::<Vec<_>>());
        // It is sent again later, beside another page's entry, and the id is a number this time.
        body["entry"][0]["time"] = json!(T + 3600 + number as i64);
        body["entry"][0]["id"] = json!(108_204_610_000_417_i64);
        body["entry"].as_array_mut().unwrap().push(json!({"id": "5", "time": T, "changes": [like("5", T)]}));
        again.extend(parse(body.to_string()).events().filter(|event| event.account_id != "5").map(|event| event.id));
    }
    assert_eq!(one, again);
}

#[test]
fn what_has_no_time_of_its_own_is_told_by_the_time_of_sending() {
    let comment = json!({"field": "comments", "value": {"id": "1", "text": "Yes"}});
    let body = |time: i64| json!({"object": "instagram", "entry": [{"id": "17", "time": time, "changes": [comment]}]});
    assert_eq!(ids_of(&body(T)), ids_of(&body(T)));
    assert_ne!(ids_of(&body(T)), ids_of(&body(T + 1)));
    // In the entry itself it is the same occurrence.
    let flat = json!({"object": "instagram", "entry": [{
        "id": "17", "time": T, "field": "comments", "value": {"id": "1", "text": "Yes"},
    }]});
    assert_eq!(ids_of(&body(T)), ids_of(&flat));
}

#[test]
fn the_order_of_members_and_white_space_do_not_matter() {
    let compact = r#"{"object":"page","entry":[{"id":"1","time":5,"changes":[{"field":"feed","value":{"item":"like","created_time":1717420800,"message":"ü"}}]}]}"#;
    let spread = r#" { "entry" : [ { "changes" : [ { "value" : { "message" : "\u00fc",
        "created_time" : 1717420800 , "item" : "like" } , "field" : "feed" } ] , "time" : 6 , "id" : "1" } ],
        "object" : "page" } "#;
    assert_eq!(ids(&parse(compact)), ids(&parse(spread)));
}

#[test]
fn neither_the_delivery_nor_the_accounts_tenant_enters_but_the_endpoints_does() {
    struct Globex;
    impl Tenants for Globex {
        fn tenant_of(&self, _: &str, _: &str) -> Option<&str> {
            Some("globex")
        }
    }
    let meta = sources::meta::Meta;
    let first = delivery(changes(&[like("1", T)]).to_string());
    let parsed = meta.parse(&first, &Registrations::default());
    let mut second = first.clone();
    second.delivery_id = "f".repeat(32);
    second.received_at = Some("2024-06-04T00:00:00Z".parse().unwrap());
    second.endpoint = "other".to_owned();
    assert_eq!(ids(&parsed), ids(&meta.parse(&second, &Registrations::default())));
    let registered = meta.parse(&first, &Globex);
    assert_eq!(ids(&parsed), ids(&registered));
    let tenants: Vec<_> = parsed.events().chain(registered.events()).map(|event| event.tenant.as_str()).collect();
    assert_eq!(tenants, ["acme", "globex"]);
    second.tenant = "globex".to_owned();
    assert_ne!(ids(&parsed), ids(&meta.parse(&second, &Registrations::default())));
}

#[test]
fn the_verb_beside_the_value_tells_changes_apart() {
    let change = |verb: &str| {
        json!({"object": "user", "entry": [{"id": "1", "time": T, "changes": [
            {"field": "likes", "verb": verb, "value": {"page": "9"}},
        ]}]})
    };
    assert_ne!(ids_of(&change("add")), ids_of(&change("remove")));
}

#[test]
fn a_message_and_the_same_on_standby_are_told_apart() {
    let item = json!({"sender": {"id": "7"}, "recipient": {"id": "1"}, "timestamp": T * 1000, "message": {"mid": "m"}});
    let body = |list: &str, time: i64| json!({"object": "page", "entry": [{"id": "1", "time": time, list: [item]}]});
    assert_eq!(ids_of(&body("messaging", T)), ids_of(&body("messaging", T + 1)));
    assert_ne!(ids_of(&body("messaging", T)), ids_of(&body("standby", T)));
}

/// A change of a thing that was made at `T`, sent `after` seconds later.
fn done(item: &str, verb: &str, created: i64, words: &str, after: i64) -> Value {
    let value = json!({
        "item": item, "verb": verb, "post_id": "108204610000417_7710", "comment_id": "7710_1", "message": words,
        "created_time": created,
    });
    json!({"object": "page", "entry": [{"id": "1", "time": T + after, "changes": [{"field": "feed", "value": value}]}]})
}

fn one(body: &Value) -> (Id, Context) {
    let mut delivery = delivery(body.to_string());
    delivery.received_at = Some("2024-06-06T00:00:00Z".parse().unwrap());
    let parsed = sources::meta::Meta.parse(&delivery, &Registrations::default());
    let [Item::Event(event)] = &parsed.items[..] else { panic!("{parsed:?}") };
    let context = event.activities[0].context.clone().unwrap();
    assert_eq!(event.occurred_at, context.occurred_at);
    assert_eq!(event.activities[0].occurred_at, context.occurred_at);
    (event.id, context)
}

#[test]
fn an_edit_that_takes_an_edit_back_is_no_repeat_of_what_was_before() {
    for item in ["post", "status", "photo", "video", "share", "album", "reaction"] {
        for steps in [
            [("edited", "A"), ("edited", "B"), ("edited", "A")],
            [("hide", ""), ("unhide", ""), ("hide", "")],
            [("edit", "love"), ("edit", "wow"), ("edit", "love")],
        ] {
            // All three have the one time of its making.
            let all = (1..).zip(steps).map(|(n, (verb, words))| one(&done(item, verb, T, words, n * 60)));
            let (ids, contexts): (BTreeSet<_>, Vec<_>) = all.unzip();
            assert_eq!(ids.len(), 3, "{item} {steps:?}");
            for (n, context) in (1..).zip(contexts) {
                assert_eq!(context.occurred_at.unwrap().seconds, T + n * 60, "{item} {steps:?}");
                assert_eq!(context.time_quality(), TimeQuality::Reported);
            }
        }
    }
}

#[test]
fn what_has_its_own_time_is_one_event_whenever_it_is_sent() {
    for (item, verb) in [
        ("post", "add"),
        ("photo", "remove"),
        ("reaction", "remove"),
        ("comment", "add"),
        ("comment", "edited"),
        ("comment", "hide"),
        ("comment", "unhide"),
        ("comment", "remove"),
    ] {
        let (first, context) = one(&done(item, verb, T, "A", 1));
        assert_eq!(context.occurred_at.unwrap().seconds, T, "{item} {verb}");
        assert_eq!(context.time_quality(), TimeQuality::Sent);
        // Meta sends it again after 36 hours at the latest.
        for after in [11, 3600, 36 * 3600] {
            assert_eq!(one(&done(item, verb, T, "A", after)).0, first, "{item} {verb} {after}");
        }
        // The same words at another time are another occurrence.
        assert_ne!(one(&done(item, verb, T + 1, "A", 1)).0, first, "{item} {verb}");
        // What is older cannot be of this occurrence.
        let (late, context) = one(&done(item, verb, T, "A", 36 * 3600 + 1));
        assert_ne!(late, first, "{item} {verb}");
        assert_eq!(context.occurred_at.unwrap().seconds, T + 36 * 3600 + 1, "{item} {verb}");
        assert_eq!(context.time_quality(), TimeQuality::Reported);
    }
}

#[test]
fn an_absurd_time_is_no_time_of_its_own() {
    for created in [0, 1, 946_684_799, -5] {
        let (id, context) = one(&done("post", "add", created, "A", 5));
        assert_ne!(id, one(&done("post", "add", created, "A", 6)).0);
        assert_eq!((context.occurred_at.unwrap().seconds, context.time_quality()), (T + 5, TimeQuality::Reported));
    }
}

fn whatsapp(phone: &str, value: Value) -> Value {
    let mut value = value;
    value["metadata"] = json!({"phone_number_id": phone, "display_phone_number": "45"});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "12", "changes": [{"field": "messages", "value": value}]}]})
}

#[test]
fn messages_and_statuses_of_whatsapp_are_the_same_in_whatever_batch_they_come() {
    let message =
        |id: &str, from: &str| json!({"id": id, "from": from, "timestamp": T.to_string(), "text": {"body": "x"}});
    let status = |id: &str, word: &str, to: &str, time: i64| json!({"id": id, "status": word, "recipient_id": to, "timestamp": time.to_string()});
    let contacts = json!([{"wa_id": "7", "profile": {"name": "Ilse"}}, {"wa_id": "8"}]);
    let messages = [message("a", "7"), message("b", "8"), message("c", "7")];
    // Sent, delivered and read are three, and so is what two people of a group read.
    let statuses = [
        status("a", "sent", "7", T),
        status("a", "delivered", "7", T),
        status("a", "read", "7", T),
        status("a", "read", "8", T),
        status("a", "read", "8", T + 1),
    ];
    let all = ids_of(&whatsapp("3", json!({"contacts": contacts, "messages": messages, "statuses": statuses})));
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 8);
    let mut again = Vec::new();
    for message in &messages {
        again.extend(ids_of(&whatsapp("3", json!({"messages": [message]}))));
    }
    for pair in statuses.chunks(2) {
        let body = json!({"statuses": pair, "contacts": contacts, "new": 1});
        let mut body = whatsapp("3", body);
        body["entry"][0]["time"] = json!(T + 3600);
        again.extend(ids_of(&body));
    }
    assert_eq!(all, again);
}

#[test]
fn what_has_no_id_of_its_own_is_told_with_the_number_and_the_time_of_sending() {
    let error = |phone: &str, time: i64| {
        let mut body = whatsapp(phone, json!({"errors": [{"code": 130_429, "title": "Rate limit hit"}]}));
        body["entry"][0]["time"] = json!(time);
        ids_of(&body)
    };
    assert_eq!(error("3", T), error("3", T));
    assert_ne!(error("3", T), error("4", T));
    assert_ne!(error("3", T), error("3", T + 1));
    let stop = |phone: &str| {
        let stop = json!({"wa_id": "7", "value": "stop", "timestamp": T});
        ids_of(&whatsapp(phone, json!({"user_preferences": [stop]})))
    };
    assert_ne!(stop("3"), stop("4"));
}
