//! Whether the loader gets on.
//!
//! What it has and does is noted where it happens, and judged beside it: a round that never comes back does not tell of itself.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Lag, Stalls, Standing};
use service::State;

/// How far partitions were taken in, each with the turn in which that was: the offset behind the last record. The topic is
/// named with its prefix.
pub(crate) type Taken = HashMap<(Arc<str>, i32), (u64, i64)>;

/// What the loader has to do, and when it did something last.
#[derive(Debug, Clone)]
pub(crate) struct Outlook {
    /// Requests that could be loaded, and since when the oldest of them could.
    pub(crate) ready: usize,
    pub(crate) oldest: Option<Instant>,
    /// What is no longer on the log only. Requests that are held are of it, and what was loaded although it comes behind them.
    pub(crate) taken: Taken,
    /// When something was last loaded, or found to be loaded, or the loader began.
    pub(crate) loaded: Instant,
    /// Since when a round is under way.
    pub(crate) round: Option<Instant>,
}

impl Outlook {
    /// The records on the log that were not taken in, in place of those that are not done. `turn` is the one that is under way.
    pub(crate) fn untaken(&self, lags: Vec<Lag>, turn: impl Fn(&Lag) -> Option<u64>) -> Vec<Lag> {
        let untaken = |mut lag: Lag| {
            let taken = self.taken.get(&(Arc::clone(&lag.topic), lag.partition));
            if let Some((epoch, next)) = taken
                && turn(&lag) == Some(*epoch)
                && *next > lag.position
            {
                lag.records = lag.records.map(|records| (records - (next - lag.position)).max(0));
                lag.position = *next;
            }
            lag
        };
        lags.into_iter().map(untaken).collect()
    }
}

/// What is found of it from time to time.
#[derive(Debug, Default)]
pub(crate) struct Verdicts {
    /// Since when requests on the log were not taken in.
    untaken: Stalls,
    /// Since when something waits that could be loaded.
    waiting: Option<Instant>,
    /// When the loader was last seen without a partition.
    outside: Option<Instant>,
}

impl Verdicts {
    /// How it is, for how long nothing was loaded although there was something, and in words. `untaken`: what is on the log
    /// and was not taken in.
    pub(crate) fn of(
        &mut self,
        outlook: &Outlook,
        standing: &Standing,
        untaken: Vec<Lag>,
        stalled_after: Duration,
        now: Instant,
    ) -> (State, Duration, String) {
        let unknown = untaken.iter().any(|lag| lag.records.is_none());
        let waiting: i64 = untaken.iter().filter_map(|lag| lag.records).sum();
        let waits = self.waits(outlook, standing, untaken, now);
        // In a round there may be many commits: each begins the time anew.
        let runs =
            outlook.round.map_or(Duration::ZERO, |since| now.saturating_duration_since(since.max(outlook.loaded)));
        let (stalled, ready) = (waits.max(runs), outlook.ready);
        let (state, text) = if runs >= stalled_after {
            let seconds = runs.as_secs();
            (
                State::Failing,
                format!("stalled: a commit has been under way for {seconds} s, the lake does not answer it"),
            )
        } else if waits >= stalled_after {
            let (waiting, seconds) = (waiting.saturating_add_unsigned(ready as u64), waits.as_secs());
            (State::Failing, format!("stalled: {waiting} requests wait, and nothing was loaded for {seconds} s"))
        } else if let Some((state, text)) = stage::of_standing(standing) {
            (state, text)
        } else if unknown {
            let text = "how many requests wait is not known: the log has not said where topic loads ends";
            (State::Warning, text.to_owned())
        } else {
            (State::Ok, format!("{ready} requests wait"))
        };
        (state, stalled, text)
    }

    /// For how long something has waited that could be loaded, and nothing was.
    fn waits(&mut self, outlook: &Outlook, standing: &Standing, untaken: Vec<Lag>, now: Instant) -> Duration {
        if !standing.is_in() || standing.partitions == 0 {
            // Others load what waits, or nobody can. How long that lasts is told with where it stands.
            *self = Self { outside: Some(now), ..Self::default() };
            return Duration::ZERO;
        }
        let untaken = self.untaken.longest(untaken, true, now).and_then(|(_, lasts)| now.checked_sub(lasts));
        let oldest = outlook.oldest.into_iter().chain(untaken).min();
        self.waiting = match (oldest, self.waiting) {
            // What was on the log is taken in now, and is not loaded for that.
            (Some(oldest), Some(before)) if outlook.ready > 0 => Some(oldest.min(before)),
            (oldest, _) => oldest,
        };
        let begins = [Some(outlook.loaded), self.outside].into_iter().flatten();
        self.waiting.map_or(Duration::ZERO, |since| {
            let since = begins.fold(since, Instant::max);
            now.saturating_duration_since(since)
        })
    }
}

#[cfg(test)]
#[path = "outlook_tests.rs"]
mod tests;
