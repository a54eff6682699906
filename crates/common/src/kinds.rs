//! Of which kind a setting is: an address, a URL, a file that has to be there. Settings of one kind are checked in one
//! way, whichever crate they are of and whatever their names are.
//!
//! A field says its kind by how it is written: `#[serde(serialize_with = "common::kinds::listen")]`. [`settings_of`]
//! walks any settings by that, so who loads settings checks every one of them, without being told of each. A text
//! without a kind is found by it too; a test asks of each what it is.

mod values;
mod walk;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use values::{listen_problem, root_problem};
pub use walk::{NotWalked, Setting, ranges_of, settings_of};

/// What is wrong with a setting although it could be read, and what to do. One problem has one of each, whoever finds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key with its section: `bus.kafka.brokers`.
    pub key: String,
    /// What is wrong, with the value where it is no secret: `"localhost" has no port`.
    pub problem: String,
    /// What to do: `write host:port, for example localhost:9092`.
    pub fix: String,
}

impl Problem {
    /// A problem of a key.
    pub fn new(key: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem { key: key.into(), problem: problem.into(), fix: fix.into() }
    }
}

/// The problems of one section, as they are found.
#[derive(Debug)]
pub struct Problems {
    section: &'static str,
    found: Vec<Problem>,
}

impl Problems {
    /// None yet.
    #[must_use]
    pub fn of(section: &'static str) -> Problems {
        Problems { section, found: Vec::new() }
    }

    /// Adds one, of a key in the section, unless it is `ok`.
    pub fn check(&mut self, ok: bool, key: &str, problem: impl Into<String>, fix: impl Into<String>) {
        if !ok {
            self.found.push(Problem::new(format!("{}.{key}", self.section), problem, fix));
        }
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<Problem> {
        self.found
    }
}

/// What a setting holds, and so what it may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An address to listen on, `host:port`.
    Listen,
    /// A broker to begin with, `host:port` without scheme.
    Broker,
    /// Where a service is; a name without scheme stands for one of ours.
    Url,
    /// The root of a store: a folder, or a bucket.
    Root,
    /// A folder of this machine, which is made where it is missing.
    Folder,
    /// A file that has to be there.
    File,
    /// A file that need not be there yet: it is made, or comes later.
    MadeFile,
    /// The file of the key that seals secrets: it has to be there for those that read it.
    SealingKeyFile,
    /// A file whose first line is a secret.
    SecretFile,
    /// PEM file of roots.
    CaFile,
    /// PEM file of certificates.
    CertificateFile,
    /// PEM file of the key that goes with the [`CertificateFile`](Kind::CertificateFile) of the same section.
    KeyFile,
}

impl Kind {
    /// What is wrong with a value, and what to do. Files are not looked at.
    #[must_use]
    pub fn problem(self, value: &str) -> Option<(String, String)> {
        values::problem(self, value)
    }

    /// Whether it is a place in the file system.
    #[must_use]
    pub fn is_place(self) -> bool {
        !matches!(self, Kind::Listen | Kind::Broker | Kind::Url)
    }
}

macro_rules! marks {
    ($($mark:ident $kind:ident),* $(,)?) => {
        impl Kind {
            fn name(self) -> &'static str {
                match self { $(Kind::$kind => concat!("weir kind ", stringify!($kind)),)* }
            }

            fn by_name(name: &str) -> Option<Kind> {
                [$(Kind::$kind),*].into_iter().find(|kind| kind.name() == name)
            }
        }

        $(
            #[doc = concat!("Marks a field, for `serialize_with`, as [`Kind::", stringify!($kind), "`]: a text, a path, \
                an optional one, or a list of them.")]
            ///
            /// # Errors
            /// Those of the serializer.
            pub fn $mark<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_newtype_struct(Kind::$kind.name(), value)
            }
        )*
    };
}

marks! {
    listen Listen,
    broker Broker,
    url Url,
    root Root,
    folder Folder,
    file File,
    made_file MadeFile,
    sealing_key_file SealingKeyFile,
    secret_file SecretFile,
    ca_file CaFile,
    certificate_file CertificateFile,
    key_file KeyFile,
}

/// For names, ids and addresses, for `deserialize_with`: a list, or its items in one text with commas, in the file as in
/// the environment. Not for secrets, which may have commas.
///
/// # Errors
/// It is neither.
pub fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "it is not a list; write [\"a\", \"b\"], or one text with commas between")]
    enum List {
        Items(Vec<String>),
        Text(String),
    }
    Ok(match List::deserialize(deserializer)? {
        List::Items(items) => items,
        List::Text(text) => {
            text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
        }
    })
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
