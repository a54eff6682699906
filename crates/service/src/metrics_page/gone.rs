//! Endpoints that are no longer there: their series leave the page. The recorder cannot remove what was counted once,
//! and who holds a counter goes on counting.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// For so long the series of an endpoint that is gone stay, so that what was counted last is read.
const STAYS: Duration = Duration::from_secs(300);
/// The label that names an endpoint.
const LABEL: &str = "endpoint=\"";

/// Since when each is gone. One for the process, as its recorder.
static GONE: Mutex<Option<Gone>> = Mutex::new(None);

/// The endpoint is no longer there: its series leave the page of metrics after five minutes.
pub fn endpoint_gone(name: &str) {
    with(|gone| gone.add(name, Instant::now()));
}

/// The endpoint is there, maybe again: its series are on the page.
pub fn endpoint_here(name: &str) {
    with(|gone| gone.since.remove(name));
}

/// The endpoint is one of the settings: its series stay, whatever is said of a registration of its name.
pub fn endpoint_stays(name: &str) {
    with(|gone| gone.fixed.insert(name.to_owned()));
}

/// The page without the series of those that are gone.
pub(super) fn without_gone(page: String) -> String {
    with(|gone| gone.filter(page, Instant::now()))
}

fn with<T>(look: impl FnOnce(&mut Gone) -> T) -> T {
    look(GONE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(Gone::default))
}

#[derive(Debug, Default)]
struct Gone {
    since: HashMap<String, Instant>,
    fixed: HashSet<String>,
}

impl Gone {
    fn add(&mut self, name: &str, now: Instant) {
        self.since.entry(name.to_owned()).or_insert(now);
    }

    fn filter(&self, page: String, now: Instant) -> String {
        let over = |(name, since): &(&String, &Instant)| {
            now.saturating_duration_since(**since) >= STAYS && !self.fixed.contains(*name)
        };
        let hidden: HashSet<&str> = self.since.iter().filter(over).map(|(name, _)| name.as_str()).collect();
        if hidden.is_empty() {
            return page;
        }
        let shown = |line: &&str| endpoint_of(line).is_none_or(|name| !hidden.contains(name));
        page.split_inclusive('\n').filter(shown).collect()
    }
}

/// The endpoint that a line of the page is about. A quote within a value has a backslash before it, so what looks like
/// the label is the label; and the name of an endpoint has nothing to be escaped.
fn endpoint_of(line: &str) -> Option<&str> {
    if line.starts_with('#') {
        return None;
    }
    let (before, after) = line.split_once(LABEL)?;
    if !before.ends_with(['{', ',']) {
        return None;
    }
    after.split_once('"').map(|(name, _)| name)
}

#[cfg(test)]
#[path = "gone_tests.rs"]
mod tests;
