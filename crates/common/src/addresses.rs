//! Addresses that follow from other members of their object, and so are not carried.
//!
//! With each user, repository and pull request a platform sends dozens of addresses of its API. Nearly all are the
//! object's own address with a word behind it. `proto/weir/<platform>/v1/addresses.json` says for each message which, by a
//! template for each: `"keys_url": "<url>/keys{/key_id}"`. Four rules hold:
//!
//! * an event does not carry a member that equals what its template gives, from the object as it was sent;
//! * what has a field is carried;
//! * what differs is carried in `unknown`, as anything that has no field; so is what was sent as null;
//! * a member that a template names has what is carried for it, else what its own template gives.
//!
//! So whoever has the event has every address that was sent: what it carries, else what [`Addresses::derive`] gives. That
//! gives an address also where none was sent. The raw delivery tells which were.
//!
//! | in a template | is |
//! |---|---|
//! | `<name>` | the member of that name: a text, or a number as text |
//! | `<a.b>` | the member `b` of the object `a` |
//! | `<name%end>` | without this end; without it there is no address |
//! | `<name%/word/*>` | without the last `/word/` and all behind it |
//! | `<name#start>` | without this start |
//! | anything else | itself, braces too: they are for the reader of the address |

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::json::Object;

include!(concat!(env!("OUT_DIR"), "/addresses.rs"));

/// All templates as JSON: package, message, member, template.
pub const TEMPLATES: &str = include_str!(concat!(env!("OUT_DIR"), "/addresses.json"));

/// The most members that the templates of one message name; the build refuses more.
const MOST: usize = 16;

/// The templates of a message, by its full protobuf name; `None`: everything of it is carried.
pub fn of(message: &str) -> Option<&'static Addresses> {
    let at = TABLES.binary_search_by_key(&message, |(name, _)| name).ok()?;
    TABLES.get(at).map(|(_, addresses)| *addresses)
}

/// The addresses of one message that follow from its other members.
#[derive(Debug)]
pub struct Addresses {
    /// What templates name.
    members: &'static [Member],
    /// Sorted by name.
    templates: &'static [Named],
}

#[derive(Debug)]
struct Named {
    name: &'static str,
    template: Template,
    /// It has a field now, so its template is for events of before.
    carried: bool,
}

/// What an object carries at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried<'a> {
    /// Nothing: neither a field nor `unknown` has it.
    Absent,
    /// A text, or the text of a number.
    Text(Cow<'a, str>),
    /// Null, a truth value, a list or an object.
    Other,
}

impl<'a> Carried<'a> {
    /// What a JSON value is.
    pub fn of(value: &'a Value) -> Self {
        match value {
            Value::String(text) => Self::Text(Cow::Borrowed(text)),
            Value::Number(number) => Self::Text(Cow::Borrowed(number.as_str())),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => Self::Other,
        }
    }

    /// What an object of the platform has at a path, whose names are separated by dots.
    pub fn at(object: &'a Object, path: &str) -> Self {
        let mut names = path.split('.');
        let first = names.next().and_then(|name| object.get(name));
        let value = names.fold(first, |value, name| value.and_then(|value| value.get(name)));
        value.map_or(Self::Absent, Self::of)
    }
}

impl Addresses {
    /// The members that have a template, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.templates.iter().map(|named| named.name)
    }

    /// What a member is that the object does not carry: a text, or an object with texts at its ends. `found` says what
    /// the object carries at a path. `None`: no template gives it.
    pub fn derive<'a>(&self, name: &str, found: impl Fn(&str) -> Carried<'a>) -> Option<Value> {
        Resolver::new(self, found).build(self.template(name)?)
    }

    /// Which members of an object equal what their templates give.
    pub(crate) fn left_out(&self, object: &Object) -> LeftOut {
        let mut left_out = LeftOut::default();
        let mut resolver = Resolver::new(self, |path: &str| Carried::at(object, path));
        let mut templates = self.templates.iter().peekable();
        // Both are sorted, so one pass finds what they have in common.
        for (position, (name, value)) in object.iter().enumerate() {
            while templates.next_if(|named| named.name < name.as_str()).is_some() {}
            let Some(named) = templates.peek() else { break };
            if named.name == name && !named.carried && resolver.equals(&named.template, value) {
                left_out.insert(position);
            }
        }
        left_out
    }

    fn template(&self, name: &str) -> Option<&'static Template> {
        let at = self.templates.binary_search_by_key(&name, |named| named.name).ok()?;
        self.templates.get(at).map(|named| &named.template)
    }
}

/// Positions of an object's members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LeftOut([u64; 4]);

impl LeftOut {
    /// A position that is too far behind is carried.
    fn insert(&mut self, position: usize) {
        if let Some(word) = self.0.get_mut(position / 64) {
            *word |= 1 << (position % 64);
        }
    }

    pub(crate) fn has(&self, position: usize) -> bool {
        self.0.get(position / 64).is_some_and(|word| word & (1 << (position % 64)) != 0)
    }
}

#[derive(Debug)]
enum Template {
    Text(&'static [Part]),
    /// Sorted by name.
    Object(&'static [(&'static str, Template)]),
}

#[derive(Debug)]
enum Part {
    Text(&'static str),
    /// Its position in [`Addresses::members`].
    Member(usize),
}

#[derive(Debug)]
struct Member {
    path: &'static str,
    cut: Cut,
}

/// What is taken away from a text.
#[derive(Debug)]
#[allow(dead_code, reason = "which of them the tables need is up to the platforms")]
enum Cut {
    Nothing,
    Start(&'static str),
    End(&'static str),
    /// The last of these, and all behind it.
    From(&'static str),
}

impl Cut {
    fn of<'t>(&self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::Nothing => Some(text),
            Self::Start(start) => text.strip_prefix(start),
            Self::End(end) => text.strip_suffix(end),
            Self::From(word) => text.rsplit_once(word).map(|(before, _)| before),
        }
    }
}

/// Looks up each member that templates name at most once.
struct Resolver<'a, F> {
    addresses: &'a Addresses,
    found: F,
    known: [Option<Option<Cow<'a, str>>>; MOST],
}

impl<F> fmt::Debug for Resolver<'_, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Resolver").field("known", &self.known).finish_non_exhaustive()
    }
}

impl<'a, 'o: 'a, F: Fn(&str) -> Carried<'o>> Resolver<'a, F> {
    fn new(addresses: &'a Addresses, found: F) -> Self {
        Self { addresses, found, known: [const { None }; MOST] }
    }

    /// Whether a value is what its template gives: nothing is written to find that out.
    fn equals(&mut self, template: &Template, value: &Value) -> bool {
        match (template, value) {
            (Template::Text(parts), Value::String(text)) => {
                let rest = parts.iter().try_fold(text.as_str(), |rest, part| match part {
                    Part::Text(text) => rest.strip_prefix(text),
                    Part::Member(at) => rest.strip_prefix(self.member(*at)?),
                });
                rest == Some("")
            }
            (Template::Object(templates), Value::Object(object)) => {
                templates.len() == object.len()
                    && templates
                        .iter()
                        .zip(object)
                        .all(|((name, template), (key, value))| name == key && self.equals(template, value))
            }
            _ => false,
        }
    }

    fn build(&mut self, template: &Template) -> Option<Value> {
        match template {
            Template::Text(parts) => {
                let mut text = String::new();
                for part in *parts {
                    match part {
                        Part::Text(part) => text.push_str(part),
                        Part::Member(at) => text.push_str(self.member(*at)?),
                    }
                }
                Some(Value::String(text))
            }
            Template::Object(templates) => {
                let mut object = Object::new();
                for (name, template) in *templates {
                    object.insert((*name).to_owned(), self.build(template)?);
                }
                Some(Value::Object(object))
            }
        }
    }

    fn member(&mut self, at: usize) -> Option<&str> {
        if self.known.get(at)?.is_none() {
            let text = self.resolve(self.addresses.members.get(at)?);
            *self.known.get_mut(at)? = Some(text);
        }
        self.known.get(at)?.as_ref()?.as_deref()
    }

    fn resolve(&mut self, member: &Member) -> Option<Cow<'a, str>> {
        let text = match (self.found)(member.path) {
            Carried::Text(text) => text,
            Carried::Other => return None,
            // The build refuses templates that name each other in a circle.
            Carried::Absent => match self.build(self.addresses.template(member.path)?)? {
                Value::String(text) => Cow::Owned(text),
                _ => return None,
            },
        };
        // What stands for half of a pair is not what was sent.
        if text.contains(char::REPLACEMENT_CHARACTER) {
            return None;
        }
        match text {
            Cow::Borrowed(text) => member.cut.of(text).map(Cow::Borrowed),
            Cow::Owned(text) => member.cut.of(&text).map(|text| Cow::Owned(text.to_owned())),
        }
    }
}

#[cfg(test)]
#[path = "addresses_tests.rs"]
mod tests;
