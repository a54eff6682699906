//! The errors of this process of the last hour, told with its digest.
//!
//! There is one list for the process, as there is one log: most errors are log events, and a library under several hops
//! need not be handed a place to tell them. What would flood the log is told by [`note`].
//!
//! Errors that say the same and come within ten seconds are one entry, with a number and a count. Whoever reads the list
//! again takes the greater count, so each error counts once, however often and by however many the list is read.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use common::health::v1::{Digest, RecentErrors};

use crate::{clock, escape};

/// For how long an error is told.
pub const KEPT: Duration = Duration::from_secs(3600);
/// Within such a time they are one entry.
const SLICE: Duration = Duration::from_secs(10);
/// So many entries within that time tell what they say, of those that senders make, and of the others; what is more is one for
/// each hop and kind.
const DISTINCT: usize = 20;
/// Entries in all.
const ENTRIES: usize = 1000;
/// Of those that senders make: a storm of dead letters takes no place from errors.
const OF_SENDERS: usize = ENTRIES / 2;
/// Characters of a text.
const TEXT: usize = 300;
/// What stands for the texts beyond [`DISTINCT`].
const OTHERS: &str = "(others)";

/// What an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The log has it.
    Logged,
    /// The code panicked.
    Panic,
    /// The door answered a delivery with 503.
    Refused,
    /// Something became a dead letter.
    DeadLetter,
}

impl ErrorKind {
    /// Whether senders alone can make as many as they like.
    fn is_of_senders(self) -> bool {
        matches!(self, ErrorKind::Refused | ErrorKind::DeadLetter)
    }

    /// As the digest tells it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ErrorKind::Logged => "logged",
            ErrorKind::Panic => "panic",
            ErrorKind::Refused => "refused",
            ErrorKind::DeadLetter => "dead_letter",
        }
    }
}

static OF_THIS_PROCESS: Errors = Errors { kept: Mutex::new(Kept::new()) };

/// Counts an error. `endpoint` must be one that there is, or empty. `text` must hold neither payload nor secrets; what
/// differs in numbers only is the same.
pub fn note(hop: &str, endpoint: &str, kind: ErrorKind, text: &str) {
    metrics::counter!("weir_errors_total", "stage" => hop.to_owned(), "kind" => kind.name()).increment(1);
    OF_THIS_PROCESS.note(&Error { hop, endpoint, kind, text }, clock::now());
}

pub(crate) fn fill(digest: &mut Digest) {
    (digest.errors, digest.errors_forgotten) = OF_THIS_PROCESS.told(clock::now());
}

#[derive(Clone, Copy)]
struct Error<'a> {
    hop: &'a str,
    endpoint: &'a str,
    kind: ErrorKind,
    text: &'a str,
}

struct Errors {
    kept: Mutex<Kept>,
}

struct Kept {
    /// The oldest first.
    entries: VecDeque<Entry>,
    number: u64,
    /// Those that had to go before their time: when, and how many.
    forgotten: VecDeque<(SystemTime, u64)>,
}

struct Entry {
    number: u64,
    hop: String,
    endpoint: String,
    kind: ErrorKind,
    text: String,
    same: String,
    count: u64,
    at: SystemTime,
    last_at: SystemTime,
}

impl Entry {
    /// Whether an error of that time is of this entry, where it says the same.
    fn is_open(&self, now: SystemTime) -> bool {
        now.duration_since(self.at).is_ok_and(|age| age < SLICE)
    }

    fn is(&self, error: &Error<'_>, same: &str) -> bool {
        self.same == same && self.kind == error.kind && self.hop == error.hop && self.endpoint == error.endpoint
    }

    fn told(&self) -> RecentErrors {
        RecentErrors {
            number: self.number,
            hop: self.hop.clone(),
            endpoint: self.endpoint.clone(),
            kind: self.kind.name().to_owned(),
            text: self.text.clone(),
            count: self.count,
            at: Some(self.at.into()),
            last_at: Some(self.last_at.into()),
        }
    }
}

impl Errors {
    fn note(&self, error: &Error<'_>, now: SystemTime) {
        let text = bounded(error.text);
        let same = without_numbers(&text);
        // Nothing panics while it is held; and errors have to be told even then.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.add(error, &same, now) {
            return;
        }
        let of_senders = error.kind.is_of_senders();
        if kept.open(now).filter(|entry| entry.kind.is_of_senders() == of_senders).count() < DISTINCT {
            kept.push(error, text, same, now);
            return;
        }
        let others = Error { endpoint: "", text: OTHERS, ..*error };
        if !kept.add(&others, OTHERS, now) {
            kept.push(&others, OTHERS.to_owned(), OTHERS.to_owned(), now);
        }
    }

    fn told(&self, now: SystemTime) -> (Vec<RecentErrors>, u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.expire(now);
        let forgotten = kept.forgotten.iter().map(|(_, count)| count).sum();
        (kept.entries.iter().map(Entry::told).collect(), forgotten)
    }
}

impl Kept {
    const fn new() -> Kept {
        Kept { entries: VecDeque::new(), number: 0, forgotten: VecDeque::new() }
    }

    fn open(&mut self, now: SystemTime) -> impl Iterator<Item = &mut Entry> {
        self.entries.iter_mut().rev().take_while(move |entry| entry.is_open(now))
    }

    /// Counts it in the entry that says the same; whether there is one.
    fn add(&mut self, error: &Error<'_>, same: &str, now: SystemTime) -> bool {
        let Some(entry) = self.open(now).find(|entry| entry.is(error, same)) else { return false };
        entry.count += 1;
        entry.last_at = now;
        true
    }

    fn push(&mut self, error: &Error<'_>, text: String, same: String, now: SystemTime) {
        self.expire(now);
        if self.entries.len() >= ENTRIES
            && let Some(oldest) = self.remove_oldest()
        {
            match self.forgotten.back_mut() {
                Some((at, count)) if oldest.at.duration_since(*at).is_ok_and(|age| age < SLICE) => {
                    *count += oldest.count
                }
                _ => self.forgotten.push_back((oldest.at, oldest.count)),
            }
        }
        self.number += 1;
        self.entries.push_back(Entry {
            number: self.number,
            hop: error.hop.to_owned(),
            endpoint: bounded(error.endpoint),
            kind: error.kind,
            text,
            same,
            count: 1,
            at: now,
            last_at: now,
        });
    }

    fn remove_oldest(&mut self) -> Option<Entry> {
        let of_senders = |entry: &Entry| entry.kind.is_of_senders();
        let are_many = self.entries.iter().filter(|entry| of_senders(entry)).count() > OF_SENDERS;
        let oldest = self.entries.iter().position(|entry| !are_many || of_senders(entry))?;
        self.entries.remove(oldest)
    }

    /// What a clock that was ahead has dated is of this moment: else it would stay until then.
    fn expire(&mut self, now: SystemTime) {
        let is_young = |at: SystemTime| now.duration_since(at).is_ok_and(|age| age < KEPT);
        self.entries.retain_mut(|entry| {
            (entry.at, entry.last_at) = (entry.at.min(now), entry.last_at.min(now));
            is_young(entry.at)
        });
        self.forgotten.retain_mut(|(at, _)| {
            *at = (*at).min(now);
            is_young(*at)
        });
    }
}

/// On one line, and not longer than it may be.
fn bounded(text: &str) -> String {
    let text = escape::word(text);
    let is_long = text.chars().nth(TEXT).is_some();
    if is_long { text.chars().take(TEXT - 1).chain(['…']).collect() } else { text.into_owned() }
}

/// The same for texts that differ in numbers only: offsets, ports, times.
#[must_use]
pub fn without_numbers(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('#') {
            out.push('#');
        }
    }
    out
}

#[cfg(test)]
#[path = "errors_tests.rs"]
mod tests;
