//! Meta's kinds of events: each is declared once, beside those of its matter. The tables say which field, item and member
//! they are told by.

use std::collections::BTreeMap;

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::event::v1::Context;
use common::json::{self, Value};
use common::meta::v1::Envelope;
use common::raw::v1::Delivery;
use common::whatsapp::v1::{Contact, Metadata, Profile};

use super::time;
use crate::kind::{Kind, Time};
use crate::members::Members as _;
use crate::{Draft, ParsedEvent, Reason, Tenants, body};

/// What an event is built from.
pub(super) struct Parts<'a> {
    pub(super) draft: Draft,
    pub(super) delivery: &'a Delivery,
    pub(super) tenants: &'a dyn Tenants,
    pub(super) value: json::Object,
    pub(super) envelope: Envelope,
    /// What stood around it and has no field, by its path.
    pub(super) unknown: BTreeMap<String, String>,
    /// What a change of WhatsApp says beside it.
    pub(super) beside: Beside,
}

/// What a change of WhatsApp says beside the messages, statuses and errors in it.
#[derive(Debug, Default)]
pub(super) struct Beside {
    pub(super) messaging_product: Option<String>,
    pub(super) metadata: Option<Metadata>,
    pub(super) contact: Option<Contact>,
}

/// Builds the event with the message of its kind.
type Build = fn(Parts<'_>) -> ParsedEvent;

/// A kind of Meta's.
pub(super) type Entry = crate::entry::Entry<Build>;

/// A kind whose event says what stood around it.
trait Enveloped: Kind {
    fn set_envelope(&mut self, envelope: Envelope);
}

macro_rules! enveloped {
    ($message:path) => {
        impl super::Enveloped for $message {
            fn set_envelope(&mut self, envelope: common::meta::v1::Envelope) {
                self.envelope = Some(envelope);
            }
        }
    };
}

/// A kind whose event is one of several in a change.
trait Bundled: Enveloped {
    fn set_beside(&mut self, beside: Beside);
}

macro_rules! with_beside {
    ($message:path) => {
        impl super::Bundled for $message {
            fn set_beside(&mut self, beside: super::Beside) {
                let super::Beside { messaging_product, metadata, contact } = beside;
                (self.messaging_product, self.metadata, self.contact) = (messaging_product, metadata, contact);
            }
        }
    };
}

mod accounts;
mod chats;
pub(super) mod conversations;
mod fields;
mod instagram;
mod page;
mod people;

/// What a change of WhatsApp can hold several of, by the name of the list.
pub(super) static BUNDLED: &[Entry] =
    &[chats::MESSAGE, chats::STATUS, chats::ERROR, chats::CALL, people::PREFERENCE, people::USER_ID, people::GROUP];

const fn entry<E: Enveloped>() -> Entry {
    Entry::of::<E>(build::<E>)
}

fn build<E: Enveloped>(parts: Parts<'_>) -> ParsedEvent {
    let mut message: E = json::read_event(parts.value, "");
    message.set_envelope(parts.envelope);
    message.unknown_mut().extend(parts.unknown);
    parts.draft.typed(parts.delivery, parts.tenants, message)
}

const fn bundled<E: Bundled>() -> Entry {
    Entry::of::<E>(build_bundled::<E>)
}

fn build_bundled<E: Bundled>(mut parts: Parts<'_>) -> ParsedEvent {
    let mut message: E = json::read_event(parts.value, "");
    message.set_envelope(parts.envelope);
    message.set_beside(std::mem::take(&mut parts.beside));
    message.unknown_mut().extend(parts.unknown);
    parts.draft.typed(parts.delivery, parts.tenants, message)
}

/// The topics of all kinds.
pub(super) fn topics() -> Vec<&'static str> {
    let page = [page::FIELDS, page::ITEMS, page::RATINGS, fields::VALUES, fields::CHANGES];
    let tables = page.into_iter().chain([instagram::FIELDS, conversations::MESSENGER, conversations::DIRECT]);
    tables.chain([BUNDLED, accounts::FIELDS]).flatten().map(|kind| kind.topic).collect()
}

/// Whether a field of WhatsApp has one event, of its value.
pub(super) fn is_of_value(field: &str) -> bool {
    accounts::FIELDS.iter().any(|kind| kind.names.contains(&field))
}

/// The kind of a change that can have any value, or none, by what it is a change of.
pub(super) fn of_whole(object: &str, field: &str) -> Option<&'static Entry> {
    match object {
        "page" if !fields::of_page(field) => None,
        _ => of_changed_field(object),
    }
}

/// The kind of a change of which only the field is told.
pub(super) fn of_changed_field(object: &str) -> Option<&'static Entry> {
    fields::CHANGES.iter().find(|kind| kind.names.contains(&object))
}

/// The kind of a change. An error where its field is known and its value cannot be one of it.
pub(super) fn of_change(
    platform: &str,
    field: &str,
    value: Option<&Value>,
) -> Result<Option<&'static Entry>, (Reason, String)> {
    let fields = match platform {
        "facebook" => page::FIELDS,
        "instagram" => instagram::FIELDS,
        "whatsapp" => accounts::FIELDS,
        _ => return Ok(None),
    };
    let by_field = fields.iter().find(|kind| kind.names.contains(&field));
    let by_item = platform == "facebook" && matches!(field, "feed" | "ratings");
    let known = by_item || by_field.is_some();
    // Of these, a delivery may say no more than that they have changed.
    let with_value = || fields::VALUES.iter().find(|kind| platform == "facebook" && kind.names.contains(&field));
    let value = match value {
        Some(Value::Object(value)) => value,
        Some(other) if known => {
            return Err((Reason::WrongShape, format!("the value of {field} is {}, not an object", body::kind(other))));
        }
        None if known => return Err((Reason::WrongShape, format!("a change of {field} has no value"))),
        _ => return Ok(None),
    };
    let item = value.str("item");
    Ok(match field {
        "feed" if by_item => item.and_then(|item| named(page::ITEMS, item)),
        // An older form says no item, and is a rating.
        "ratings" if by_item && value.get("item").is_none() => page::RATINGS.first(),
        "ratings" if by_item => item.and_then(|item| named(page::RATINGS, item)),
        // Conversations come as changes too: messages, message_reactions, messaging_seen, standby, …
        _ if by_field.is_none() && (field.starts_with("messag") || field == "standby") => of_message(platform, value),
        _ => by_field.or_else(with_value),
    })
}

/// The kind of an item of a conversation.
pub(super) fn of_message(platform: &str, item: &json::Object) -> Option<&'static Entry> {
    let kinds = match platform {
        "facebook" => conversations::MESSENGER,
        "instagram" => conversations::DIRECT,
        _ => return None,
    };
    let has = |name: &&str| item.get(*name).is_some_and(Value::is_object);
    kinds.iter().find(|kind| kind.names.iter().any(has))
}

/// What a change is about, and when it happened, where its kind is not known.
pub(super) fn of_other(platform: &str, value: &json::Object) -> (Option<String>, Time) {
    match platform {
        "facebook" => (page::subject(value), time::of_change(value)),
        "instagram" => (instagram::subject(value), time::of_change(value)),
        _ => (None, time::of_message(value)),
    }
}

fn named(kinds: &'static [Entry], sent: &str) -> Option<&'static Entry> {
    kinds.iter().find(|kind| kind.names.iter().any(|name| same(name, sent)))
}

/// Whether a name is the one that was sent. Meta writes items with dashes, spaces and underscores.
fn same(name: &str, sent: &str) -> bool {
    let folded = |c: u8| match c {
        b'-' | b' ' => b'_',
        c => c.to_ascii_lowercase(),
    };
    name.len() == sent.len() && name.bytes().zip(sent.bytes()).all(|(name, sent)| name == folded(sent))
}

/// A text, where there is one and it is not empty.
fn text(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}

/// The account that an event is of.
fn account(context: &Option<Context>) -> &str {
    context.as_ref().map_or("", |context| &context.account_id)
}

/// An activity with nothing but what was done to what.
fn activity(verb: Verb, object: Object) -> Activity {
    Activity { verb: verb.into(), object: Some(object), ..Activity::default() }
}

/// A thing of that type; without id where the platform does not say one.
fn thing(r#type: &str, id: Option<&str>) -> Object {
    Object { r#type: r#type.to_owned(), id: id.unwrap_or_default().to_owned(), ..Object::default() }
}

/// The account itself. It is called a page on all of Meta's platforms, so that one query finds it.
fn page_of(account: &str) -> Object {
    thing("page", Some(account))
}

/// A number of a business on WhatsApp, by what people dial: only messages have the platform's id of it.
fn number(number: &Option<String>) -> Object {
    thing("phone_number", text(number))
}

/// A group on WhatsApp.
fn group(id: &str) -> Object {
    thing("group", Some(id))
}

/// Somebody on WhatsApp, with what the change says of the contact.
fn person(id: &str, contact: Option<&Contact>) -> Actor {
    let profile = contact.and_then(|contact| contact.profile.as_ref());
    let of = |field: fn(&Profile) -> &Option<String>| profile.and_then(|profile| text(field(profile)));
    Actor {
        id: id.to_owned(),
        name: of(|profile| &profile.name).unwrap_or_default().to_owned(),
        handle: of(|profile| &profile.username).unwrap_or_default().to_owned(),
        r#type: "user".to_owned(),
    }
}

#[cfg(test)]
mod activities_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod whatsapp_tests;
