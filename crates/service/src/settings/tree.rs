//! The merged settings as a tree that serde reads. A value of a file must have the type that is asked for; a value of
//! a variable is a text and is read as what is asked for.

use std::collections::{BTreeMap, HashMap, btree_map};
use std::vec;

use config::{Value, ValueKind};
use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer as _, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};

use super::error::Error;
use super::layers::{DEFAULTS, VARIABLE, read_inline_table};

/// A value and where it was set.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Node {
    /// None for a table, which several layers may have filled.
    pub(super) origin: Option<String>,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Nil,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    /// The text of a variable.
    Variable(String),
    List(Vec<Node>),
    Table(BTreeMap<String, Node>),
}

impl Node {
    pub(super) fn table(values: HashMap<String, Value>) -> Node {
        let table = values.into_iter().map(|(key, value)| (key, Node::from(value))).collect();
        Node { origin: None, kind: Kind::Table(table) }
    }

    /// Where the value at a key was set; for a table where the first value in it was.
    pub(super) fn origin_of(&self, key: &str) -> Option<&str> {
        let mut node = self;
        for part in key.split('.') {
            let Kind::Table(table) = &node.kind else { break };
            node = table.get(part.split('[').next()?)?;
        }
        node.first_origin()
    }

    fn first_origin(&self) -> Option<&str> {
        match &self.kind {
            Kind::Table(table) => table.values().find_map(Node::first_origin),
            _ => self.origin.as_deref(),
        }
    }

    /// Takes the value at a key out, or puts another in its place. Whether there was something to change.
    pub(super) fn replace(&mut self, path: &[String], with: Option<Node>) -> bool {
        let Some((last, parents)) = path.split_last() else { return false };
        let mut node = self;
        for part in parents {
            let Kind::Table(table) = &mut node.kind else { return false };
            let Some(child) = table.get_mut(part) else { return false };
            node = child;
        }
        let Kind::Table(table) = &mut node.kind else { return false };
        match with {
            Some(with) if table.get(last) == Some(&with) => false,
            Some(with) => table.insert(last.clone(), with).is_some(),
            None => table.remove(last).is_some(),
        }
    }

    pub(super) fn get<S: AsRef<str>>(&self, path: &[S]) -> Option<&Node> {
        path.iter().try_fold(self, |node, part| match &node.kind {
            Kind::Table(table) => table.get(part.as_ref()),
            _ => None,
        })
    }

    /// The text at a key.
    pub(super) fn text(&self, path: &[&str]) -> Option<&str> {
        match &self.get(path)?.kind {
            Kind::Text(text) | Kind::Variable(text) => Some(text),
            _ => None,
        }
    }

    /// The keys of everything that is no table.
    pub(super) fn leaves(&self) -> Vec<Vec<String>> {
        let Kind::Table(table) = &self.kind else { return vec![Vec::new()] };
        let inside = table
            .iter()
            .flat_map(|(key, node)| node.leaves().into_iter().map(move |path| [&[key.clone()][..], &path].concat()));
        inside.collect()
    }

    /// Puts the data directory where a default, and nobody else, has its place for it.
    pub(super) fn place(&mut self, dir: &str) {
        match &mut self.kind {
            Kind::Text(text) if self.origin.as_deref() == Some(DEFAULTS) => *text = text.replace("{data.dir}", dir),
            Kind::List(nodes) => nodes.iter_mut().for_each(|node| node.place(dir)),
            Kind::Table(table) => table.values_mut().for_each(|node| node.place(dir)),
            _ => {}
        }
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Node {
        let origin = value.origin().map(str::to_owned);
        let from_variable = origin.as_deref().is_some_and(|origin| origin.starts_with(VARIABLE));
        let kind = match value.kind {
            ValueKind::Nil => Kind::Nil,
            ValueKind::Boolean(value) => Kind::Boolean(value),
            ValueKind::I64(value) => Kind::Integer(value),
            // The layers make no others; a number that does not fit is none.
            ValueKind::U64(value) => i64::try_from(value).map_or(Kind::Nil, Kind::Integer),
            ValueKind::I128(value) => i64::try_from(value).map_or(Kind::Nil, Kind::Integer),
            ValueKind::U128(value) => i64::try_from(value).map_or(Kind::Nil, Kind::Integer),
            ValueKind::Float(value) => Kind::Float(value),
            ValueKind::String(text) if from_variable => Kind::Variable(text),
            ValueKind::String(text) => Kind::Text(text),
            ValueKind::Array(values) => Kind::List(values.into_iter().map(Node::from).collect()),
            ValueKind::Table(table) => return Node::table(table),
        };
        Node { origin, kind }
    }
}

/// A number: of a variable its text is read; of a file it must be one.
macro_rules! number {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match &self.kind {
                Kind::Variable(text) => match text.trim().parse::<$type>() {
                    Ok(number) => visitor.$visit(number),
                    Err(_) => Err(Error::invalid_type(Unexpected::Str(text), &visitor)),
                },
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.kind {
            Kind::Nil => visitor.visit_unit(),
            Kind::Boolean(value) => visitor.visit_bool(value),
            Kind::Integer(value) => visitor.visit_i64(value),
            Kind::Float(value) => visitor.visit_f64(value),
            Kind::Text(text) | Kind::Variable(text) => visitor.visit_string(text),
            Kind::List(values) => visitor.visit_seq(Sequence { values: values.into_iter(), index: 0 }),
            Kind::Table(table) => visitor.visit_map(Map { entries: table.into_iter(), value: None }),
        }
    }

    number! {
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i8 visit_i8 i8, deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32, deserialize_i64 visit_i64 i64, deserialize_f32 visit_f32 f32,
        deserialize_f64 visit_f64 f64, deserialize_bool visit_bool bool
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.kind {
            Kind::Nil => visitor.visit_none(),
            // The only way in which a variable can say that an optional setting is not set.
            Kind::Variable(text) if text.is_empty() => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.kind {
            Kind::Variable(text) => {
                let values: Vec<Node> = match text.trim() {
                    "" => Vec::new(),
                    text => text
                        .split(',')
                        .map(|part| Node { origin: self.origin.clone(), kind: Kind::Variable(part.trim().to_owned()) })
                        .collect(),
                };
                visitor.visit_seq(Sequence { values: values.into_iter(), index: 0 })
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let Kind::Variable(text) = &self.kind else { return self.deserialize_any(visitor) };
        let table = read_inline_table(text, self.origin.as_deref().unwrap_or(VARIABLE)).map_err(Error::custom)?;
        Node::table(table).deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.kind {
            Kind::Text(text) | Kind::Variable(text) => visitor.visit_enum(text.into_deserializer()),
            Kind::Table(table) if table.len() == 1 => visitor.visit_enum(Variant { entries: table.into_iter() }),
            kind => Node { origin: self.origin, kind }.deserialize_any(visitor),
        }
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple_struct struct identifier ignored_any
    }
}

struct Sequence {
    values: vec::IntoIter<Node>,
    index: usize,
}

impl<'de> SeqAccess<'de> for Sequence {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some(node) = self.values.next() else { return Ok(None) };
        let index = self.index;
        self.index += 1;
        let origin = node.origin.clone();
        seed.deserialize(node).map(Some).map_err(|error| error.in_list(index, origin))
    }
}

struct Map {
    entries: btree_map::IntoIter<String, Node>,
    value: Option<(String, Node)>,
}

impl<'de> MapAccess<'de> for Map {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, node)) = self.entries.next() else { return Ok(None) };
        let name: StringDeserializer<Error> = key.clone().into_deserializer();
        let read = seed.deserialize(name).map_err(|error| error.in_table(&key, node.first_origin()))?;
        self.value = Some((key, node));
        Ok(Some(read))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let Some((key, node)) = self.value.take() else {
            return Err(Error::custom("a value was asked for before its key"));
        };
        let origin = node.first_origin().map(str::to_owned);
        seed.deserialize(node).map_err(|error| error.in_table(&key, origin.as_deref()))
    }
}

/// `{ variant = value }`
struct Variant {
    entries: btree_map::IntoIter<String, Node>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Error;
    type Variant = VariantValue;

    fn variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<(T::Value, VariantValue), Error> {
        let Some((key, node)) = self.entries.next() else {
            return Err(Error::custom("no variant is named"));
        };
        let name: StringDeserializer<Error> = key.clone().into_deserializer();
        let variant = seed.deserialize(name).map_err(|error| error.in_table(&key, node.first_origin()))?;
        Ok((variant, VariantValue { key, node }))
    }
}

struct VariantValue {
    key: String,
    node: Node,
}

impl<'de> VariantAccess<'de> for VariantValue {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Err(Error::custom("takes no value").in_table(&self.key, self.node.first_origin()))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        let origin = self.node.first_origin().map(str::to_owned);
        seed.deserialize(self.node).map_err(|error| error.in_table(&self.key, origin.as_deref()))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        let origin = self.node.first_origin().map(str::to_owned);
        self.node.deserialize_seq(visitor).map_err(|error| error.in_table(&self.key, origin.as_deref()))
    }

    fn struct_variant<V: Visitor<'de>>(self, _: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        let origin = self.node.first_origin().map(str::to_owned);
        self.node.deserialize_any(visitor).map_err(|error| error.in_table(&self.key, origin.as_deref()))
    }
}
