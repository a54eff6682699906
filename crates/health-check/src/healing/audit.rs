//! What was done without a person, and what could not be: for the page, for programs, and for whoever is told of alerts.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use alerts::{Alert, Class};
use common::time::from_millis;

/// The check that an alert about it has.
pub(crate) const CHECK: &str = "healing";
/// So many are shown, the latest.
const KEPT: usize = 20;
/// For so long people are told of what was done.
const TOLD_MS: i64 = 3_600_000;

/// What came of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// It was applied.
    Applied,
    /// It would have been.
    DryRun,
    /// Somebody else was faster.
    Overtaken,
    /// It was not.
    Refused,
    /// Nobody knows.
    Unsure,
}

impl Came {
    /// As the label of a metric.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::DryRun => "dry_run",
            Self::Overtaken => "overtaken",
            Self::Refused => "refused",
            Self::Unsure => "unsure",
        }
    }

    /// For people.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Applied => "done",
            Self::DryRun => "dry run: would have been done",
            Self::Overtaken => "left to another",
            Self::Refused => "could not be done",
            Self::Unsure => "perhaps done",
        }
    }
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) at_ms: i64,
    pub(crate) remedy: &'static str,
    pub(crate) target: String,
    /// What it was to help against.
    pub(crate) reason: String,
    pub(crate) came: Came,
    /// Why it was not applied.
    pub(crate) problem: String,
}

/// What somebody has to look at: of a remedy and its target.
type Open = BTreeMap<(&'static str, String), String>;

#[derive(Debug, Default)]
struct Kept {
    attempts: VecDeque<Attempt>,
    open: Open,
}

/// Shared by whoever heals and those who show it. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Audit(Arc<Mutex<Kept>>);

impl Audit {
    /// Keeps an attempt, logs it and counts it.
    pub(crate) fn add(&self, attempt: Attempt) {
        let Attempt { remedy, target, reason, came, problem, .. } = &attempt;
        // Not as an error: those count, and may be what it was to help against.
        tracing::info!(remedy, on = target, reason, outcome = came.name(), problem, "healing");
        metrics::counter!("weir_healing_attempts_total", "remedy" => *remedy, "target" => target.clone(),
            "outcome" => came.name())
        .increment(1);
        self.with(|kept| {
            kept.attempts.push_front(attempt);
            kept.attempts.truncate(KEPT);
        });
    }

    /// Somebody has to look at this; none: nobody any more.
    pub(crate) fn open(&self, remedy: &'static str, target: &str, problem: Option<String>) {
        let is_new = self.with(|kept| {
            let key = (remedy, target.to_owned());
            match &problem {
                Some(problem) => kept.open.insert(key, problem.clone()).is_none(),
                None => {
                    kept.open.remove(&key);
                    false
                }
            }
        });
        if let Some(problem) = problem.filter(|_| is_new) {
            tracing::info!(remedy, on = target, problem, "healing needs a person");
        }
    }

    /// The latest first.
    pub(crate) fn attempts(&self) -> Vec<Attempt> {
        self.with(|kept| kept.attempts.iter().cloned().collect())
    }

    /// What somebody has to look at, in words.
    pub(crate) fn problems(&self) -> Vec<String> {
        self.with(|kept| {
            kept.open.iter().map(|((remedy, target), problem)| format!("{remedy} {target}: {problem}")).collect()
        })
    }

    /// What receivers of alerts are told: of what was done for the record, of what cannot be done in working hours.
    pub(crate) fn alerts(&self, now_ms: i64) -> Vec<Alert> {
        self.with(|kept| {
            let recent = kept.attempts.iter().filter(|one| one.came != Came::Overtaken && now_ms - one.at_ms < TOLD_MS);
            let done = recent.filter(|one| one.came != Came::Refused).map(|one| Alert {
                // One more is news.
                subjects: vec![from_millis(one.at_ms).to_string()],
                since_ms: one.at_ms,
                ..alert(Class::Log, &one.target, one.says(), DONE)
            });
            let open = kept.open.iter().map(|((remedy, target), problem)| Alert {
                since_ms: now_ms,
                ..alert(Class::Ticket, target, format!("{remedy} {target}: {problem}"), OPEN)
            });
            open.chain(done).collect()
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut Kept) -> T) -> T {
        // Nothing panics while it is held.
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

const DONE: &str = "Nothing to do now. Find out in the log of the stage why it was needed.";
const OPEN: &str =
    "Look at the stage: what helps has to be done by a person. docs/healing.md says what healing may do.";

fn alert(class: Class, stage: &str, text: String, advice: &str) -> Alert {
    Alert {
        stage: stage.to_owned(),
        check: CHECK.to_owned(),
        class,
        instances: Vec::new(),
        subjects: Vec::new(),
        text,
        advice: advice.to_owned(),
        runbook: String::new(),
        since_ms: 0,
    }
}

impl Attempt {
    /// In a sentence without a full stop.
    pub(crate) fn says(&self) -> String {
        let Self { at_ms, remedy, target, reason, came, problem } = self;
        let at = from_millis(at_ms.div_euclid(1000) * 1000);
        let problem = if problem.is_empty() { String::new() } else { format!(" ({problem})") };
        format!("{remedy} {target}: {}{problem} at {at}, because of {reason}", came.word())
    }
}

#[cfg(test)]
#[path = "audit_tests.rs"]
mod tests;
