//! What a digest tells of errors. Pure.

use std::time::{Duration, SystemTime};

use common::health::v1::{Digest, RecentErrors};
use service::errors::without_numbers;

/// So many of an entry, which is those of ten seconds, count: what is more is no worse, and takes memory.
const OF_AN_ENTRY: u64 = 1000;
/// A clock that differs by more than this is corrected.
const SKEW: Duration = Duration::from_secs(60);

/// One start of one instance, and the number of the entry there: the same whoever reads it, and however often.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Seconds and nanoseconds.
    pub start: (i64, i32),
    /// From 1.
    pub number: u64,
}

/// What errors have in common that are one line for people, and of one worker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct About {
    /// The worker.
    pub instance: String,
    /// The stage.
    pub hop: String,
    /// Empty: not known.
    pub endpoint: String,
    /// logged, panic, refused, dead_letter
    pub kind: String,
    /// The text, without its numbers.
    pub same: String,
}

/// Errors that say the same and came at nearly one time. `n` of its `count` are the errors 1 to `n`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorEntry {
    /// Its id, beside the instance.
    pub place: Place,
    /// What they have in common.
    pub about: About,
    /// What the first said.
    pub text: String,
    /// When the first came.
    pub at: SystemTime,
    /// When the last came.
    pub last_at: SystemTime,
    /// How many there are so far.
    pub count: u64,
}

/// Errors of one worker that say the same, within the window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What they have in common.
    pub about: About,
    /// What one of the last said.
    pub text: String,
    /// How many there are.
    pub count: u64,
    /// When the first came.
    pub first_at: SystemTime,
    /// When the last came.
    pub last_at: SystemTime,
}

/// The errors that a digest tells, by the clock of whoever reads it.
#[must_use]
pub fn entries_of(digest: &Digest, now: SystemTime) -> Vec<ErrorEntry> {
    let start = digest.started_at.map(|at| (at.seconds, at.nanos)).unwrap_or_default();
    let told = digest.at.and_then(|at| SystemTime::try_from(at).ok()).unwrap_or(now);
    let differs = told.duration_since(now).unwrap_or_else(|error| error.duration()) > SKEW;
    // Never ahead: it would count for longer than the window.
    let here = |at: SystemTime| {
        let age = told.duration_since(at).unwrap_or_default();
        if differs { now.checked_sub(age).unwrap_or(now) } else { at.min(now) }
    };
    let entry = |error: &RecentErrors| {
        let at = here(error.at?.try_into().ok()?);
        let last_at = error.last_at.and_then(|at| SystemTime::try_from(at).ok()).map_or(at, here);
        Some(ErrorEntry {
            place: Place { start, number: error.number },
            about: About {
                instance: digest.instance.clone(),
                hop: error.hop.clone(),
                endpoint: error.endpoint.clone(),
                kind: error.kind.clone(),
                same: without_numbers(&error.text),
            },
            text: error.text.clone(),
            at,
            last_at: last_at.max(at),
            count: error.count.min(OF_AN_ENTRY),
        })
    };
    digest.errors.iter().filter_map(entry).collect()
}
