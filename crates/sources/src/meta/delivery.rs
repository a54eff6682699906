//! A delivery into events, item by item. Which array is there decides, not the object.

use common::json::{self, Object, Repaired, Sent, Value};
use common::raw::v1;
use serde_json::value::RawValue;

use super::bundle::{self, Cut};
use super::cut::{self, Around, Delivery, Entry, List, Writer};
use super::envelope::place;
use super::identity::{Occurrence, What};
use super::kinds::{self, conversations};
use super::parser::{Parser, Problem, read};
use super::texts::Texts;
use super::time;
use crate::body;
use crate::kind::Time;
use crate::{Item, Parsed, ParsedEvent, Reason, Tenants};

/// Everything that is in a delivery.
pub(super) fn parse(delivery: &v1::Delivery, tenants: &dyn Tenants) -> Parsed {
    let text = std::str::from_utf8(body::unmarked(&delivery.body)).unwrap_or_default();
    match parse_text(delivery, tenants, text, Sent::new(), &mut Texts::default()) {
        Ok(parsed) => parsed,
        // Where names have half of a surrogate pair nothing can be cut: what was sent goes with the first item.
        Err(parsed) => match json::repair(text) {
            Some(Repaired { text, sent }) => {
                let sent = sent.into_iter().map(|(pointer, text)| (format!("envelope{pointer}"), text)).collect();
                let parsed = parse_text(delivery, tenants, &text, sent, &mut Texts::default());
                parsed.unwrap_or_else(|parsed| parsed)
            }
            None => parsed,
        },
    }
}

/// The error is what comes out where something could not be cut. `sent` goes with the first item. The texts of some items
/// go to `texts`.
pub(super) fn parse_text(
    delivery: &v1::Delivery,
    tenants: &dyn Tenants,
    text: &str,
    sent: Sent,
    texts: &mut Texts,
) -> Result<Parsed, Parsed> {
    let bytes = &delivery.body[..];
    let Some(mut members) = cut::members(text) else {
        return Err(whole(
            (Reason::NotJson, "the body is not a JSON object that can be split into items".into()),
            bytes,
        ));
    };
    let empty = || whole((Reason::Empty, "the delivery is empty".into()), bytes);
    let entries = match members.remove("entry").map(RawValue::get) {
        None => return Ok(whole(without_entries(&members), bytes)),
        Some("null") => return Ok(empty()),
        Some(text) => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(entries) => entries,
            Err(_) => return Ok(whole((Reason::WrongShape, "entry is not a list".into()), bytes)),
        },
    };
    if let Err(problem) = cut::readable(&members) {
        return Ok(whole(problem, bytes));
    }
    let mut parser = Parser {
        delivery,
        tenants,
        platform: "facebook",
        around: Delivery::new(members),
        items: Vec::new(),
        uncut: false,
        names: sent,
        sent: Sent::new(),
        texts,
    };
    parser.platform = match parser.around.object.as_deref() {
        Some("instagram") => "instagram",
        Some(super::WHATSAPP) => "whatsapp",
        _ => "facebook",
    };
    for entry in entries {
        parser.entry(entry);
    }
    let is_empty = |item: &Item| matches!(item, Item::Refused(refused) if refused.reason == Reason::Empty);
    if parser.items.iter().all(is_empty) {
        return Ok(empty());
    }
    // A delivery of one item is that item in its envelope: its bytes are kept as they were signed.
    if let [Item::Refused(refused)] = &mut parser.items[..] {
        refused.payload = bytes.to_vec();
    }
    let parsed = Parsed { items: parser.items };
    if parser.uncut { Err(parsed) } else { Ok(parsed) }
}

/// The whole body refused: for what makes it unreadable, where something does.
fn whole((reason, message): Problem, body: &[u8]) -> Parsed {
    match body::object(body) {
        Err(unreadable) => unreadable.refuse(body),
        Ok(_) => Parsed::refused(reason, message, body),
    }
}

/// What has members, and not the one that all deliveries of Meta have, comes from somebody else: GitHub signs in the same way.
fn without_entries(members: &cut::Texts<'_>) -> Problem {
    /// As many names, and as much of each, as it takes to recognise the sender.
    const SHOWN: (usize, usize) = (5, 64);
    let others = members.keys().filter(|name| *name != "object").take(SHOWN.0);
    let others: Vec<String> = others.map(|name| name.chars().take(SHOWN.1).collect()).collect();
    if others.is_empty() {
        return (Reason::Empty, "the delivery is empty".into());
    }
    let message = format!(
        "this is not a delivery of Meta: it has no \"entry\", but {others:?}. Check whose webhook leads to this endpoint"
    );
    (Reason::WrongShape, message)
}

impl<'a> Parser<'a> {
    fn entry(&mut self, text: &'a RawValue) {
        let Some(mut members) = cut::members(text.get()) else {
            self.uncut = true;
            let json = self.around.enclose(text);
            return self.refuse(unreadable(text.get()), json);
        };
        let mut lists = Vec::new();
        for list in List::LISTS {
            match members.get(list.name()).map(|text| text.get()) {
                None => {}
                // What holds no items stays among the rest.
                Some(text) if text.starts_with(['[', 'n']) && cut::is_blank(text) => {}
                Some(text) => {
                    members.remove(list.name());
                    lists.push((list, text));
                }
            }
        }
        let flat = flat(&mut members);
        if let Err(problem) = cut::readable(&members) {
            let json = self.around.enclose(text);
            return self.refuse(problem, json);
        }
        let Some(mut entry) = Entry::new(members) else {
            let message = "an entry has no valid id: a string or a number of at most 256 bytes";
            let json = self.around.enclose(text);
            return self.refuse((Reason::WrongShape, message.into()), json);
        };
        let before = self.items.len();
        for (list, text) in lists {
            match serde_json::from_str::<Vec<&RawValue>>(text) {
                Ok(items) => items.into_iter().for_each(|item| self.item(&mut entry, list, item.get())),
                Err(_) => {
                    let mut around = entry.around(&mut self.around, list);
                    if let Ok(text) = serde_json::from_str(text) {
                        around.entry.insert(list.name().to_owned(), text);
                    }
                    self.refuse((Reason::WrongShape, format!("{} is not a list", list.name())), around.with(None));
                }
            }
        }
        if let Some(item) = flat {
            self.item(&mut entry, List::Entry, &item);
        }
        if self.items.len() > before {
            return;
        }
        if entry.has_more() {
            self.unknown_entry(entry, text);
        } else {
            let around = entry.around(&mut self.around, List::Entry);
            self.refuse((Reason::Empty, "the entry is empty".into()), around.with(None));
        }
    }

    fn item(&mut self, entry: &mut Entry<'a>, list: List, text: &str) {
        if self.platform == "whatsapp" && matches!(list, List::Changes | List::Entry) {
            match bundle::cut(text) {
                Cut::Bundle(bundle) => return self.bundle(entry, list, *bundle),
                Cut::Uncut => self.uncut = true,
                Cut::Whole => {}
            }
        }
        let around = entry.around(&mut self.around, list);
        let result = match read(text) {
            Ok((value, sent)) => {
                self.sent = std::mem::take(&mut self.names);
                self.sent.extend(sent.into_iter().map(|(pointer, text)| (place(list, &pointer), text)));
                self.event(entry, &around, text, value)
            }
            Err(problem) => Err(problem),
        };
        match result {
            Ok(event) => {
                self.texts.keep(event.index, || around.with(Some(text)));
                self.items.push(Item::Event(event));
            }
            Err(problem) => self.refuse(problem, around.with(Some(text))),
        }
    }

    fn event(&self, entry: &Entry<'a>, around: &Around<'a>, text: &str, value: Value) -> Result<ParsedEvent, Problem> {
        match (around.list, value) {
            (List::Changes | List::Entry, Value::Object(change)) => self.change(entry, around, text, change),
            (List::Messaging | List::Standby, Value::Object(item)) => Ok(self.message(entry, around, text, item)),
            (List::ChangedFields, Value::String(field)) => {
                let value = Value::String(field);
                let occurrence = Occurrence { field: "changed_fields", what: What::Value(&value), own_time: false };
                let field = value.as_str().unwrap_or_default();
                let draft = self.draft(entry, &occurrence, Time::default(), None, (field, None));
                if let Some(kind) = self.object().and_then(kinds::of_changed_field) {
                    return Ok(self.typed(draft, around, kind, Object::new(), Some(field.to_owned()), &Object::new()));
                }
                Ok(self.other(draft, around, format!("changed_fields/{field}"), text))
            }
            (list, value) => Err((
                Reason::WrongShape,
                format!("an item of {} is {}, which cannot be an event", list.name(), body::kind(&value)),
            )),
        }
    }

    fn message(&self, entry: &Entry<'a>, around: &Around<'a>, text: &str, item: Object) -> ParsedEvent {
        let field = around.list.name();
        // All kinds of conversations have the same, and so have items of no known kind.
        let time = time::of_message(&item);
        let subject = conversations::subject(&item, &entry.account);
        let named = |key: &&String| !matches!(key.as_str(), "sender" | "recipient" | "timestamp");
        let (kind, named) = (kinds::of_message(self.platform, &item), item.keys().find(named).cloned());
        let name = kind.and_then(|kind| kind.names.first().copied()).or(named.as_deref()).unwrap_or(field).to_owned();
        let value = Value::Object(item);
        let occurrence = Occurrence { field, what: What::Value(&value), own_time: time.tells_apart() };
        let draft = self.draft(entry, &occurrence, time, subject, (&name, value.as_object()));
        match (kind, value) {
            (Some(kind), Value::Object(item)) => self.typed(draft, around, kind, item, None, &Object::new()),
            _ => {
                let kind = named.map_or_else(|| field.to_owned(), |name| format!("{field}/{name}"));
                self.other(draft, around, kind, text)
            }
        }
    }

    fn unknown_entry(&mut self, mut entry: Entry<'a>, text: &'a RawValue) {
        let around = entry.around(&mut self.around, List::Entry);
        let value = match read(text.get()) {
            Ok((value, sent)) => {
                self.sent = sent;
                value
            }
            Err(problem) => return self.refuse(problem, around.with(None)),
        };
        // The entry's time is within the value here, with all else.
        let occurrence = Occurrence { field: "entry", what: What::Value(&value), own_time: true };
        let draft = self.draft(&entry, &occurrence, Time::default(), None, ("entry", None));
        let mut envelope = Writer::new();
        if let Some(object) = around.object {
            envelope.raw("object", object.get());
        }
        envelope.all(&around.delivery);
        let envelope = envelope.end();
        self.texts.keep(draft.index, || cut::enclosed(&envelope, text));
        let event = draft.other(self.delivery, self.tenants, "entry", text.get().to_owned(), envelope);
        self.items.push(Item::Event(event));
    }
}

/// The field and value of an entry that has them itself, as a change.
fn flat(members: &mut cut::Texts<'_>) -> Option<String> {
    let field = members.remove("field")?;
    let mut change = Writer::new();
    change.raw("field", field.get());
    for name in ["value", "verb"] {
        if let Some(text) = members.remove(name) {
            change.raw(name, text.get());
        }
    }
    Some(change.end())
}

/// Why an entry is not an object.
fn unreadable(text: &str) -> Problem {
    match body::value(text.as_bytes()) {
        Ok(value) => (Reason::WrongShape, format!("an entry is {}, not an object", body::kind(&value))),
        Err(error) => (error.reason, format!("an entry cannot be read: {error}")),
    }
}
