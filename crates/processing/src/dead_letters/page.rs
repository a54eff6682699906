//! A page of dead letters, the newest first. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use common::deadletter::v1::Found;

use super::select::{Invalid, millis};

/// Letters of a page where nothing is said, and the most there may be.
const DEFAULT: u32 = 50;
const LARGEST: u32 = 1000;

/// How many are asked for.
///
/// # Errors
/// Where it is too many.
pub fn size(asked: u32) -> Result<usize, Invalid> {
    match asked {
        0 => Ok(DEFAULT as usize),
        1..=LARGEST => Ok(asked as usize),
        _ => Err(Invalid::new("page_size", format!("is {asked}: use 1 to {LARGEST}, or 0 for {DEFAULT}"))),
    }
}

/// The place of a letter among all of them: by when it was refused, then by where it stands. Its text is a page token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    millis: i64,
    partition: i32,
    offset: i64,
}

impl Place {
    fn of(found: &Found) -> Self {
        let (partition, offset) = found.at.as_ref().map_or((0, 0), |at| (at.partition, at.offset));
        Self { millis: found.dead_letter.as_ref().map_or(0, millis), partition, offset }
    }

    /// The place that a token names; an empty one names none.
    ///
    /// # Errors
    /// Where it is no token.
    pub fn of_token(token: &str) -> Result<Option<Self>, Invalid> {
        if token.is_empty() {
            return Ok(None);
        }
        let invalid =
            |_| Invalid::new("page_token", format!("is {token:?}: give what the page before said, or nothing"));
        token.parse().map(Some).map_err(invalid)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.millis, self.partition, self.offset)
    }
}

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let mut parts = text.split('/');
        let mut part = || parts.next().ok_or(());
        let (millis, partition, offset) = (part()?, part()?, part()?);
        let place = Self {
            millis: millis.parse().map_err(drop)?,
            partition: partition.parse().map_err(drop)?,
            offset: offset.parse().map_err(drop)?,
        };
        if parts.next().is_some() { Err(()) } else { Ok(place) }
    }
}

/// Gathers the newest letters behind a place.
#[derive(Debug)]
pub struct Page {
    size: usize,
    /// Only what is older than this.
    before: Option<Place>,
    newest: BTreeMap<Place, Found>,
    more: bool,
}

impl Page {
    /// An empty page.
    pub fn new(size: usize, before: Option<Place>) -> Self {
        Self { size, before, newest: BTreeMap::new(), more: false }
    }

    /// Takes a letter into account; what has no room is forgotten.
    pub fn add(&mut self, found: Found) {
        let place = Place::of(&found);
        if self.before.is_some_and(|before| place >= before) {
            return;
        }
        self.newest.insert(place, found);
        if self.newest.len() > self.size {
            self.newest.pop_first();
            self.more = true;
        }
    }

    /// The letters, the newest first, and the token of the next page where there is one.
    pub fn done(self) -> (Vec<Found>, String) {
        let last = self.newest.first_key_value().filter(|_| self.more);
        let token = last.map_or_else(String::new, |(place, _)| place.to_string());
        (self.newest.into_values().rev().collect(), token)
    }
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
