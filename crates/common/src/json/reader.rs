//! Takes the members of an object into the fields of a message, each by the type of its field.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::time;

/// A JSON object; numbers keep their text (`arbitrary_precision`; only an exponent without a sign gains one), members
/// are sorted.
pub type Object = serde_json::Map<String, Value>;

/// A message that can be read from a JSON object.
pub trait FromJson {
    /// Takes every member of `object` into a field or into the reader's unknown map.
    fn read(&mut self, object: Object, reader: &mut Reader<'_>);
}

impl<M: FromJson> FromJson for Box<M> {
    fn read(&mut self, object: Object, reader: &mut Reader<'_>) {
        M::read(self, object, reader);
    }
}

/// Keeps what does not fit, with the path at which it stood.
#[derive(Debug)]
pub struct Reader<'a> {
    /// By its JSON Pointer, as JSON text.
    pub(super) unknown: &'a mut BTreeMap<String, String>,
    /// Where the object stands that is being read.
    pub(super) path: String,
}

/// Adds one segment to a JSON Pointer.
pub(super) fn push_segment(path: &mut String, key: &str) {
    path.push('/');
    for c in key.chars() {
        match c {
            '~' => path.push_str("~0"),
            '/' => path.push_str("~1"),
            c => path.push(c),
        }
    }
}

impl Reader<'_> {
    /// Keeps a member that has no field, or does not fit it.
    pub fn unknown(&mut self, key: &str, value: Value) {
        // As long as it gets: there can be as many as there are values.
        let mut path = String::with_capacity(self.path.len() + 1 + key.len());
        path.push_str(&self.path);
        push_segment(&mut path, key);
        self.unknown.insert(path, value.to_string());
    }

    /// A string; of a number the text, because platforms send ids both ways.
    pub fn string(&mut self, key: &str, value: Value, field: &mut Option<String>) {
        match value {
            Value::String(text) => *field = Some(text),
            Value::Number(number) => *field = Some(number.to_string()),
            other => self.unknown(key, other),
        }
    }

    /// A whole number, or a string that is one.
    pub fn int64(&mut self, key: &str, value: Value, field: &mut Option<i64>) {
        match whole(&value) {
            Some(number) => *field = Some(number),
            None => self.unknown(key, value),
        }
    }

    /// A finite number.
    pub fn double(&mut self, key: &str, value: Value, field: &mut Option<f64>) {
        if let Value::Number(number) = &value {
            *field = number.as_f64().filter(|double| double.is_finite());
            let text = number.to_string();
            if field.is_some_and(|double| double.to_string() == text) {
                return;
            }
        }
        self.unknown(key, value);
    }

    /// A truth value; 0 and 1 are taken as one.
    pub fn boolean(&mut self, key: &str, value: Value, field: &mut Option<bool>) {
        if let Value::Bool(boolean) = value {
            *field = Some(boolean);
            return;
        }
        *field = match whole(&value) {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        };
        self.unknown(key, value);
    }

    /// A time in any form that platforms send ([`time::read`]).
    pub fn timestamp(&mut self, key: &str, value: Value, field: &mut Option<prost_types::Timestamp>) {
        *field = time::read(&value);
        let printed = field.as_ref().map(ToString::to_string);
        if printed.is_none() || value.as_str() != printed.as_deref() {
            self.unknown(key, value);
        }
    }

    /// An object with a schema.
    pub fn message<T: FromJson + Default>(&mut self, key: &str, value: Value, field: &mut Option<T>) {
        match value {
            Value::Object(object) if !object.is_empty() => {
                self.below(key, |reader| field.insert(T::default()).read(object, reader));
            }
            Value::Object(_) => *field = Some(T::default()),
            other => self.unknown(key, other),
        }
    }

    /// Any value, as its JSON text.
    pub fn json(&mut self, _key: &str, value: Value, field: &mut Option<String>) {
        *field = Some(value.to_string());
    }

    /// An object whose names the sender chooses, with strings. Without any it is in the unknown map, because a field
    /// cannot tell it from none.
    pub fn texts(&mut self, key: &str, value: Value, field: &mut BTreeMap<String, String>) {
        match value {
            Value::Object(object) if !object.is_empty() => self.below(key, |reader| {
                for (name, item) in object {
                    let mut one = None;
                    reader.string(&name, item, &mut one);
                    field.extend(one.map(|text| (name, text)));
                }
            }),
            other => self.unknown(key, other),
        }
    }

    /// A list of strings, or of numbers taken by their text.
    pub fn strings(&mut self, key: &str, value: Value, field: &mut Vec<String>) {
        self.list(key, value, field, |reader, index, item, field| {
            let mut one = None;
            reader.string(index, item, &mut one);
            field.extend(one);
        });
    }

    /// A list of whole numbers.
    pub fn int64s(&mut self, key: &str, value: Value, field: &mut Vec<i64>) {
        self.list(key, value, field, |reader, index, item, field| {
            let mut one = None;
            reader.int64(index, item, &mut one);
            field.extend(one);
        });
    }

    /// A list of objects with a schema. What is not an object stands in the unknown map only, so a
    /// position in the field can be smaller than the one that was sent; paths tell the one sent.
    pub fn messages<T: FromJson + Default>(&mut self, key: &str, value: Value, field: &mut Vec<T>) {
        if let Value::Array(items) = &value {
            // Messages are large, and growing takes up to three times as much.
            field.reserve_exact(items.iter().filter(|item| item.is_object()).count());
        }
        self.list(key, value, field, |reader, index, item, field| {
            let mut one = None;
            reader.message(index, item, &mut one);
            field.extend(one);
        });
    }

    fn list<T>(
        &mut self,
        key: &str,
        value: Value,
        field: &mut Vec<T>,
        mut take: impl FnMut(&mut Self, &str, Value, &mut Vec<T>),
    ) {
        match value {
            // A field cannot say that a list was there and had nothing in it.
            Value::Array(items) if items.is_empty() => self.unknown(key, Value::Array(items)),
            Value::Array(items) => self.below(key, |reader| {
                for (index, item) in items.into_iter().enumerate() {
                    take(reader, &index.to_string(), item, field);
                }
            }),
            other => self.unknown(key, other),
        }
    }

    fn below(&mut self, key: &str, read: impl FnOnce(&mut Self)) {
        let length = self.path.len();
        push_segment(&mut self.path, key);
        read(self);
        self.path.truncate(length);
    }
}

/// The whole number that `value` prints as, from a number or a string.
fn whole(value: &Value) -> Option<i64> {
    let (text, number);
    match value {
        Value::String(string) => text = string.as_str(),
        Value::Number(sent) => {
            number = sent.to_string();
            text = &number;
        }
        _ => return None,
    }
    // "007", "+7" and "-0" are not how a number prints.
    text.parse::<i64>().ok().filter(|parsed| parsed.to_string() == text)
}
