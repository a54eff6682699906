//! A change of WhatsApp that holds several messages, statuses or errors: each becomes an event of its own.
//!
//! It is cut as text, as a delivery is, so that one message that cannot be read leaves the others alone. What they share, the
//! number and the person, goes with each; what is long or of nobody goes with the first.

use std::collections::BTreeMap;

use common::json::{self, FromJson, Object, Sent, Value};
use serde_json::value::RawValue;

use super::cut::{self, Around, Entry, List, Texts, Writer};
use super::envelope::{around_item, envelope};
use super::identity::{Occurrence, What};
use super::kinds::{self, Beside};
use super::parser::{Parser, Problem, read};
use crate::body;
use crate::members::Members as _;
use crate::{Item, ParsedEvent, Reason};

/// The longest text that goes with each of several, in bytes: a number has some 100, a person some 300.
const MAX_REPEATED: usize = 1024;

/// Members that say who an item comes from or is about, the surest first.
const PEOPLE: &[&str] = &[
    "from",
    "from_user_id",
    "recipient_participant_id",
    "recipient_participant_user_id",
    "recipient_id",
    "recipient_user_id",
    "to",
    "to_user_id",
    "wa_id",
    "user_id",
];

/// A change, cut.
#[derive(Debug)]
pub(super) struct Bundle<'a> {
    field: &'a RawValue,
    /// Its name.
    name: String,
    /// What stands beside field and value.
    change: Texts<'a>,
    /// What stands in the value beside lists and people.
    value: Texts<'a>,
    contacts: Vec<&'a RawValue>,
    /// Each with its kind and the name of its list.
    items: Vec<(&'static kinds::Entry, &'static str, &'a RawValue)>,
}

/// What comes of cutting a change.
#[derive(Debug)]
pub(super) enum Cut<'a> {
    /// It holds nothing that is an event of its own.
    Whole,
    /// A name in it has half of a surrogate pair.
    Uncut,
    /// It holds some.
    Bundle(Box<Bundle<'a>>),
}

/// Cuts a change.
pub(super) fn cut(text: &str) -> Cut<'_> {
    if !text.starts_with('{') {
        return Cut::Whole;
    }
    let Some(mut change) = cut::members(text) else { return Cut::Uncut };
    let (Some(field), Some(value)) = (change.remove("field"), change.remove("value")) else { return Cut::Whole };
    let Some(name) = body::string(field.get()).filter(|name| !kinds::is_of_value(name)) else { return Cut::Whole };
    if !value.get().starts_with('{') {
        return Cut::Whole;
    }
    let Some(mut value) = cut::members(value.get()) else { return Cut::Uncut };
    let mut items = Vec::new();
    for kind in kinds::BUNDLED {
        for name in kind.names {
            items.extend(take_list(&mut value, name).into_iter().map(|item| (kind, *name, item)));
        }
    }
    let contacts = take_list(&mut value, "contacts");
    let readable = || contacts.iter().all(|contact| body::value(contact.get().as_bytes()).is_ok());
    if items.is_empty() || cut::readable(&change).is_err() || cut::readable(&value).is_err() || !readable() {
        return Cut::Whole;
    }
    Cut::Bundle(Box::new(Bundle { field, name, change, value, contacts, items }))
}

/// Takes a list that has something in it.
fn take_list<'a>(members: &mut Texts<'a>, name: &str) -> Vec<&'a RawValue> {
    let list = members.get(name).map(|list| list.get()).and_then(|list| serde_json::from_str(list).ok());
    let list: Vec<&'a RawValue> = list.unwrap_or_default();
    if !list.is_empty() {
        members.remove(name);
    }
    list
}

impl<'a> Bundle<'a> {
    /// Of each item which contact it is about.
    fn people(&self, items: &[Result<(Value, Sent), Problem>]) -> Vec<Option<usize>> {
        // The only one is that of the only item: `from` can be another form of the number than `wa_id`.
        if let ([_], [_]) = (&self.contacts[..], items) {
            return vec![Some(0)];
        }
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (position, contact) in self.contacts.iter().enumerate() {
            let contact = body::object(contact.get().as_bytes()).unwrap_or_default();
            for id in ["wa_id", "user_id"].iter().filter_map(|name| contact.text(name)) {
                known.entry(id).or_insert(position);
            }
        }
        let of = |item: &Object| PEOPLE.iter().find_map(|name| known.get(&item.text(name)?).copied());
        items.iter().map(|item| item.as_ref().ok().and_then(|(value, _)| of(value.as_object()?))).collect()
    }

    /// What goes with each item, in their order.
    fn around(&mut self, people: &[Option<usize>]) -> Vec<Shared<'a>> {
        let product = self.value.remove("messaging_product");
        let metadata = self.value.remove("metadata");
        let mut left: Vec<bool> = vec![true; self.contacts.len()];
        let mut of_person = |person: Option<usize>| {
            let (position, left) = (person?, left.get_mut(person?)?);
            let contact = *self.contacts.get(position)?;
            (std::mem::take(left) || contact.get().len() <= MAX_REPEATED).then_some((position, contact))
        };
        let contacts: Vec<_> = people.iter().map(|person| of_person(*person)).collect();
        let of_nobody = self.contacts.iter().copied().enumerate().zip(left);
        let mut others: Vec<_> = of_nobody.filter_map(|(contact, left)| left.then_some(contact)).collect();
        let mut is_first = true;
        let mut shared = |contact| {
            let repeated = |text: &&RawValue| is_first || text.get().len() <= MAX_REPEATED;
            let shared = Shared {
                field: self.field,
                product: product.filter(repeated),
                metadata: metadata.filter(repeated),
                change: std::mem::take(&mut self.change),
                value: std::mem::take(&mut self.value),
                contact,
                others: std::mem::take(&mut others),
            };
            is_first = false;
            shared
        };
        contacts.into_iter().map(&mut shared).collect()
    }
}

/// What goes with one item.
#[derive(Debug)]
struct Shared<'a> {
    field: &'a RawValue,
    product: Option<&'a RawValue>,
    metadata: Option<&'a RawValue>,
    change: Texts<'a>,
    value: Texts<'a>,
    /// The person, with the position.
    contact: Option<(usize, &'a RawValue)>,
    /// People of no item.
    others: Vec<(usize, &'a RawValue)>,
}

impl Shared<'_> {
    /// A change with nothing but this item.
    fn with(&self, list: &str, item: &RawValue) -> String {
        let mut value = Writer::new();
        value.opt("messaging_product", self.product);
        value.opt("metadata", self.metadata);
        value.all(&self.value);
        let contacts: Vec<_> = self.contact.iter().chain(&self.others).map(|(_, contact)| contact.get()).collect();
        if !contacts.is_empty() {
            value.raw("contacts", &format!("[{}]", contacts.join(",")));
        }
        value.raw(list, &format!("[{}]", item.get()));
        let mut change = Writer::new();
        change.raw("field", self.field.get());
        change.raw("value", &value.end());
        change.all(&self.change);
        change.end()
    }

    /// As the event has it; what has no field goes to `unknown`.
    fn read(&self, list: List, unknown: &mut BTreeMap<String, String>) -> Beside {
        let around = around_item(list);
        let at = |name: &str| format!("{around}/value/{}", name.replace('~', "~0").replace('/', "~1"));
        for (name, text) in &self.change {
            unknown.insert(format!("{around}/{}", name.replace('~', "~0").replace('/', "~1")), as_sent(text));
        }
        for (name, text) in &self.value {
            unknown.insert(at(name), as_sent(text));
        }
        for (position, contact) in &self.others {
            unknown.insert(format!("{}/{position}", at("contacts")), as_sent(contact));
        }
        let metadata = self.metadata.and_then(|text| read_below(text, at("metadata"), unknown));
        let contact = self
            .contact
            .and_then(|(position, text)| read_below(text, format!("{}/{position}", at("contacts")), unknown));
        let messaging_product = self.product.and_then(|text| {
            let product = json::parse(text.get()).ok().and_then(|value| value.as_str().map(str::to_owned));
            if product.is_none() {
                unknown.insert(at("messaging_product"), as_sent(text));
            }
            product
        });
        Beside { messaging_product, metadata, contact }
    }
}

/// The JSON text of what has no field. What cannot be read as it was sent is kept so.
fn as_sent(text: &RawValue) -> String {
    json::parse(text.get()).map_or_else(|_| text.get().to_owned(), |value| json::canonical(&value))
}

/// An object that stood at this path.
fn read_below<T: FromJson + Default>(
    text: &RawValue,
    path: String,
    unknown: &mut BTreeMap<String, String>,
) -> Option<T> {
    match body::object_as_sent(text.get().as_bytes()) {
        Ok((object, sent)) if !object.is_empty() => {
            let message = json::read(object, &path, unknown);
            unknown.extend(sent.into_iter().map(|(pointer, text)| (format!("{path}{pointer}"), text)));
            Some(message)
        }
        _ => {
            unknown.insert(path, as_sent(text));
            None
        }
    }
}

impl<'a> Parser<'a> {
    /// The events of a change that holds several.
    pub(super) fn bundle(&mut self, entry: &mut Entry<'a>, list: List, mut bundle: Bundle<'_>) {
        let items: Vec<_> = bundle.items.iter().map(|(_, _, item)| read(item.get())).collect();
        let people = bundle.people(&items);
        let shared = bundle.around(&people);
        for ((&(kind, name, text), item), shared) in bundle.items.iter().zip(items).zip(shared) {
            let around = entry.around(&mut self.around, list);
            let result = item.and_then(|(value, sent)| {
                self.sent = std::mem::take(&mut self.names);
                self.sent.extend(sent);
                self.of_bundle(entry, &around, (kind, name, &bundle.name), &shared, value)
            });
            match result {
                Ok(event) => {
                    self.texts.keep(event.index, || around.with(Some(&shared.with(name, text))));
                    self.items.push(Item::Event(event));
                }
                Err(problem) => self.refuse(problem, around.with(Some(&shared.with(name, text)))),
            }
        }
    }

    fn of_bundle(
        &self,
        entry: &Entry<'a>,
        around: &Around<'a>,
        (kind, list, field): (&kinds::Entry, &str, &str),
        shared: &Shared<'_>,
        value: Value,
    ) -> Result<ParsedEvent, Problem> {
        let item = match value {
            Value::Object(item) => item,
            other => {
                let message = format!("an item of {list} is {}, which cannot be an event", body::kind(&other));
                return Err((Reason::WrongShape, message));
            }
        };
        let (envelope, mut unknown) = envelope(around, Some(field.to_owned()), &Object::new());
        let beside = shared.read(around.list, &mut unknown);
        let number = beside.metadata.as_ref();
        let phone = number.and_then(|number| number.phone_number_id.clone()).filter(|id| !id.is_empty());
        let with = (kind.subject)(&item, &entry.account);
        // In one conversation of one number what is said stays in order.
        let subject = phone.iter().cloned().chain(with).reduce(|phone, with| format!("{phone}/{with}"));
        let time = (kind.time)(&item);
        let own_time = time.tells_apart();
        // What has no id of its own is told with the number that it is of.
        let what = match item.text("id") {
            Some(_) => Object::from_iter([(list.to_owned(), Value::Object(item))]),
            None => Object::from_iter([
                ("phone_number_id".to_owned(), phone.map_or(Value::Null, Value::String)),
                (list.to_owned(), Value::Object(item)),
            ]),
        };
        let occurrence = Occurrence { field: list, what: What::Change(&what), own_time };
        let mut draft = self.draft(entry, &occurrence, time, subject, (list, None));
        if let Some(account) = &mut draft.frame.account {
            let number = number.and_then(|number| number.display_phone_number.clone());
            account.title = number.unwrap_or_default();
        }
        let value = what.into_iter().find_map(|(name, item)| match item {
            Value::Object(item) if name == list => Some(item),
            _ => None,
        });
        let (delivery, tenants) = (self.delivery, self.tenants);
        let value = value.unwrap_or_default();
        Ok((kind.build)(kinds::Parts { draft, delivery, tenants, value, envelope, unknown, beside }))
    }
}

#[cfg(test)]
#[path = "bundle_tests.rs"]
mod tests;
