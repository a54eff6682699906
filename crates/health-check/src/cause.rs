//! What lies behind the problems: what has one cause is told once, and what only follows from it stands below it. Pure.
//!
//! A problem that follows from another is never more urgent than that: so nothing that wakes somebody is hidden, and the
//! most urgent cause says how the pipeline is.

mod kinds;

use std::cmp::Reverse;

use common::few::few;
use common::health::v1::{self, Action, State};
use prost_types::Timestamp;
use service::digest_json::{action_name, state_name};

use self::kinds::{KINDS, Kind};
use crate::problems::Problem;
use crate::urgency::Urgency;

/// Problems that have one cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
    /// The same as long as it lasts, and of no other one; empty where only gRPC told of it.
    pub id: String,
    /// Of the worst that says it.
    pub state: State,
    /// What it asks for.
    pub action: Action,
    /// What is wrong, in some words without a full stop.
    pub summary: String,
    /// What to do about it.
    pub advice: String,
    /// The stages it is about, also those that only wait.
    pub hops: Vec<String>,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// The problems that say it, the worst first: places in the list of problems.
    pub signs: Vec<usize>,
    /// The problems that follow from it: places in the list of problems.
    pub consequences: Vec<usize>,
}

impl Cause {
    /// What it asks for.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        Urgency::of(self.state, self.action)
    }

    /// What is wrong and what to do, at the top of everything.
    #[must_use]
    pub fn sentence(&self) -> String {
        let first = self.advice.split_inclusive(". ").next().unwrap_or_default().trim_end();
        format!("{}. {first}", self.summary.trim_end_matches('.'))
    }

    /// As a line for people: how bad it is, and [`Cause::sentence`].
    #[must_use]
    pub fn line(&self) -> String {
        // The class says what a failure asks for, and nothing else does.
        let class =
            if self.state == State::Failing { format!(" ({})", action_name(self.action)) } else { String::new() };
        format!("{}{class}: {}", state_name(self.state), self.sentence())
    }

    /// As gRPC tells it.
    pub(crate) fn told(&self) -> v1::Cause {
        let places = |list: &[usize]| list.iter().map(|&at| at as u32).collect();
        v1::Cause {
            state: self.state.into(),
            action: self.action.into(),
            summary: self.summary.clone(),
            advice: self.advice.clone(),
            hops: self.hops.clone(),
            since: self.since,
            signs: places(&self.signs),
            consequences: places(&self.consequences),
        }
    }
}

impl From<&v1::Cause> for Cause {
    fn from(told: &v1::Cause) -> Self {
        let places = |list: &[u32]| list.iter().map(|&at| at as usize).collect();
        Self {
            id: String::new(),
            state: told.state(),
            action: told.action(),
            summary: told.summary.clone(),
            advice: told.advice.clone(),
            hops: told.hops.clone(),
            since: told.since,
            signs: places(&told.signs),
            consequences: places(&told.consequences),
        }
    }
}

const LOG: &str = "Check that the brokers are up and reachable (setting bus.kafka.brokers), or the disk of the embedded log. \
                   Senders get 503. Most re-send; redeliver GitHub's from its page. Every stage resumes by itself when \
                   the log answers.";

/// The causes of these problems, the most urgent first. `order`: the stages in the order of the data's way.
pub(crate) fn causes(problems: &[Problem], order: &[&str]) -> Vec<Cause> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, problem) in problems.iter().enumerate() {
        let kind = Kind::of(problem);
        let key = Key::of(problem, kind);
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.signs.push(at),
            None => groups.push(Group { key, kind, signs: vec![at], consequences: Vec::new() }),
        }
    }
    // What may explain others comes before them.
    groups.sort_by_key(|group| group.kind.unwrap_or(KINDS.len()));
    let mut causes: Vec<Group> = Vec::new();
    for group in groups {
        let mut own = Vec::new();
        for &at in &group.signs {
            let explains = |cause: &&mut Group| cause.explains(&problems[at], problems, order);
            match causes.iter_mut().find(explains) {
                Some(cause) => cause.consequences.push(at),
                None => own.push(at),
            }
        }
        if !own.is_empty() {
            causes.push(Group { signs: own, ..group });
        }
    }
    let mut causes: Vec<Cause> = causes.into_iter().map(|group| group.cause(problems)).collect();
    let first = |cause: &Cause| cause.signs.first().copied();
    causes.sort_by_key(|cause| (Reverse(cause.urgency()), first(cause)));
    causes
}

/// What makes problems those of one cause.
#[derive(PartialEq)]
enum Key {
    /// Several stages need the same thing.
    Shared(&'static str),
    /// A check and its stages, however bad it is.
    Own(String, Vec<String>),
}

impl Key {
    fn of(problem: &Problem, kind: Option<usize>) -> Self {
        match kind.and_then(|kind| KINDS[kind].says) {
            Some([says, _]) => Self::Shared(says),
            None => Self::Own(problem.check.clone(), problem.hops.clone()),
        }
    }

    fn id(&self) -> String {
        match self {
            Self::Shared(says) => (*says).to_owned(),
            Self::Own(check, hops) => format!("{check}-{}", hops.join("-")),
        }
    }
}

struct Group {
    key: Key,
    /// The kind of the worst.
    kind: Option<usize>,
    /// Places of problems: the worst first, as these are in order.
    signs: Vec<usize>,
    consequences: Vec<usize>,
}

impl Group {
    /// Whether a problem follows from it: something of the same stage, or for what grows old on the way, of an earlier one.
    fn explains(&self, problem: &Problem, problems: &[Problem], order: &[&str]) -> bool {
        let Some(kind) = self.kind.map(|kind| &KINDS[kind]) else { return false };
        // What is more urgent is never put below.
        let worst = &problems[self.signs[0]];
        if !kind.leads_to(problem) || worst.urgency() < problem.urgency() {
            return false;
        }
        let place = |hop: &String| order.iter().position(|known| known == hop);
        let hops = || self.signs.iter().flat_map(|&at| &problems[at].hops);
        let grows_old = problem.check == "age";
        // The door holds senders back for what processing found.
        problem.check.ends_with("_storms")
            || problem.hops.iter().all(|hop| {
                hops().any(|mine| mine == hop || (grows_old && place(mine).is_some() && place(mine) < place(hop)))
            })
    }

    fn cause(mut self, problems: &[Problem]) -> Cause {
        self.consequences.sort_unstable();
        let worst = &problems[self.signs[0]];
        let own = hops_of(&self.signs, problems);
        let all: Vec<usize> = self.signs.iter().chain(&self.consequences).copied().collect();
        let hops = hops_of(&all, problems);
        let earlier = |a: &Timestamp, b: &Timestamp| (a.seconds, a.nanos).cmp(&(b.seconds, b.nanos));
        let since = self.signs.iter().filter_map(|&at| problems[at].since).min_by(earlier);
        let kind = self.kind.map(|kind| &KINDS[kind]);
        let says = kind.and_then(|kind| kind.says).filter(|_| own.len() > 1);
        let summary = match says {
            Some([says, they]) => format!("{says}: {} stages {they}", own.len()),
            None => {
                let more = self.signs.len() - 1;
                let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
                format!("{}: {}{more}", few(&worst.hops, ", "), worst.found)
            }
        };
        let is_log_away = says.is_some() && kind.is_some_and(Kind::is_log_away);
        Cause {
            id: self.key.id(),
            state: worst.state,
            action: worst.action,
            summary,
            advice: if is_log_away { LOG } else { worst.advice }.to_owned(),
            hops: hops.into_iter().map(str::to_owned).collect(),
            since,
            signs: self.signs,
            consequences: self.consequences,
        }
    }
}

/// The stages of these problems, each once.
fn hops_of<'a>(places: &[usize], problems: &'a [Problem]) -> Vec<&'a str> {
    let mut hops: Vec<&str> = Vec::new();
    for hop in places.iter().flat_map(|&at| &problems[at].hops) {
        if !hops.contains(&hop.as_str()) {
            hops.push(hop);
        }
    }
    hops
}

#[cfg(test)]
#[path = "cause_tests.rs"]
mod tests;
