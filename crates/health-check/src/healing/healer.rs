//! After each round: what is needed, whether it may be done by now, and doing it.

use std::sync::Arc;

use tokio::time::timeout;

use super::audit::{Attempt, Audit, Came};
use super::policy::{Attempts, Next, Pacing};
use super::remedy::{NotApplied, Remedy, Seen};
use crate::pipeline::View;

/// Why a target needs a remedy; none: it needs none.
pub(super) type Needs = fn(&View, &str) -> Option<String>;

/// A remedy and a target that it may be applied to.
pub(super) struct Case {
    remedy: Arc<dyn Remedy>,
    target: String,
    needs: Needs,
    attempts: Attempts,
}

impl Case {
    pub(super) fn new(remedy: Arc<dyn Remedy>, target: &str, needs: Needs, started_ms: i64) -> Self {
        Self { remedy, target: target.to_owned(), needs, attempts: Attempts::new(started_ms) }
    }
}

/// Applies the remedies, one after the other.
pub(super) struct Healer {
    cases: Vec<Case>,
    pacing: Pacing,
    dry_run: bool,
    audit: Audit,
    /// From 0 to 1, by chance.
    roll: fn() -> f64,
}

impl Healer {
    pub(super) fn new(cases: Vec<Case>, pacing: Pacing, dry_run: bool, audit: Audit) -> Self {
        Self { cases, pacing, dry_run, audit, roll: fastrand::f64 }
    }

    /// What a round found.
    pub(super) async fn round(&mut self, view: &View, now_ms: i64) {
        let mut cases = std::mem::take(&mut self.cases);
        for case in &mut cases {
            self.look_at(case, view, now_ms).await;
        }
        self.cases = cases;
    }

    async fn look_at(&self, case: &mut Case, view: &View, now_ms: i64) {
        let (name, target) = (case.remedy.name(), case.target.as_str());
        let attempts = &mut case.attempts;
        let Some(reason) = (case.needs)(view, target) else {
            attempts.needed_since_ms = None;
            self.audit.open(name, target, None);
            return;
        };
        if attempts.needed_since_ms.is_none() {
            attempts.roll = (self.roll)();
        }
        // A clock that was set back begins anew.
        let since = attempts.needed_since_ms.map_or(now_ms, |since| since.min(now_ms));
        attempts.needed_since_ms = Some(since);
        attempts.forget(&self.pacing, now_ms);
        match self.pacing.next(attempts, now_ms) {
            Next::NotNeeded | Next::Wait { .. } => return,
            Next::Exhausted { until_ms } => return self.exhausted(case, &reason, until_ms),
            Next::Apply => {}
        }
        let limit = case.remedy.limit();
        let seen = timeout(limit, case.remedy.look(target)).await;
        let seen = match seen.unwrap_or_else(|_| Err(format!("no answer within {limit:?}"))) {
            Ok(seen) => seen,
            Err(problem) => return self.tried(case, reason, Err(NotApplied::Refused(problem)), now_ms),
        };
        attempts.applied_ms.extend(&seen.applied_ms);
        attempts.forget(&self.pacing, now_ms);
        match self.pacing.next(attempts, now_ms) {
            Next::NotNeeded | Next::Wait { .. } => return,
            Next::Exhausted { until_ms } => return self.exhausted(case, &reason, until_ms),
            Next::Apply => {}
        }
        if let Some(busy) = &seen.busy {
            tracing::debug!(remedy = name, on = target, busy, "healing waits");
            return;
        }
        let came = if self.dry_run { Ok(()) } else { self.apply(case, seen, now_ms).await };
        self.tried(case, reason, came, now_ms);
    }

    async fn apply(&self, case: &Case, seen: Seen, now_ms: i64) -> Result<(), NotApplied> {
        // What is older counts no more.
        let from = now_ms.saturating_sub(self.pacing.window_ms);
        let applied_ms = case.attempts.applied_ms.iter().copied().filter(|at| *at > from).collect();
        let seen = Seen { applied_ms, ..seen };
        let limit = case.remedy.limit();
        let applied = timeout(limit, case.remedy.apply(&case.target, &seen, now_ms)).await;
        applied.unwrap_or_else(|_| Err(NotApplied::Unsure(format!("no answer within {limit:?}"))))
    }

    /// Keeps what came of an attempt. What may have been done counts as done.
    fn tried(&self, case: &mut Case, reason: String, came: Result<(), NotApplied>, now_ms: i64) {
        let (came, problem) = match came {
            Ok(()) if self.dry_run => (Came::DryRun, String::new()),
            Ok(()) => (Came::Applied, String::new()),
            Err(NotApplied::Overtaken) => (Came::Overtaken, "another one has changed it meanwhile".to_owned()),
            Err(NotApplied::Refused(problem)) => (Came::Refused, problem),
            Err(NotApplied::Unsure(problem)) => (Came::Unsure, problem),
        };
        case.attempts.roll = (self.roll)();
        match came {
            Came::Applied | Came::DryRun | Came::Unsure => _ = case.attempts.applied_ms.insert(now_ms),
            Came::Refused => case.attempts.in_vain_ms = Some(now_ms),
            // The next look says what the other one did.
            Came::Overtaken => {}
        }
        let (remedy, target) = (case.remedy.name(), case.target.clone());
        let open = (came == Came::Refused).then(|| format!("it was needed, and could not be done: {problem}"));
        self.audit.open(remedy, &target, open);
        self.audit.add(Attempt { at_ms: now_ms, remedy, target, reason, came, problem });
    }

    fn exhausted(&self, case: &Case, reason: &str, until_ms: i64) {
        let (often, at) = (self.pacing.most, common::time::from_millis(until_ms));
        let done = if self.dry_run { "would have been done" } else { "was done" };
        let problem = format!("it {done} {often} times and did not help, so not again before {at}: {reason}");
        self.audit.open(case.remedy.name(), &case.target, Some(problem));
    }
}

#[cfg(test)]
#[path = "healer_tests.rs"]
mod tests;
