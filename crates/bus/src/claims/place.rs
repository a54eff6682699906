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
    let mut value = Vec::with_capacity(16);
    value.push(TAG);
    value.extend_from_slice(&source(&at.log, &at.topic));
    // Neither is ever negative on a log; if one were, it would stay what it is.
    for number in [u64::from(at.partition.cast_unsigned()), at.offset.cast_unsigned(), index] {
        number_into(&mut value, number);
    }
    value
}

fn source(log: &str, topic: &str) -> [u8; 4] {
    let [_, _, _, _, low @ ..] = xxh3_64(format!("{log}/{topic}").as_bytes()).to_be_bytes();
    low
}

/// The own place of a claim that was made before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stands {
    source: [u8; 4],
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl Stands {
    /// None: it is every place of a record, or was not written by us.
    pub(super) fn read(value: &[u8]) -> Option<Self> {
        if value.first() != Some(&TAG) {
            let (at, index) = std::str::from_utf8(value).ok()?.rsplit_once('/')?;
            let at: Coordinates = at.parse().ok()?;
            let source = source(&at.log, &at.topic);
            return index.parse::<u64>().is_ok().then_some(Self { source, partition: at.partition, offset: at.offset });
        }
        let (source, mut rest) = value.get(1..)?.split_first_chunk::<4>()?;
        let partition = u32::try_from(take_number(&mut rest)?).ok()?.cast_signed();
        let offset = take_number(&mut rest)?.cast_signed();
        (take_number(&mut rest)? > 0).then_some(Self { source: *source, partition, offset })
    }

    /// Whether it is one of this topic, with its prefix, on this log.
    pub(super) fn is_of(&self, log: &str, topic: &str) -> bool {
        self.source == source(log, topic)
    }
}

fn take_number(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, left) = rest.split_first()?;
        *rest = left;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
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
