use common::raw::v1::Delivery;
use common::registrations::Registrations;
use common::whatsapp::v1::Message;
use prost::Message as _;
use serde_json::json;

use super::*;
use crate::meta::Meta;
use crate::{Parsed, Source as _};

fn parse(body: impl Into<String>) -> Parsed {
    let delivery = Delivery { body: body.into().into(), ..Delivery::default() };
    Meta.parse(&delivery, &Registrations::default())
}

fn delivery(value: &Value) -> String {
    json!({"object": "whatsapp_business_account", "entry": [{"id": "12", "changes": [
        {"field": "messages", "value": value},
    ]}]})
    .to_string()
}

fn messages(parsed: &Parsed) -> Vec<Message> {
    parsed.events().map(|event| Message::decode(event.payload.as_slice()).unwrap()).collect()
}

fn text(from: &str, id: &str) -> Value {
    json!({"from": from, "id": id, "timestamp": "1717420800", "type": "text", "text": {"body": id}})
}

fn contact(wa_id: &str) -> Value {
    json!({"wa_id": wa_id, "profile": {"name": format!("N{wa_id}")}})
}

#[test]
fn each_message_has_the_number_and_its_own_person() {
    let parsed = parse(delivery(&json!({
        "messaging_product": "whatsapp", "metadata": {"display_phone_number": "45", "phone_number_id": "3"}, "new": 1,
        "contacts": [contact("8"), contact("7"), contact("9")],
        "messages": [text("7", "a"), text("8", "b"), text("7", "c"), text("6", "d")],
    })));
    let found = messages(&parsed);
    let names = |message: &Message| {
        let contact = message.contact.clone()?;
        Some((contact.wa_id?, contact.profile?.name?))
    };
    let person = |id: &str| Some((id.to_owned(), format!("N{id}")));
    assert_eq!(found.iter().map(names).collect::<Vec<_>>(), [person("7"), person("8"), person("7"), None]);
    for (message, event) in found.iter().zip(parsed.events()) {
        assert_eq!(message.metadata.as_ref().unwrap().phone_number_id.as_deref(), Some("3"));
        assert_eq!(message.messaging_product.as_deref(), Some("whatsapp"));
        assert_eq!(event.subject, format!("3/{}", message.from.as_deref().unwrap()));
        let actor = event.activities[0].actor.clone().unwrap();
        assert_eq!(Some(actor.id), message.from, "the actor is the sender");
    }
    // What is of nobody, or not known, goes with the first.
    let unknown: Vec<Vec<&str>> =
        found.iter().map(|message| message.unknown.keys().map(String::as_str).collect()).collect();
    let first = vec!["envelope/entry/changes/value/contacts/2", "envelope/entry/changes/value/new"];
    assert_eq!(unknown, [first, vec![], vec![], vec![]]);
}

#[test]
fn the_only_contact_is_that_of_the_only_message() {
    // Some countries have two forms of a number.
    let parsed = parse(delivery(&json!({"contacts": [contact("5541")], "messages": [text("55941", "a")]})));
    let actor = parsed.events().next().unwrap().activities[0].actor.clone().unwrap();
    assert_eq!((actor.id.as_str(), actor.name.as_str()), ("55941", "N5541"));
}

#[test]
fn one_that_cannot_be_read_leaves_the_others_alone() {
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let (a, c) = (text("7", "a"), text("7", "c"));
    let value = |items: &str| {
        format!(r#"{{"metadata":{{"phone_number_id":"3"}},"contacts":[{}],"messages":[{items}]}}"#, contact("7"))
    };
    let body = |items: &str| {
        let value = value(items);
        format!(
            r#"{{"object":"whatsapp_business_account","entry":[{{"id":"12","changes":[{{"field":"messages","value":{value}}}]}}]}}"#
        )
    };
    let parsed = parse(body(&format!("{a},{deep},5,{c}")));
    let reasons: Vec<_> = parsed.refusals().map(|refused| (refused.index, refused.reason.as_str())).collect();
    assert_eq!(reasons, [(1, "too_deep"), (2, "wrong_shape")]);
    assert_eq!(parsed.events().map(|event| event.index).collect::<Vec<_>>(), [0, 3]);
    // Each is refused as a delivery of its own, and what is in it is still the same.
    let refused: Vec<_> =
        parsed.refusals().map(|refused| String::from_utf8(refused.payload.clone()).unwrap()).collect();
    assert!(refused[0].contains(&deep) && !refused[0].contains("wamid"), "{}", refused[0]);
    assert_eq!(parse(refused[1].clone()).refusals().next().unwrap().reason, Reason::WrongShape);
    // So is each event that cannot be written.
    let sent = Delivery { body: body(&format!("{a},{c}")).into(), ..Delivery::default() };
    let whole = Meta.parse(&sent, &Registrations::default());
    let texts = Meta.sent(&sent, &[0, 1].into());
    for event in whole.events() {
        let alone = parse(String::from_utf8(texts[&event.index].to_vec()).unwrap());
        let again: Vec<_> = alone.events().map(|event| (event.id, event.subject.clone())).collect();
        assert_eq!(again, [(event.id, event.subject.clone())]);
    }
}

#[test]
fn what_is_long_goes_with_the_first_alone() {
    let long = "x".repeat(2000);
    let items: Vec<_> = (0..50).map(|n| text("7", &format!("m{n}"))).collect();
    let body = delivery(&json!({
        "metadata": {"phone_number_id": "3", "about": long},
        "contacts": [{"wa_id": "7", "profile": {"name": long}}, contact("8")],
        "messages": items, "weather": long,
    }));
    let parsed = parse(body.clone());
    let found = messages(&parsed);
    assert!(found[0].contact.is_some() && found[0].metadata.is_some());
    assert!(found[1..].iter().all(|message| message.contact.is_none() && message.metadata.is_none()));
    let size: usize = parsed.events().map(|event| event.payload.len()).sum();
    assert!(size < body.len() * 3, "{size} of {}", body.len());
}

#[test]
fn names_with_half_of_a_pair_lose_nothing() {
    let body = delivery(&json!({"HALF": 1, "contacts": [contact("7")], "messages": [text("7", "a"), text("7", "b")]}));
    let parsed = parse(body.replace("HALF", r"\ud83d"));
    assert_eq!((parsed.events().count(), parsed.refusals().count()), (2, 0), "{parsed:?}");
    let found = messages(&parsed);
    assert!(found[0].unknown.keys().any(|path| path.contains('\u{fffd}')), "{:?}", found[0].unknown);
    let body = delivery(&json!({"contacts": [contact("7")], "messages": [text("7", "HALF"), text("7", "b")]}));
    let parsed = parse(body.replace("HALF", r"\ud83d"));
    let found = messages(&parsed);
    assert_eq!(found[0].unknown["/text/body"], r#""\ud83d""#);
    assert_eq!(found[1].unknown, BTreeMap::new());
}

#[test]
fn a_change_without_such_a_list_is_one_event() {
    for change in [
        r#"{"field":"messages","value":{"messages":[]}}"#,
        r#"{"field":"messages","value":{"messages":5}}"#,
        r#"{"field":"messages","value":7}"#,
        r#"{"field":"messages"}"#,
        r#"{"field":"flows","value":{"errors":[{}]}}"#,
        r#"{"field":7,"value":{"messages":[{}]}}"#,
        "7",
    ] {
        assert!(matches!(cut(change), Cut::Whole), "{change}");
    }
    assert!(matches!(cut(r#"{"field":"messages","value":{"\ud83d":1,"messages":[{}]}}"#), Cut::Uncut));
}
