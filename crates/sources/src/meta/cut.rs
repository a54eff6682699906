//! Cuts a delivery into its items, each with what stood around it, as the text that was sent.
//!
//! Nothing is parsed further than needed to find the seams: one item that cannot be read (too deep, of another
//! shape) leaves the others alone, and what is refused is refused in its own bytes.
//!
//! An item must not cost more than itself. So what is long stands around the first item only: of an object or
//! an account only short ids are taken, and what Weir does not know of a delivery or an entry goes with the
//! first item of it.

use std::collections::BTreeMap;

use common::json::Value;
use serde_json::value::RawValue;

use super::{account, time};
use crate::Reason;
use crate::body::{self, string};

/// Members of an object by name, each as its text. The last of a name counts.
pub(super) type Texts<'a> = BTreeMap<String, &'a RawValue>;

/// The longest scalar that is repeated with each item, in bytes of its text.
const MAX_REPEATED: usize = 256;

/// Where in an entry an item stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    /// `changes[]`: a field and its value.
    Changes,
    /// `messaging[]`: a conversation.
    Messaging,
    /// `standby[]`: a conversation that another app controls.
    Standby,
    /// `changed_fields[]`: names of fields, without values.
    ChangedFields,
    /// The entry itself has field and value.
    Entry,
}

impl List {
    /// Those that are lists.
    pub(super) const LISTS: [Self; 4] = [Self::Changes, Self::Messaging, Self::Standby, Self::ChangedFields];

    /// The name of the member of the entry.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Changes => "changes",
            Self::Messaging => "messaging",
            Self::Standby => "standby",
            Self::ChangedFields => "changed_fields",
            Self::Entry => "entry",
        }
    }
}

/// A delivery without its entries.
#[derive(Debug)]
pub(super) struct Delivery<'a> {
    /// What it is about, where that is a short string.
    pub(super) object: Option<String>,
    /// Whether something else than a short string stands there.
    pub(super) odd_object: bool,
    /// The same as sent, where it is short.
    object_text: Option<&'a RawValue>,
    /// All else.
    rest: Texts<'a>,
}

impl<'a> Delivery<'a> {
    /// From the members of the body, without its entries.
    pub(super) fn new(mut members: Texts<'a>) -> Self {
        let object_text = take_short(&mut members, "object");
        let object: Option<String> = object_text.and_then(|text| string(text.get()));
        let is_null = members.get("object").is_none_or(|text| text.get() == "null");
        let odd_object = !is_null || (object_text.is_some() && object.is_none());
        Self { object, odd_object, object_text, rest: members }
    }

    /// What stood around the next item. What belongs to the delivery as a whole goes with it, and is gone then.
    fn around(&mut self) -> (Option<&'a RawValue>, Texts<'a>) {
        (self.object_text, std::mem::take(&mut self.rest))
    }

    /// An entry that cannot be read, in its envelope.
    pub(super) fn enclose(&mut self, entry: &RawValue) -> String {
        let (object, rest) = self.around();
        let mut text = Writer::new();
        text.opt("object", object);
        text.all(&rest);
        text.raw("entry", &format!("[{}]", entry.get()));
        text.end()
    }
}

/// An entry without its items.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    /// The account.
    pub(super) account: String,
    id: &'a RawValue,
    /// When it was sent, where that is short and not null.
    pub(super) time: Option<&'a RawValue>,
    /// What that says.
    pub(super) sent_at: Option<Value>,
    uid: Option<&'a RawValue>,
    /// All else.
    rest: Texts<'a>,
}

impl<'a> Entry<'a> {
    /// From the members of an entry, without its items. `None` where it has no usable id.
    pub(super) fn new(mut members: Texts<'a>) -> Option<Self> {
        let id = members.remove("id")?;
        let account = account::of_entry(id)?;
        let time = take_short(&mut members, "time");
        let uid = take_short(&mut members, "uid");
        Some(Self { account, id, time, sent_at: time::of_entry(time), uid, rest: members })
    }

    /// Whether there is something in it beside its head.
    pub(super) fn has_more(&self) -> bool {
        self.rest.values().any(|value| !is_blank(value.get()))
    }

    /// What stood around the next item.
    pub(super) fn around(&mut self, delivery: &mut Delivery<'a>, list: List) -> Around<'a> {
        let (object, delivery) = delivery.around();
        Around {
            list,
            object,
            delivery,
            id: self.id,
            time: self.time,
            uid: self.uid,
            entry: std::mem::take(&mut self.rest),
        }
    }
}

/// What stood around one item.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub(super) list: List,
    pub(super) object: Option<&'a RawValue>,
    pub(super) delivery: Texts<'a>,
    pub(super) id: &'a RawValue,
    pub(super) time: Option<&'a RawValue>,
    pub(super) uid: Option<&'a RawValue>,
    pub(super) entry: Texts<'a>,
}

impl Around<'_> {
    /// A delivery with nothing but this item, or with none.
    pub(super) fn with(&self, item: Option<&str>) -> String {
        let mut entry = Writer::new();
        entry.raw("id", self.id.get());
        entry.opt("time", self.time);
        entry.opt("uid", self.uid);
        entry.all(&self.entry);
        let entry = match (item, self.list) {
            (None, _) => entry.end(),
            (Some(item), List::Entry) => entry.end_with_members_of(item),
            (Some(item), list) => {
                entry.raw(list.name(), &format!("[{item}]"));
                entry.end()
            }
        };
        let mut delivery = Writer::new();
        delivery.opt("object", self.object);
        delivery.all(&self.delivery);
        delivery.raw("entry", &format!("[{entry}]"));
        delivery.end()
    }
}

/// The members of an object; `None` where it is none.
pub(super) fn members(text: &str) -> Option<Texts<'_>> {
    serde_json::from_str(text).ok()
}

/// Whether all that stands around items can be read by whoever gets an item.
pub(super) fn readable(members: &Texts<'_>) -> Result<(), (Reason, String)> {
    members.iter().try_for_each(|(key, text)| match body::value(text.get().as_bytes()) {
        Ok(_) => Ok(()),
        Err(error) => Err((error.reason, format!("{key:?} cannot be read: {error}"))),
    })
}

/// Whether a JSON text says nothing: null, or a list or an object with nothing in it.
pub(super) fn is_blank(text: &str) -> bool {
    let within = text.strip_prefix(['[', '{']).and_then(|text| text.strip_suffix([']', '}']));
    text == "null" || within.is_some_and(|within| within.trim_ascii().is_empty())
}

/// A whole entry within an object that a `Writer` wrote of what stood around it.
pub(super) fn enclosed(around: &str, entry: &RawValue) -> String {
    let mut text = Writer(around.strip_suffix('}').unwrap_or("{").to_owned());
    text.raw("entry", &format!("[{}]", entry.get()));
    text.end()
}

/// Takes a scalar that is not null and short enough to be repeated with each item.
fn take_short<'a>(members: &mut Texts<'a>, name: &str) -> Option<&'a RawValue> {
    let text = members.get(name)?.get();
    let is_scalar = !text.starts_with(['{', '[', 'n']);
    if is_scalar && text.len() <= MAX_REPEATED { members.remove(name) } else { None }
}

/// Writes a JSON object from texts that are JSON already.
#[derive(Debug)]
pub(super) struct Writer(String);

impl Writer {
    pub(super) fn new() -> Self {
        Self("{".to_owned())
    }

    pub(super) fn raw(&mut self, key: &str, text: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&Value::from(key).to_string());
        self.0.push(':');
        self.0.push_str(text);
    }

    pub(super) fn opt(&mut self, key: &str, text: Option<&RawValue>) {
        if let Some(text) = text {
            self.raw(key, text.get());
        }
    }

    pub(super) fn all(&mut self, members: &Texts<'_>) {
        for (key, text) in members {
            self.raw(key, text.get());
        }
    }

    pub(super) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// Ends with the members of another object, which was written by a `Writer`.
    fn end_with_members_of(mut self, object: &str) -> String {
        let members = object.strip_prefix('{').unwrap_or("}");
        if self.0.len() > 1 && members != "}" {
            self.0.push(',');
        }
        self.0.push_str(members);
        self.0
    }
}

#[cfg(test)]
#[path = "cut_tests.rs"]
mod tests;
