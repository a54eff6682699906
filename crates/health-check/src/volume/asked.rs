//! What the platforms say of endpoints of which nothing comes any more. Pure: who asks is told whom to ask, and tells the answer.

use std::collections::{BTreeMap, BTreeSet};

use platforms::PlatformAnswer;

/// So many are asked at once.
const AT_ONCE: usize = 8;
/// While an endpoint stays silent its platform is asked again, in seconds: somebody may have subscribed again.
const AGAIN: i64 = 600;
/// Between two looks at who is to be asked, and for the answer to be told, in seconds.
const SLACK: i64 = 5;

/// Who is silent, and what the platform says of it. By default no endpoint can be asked for.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    /// Those that can be asked for.
    endpoints: BTreeSet<String>,
    /// How long an answer may take, in seconds.
    limit: i64,
    silent: BTreeMap<String, Question>,
}

#[derive(Debug, Clone)]
struct Question {
    /// Since when an answer is waited for.
    since: i64,
    /// When the platform was last asked, if there is no answer to that yet.
    asking: Option<i64>,
    answer: Option<(i64, PlatformAnswer)>,
}

/// What is known of a silent endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer may still come.
    Waiting,
    /// This one came; or there is nobody to ask.
    Answer(PlatformAnswer),
    /// None came in time.
    Nothing {
        /// In seconds.
        limit: i64,
    },
}

impl Asked {
    /// These endpoints can be asked for, and an answer takes at most so many seconds.
    #[must_use]
    pub fn new(endpoints: impl IntoIterator<Item = String>, limit: i64) -> Self {
        Self { endpoints: endpoints.into_iter().collect(), limit, silent: BTreeMap::new() }
    }

    /// These are silent at present, and the others are not any more.
    pub(crate) fn are_silent(&mut self, endpoints: &BTreeSet<&str>, now: i64) {
        self.silent.retain(|known, _| endpoints.contains(known.as_str()));
        for endpoint in endpoints.iter().filter(|endpoint| self.endpoints.contains(**endpoint)) {
            let new = || Question { since: now, asking: None, answer: None };
            self.silent.entry((*endpoint).to_owned()).or_insert_with(new);
        }
    }

    /// Whom to ask for now. Each is told once, and again if no answer comes, or the answer is old.
    pub(crate) fn to_ask(&mut self, now: i64) -> Vec<String> {
        let limit = self.limit + SLACK;
        let is_due = |question: &Question| {
            let is_asked = question.asking.is_some_and(|at| (at..=at + limit).contains(&now));
            let is_known = question.answer.as_ref().is_some_and(|(at, _)| (*at..*at + AGAIN).contains(&now));
            !is_asked && !is_known
        };
        let due = self.silent.iter_mut().filter(|(_, question)| is_due(question)).take(AT_ONCE);
        due.map(|(endpoint, question)| {
            question.asking = Some(now);
            endpoint.clone()
        })
        .collect()
    }

    /// What the platform says.
    pub(crate) fn answered(&mut self, endpoint: &str, answer: PlatformAnswer, now: i64) {
        if let Some(question) = self.silent.get_mut(endpoint) {
            (question.asking, question.answer) = (None, Some((now, answer)));
        }
    }

    /// What is known of a silent endpoint.
    pub(crate) fn of(&self, endpoint: &str, now: i64) -> Heard {
        let Some(question) = self.silent.get(endpoint) else { return Heard::Answer(PlatformAnswer::NotAsked) };
        // A clock that is set back is no reason to wait for longer.
        let may_come = (question.since..=question.since + self.limit + SLACK).contains(&now);
        match &question.answer {
            Some((_, answer)) => Heard::Answer(answer.clone()),
            None if may_come => Heard::Waiting,
            None => Heard::Nothing { limit: self.limit },
        }
    }
}

#[cfg(test)]
#[path = "asked_tests.rs"]
mod tests;
