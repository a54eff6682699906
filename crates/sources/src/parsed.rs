//! What came out of a delivery.

use std::borrow::Cow;

use common::{activity::v1::Activity, identity::Id};
use prost_types::Timestamp;

/// Everything that is in a delivery, in its order: one item for each index from 0 on.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// Events and what was refused.
    pub items: Vec<Item>,
}

impl Parsed {
    /// A delivery of which nothing could be understood.
    pub fn refused(reason: Reason, message: impl Into<String>, body: &[u8]) -> Self {
        Self { items: vec![Item::Refused(ParseRefusal::whole(reason, message, body))] }
    }

    /// The events among the items.
    pub fn events(&self) -> impl Iterator<Item = &ParsedEvent> {
        self.items.iter().filter_map(|item| match item {
            Item::Event(event) => Some(event),
            Item::Refused(_) => None,
        })
    }

    /// What was refused among the items.
    pub fn refusals(&self) -> impl Iterator<Item = &ParseRefusal> {
        self.items.iter().filter_map(|item| match item {
            Item::Event(_) => None,
            Item::Refused(refused) => Some(refused),
        })
    }
}

/// One thing of a delivery.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A typed event, or one of a kind that is not known.
    Event(ParsedEvent),
    /// What could not be understood.
    Refused(ParseRefusal),
}

/// A typed event, ready to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct ParsedEvent {
    /// The same for every delivery of this occurrence.
    pub id: Id,
    /// The position in the delivery.
    pub index: u32,
    /// `events.facebook.comment`, without the prefix of the installation.
    pub topic: Cow<'static, str>,
    /// The full protobuf name of what `payload` holds.
    pub ce_type: String,
    /// `facebook`, `instagram`, `github`, …
    pub platform: &'static str,
    /// The tenant of the account, else of the endpoint.
    pub tenant: String,
    /// The platform's id of the account it was sent for.
    pub account_id: String,
    /// The record's key: what the event is about.
    pub subject: String,
    /// When it happened; `None` where the platform does not say, or says what cannot be.
    pub occurred_at: Option<Timestamp>,
    /// The encoded typed event.
    pub payload: Vec<u8>,
    /// The same in the one common form, with ids, ordinals and context.
    pub activities: Vec<Activity>,
}

/// One thing that could not be understood, with its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParseRefusal {
    /// The position in the delivery.
    pub index: u32,
    /// Why, as a code.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
    /// The item in its envelope, or the whole body.
    pub payload: Vec<u8>,
    /// `application/json` where `payload` is JSON, else `application/octet-stream`.
    pub content_type: &'static str,
}

impl ParseRefusal {
    /// A whole body, exactly as it was signed.
    pub fn whole(reason: Reason, message: impl Into<String>, body: &[u8]) -> Self {
        let content_type = content_type(body);
        Self { index: 0, reason, message: message.into(), payload: body.to_vec(), content_type }
    }

    /// One item of a body, cut out in its envelope, as JSON text.
    pub fn item(index: u32, reason: Reason, message: impl Into<String>, json: String) -> Self {
        Self { index, reason, message: message.into(), payload: json.into_bytes(), content_type: JSON }
    }
}

/// What bytes that came from outside are: `application/json`, or `application/octet-stream`.
pub fn content_type(body: &[u8]) -> &'static str {
    // This check needs no stack, however deep the body is nested.
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    if is_json { JSON } else { OCTETS }
}

const JSON: &str = "application/json";
const OCTETS: &str = "application/octet-stream";

/// Why something could not be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reason {
    /// Not UTF-8.
    NotUtf8,
    /// Not JSON.
    NotJson,
    /// JSON that ends in its middle.
    Truncated,
    /// JSON that is nested deeper than 128 levels.
    TooDeep,
    /// JSON of another shape than the platform's, or a form without its field.
    WrongShape,
    /// Nothing in it: no bytes, or an envelope without entries.
    Empty,
    /// A header without which the delivery cannot be understood is not there.
    MissingHeader,
    /// JSON of so many values that they would take many times the memory of the body.
    TooManyValues,
}

impl Reason {
    /// Every reason there is.
    pub const ALL: &'static [Self] = &[
        Self::NotUtf8,
        Self::NotJson,
        Self::Truncated,
        Self::TooDeep,
        Self::WrongShape,
        Self::Empty,
        Self::MissingHeader,
        Self::TooManyValues,
    ];

    /// The stable code that stands in dead letters and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not_utf8",
            Self::NotJson => "not_json",
            Self::Truncated => "truncated",
            Self::TooDeep => "too_deep",
            Self::WrongShape => "wrong_shape",
            Self::Empty => "empty",
            Self::MissingHeader => "missing_header",
            Self::TooManyValues => "too_many_values",
        }
    }
}

#[cfg(test)]
#[path = "parsed_tests.rs"]
mod tests;
