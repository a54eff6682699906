//! When a remedy may be applied to a target, and when it has to wait. Pure: the time, chance and what was done are arguments.

use std::collections::BTreeSet;

/// How often at most, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pacing {
    /// For so long it must have been needed without a break.
    pub(crate) after_ms: i64,
    /// From one time to the next, doubled after each further one within the window.
    pub(crate) pause_ms: i64,
    /// Up to so much is added by chance.
    pub(crate) jitter_ms: i64,
    /// Within this time
    pub(crate) window_ms: i64,
    /// no more than so often.
    pub(crate) most: usize,
}

/// What is known of one remedy and one target.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempts {
    /// Since when somebody looks: what was done before may not be known.
    pub(crate) started_ms: i64,
    /// Since when it is needed without a break; none: it is not.
    pub(crate) needed_since_ms: Option<i64>,
    /// When it was applied, surely or perhaps, by whoever.
    pub(crate) applied_ms: BTreeSet<i64>,
    /// When it was last tried, and surely nothing was done.
    pub(crate) in_vain_ms: Option<i64>,
    /// What part of the jitter is added, from 0 to 1: drawn once for each attempt, so that it does not shrink with each look.
    pub(crate) roll: f64,
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing.
    NotNeeded,
    /// Nothing before this time.
    Wait { until_ms: i64 },
    /// The remedy may be applied.
    Apply,
    /// It was applied as often as it may be, and is still needed: somebody has to look. Not again before this time.
    Exhausted { until_ms: i64 },
}

impl Attempts {
    pub(crate) fn new(started_ms: i64) -> Self {
        Self { started_ms, needed_since_ms: None, applied_ms: BTreeSet::new(), in_vain_ms: None, roll: 0.0 }
    }

    /// Forgets what does not count any more.
    pub(crate) fn forget(&mut self, pacing: &Pacing, now_ms: i64) {
        let kept = now_ms.saturating_sub(pacing.window_ms.saturating_mul(2));
        self.applied_ms.retain(|at| *at > kept);
    }
}

impl Pacing {
    /// What is to be done at this moment.
    pub(crate) fn next(&self, attempts: &Attempts, now_ms: i64) -> Next {
        let Some(since) = attempts.needed_since_ms else { return Next::NotNeeded };
        let lasts = since.saturating_add(self.after_ms);
        let often = attempts.applied_ms.iter().rev().nth(self.most.saturating_sub(1));
        // What has not lasted yet may be over by itself: nobody has to be told that nothing will be done.
        if let Some(at) = often.filter(|_| now_ms >= lasts)
            && now_ms < at.saturating_add(self.window_ms)
        {
            return Next::Exhausted { until_ms: at.saturating_add(self.window_ms) };
        }
        // Nobody knows what was done just before the start.
        let begins = attempts.started_ms.saturating_add(self.pause_ms);
        let again =
            attempts.applied_ms.last().map_or(i64::MIN, |last| last.saturating_add(self.pause(attempts, *last)));
        let in_vain = attempts.in_vain_ms.map_or(i64::MIN, |at| at.saturating_add(self.pause_ms));
        let jitter_ms = (self.jitter_ms as f64 * attempts.roll.clamp(0.0, 1.0)) as i64;
        let until_ms = lasts.max(begins).max(again).max(in_vain).saturating_add(jitter_ms);
        if now_ms < until_ms { Next::Wait { until_ms } } else { Next::Apply }
    }

    /// After the last time, which was one of so many within the window before it.
    fn pause(&self, attempts: &Attempts, last_ms: i64) -> i64 {
        let from = last_ms.saturating_sub(self.window_ms);
        let before = attempts.applied_ms.range(..last_ms).rev().take_while(|at| **at > from).count();
        let doubled = (0..before).fold(self.pause_ms, |pause, _| pause.saturating_mul(2));
        doubled.min(self.window_ms.max(self.pause_ms))
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
