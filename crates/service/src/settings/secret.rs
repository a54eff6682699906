//! A secret in the settings.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

const HIDDEN: &str = "<hidden>";
/// A certificate chain is some kilobytes; what is far larger is another file.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// Said without the value, whatever it is: it may be the secret.
const WRONG: &str = "the value is not a secret; write a text in double quotes, or { file = \"path\" }";

/// A secret in the settings: `"inline"`, or `{ file = "path" }` for a file that holds it, which is read when the
/// settings are loaded (a byte order mark at its beginning and line breaks at its end are not part of it). Neither `Debug` nor `Serialize` show it.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// A secret from a text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(SecretString::from(text.into()))
    }

    /// For those that take a [`SecretString`].
    #[must_use]
    pub fn secret(&self) -> &SecretString {
        &self.0
    }

    /// The secret itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    fn from_file(path: &Path) -> Result<Secret, String> {
        let mut bytes = Zeroizing::new(Vec::new());
        File::open(path).and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)).map_err(|error| {
            format!("cannot read the secret's file {}: {error}; name a file that this process may read", path.display())
        })?;
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(format!("the secret's file {} is larger than 64 KiB; name another file", path.display()));
        }
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| format!("the secret's file {} is not UTF-8; write it as text", path.display()))?;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(format!("the secret's file {} is empty; write the secret into it", path.display()));
        }
        Ok(Secret::new(text))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(HIDDEN)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(HIDDEN)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

struct SecretVisitor;

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = Secret;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text in double quotes, or { file = \"path\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Secret, E> {
        if text.is_empty() {
            return Err(E::custom("the secret is empty; write a text in double quotes, or { file = \"path\" }"));
        }
        Ok(Secret::new(text))
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Secret, E> {
        if text.is_empty() { self.visit_str(&text) } else { Ok(Secret::new(text)) }
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Secret, E> {
        Err(E::custom(WRONG))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Secret, E> {
        Err(E::custom(WRONG))
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Secret, E> {
        Err(E::custom(WRONG))
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Secret, E> {
        Err(E::custom(WRONG))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<Secret, A::Error> {
        Err(A::Error::custom(WRONG))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Secret, A::Error> {
        let mut secret = None;
        while let Some(key) = map.next_key::<String>()? {
            if key != "file" {
                map.next_value::<IgnoredAny>()?;
                return Err(A::Error::custom(format!("`{key}` is not known here; write {{ file = \"path\" }}")));
            }
            let path: std::path::PathBuf = map.next_value()?;
            secret = Some(Secret::from_file(&path).map_err(A::Error::custom)?);
        }
        secret.ok_or_else(|| A::Error::custom(WRONG))
    }
}
