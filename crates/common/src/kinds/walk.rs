//! Every text of some settings with its whole key and its kind, and every number with its range.

use std::fmt::Display;

use serde::ser::{
    Error, Impossible, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, Serializer,
};

use super::Kind;
use crate::units::{Bounds, NUMBER};

/// A text of the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The key with its section, `a.b[0].c` in a list of sections; the items of a list of texts have the key of the list.
    pub key: String,
    /// None where the field says none.
    pub kind: Option<Kind>,
    /// The text.
    pub value: String,
}

/// The settings cannot be walked.
#[derive(Debug, thiserror::Error)]
#[error("the settings cannot be walked: {0}")]
pub struct NotWalked(String);

impl Error for NotWalked {
    fn custom<T: Display>(message: T) -> NotWalked {
        NotWalked(message.to_string())
    }
}

/// Every text of `settings`.
///
/// # Errors
/// Something in it has a form that settings do not have.
pub fn settings_of<T: Serialize + ?Sized>(settings: &T) -> Result<Vec<Setting>, NotWalked> {
    Ok(walk(settings)?.texts)
}

/// The key of every number of `settings`, as in [`Setting`], with the range that its field says.
///
/// # Errors
/// Something in it has a form that settings do not have.
pub fn ranges_of<T: Serialize + ?Sized>(settings: &T) -> Result<Vec<(String, Option<Bounds>)>, NotWalked> {
    Ok(walk(settings)?.numbers)
}

#[derive(Default)]
struct Found {
    texts: Vec<Setting>,
    numbers: Vec<(String, Option<Bounds>)>,
}

fn walk<T: Serialize + ?Sized>(settings: &T) -> Result<Found, NotWalked> {
    let mut found = Found::default();
    settings.serialize(Walk { key: String::new(), index: None, kind: None, found: &mut found })?;
    Ok(found)
}

struct Walk<'a> {
    key: String,
    /// Which item of a list, where it is one.
    index: Option<usize>,
    kind: Option<Kind>,
    found: &'a mut Found,
}

impl<'a> Walk<'a> {
    fn parts(self) -> Parts<'a> {
        let key = self.index.map_or_else(|| self.key.clone(), |index| format!("{}[{index}]", self.key));
        Parts { key, kind: self.kind, next: 0, name: String::new(), found: self.found }
    }
}

macro_rules! no_text {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, _: $type) -> Result<(), NotWalked> {
            Ok(())
        }
    )*};
}

macro_rules! numbers {
    ($($method:ident $type:ty),*) => {$(
        fn $method(self, _: $type) -> Result<(), NotWalked> {
            self.found.numbers.push((self.key, None));
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Walk<'a> {
    type Ok = ();
    type Error = NotWalked;
    type SerializeSeq = Parts<'a>;
    type SerializeTuple = Parts<'a>;
    type SerializeTupleStruct = Parts<'a>;
    type SerializeTupleVariant = Impossible<(), NotWalked>;
    type SerializeMap = Parts<'a>;
    type SerializeStruct = Parts<'a>;
    type SerializeStructVariant = Parts<'a>;

    no_text! {
        serialize_bool bool, serialize_char char, serialize_bytes &[u8], serialize_unit_struct &'static str
    }

    numbers! {
        serialize_i8 i8, serialize_i16 i16, serialize_i32 i32, serialize_i64 i64, serialize_u8 u8, serialize_u16 u16,
        serialize_u32 u32, serialize_u64 u64, serialize_f32 f32, serialize_f64 f64
    }

    /// By this a number knows that its range is asked for, and not its value.
    fn is_human_readable(&self) -> bool {
        false
    }

    fn serialize_str(self, value: &str) -> Result<(), NotWalked> {
        self.found.texts.push(Setting { key: self.key, kind: self.kind, value: value.to_owned() });
        Ok(())
    }

    fn serialize_none(self) -> Result<(), NotWalked> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotWalked> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotWalked> {
        Ok(())
    }

    /// A word of an enumeration, which its type has checked.
    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), NotWalked> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<(), NotWalked> {
        if name == NUMBER {
            let range = serde_json::to_value(value).and_then(serde_json::from_value).map_err(NotWalked::custom)?;
            self.found.numbers.push((self.key, Some(range)));
            return Ok(());
        }
        value.serialize(Walk { kind: Kind::by_name(name).or(self.kind), ..self })
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), NotWalked> {
        self.parts().visit(variant, value)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts<'a>, NotWalked> {
        Ok(self.parts())
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts<'a>, NotWalked> {
        Ok(self.parts())
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, NotWalked> {
        Ok(self.parts())
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NotWalked> {
        Err(NotWalked(format!("{} is {variant}, of several values", self.key)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts<'a>, NotWalked> {
        Ok(self.parts())
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts<'a>, NotWalked> {
        Ok(self.parts())
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts<'a>, NotWalked> {
        let parts = self.parts();
        Ok(Parts { key: parts.below(variant), ..parts })
    }
}

/// The items of a list, or the entries of a section. What is in it is of its kind, where it says none itself.
struct Parts<'a> {
    key: String,
    kind: Option<Kind>,
    next: usize,
    name: String,
    found: &'a mut Found,
}

impl Parts<'_> {
    fn below(&self, name: &str) -> String {
        if self.key.is_empty() { name.to_owned() } else { format!("{}.{name}", self.key) }
    }

    fn visit<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), NotWalked> {
        value.serialize(Walk { key: self.below(name), index: None, kind: self.kind, found: self.found })
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotWalked> {
        let index = self.next;
        self.next += 1;
        value.serialize(Walk { key: self.key.clone(), index: Some(index), kind: self.kind, found: self.found })
    }
}

macro_rules! items {
    ($($of:ident $method:ident),*) => {$(
        impl $of for Parts<'_> {
            type Ok = ();
            type Error = NotWalked;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotWalked> {
                self.item(value)
            }

            fn end(self) -> Result<(), NotWalked> {
                Ok(())
            }
        }
    )*};
}

items! { SerializeSeq serialize_element, SerializeTuple serialize_element, SerializeTupleStruct serialize_field }

macro_rules! fields {
    ($($of:ident),*) => {$(
        impl $of for Parts<'_> {
            type Ok = ();
            type Error = NotWalked;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), NotWalked> {
                self.visit(name, value)
            }

            fn end(self) -> Result<(), NotWalked> {
                Ok(())
            }
        }
    )*};
}

fields! { SerializeStruct, SerializeStructVariant }

impl SerializeMap for Parts<'_> {
    type Ok = ();
    type Error = NotWalked;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotWalked> {
        let name =
            settings_of(key)?.pop().ok_or_else(|| NotWalked(format!("{} has a name that is no text", self.key)))?;
        self.name = name.value;
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotWalked> {
        let name = std::mem::take(&mut self.name);
        self.visit(&name, value)
    }

    fn end(self) -> Result<(), NotWalked> {
        Ok(())
    }
}
