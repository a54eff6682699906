//! What serde finds wrong, said for people.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};

use super::fault::Fault;
use super::layers::{PREFIX, dotted};

/// One fault, while it travels up the tree.
#[derive(Debug)]
pub(super) struct Error {
    /// From the inside out.
    path: Vec<Part>,
    origin: Option<String>,
    pub(super) what: What,
}

#[derive(Debug)]
enum Part {
    Key(String),
    Index(usize),
}

#[derive(Debug)]
pub(super) enum What {
    /// The last key of the path is not known; these are.
    Unknown(&'static [&'static str]),
    /// Nothing sets it.
    Missing,
    /// The value has the wrong type.
    Type { found: String, fix: String },
    /// The value is wrong.
    Value { problem: String, fix: String },
}

impl Error {
    fn new(what: What) -> Error {
        Error { path: Vec::new(), origin: None, what }
    }

    pub(super) fn in_table(mut self, key: &str, origin: Option<&str>) -> Error {
        self.path.push(Part::Key(key.to_owned()));
        self.set_origin(origin.map(str::to_owned));
        self
    }

    pub(super) fn in_list(mut self, index: usize, origin: Option<String>) -> Error {
        self.path.push(Part::Index(index));
        self.set_origin(origin);
        self
    }

    fn set_origin(&mut self, origin: Option<String>) {
        // What nothing sets was set nowhere.
        if self.origin.is_none() && !matches!(self.what, What::Missing) {
            self.origin = origin;
        }
    }

    /// The keys from the outside in, up to the first list.
    pub(super) fn path(&self) -> Vec<String> {
        self.path
            .iter()
            .rev()
            .map_while(|part| match part {
                Part::Key(key) => Some(key.clone()),
                Part::Index(_) => None,
            })
            .collect()
    }

    fn key(&self) -> String {
        key_of(&self.path)
    }

    pub(super) fn into_fault(self) -> Fault {
        let key = self.key();
        let last = self.path.iter().position(|part| matches!(part, Part::Key(_))).unwrap_or(0);
        let section = &key_of(self.path.get(last + 1..).unwrap_or_default());
        let name = &key[if section.is_empty() { 0 } else { section.len() + 1 }..];
        let (problem, fix) = match self.what {
            What::Unknown(known) => ("there is no such setting".to_owned(), suggest(section, name, known)),
            What::Missing if section.is_empty() => ("it is not set".to_owned(), format!("add the section [{name}]")),
            What::Missing => (
                "it is not set".to_owned(),
                format!("set `{name}` in [{section}], or {}{}", PREFIX, key.replace('.', "__").to_uppercase()),
            ),
            // A secret of the wrong type, as a text where a list of secrets is expected, is not quoted either.
            What::Type { found, fix } => {
                let found = if is_secret(name) { "the value".to_owned() } else { found };
                (format!("{found} is not what is expected"), fix)
            }
            What::Value { problem, fix } => (problem, fix),
        };
        Fault { key, origin: self.origin, problem, fix }
    }
}

/// A path from the inside out, as TOML writes it.
fn key_of(path: &[Part]) -> String {
    path.iter().rev().fold(String::new(), |key, part| match part {
        Part::Key(name) => dotted(&key, name),
        Part::Index(index) => format!("{key}[{index}]"),
    })
}

/// Whether a setting of this name holds what nobody should see.
fn is_secret(name: &str) -> bool {
    ["secret", "token", "password", "passphrase", "credential"].iter().any(|part| name.contains(part))
}

impl std::error::Error for Error {}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?}", self.key(), self.what)
    }
}

impl de::Error for Error {
    /// The text after the last semicolon says what to do.
    fn custom<T: Display>(message: T) -> Error {
        let message = message.to_string();
        let (problem, fix) = match message.rsplit_once("; ") {
            Some((problem, fix)) => (problem.to_owned(), fix.to_owned()),
            None => (message, "give another value".to_owned()),
        };
        Error::new(What::Value { problem, fix })
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        let found = match found {
            Unexpected::Str(text) => format!("{text:?}"),
            Unexpected::Bool(value) => value.to_string(),
            Unexpected::Signed(value) => value.to_string(),
            Unexpected::Unsigned(value) => value.to_string(),
            Unexpected::Float(value) => value.to_string(),
            Unexpected::Seq => "a list".to_owned(),
            Unexpected::Map => "a section".to_owned(),
            other => other.to_string(),
        };
        let mut fix = format!("give {}", in_words(&expected.to_string()));
        if found == "a section" {
            fix.push_str("; write a name with dots in quotes: \"a.b\" = …");
        }
        Error::new(What::Type { found, fix })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Error::invalid_type(found, expected)
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Error {
        Error::new(What::Value {
            problem: format!("it has {length} elements"),
            fix: format!("give {}", in_words(&expected.to_string())),
        })
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Error {
        Error::new(What::Value {
            problem: format!("{variant:?} is not known"),
            fix: format!("give {}", one_of(expected)),
        })
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Error {
        Error::new(What::Unknown(expected))
    }

    fn missing_field(field: &'static str) -> Error {
        let mut error = Error::new(What::Missing);
        error.path.push(Part::Key(field.to_owned()));
        error
    }

    fn duplicate_field(field: &'static str) -> Error {
        de::Error::custom(format!("`{field}` is set twice; remove one"))
    }
}

/// What serde's types call themselves, in words.
fn in_words(expected: &str) -> String {
    let whole = |least: &str, most: &str| format!("a whole number from {least} to {most}, without quotes");
    match expected {
        "u8" => whole("0", &u8::MAX.to_string()),
        "u16" => whole("0", &u16::MAX.to_string()),
        "u32" => whole("0", &u32::MAX.to_string()),
        "u64" | "usize" => "a whole number from 0 on, without quotes".to_owned(),
        "i8" => whole(&i8::MIN.to_string(), &i8::MAX.to_string()),
        "i16" => whole(&i16::MIN.to_string(), &i16::MAX.to_string()),
        "i32" => whole(&i32::MIN.to_string(), &i32::MAX.to_string()),
        "i64" | "isize" => "a whole number, without quotes".to_owned(),
        "f32" | "f64" => "a number, without quotes".to_owned(),
        "a boolean" => "true or false, without quotes".to_owned(),
        "a string" | "path string" | "a borrowed string" => "a text in double quotes".to_owned(),
        "a sequence" => "a list: [\"a\", \"b\"], or in a variable a,b".to_owned(),
        "a map" => "a section".to_owned(),
        other if other.starts_with("struct ") => "a section with keys, not one value".to_owned(),
        other if other.starts_with("enum ") => "one of the names that the manual lists".to_owned(),
        other => other.to_owned(),
    }
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

fn suggest(section: &str, name: &str, known: &[&str]) -> String {
    let place = if section.is_empty() { "at the top level".to_owned() } else { format!("in [{section}]") };
    let nearest = known.iter().map(|known| (distance(name, known), known)).min();
    match nearest {
        Some((distance, nearest)) if distance <= 1 + name.len() / 4 => {
            format!("did you mean `{nearest}`? known {place}: {}", known.join(", "))
        }
        Some(_) => format!("remove it; known {place}: {}", known.join(", ")),
        None => format!("remove it; nothing can be set {place}"),
    }
}

/// How many letters have to be added, removed or replaced to get from one to the other.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
