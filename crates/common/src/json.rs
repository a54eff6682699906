//! Reads a platform's JSON into typed messages without losing a value.
//!
//! The schema is the mapping: `build.rs` writes a [`FromJson`] for every message of a platform, in
//! which each field takes the JSON member of its name (or of its `json_name`; `status_context` of a `Status` that of the name
//! `context`, which Weir's own field has). Three rules hold:
//!
//! * what has no field goes to the `unknown` map, under its JSON Pointer, as JSON text;
//! * what does not fit its field goes there too, and the field stays absent;
//! * what fits but would not print as it was sent (`1` in a bool, a number with trailing zeros, a time that is a number) is
//!   in the field *and* in the map; an empty list is in the map, since a field without items is the same as none.
//!
//! So every leaf that was sent can be found again, and no input is refused for a member's type. What follows from other
//! members of its object is not carried, where the schema says how: [`addresses`](crate::addresses).

use std::collections::BTreeMap;

pub use serde_json::Value;

use crate::event::Event;

mod number;
mod parse;
pub(crate) mod reader;
mod repair;
mod scan;

pub use number::{by_value, canonical_by_value};
pub use parse::parse;
pub use reader::{FromJson, Object, Reader};
pub use repair::{Repaired, Sent, repair};
pub use scan::{Scan, scan};

/// Reads `object` into a new `T` and adds to `unknown` what has no place in it, with paths below `path`
/// (empty, or a JSON Pointer).
pub fn read<T: FromJson + Default>(object: Object, path: &str, unknown: &mut BTreeMap<String, String>) -> T {
    let mut message = T::default();
    message.read(object, &mut Reader { unknown, path: path.to_owned() });
    message
}

/// Reads `object` into a new event, the rest into its own unknown map, with paths below `path`.
pub fn read_event<E: Event>(object: Object, path: &str) -> E {
    let mut unknown = BTreeMap::new();
    let mut event: E = read(object, path, &mut unknown);
    event.unknown_mut().append(&mut unknown);
    event
}

/// The JSON text of `value` with sorted members and numbers as they were sent, without white space. For comparing, see
/// [`canonical_by_value`].
pub fn canonical(value: &Value) -> String {
    // A value with string keys always has a JSON text: `Display` is the infallible form of `to_string`.
    value.to_string()
}

#[cfg(test)]
#[path = "json_tests.rs"]
mod tests;
