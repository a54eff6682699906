//! Settings that are not to be shown.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A URL that may hold a password. It is never shown with it.
#[derive(Clone)]
pub struct SecretUrl(SecretString);

impl SecretUrl {
    /// Takes a URL, with or without a password.
    pub fn new(url: impl Into<String>) -> Self {
        Self(SecretString::from(url.into()))
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Display for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.expose();
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        // Everything up to the last @ of the authority is user information.
        let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        // A password with a bare slash ends the authority early: then the last @ of all counts.
        let at = rest[..authority].rfind('@').or_else(|| rest.rfind('@'));
        match at {
            Some(at) => write!(f, "{scheme}://***@{}", &rest[at + 1..]),
            None if scheme.is_empty() => f.write_str(rest),
            None => write!(f, "{scheme}://{rest}"),
        }
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

impl<'de> Deserialize<'de> for SecretUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl Serialize for SecretUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Properties of the client, those that are secret hidden.
pub(crate) fn shown(properties: &BTreeMap<String, String>) -> BTreeMap<&str, &str> {
    let secret = |key: &str| ["password", "secret", "pem", "token", "config"].iter().any(|part| key.contains(part));
    properties.iter().map(|(key, value)| (key.as_str(), if secret(key) { "***" } else { value.as_str() })).collect()
}

pub(crate) fn hide_secret_properties<S: Serializer>(
    properties: &BTreeMap<String, String>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(shown(properties))
}
