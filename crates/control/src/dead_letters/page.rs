//! A page of dead letters, the newest first. Pure: what stands where comes in as read.
//!
//! Each partition is read from its end, part by part, and of what was read the newest letter is the next one of the page.
//! A page's token is how far each partition was told, so the next page reads on where it ended, and what is refused
//! meanwhile belongs to no later page.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

use bus::OffsetRange;
use common::deadletter::v1::Found;

use super::block::{self, BLOCK};
use super::index::Piece;
use super::select::{InvalidField, millis};

/// Letters of a page where nothing is said, and the most there may be.
const DEFAULT: u32 = 50;
const LARGEST: u32 = 1000;

/// How many are asked for.
///
/// # Errors
/// Where it is too many.
pub fn size(asked: u32) -> Result<usize, InvalidField> {
    match asked {
        0 => Ok(DEFAULT as usize),
        1..=LARGEST => Ok(asked as usize),
        _ => Err(InvalidField::new("page_size", format!("is {asked}: use 1 to {LARGEST}, or 0 for {DEFAULT}"))),
    }
}

/// How far each partition was told: what stands before these offsets is still to come. Its text is a page token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor(BTreeMap<i32, i64>);

impl Cursor {
    /// The cursor that a token names; an empty one names none.
    ///
    /// # Errors
    /// Where it is no token.
    pub fn of_token(token: &str) -> Result<Option<Self>, InvalidField> {
        if token.is_empty() {
            return Ok(None);
        }
        let invalid = |()| {
            InvalidField::new("page_token", format!("is {token:?}: give the token of the page before, or nothing"))
        };
        token.parse().map(Some).map_err(invalid)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (partition, offset)) in self.0.iter().enumerate() {
            write!(f, "{}{partition}:{offset}", if n == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl FromStr for Cursor {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let part = |part: &str| {
            let (partition, offset) = part.split_once(':').ok_or(())?;
            Ok((partition.parse().map_err(drop)?, offset.parse().map_err(drop)?))
        };
        text.split(',').map(part).collect::<Result<_, _>>().map(Self)
    }
}

/// What is known of a partition.
#[derive(Debug)]
struct Part {
    partition: i32,
    low: i64,
    /// What stands here or later was read.
    below: i64,
    /// Of that, what is meant and was not told, the oldest first.
    found: Vec<(i64, Found)>,
}

/// Gathers a page.
#[derive(Debug)]
pub struct Page {
    size: usize,
    chunk: i64,
    parts: Vec<Part>,
    told: Vec<Found>,
    ids: HashSet<String>,
}

impl Page {
    /// An empty page of letters in these ranges that stand before a cursor.
    pub fn new(size: usize, ranges: &[OffsetRange], before: Option<&Cursor>) -> Self {
        let part = |range: &OffsetRange| {
            let below = match before {
                None => range.end,
                // A partition that was not there yet has only what is newer.
                Some(cursor) => cursor.0.get(&range.partition).map_or(range.low, |below| range.end.min(*below)),
            };
            Part { partition: range.partition, low: range.low, below: below.max(range.low), found: Vec::new() }
        };
        // Some more than are wanted, because not all are meant; not many more, because all are read.
        let chunk = i64::try_from(size.saturating_mul(2)).unwrap_or(BLOCK).clamp(64, BLOCK);
        Self { size, chunk, parts: ranges.iter().map(part).collect(), told: Vec::new(), ids: HashSet::new() }
    }

    /// What has to be read before the page can go on: a piece of one block. `None`: the page is done. `may_have` says whether
    /// something in a piece may be meant; the pieces of which it does not are passed over.
    pub(crate) fn wants(&mut self, may_have: impl Fn(Piece) -> bool) -> Option<Piece> {
        loop {
            // Of a page that is full only what costs nothing is looked at: whether there can be another.
            let is_full = self.told.len() >= self.size;
            for part in &mut self.parts {
                while part.found.is_empty() && part.below > part.low {
                    let from = part.low.max(block::number(part.below - 1) * BLOCK);
                    let all = Piece { partition: part.partition, from, until: part.below };
                    if may_have(all) {
                        if is_full {
                            break;
                        }
                        return Some(Piece { from: from.max(part.below - self.chunk), ..all });
                    }
                    part.below = from;
                }
            }
            if is_full || !self.tell() {
                return None;
            }
        }
    }

    /// Takes what is meant of a piece that was wanted, in the order of offsets.
    pub(crate) fn add(&mut self, piece: Piece, found: Vec<(i64, Found)>) {
        if let Some(part) = self.parts.iter_mut().find(|part| part.partition == piece.partition) {
            part.below = part.below.min(piece.from);
            if found.is_empty() {
                // Few are meant: larger pieces are read at once.
                self.chunk = (self.chunk * 2).min(BLOCK);
            }
            part.found = found;
        }
    }

    /// The newest that was found is told. False: there is none.
    fn tell(&mut self) -> bool {
        let place = |part: &Part| {
            let (offset, found) = part.found.last()?;
            Some((found.dead_letter.as_ref().map_or(0, millis), part.partition, *offset))
        };
        let newest = self.parts.iter_mut().filter(|part| !part.found.is_empty()).max_by_key(|part| place(part));
        let Some((_, found)) = newest.and_then(|part| part.found.pop()) else { return false };
        let id = found.dead_letter.as_ref().map_or("", |letter| &letter.id);
        // After a crash of its stage a letter may be there twice.
        if self.ids.insert(id.to_owned()) || id.is_empty() {
            self.told.push(found);
        }
        true
    }

    /// The letters, the newest first, and the token of the next page where there may be one.
    pub fn done(self) -> (Vec<Found>, String) {
        let below = |part: &Part| part.found.last().map_or(part.below, |(offset, _)| offset + 1);
        let more = self.parts.iter().any(|part| below(part) > part.low);
        let cursor = Cursor(self.parts.iter().map(|part| (part.partition, below(part))).collect());
        (self.told, if more { cursor.to_string() } else { String::new() })
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
