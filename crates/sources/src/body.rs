//! What of a delivery every source reads in the same way: the checks that a JSON body passes first, a header, an id.

use common::json::{self, Object, Sent, Value};
use common::raw::v1::Delivery;
use serde_json::error::Category;

use crate::{Parsed, Reason};

/// Why a body is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unreadable {
    /// Why, as a code.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

impl Unreadable {
    /// The whole delivery refused for it, with the body as it was signed.
    pub fn refuse(self, body: &[u8]) -> Parsed {
        Parsed::refused(self.reason, self.message, body)
    }
}

fn unreadable(reason: Reason, message: impl Into<String>) -> Unreadable {
    Unreadable { reason, message: message.into() }
}

/// A byte order mark in UTF-8. It says nothing, and no JSON may begin with one.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// A body without the byte order mark that it may begin with.
pub fn unmarked(body: &[u8]) -> &[u8] {
    body.strip_prefix(MARK).unwrap_or(body)
}

/// Reads a body that may be any JSON value. Numbers keep the text they were sent with.
pub fn value(body: &[u8]) -> Result<Value, Unreadable> {
    value_as_sent(body).map(|(value, _)| value)
}

/// [`value`], and what of it could not be read as it was sent: half of a surrogate pair becomes U+FFFD.
pub fn value_as_sent(body: &[u8]) -> Result<(Value, Sent), Unreadable> {
    let text = std::str::from_utf8(unmarked(body)).map_err(|error| {
        unreadable(Reason::NotUtf8, format!("the body is not UTF-8 from byte {} on", error.valid_up_to()))
    })?;
    if text.trim_ascii().is_empty() {
        return Err(unreadable(Reason::Empty, "the body is empty"));
    }
    let parsed = match json::parse(text) {
        Ok(value) => return Ok((value, Sent::new())),
        Err(error) => json::repair(text)
            .map_or(Err(error), |repaired| json::parse(&repaired.text).map(|value| (value, repaired.sent))),
    };
    parsed.map_err(|error| {
        let too_deep =
            error.classify() == Category::Syntax && error.to_string().starts_with("recursion limit exceeded");
        let (reason, what) = match error.classify() {
            Category::Eof => (Reason::Truncated, "is truncated"),
            _ if too_deep => (Reason::TooDeep, "is nested deeper than 128 levels"),
            _ => (Reason::NotJson, "is not JSON"),
        };
        unreadable(reason, format!("the body {what}: {error}"))
    })
}

/// Reads a JSON text that must be a string.
pub fn string(text: &str) -> Option<String> {
    serde_json::from_str(text).ok().or_else(|| serde_json::from_str(&json::repair(text)?.text).ok())
}

/// Reads a body that must be a JSON object.
pub fn object(body: &[u8]) -> Result<Object, Unreadable> {
    object_as_sent(body).map(|(object, _)| object)
}

/// [`object`], and what of it could not be read as it was sent.
pub fn object_as_sent(body: &[u8]) -> Result<(Object, Sent), Unreadable> {
    match value_as_sent(body)? {
        (Value::Object(object), sent) => Ok((object, sent)),
        (other, _) => Err(unreadable(Reason::WrongShape, format!("the body is {}, not a JSON object", kind(&other)))),
    }
}

/// An id as text: a string that is not empty, or a number by its text. Ids are numbers, and now and then texts.
pub fn text_of(id: &Value) -> Option<String> {
    match id {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A header that the door kept, without the blanks around it. `None`: it is not there, or empty.
pub fn kept_header<'a>(delivery: &'a Delivery, name: &str) -> Option<&'a str> {
    let header = delivery.headers.iter().find(|header| header.name == name)?;
    Some(header.value.trim()).filter(|value| !value.is_empty())
}

/// What a JSON value is, for people.
pub fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
