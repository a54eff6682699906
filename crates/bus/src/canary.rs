//! Canaries: records that go the way of events to show that it is open, and are no events.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One that is older proves nothing any more, as when a topic is read again: it is let go.
const STALE: Duration = Duration::from_secs(3600);

/// A canary, as the header `weir-canary` has it: `raw.github/3@1772368496000`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Where it began: a raw topic without the prefix, and a partition of it. It keeps this name on all of its way.
    pub way: Arc<str>,
    /// When it was sent, in milliseconds since 1970.
    pub sent_at_ms: u64,
}

impl Canary {
    /// One that is sent now into this partition of this topic, named without the prefix.
    #[must_use]
    pub fn new(topic: &str, partition: usize, now: SystemTime) -> Self {
        let since = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        let sent_at_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        Self { way: format!("{topic}/{partition}").into(), sent_at_ms }
    }

    /// When it was sent.
    #[must_use]
    pub fn sent_at(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_millis(self.sent_at_ms)).unwrap_or(UNIX_EPOCH)
    }

    /// Whether it is of another time: it was replayed, or lay on the log.
    #[must_use]
    pub fn is_stale(&self, now: SystemTime) -> bool {
        now.duration_since(self.sent_at()).is_ok_and(|age| age > STALE)
    }

    /// Those of a header: one that cannot be read is left out.
    pub(crate) fn list(value: &str) -> Vec<Self> {
        value.split(',').filter_map(|one| one.parse().ok()).collect()
    }

    /// Adds one to the latest of each way.
    pub fn keep_latest(latest: &mut Vec<Self>, one: Self) {
        match latest.iter_mut().find(|known| known.way == one.way) {
            Some(known) if known.sent_at_ms < one.sent_at_ms => *known = one,
            Some(_) => {}
            None => latest.push(one),
        }
    }
}

impl fmt::Display for Canary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.way, self.sent_at_ms)
    }
}

impl FromStr for Canary {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (way, sent_at_ms) = text.rsplit_once('@').ok_or(())?;
        let sent_at_ms = sent_at_ms.parse().map_err(|_| ())?;
        if way.is_empty() || way.contains(',') { Err(()) } else { Ok(Self { way: way.into(), sent_at_ms }) }
    }
}

#[cfg(test)]
#[path = "canary_tests.rs"]
mod tests;
