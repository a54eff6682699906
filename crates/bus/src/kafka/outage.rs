//! What the log says of brokers that are away: that it begins, what is wrong, how often it was tried in each minute, and
//! that it ends. Every client of a process tries, several times a second, and each would say the same. Pure.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Between two lines that say that it lasts, and that it begins again.
const EVERY: Duration = Duration::from_secs(60);
/// So many reasons are told of one outage.
const REASONS: usize = 8;
/// The statistics of a client may be older than what another one says.
const STALE: Duration = Duration::from_secs(3);

/// One of the process: its clients have one cluster.
#[derive(Debug, Default)]
pub(super) struct Outage {
    since: Option<Instant>,
    /// When the last line was written, and whether the beginning was one.
    told: Option<Instant>,
    is_told: bool,
    /// Attempts since the last line.
    attempts: u64,
    all_attempts: u64,
    reasons: BTreeSet<String>,
    /// Clients that know no broker which answers.
    down: usize,
}

/// A line for the log.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    Begins {
        reason: String,
    },
    /// Another reason than those told before.
    Also {
        reason: String,
    },
    Lasts {
        reason: String,
        attempts: u64,
        lasted: Duration,
    },
    Ended {
        attempts: u64,
        lasted: Duration,
    },
}

impl Outage {
    pub(super) const fn new() -> Self {
        Self {
            since: None,
            told: None,
            is_told: false,
            attempts: 0,
            all_attempts: 0,
            reasons: BTreeSet::new(),
            down: 0,
        }
    }

    /// A client says that it reaches no broker, with the address and why; `first`: it reached one before, or is new.
    pub(super) fn down(&mut self, now: Instant, reason: &str, first: bool) -> Option<Line> {
        self.down += usize::from(first);
        self.attempts += 1;
        self.all_attempts += 1;
        // What follows is different each time.
        let reason = reason.split(" (after ").next().unwrap_or_default().to_owned();
        let is_due = self.told.is_none_or(|told| now.duration_since(told) >= EVERY);
        let Some(since) = self.since else {
            (self.since, self.all_attempts) = (Some(now), 1);
            // A connection that comes and goes all the time is no new line each time.
            self.is_told = is_due;
            return is_due.then(|| self.tell(now, reason, |reason, _| Line::Begins { reason }));
        };
        let is_new = self.reasons.len() < REASONS && !self.reasons.contains(&reason);
        if is_due {
            self.is_told = true;
            let lasted = now.duration_since(since);
            return Some(self.tell(now, reason, |reason, attempts| Line::Lasts { reason, attempts, lasted }));
        }
        if is_new && self.is_told {
            self.reasons.insert(reason.clone());
            return Some(Line::Also { reason });
        }
        None
    }

    /// A client that reached none reaches one, or is gone.
    pub(super) fn not_down(&mut self) {
        self.down = self.down.saturating_sub(1);
    }

    /// A client has a broker that answers.
    pub(super) fn up(&mut self, now: Instant) -> Option<Line> {
        let lasted = now.duration_since(self.since?);
        if self.down > 0 || lasted < STALE {
            return None;
        }
        self.since = None;
        self.reasons.clear();
        let attempts = std::mem::take(&mut self.all_attempts);
        std::mem::take(&mut self.is_told).then_some(Line::Ended { attempts, lasted })
    }

    fn tell(&mut self, now: Instant, reason: String, line: impl FnOnce(String, u64) -> Line) -> Line {
        self.told = Some(now);
        if self.reasons.len() < REASONS {
            self.reasons.insert(reason.clone());
        }
        line(reason, std::mem::take(&mut self.attempts))
    }
}

impl Line {
    pub(super) fn write(&self, client: &str) {
        match self {
            Line::Begins { reason } => tracing::warn!(client, reason, "no broker is reachable, reconnecting"),
            Line::Also { reason } => {
                tracing::warn!(client, reason, "no broker is reachable, another reason was reported");
            }
            Line::Lasts { reason, attempts, lasted } => {
                let lasted_s = lasted.as_secs();
                tracing::warn!(client, reason, attempts, lasted_s, "still no broker is reachable, reconnecting");
            }
            Line::Ended { attempts, lasted } => {
                tracing::info!(client, attempts, lasted_s = lasted.as_secs(), "brokers are reachable again");
            }
        }
    }
}

#[cfg(test)]
#[path = "outage_tests.rs"]
mod tests;
