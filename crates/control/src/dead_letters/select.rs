//! Which dead letters are meant. Pure.

use std::collections::HashSet;

use common::deadletter::v1::{DeadLetter, Selection};
use common::time::to_millis;
use prost_types::Timestamp;

use super::kind::Kind;

/// A field of a request that cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{field} {problem}")]
pub struct InvalidField {
    /// Its path in the request.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

impl InvalidField {
    pub(crate) fn new(field: &'static str, problem: impl Into<String>) -> Self {
        Self { field, problem: problem.into() }
    }
}

/// A selection that can be.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    ids: HashSet<String>,
    stage: String,
    source: String,
    endpoint: String,
    reason: String,
    /// In milliseconds since 1970.
    from: Option<i64>,
    until: Option<i64>,
}

impl Filter {
    /// Checks a selection.
    ///
    /// # Errors
    /// The first field that cannot be.
    pub fn new(selection: &Selection) -> Result<Self, InvalidField> {
        for id in &selection.ids {
            check_id("selection.ids", id)?;
        }
        let (from, until) = (selection.from.as_ref().map(to_millis), selection.until.as_ref().map(to_millis));
        if let (Some(from), Some(until)) = (from, until)
            && from >= until
        {
            return Err(InvalidField::new("selection.until", "is not after selection.from: nothing could be selected"));
        }
        Ok(Self {
            ids: selection.ids.iter().cloned().collect(),
            stage: selection.stage.clone(),
            source: selection.source.clone(),
            endpoint: selection.endpoint.clone(),
            reason: selection.reason.clone(),
            from,
            until,
        })
    }

    /// Only what was refused before this time, too.
    #[must_use]
    pub fn before(self, time: &Timestamp) -> Self {
        let time = to_millis(time);
        Self { until: Some(self.until.map_or(time, |until| until.min(time))), ..self }
    }

    /// Whether it means every dead letter there is, or was at some time: an end alone selects nothing.
    pub fn is_everything(&self) -> bool {
        let Self { ids, stage, source, endpoint, reason, from, until: _ } = self;
        ids.is_empty() && [stage, source, endpoint, reason].iter().all(|text| text.is_empty()) && from.is_none()
    }

    /// Whether it means this one.
    pub fn fits(&self, letter: &DeadLetter) -> bool {
        let same = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        let failed_at = millis(letter);
        (self.ids.is_empty() || self.ids.contains(&letter.id))
            && same(&self.stage, &letter.stage)
            && same(&self.source, &letter.source)
            && same(&self.endpoint, &letter.endpoint)
            && same(&self.reason, &letter.reason)
            && self.from.is_none_or(|from| failed_at >= from)
            && self.until.is_none_or(|until| failed_at < until)
    }

    /// Whether it means letters of this kind.
    pub(crate) fn fits_kind(&self, (stage, reason, source, endpoint): &Kind) -> bool {
        let same = |wanted: &str, found: &str| wanted.is_empty() || wanted == found;
        same(&self.stage, stage)
            && same(&self.reason, reason)
            && same(&self.source, source)
            && same(&self.endpoint, endpoint)
    }

    /// Whether it means what was refused at these times, of which one is the first and one the last.
    pub(crate) fn fits_times(&self, first: i64, last: i64) -> Part {
        let within = |at: i64| self.from.is_none_or(|from| at >= from) && self.until.is_none_or(|until| at < until);
        match (within(first), within(last)) {
            (true, true) => Part::All,
            (false, false) if self.from.is_some_and(|from| last < from) => Part::None,
            (false, false) if self.until.is_some_and(|until| first >= until) => Part::None,
            _ => Part::Some,
        }
    }

    /// The ids that are meant; none: any.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.ids.iter().map(String::as_str)
    }

    /// How many letters it can mean, where that is known.
    pub fn at_most(&self) -> Option<usize> {
        (!self.ids.is_empty()).then_some(self.ids.len())
    }

    /// Before this nothing needs to be read.
    pub fn from(&self) -> Option<Timestamp> {
        self.from.map(common::time::from_millis)
    }
}

/// When it was refused, in milliseconds since 1970; 0 where it does not say.
pub fn millis(letter: &DeadLetter) -> i64 {
    letter.failed_at.as_ref().map_or(0, to_millis)
}

/// Checks an id of a dead letter.
///
/// # Errors
/// Where it can be the id of none.
pub fn check_id(field: &'static str, id: &str) -> Result<(), InvalidField> {
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    if is_id {
        Ok(())
    } else {
        Err(InvalidField::new(field, format!("has {id:?}: an id has 32 digits of 0-9 and a-f")))
    }
}

/// How much of some letters is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// All.
    All,
    /// Some, or none: each has to be looked at.
    Some,
    /// None.
    None,
}

/// So many letters are remembered at least, and twice as many at the most.
const REMEMBERED: usize = 200_000;

/// Which letters have been seen: after a crash of its stage a letter may be on the topic twice. What is written again is
/// what was in flight, so the last ones are enough, and there is an end to the memory that it takes.
#[derive(Debug, Default)]
pub struct Seen {
    last: HashSet<u128>,
    before: HashSet<u128>,
}

impl Seen {
    /// Whether it is seen for the first time. A letter whose id is none is never taken for another.
    pub fn is_new(&mut self, letter: &DeadLetter) -> bool {
        let Ok(id) = u128::from_str_radix(&letter.id, 16) else { return true };
        if self.before.contains(&id) || !self.last.insert(id) {
            return false;
        }
        if self.last.len() >= REMEMBERED {
            self.before = std::mem::take(&mut self.last);
        }
        true
    }
}

#[cfg(test)]
#[path = "select_tests.rs"]
mod tests;
