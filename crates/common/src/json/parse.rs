//! Reads any JSON text into a value, whatever its members are called.
//!
//! serde_json's own `Value` does not: so that numbers keep their digits, its parser presents most as an object
//! with one member of a private name, and `Value` takes an object that was sent with a member of that name
//! first for a number. Another such name makes it parse a string as JSON, with 128 more levels. Anyone who can
//! name a member in a body (in what a workflow is given, for example) could so lose a value, have a good body
//! refused, or overflow the stack. Here each container is read by Weir's own visitor, which tells the parser's
//! objects from those that were sent by where the name stands, not by what it says.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::Object;

/// The JSON value that `text` is. Numbers keep the text they were sent with; of members of one name the last counts.
///
/// The parser counts levels and stops at 128, so that no text can overflow the stack: not while it is read, and
/// not while the value is dropped.
pub fn parse(text: &str) -> Result<Value, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(text);
    let value = Node { text }.deserialize(&mut parser)?;
    parser.end()?;
    Ok(value)
}

/// A value within `text`.
#[derive(Clone, Copy)]
struct Node<'a> {
    text: &'a str,
}

impl<'de> DeserializeSeed<'de> for Node<'de> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

// Without `visit_f64`: the parser was told to keep the digits, so it shows as an object what is no whole number of
// 64 bits.
impl<'de> Visitor<'de> for Node<'de> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any valid JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Object::new();
        let mut next = match map.next_key_seed(FirstName { text: self.text })? {
            None => None,
            Some(First::Sent(name)) => Some(name),
            Some(First::Number) => {
                let number: String = map.next_value()?;
                return number.parse::<Number>().map(Value::Number).map_err(A::Error::custom);
            }
        };
        while let Some(name) = next {
            object.insert(name, map.next_value_seed(self)?);
            next = map.next_key()?;
        }
        Ok(Value::Object(object))
    }
}

/// The first member's name of what the parser shows as an object.
struct FirstName<'a> {
    text: &'a str,
}

enum First {
    /// It was sent.
    Sent(String),
    /// The parser's own: the member's value is the text of a number.
    Number,
}

impl<'de> DeserializeSeed<'de> for FirstName<'de> {
    type Value = First;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<First, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for FirstName<'de> {
    type Value = First;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a member")
    }

    /// A name that is lent for as long as the text is: a part of the text, or a constant of the parser.
    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<First, E> {
        let is_sent = self.text.as_bytes().as_ptr_range().contains(&name.as_ptr());
        Ok(if is_sent { First::Sent(name.to_owned()) } else { First::Number })
    }

    /// A name that was sent with escapes, so it had to be written anew.
    fn visit_str<E>(self, name: &str) -> Result<First, E> {
        Ok(First::Sent(name.to_owned()))
    }
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
