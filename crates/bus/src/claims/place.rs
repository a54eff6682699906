//! The value of a claim, as every store keeps it: which place in which record had the event first.
//!
//! ```text
//! ff | log and topic: 4 bytes of their XXH3 | partition | offset | index + 1
//! ```
//!
//! Partition, offset and index are LEB128. An index of 0 is every place in the record: what was restored from an output
//! does not know its own. Twelve bytes for most records, which Redis holds in one piece with its header. The first byte
//! is never that of a text: claims that were written as one (`log/topic/partition/offset/index`, `*` for every place)
//! are read as what they are until they have expired.

use xxhash_rust::xxh3::xxh3_64;

use super::{Claim, Verdict};
use crate::Coordinates;

/// The first byte. A text cannot have it, in UTF-8.
pub(super) const TAG: u8 = 0xff;

/// A claim's own place.
pub(super) fn place(claim: &Claim<'_>) -> Vec<u8> {
    encode(claim.at, u64::from(claim.index) + 1)
}

/// Every place in a record.
pub(super) fn anywhere(at: &Coordinates) -> Vec<u8> {
    encode(at, 0)
}

/// A claim's own place, as it was written before.
pub(super) fn text(claim: &Claim<'_>) -> String {
    format!("{}/{}", claim.at, claim.index)
}

/// What a claim finds that stood there before.
pub(super) fn verdict(claim: &Claim<'_>, before: Option<&[u8]>) -> Verdict {
    let Some(before) = before else { return Verdict::First };
    let known = if before.first() == Some(&TAG) {
        before == place(claim) || before == anywhere(claim.at)
    } else {
        before == text(claim).as_bytes() || before == format!("{}/*", claim.at).as_bytes()
    };
    if known { Verdict::Again } else { Verdict::Duplicate }
}

fn encode(at: &Coordinates, index: u64) -> Vec<u8> {
    let source = xxh3_64(format!("{}/{}", at.log, at.topic).as_bytes());
    let mut value = Vec::with_capacity(16);
    value.push(TAG);
    value.extend_from_slice(&source.to_be_bytes()[4..]);
    // Neither is ever negative on a log; if one were, it would stay what it is.
    for number in [u64::from(at.partition.cast_unsigned()), at.offset.cast_unsigned(), index] {
        number_into(&mut value, number);
    }
    value
}

fn number_into(value: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return value.push(low & 0x7f);
        }
        value.push(low | 0x80);
    }
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
