//! What the lines of a log say, wherever they were read: those that have to come, and those that must not.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use common::health::v1::State;

use super::Found;
use super::pattern::Pattern;
use super::settings::LogSettings;

/// The lines of the last `within` that have a pattern.
#[derive(Debug)]
pub(super) struct Lines {
    must: Option<Pattern>,
    must_not: Option<Pattern>,
    within: Duration,
    /// When the first look was; none where what was written before it counts too.
    since: Option<Instant>,
    wanted: Seen,
    unwanted: Seen,
}

/// The lines of recent looks that have one pattern.
#[derive(Debug, Default)]
struct Seen {
    /// How many each look has found.
    looks: VecDeque<(Instant, u64)>,
    last: String,
}

impl Seen {
    fn add(&mut self, line: &[u8], now: Instant) {
        match self.looks.back_mut() {
            Some((at, lines)) if *at == now => *lines += 1,
            _ => self.looks.push_back((now, 1)),
        }
        self.last = String::from_utf8_lossy(line).chars().take(200).collect();
    }

    /// How many there were within this time.
    fn count(&mut self, within: Duration, now: Instant) -> u64 {
        self.looks.retain(|(at, _)| now.saturating_duration_since(*at) < within);
        self.looks.iter().map(|(_, lines)| lines).sum()
    }
}

impl Lines {
    pub(super) fn new(settings: &LogSettings, within: Duration) -> Self {
        let LogSettings { must, must_not, .. } = settings;
        let (wanted, unwanted) = (Seen::default(), Seen::default());
        Self { must: must.clone(), must_not: must_not.clone(), within, since: None, wanted, unwanted }
    }

    /// Says when a look is, and hears whether it is the first one: lines count from then on.
    pub(super) fn begin(&mut self, now: Instant) -> bool {
        let is_first = self.since.is_none();
        self.since.get_or_insert(now);
        is_first
    }

    /// Takes a line that was read now.
    pub(super) fn add(&mut self, line: &[u8], now: Instant) {
        for (pattern, seen) in [(&self.must, &mut self.wanted), (&self.must_not, &mut self.unwanted)] {
            if pattern.as_ref().is_some_and(|pattern| pattern.is_in(line)) {
                seen.add(line, now);
            }
        }
    }

    /// What they say, if `missing` says what was not read of them.
    pub(super) fn found(&mut self, missing: Option<String>, now: Instant) -> Found {
        let within = self.within;
        let (wanted, unwanted) = (self.wanted.count(within, now), self.unwanted.count(within, now));
        let text = |pattern: &Option<Pattern>| pattern.as_ref().map(|it| it.as_str().to_owned()).unwrap_or_default();
        if unwanted > 0 {
            let (pattern, last) = (text(&self.must_not), &self.unwanted.last);
            return Found::failing(format!("{pattern:?} is in {unwanted} lines of the last {within:?}, last: {last}"));
        }
        if let Some(message) = missing.filter(|_| self.must_not.is_some() || wanted == 0) {
            return Found { state: State::Unknown, message, value: None };
        }
        if self.must.is_some() && wanted == 0 {
            let pattern = text(&self.must);
            let watched = self.since.map_or(within, |since| now.saturating_duration_since(since));
            if watched < within {
                // What it may be about is known: the log is read, and has no such line.
                let watched = Duration::from_secs(watched.as_secs());
                let message = format!(
                    "{pattern:?} not seen yet since health-check began to watch, {watched:?} ago; fails after {within:?}"
                );
                return Found { state: State::Warning, message, value: None };
            }
            return Found::failing(format!("{pattern:?} is in no line of the last {within:?}"));
        }
        Found::ok(if self.must.is_some() {
            format!("as it must be: {}", self.wanted.last)
        } else {
            "as it must be".to_owned()
        })
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
