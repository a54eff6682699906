//! Event ids: the same for every delivery of one occurrence, different for two occurrences.
//!
//! An id is SHA-256, cut to 128 bits, over length-prefixed fields. What it is made of is decided by
//! each source and guarded by golden files: an id that changes makes every redelivery a new event.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// The version of the rules that make ids. It enters every id.
pub const ID_VERSION: u8 = 1;

/// The identity of an event, a delivery or a dead letter: 128 bits, shown as 32 lowercase hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(pub [u8; 16]);

impl Id {
    /// An id from its fields, in this order: `source`, the endpoint's `tenant`, then `parts`.
    ///
    /// Each field enters with its length, so that `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of(source: &str, tenant: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        hash.update([ID_VERSION]);
        for part in [source.as_bytes(), tenant.as_bytes()].iter().chain(parts) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(id)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 32];
        // 16 bytes always fit 32 digits.
        hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
        f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
    }
}

/// A text that is no id: 32 hex digits are one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an id is 32 hex digits")]
pub struct NoId;

impl FromStr for Id {
    type Err = NoId;

    fn from_str(text: &str) -> Result<Self, NoId> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| NoId)?;
        Ok(Self(id))
    }
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
