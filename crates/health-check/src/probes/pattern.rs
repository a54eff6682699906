//! A regular expression of the settings.

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What one may take in memory, compiled.
const MOST_MEMORY: usize = 1024 * 1024;
/// The longest one.
const LONGEST: usize = 1024;

/// A regular expression, compiled when it is read. It is looked for in bytes, in a time that grows with their number.
#[derive(Debug, Clone)]
pub struct Pattern(Regex);

impl Pattern {
    /// Compiles one.
    ///
    /// # Errors
    /// It is no regular expression, or a large one; the message says where.
    pub fn new(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("a regular expression has at most {LONGEST} bytes, and this one {}", text.len()));
        }
        RegexBuilder::new(text).multi_line(true).size_limit(MOST_MEMORY).build().map(Self).map_err(|e| e.to_string())
    }

    /// Whether it is in these bytes.
    #[must_use]
    pub fn is_in(&self, bytes: &[u8]) -> bool {
        self.0.is_match(bytes)
    }

    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl Serialize for Pattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Pattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Pattern::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}
