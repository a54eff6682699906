//! What lies behind the problems: what has one cause is told once, and what only follows from it stands below it. Pure.
//!
//! A problem that follows from another is never more urgent than that: so nothing that wakes somebody is hidden, and the
//! most urgent cause says how the pipeline is.

use std::cmp::Reverse;

use common::few::few;
use common::health::v1::{self, Action, State};
use prost_types::Timestamp;
use service::digest_json::{action_name, state_name};

use crate::problems::Problem;
use crate::stage::PROBES;
use crate::urgency::Urgency;

/// Problems that have one cause.
#[derive(Debug, Clone, PartialEq)]
pub struct Cause {
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

/// Something that several stages need: how the names of its checks end, and what is said where several fail.
struct Shared {
    ends: &'static [&'static str],
    says: &'static str,
}

/// The deepest first: what an earlier one explains, a later one does not.
const SHARED: &[Shared] = &[
    Shared { ends: &["_log", "_kafka"], says: "The log does not answer" },
    Shared { ends: &["_claims"], says: "The claims' store does not answer" },
    Shared { ends: &["_topics"], says: "Topics are missing, or have wrong settings" },
    Shared { ends: &["_lake"], says: "The object store of the lake does not answer" },
    Shared { ends: &["registrations_database"], says: "The database of the registrations does not answer" },
    Shared { ends: &["instances"], says: "Instances are missing" },
];

/// Where a failure explains why its stage does nothing.
const STOPS: &[&str] = &["_partitions", "_held", "_dead_letter_storm", "_endpoint_dead_letters", "_load_requests"];

/// What may only follow from something else, in its own stage. Where nothing explains it, it is told by itself. The earlier
/// explain the later.
const FOLLOWS: &[&str] = &[
    "_load_requests",
    "_registrations",
    "_published",
    "_progress",
    "consumer",
    "_retention",
    "lag",
    "in_work",
    "age",
    "_saturation",
    "dead_letters",
    "error_rate",
    "ready",
];

const LOG: &str = "Check that the brokers are up and reachable (setting bus.kafka.brokers), or the disk of the embedded log. \
                   Senders get 503. Most re-send; redeliver GitHub's from its page. Every stage resumes by itself when \
                   the log answers.";

/// The causes of these problems, the most urgent first. `order`: the stages in the order of the data's way.
pub(crate) fn causes(problems: &[Problem], order: &[&str]) -> Vec<Cause> {
    let mut groups: Vec<Group> = Vec::new();
    for (at, problem) in problems.iter().enumerate() {
        let key = key(problem);
        match groups.iter_mut().find(|group| group.key == key) {
            Some(group) => group.signs.push(at),
            None => groups.push(Group { key, signs: vec![at], consequences: Vec::new() }),
        }
    }
    groups.sort_by_key(Group::depth);
    let mut causes: Vec<Group> = Vec::new();
    for group in groups {
        let mut own = Vec::new();
        for &at in &group.signs {
            let explains = |cause: &&mut Group| cause.explains(&group.key, &problems[at], problems, order);
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

/// What has one name has one cause; so has what several stages need.
fn key(problem: &Problem) -> String {
    let ends = |shared: &&Shared| is_called(&problem.check, shared.ends);
    // What is not known, or only near a limit, is no reason yet to say that what all need is away.
    match SHARED.iter().find(ends) {
        Some(shared) if problem.state == State::Failing && !is_probe(problem) => shared.says.to_owned(),
        _ => problem.check.clone(),
    }
}

/// The names of probes are whatever their settings say.
fn is_probe(problem: &Problem) -> bool {
    problem.hops.iter().any(|hop| hop == PROBES)
}

/// Whether a check has one of these names: checks of services begin with the stage, those of health-check's own do not.
fn is_called(check: &str, ends: &[&str]) -> bool {
    ends.iter().any(|end| if end.starts_with('_') { check.ends_with(end) } else { check == *end })
}

struct Group {
    key: String,
    /// Places of problems: the worst first, as these are in order.
    signs: Vec<usize>,
    consequences: Vec<usize>,
}

impl Group {
    fn shared(&self) -> Option<usize> {
        SHARED.iter().position(|shared| shared.says == self.key)
    }

    /// What may explain others comes before them.
    fn depth(&self) -> usize {
        let stops = is_called(&self.key, STOPS);
        let follows = FOLLOWS.iter().position(|end| is_called(&self.key, &[end]));
        match (self.shared(), follows) {
            (Some(depth), _) => depth,
            (None, _) if self.key.contains("_step_") || (stops && follows.is_none()) => SHARED.len(),
            (None, Some(depth)) => SHARED.len() + 2 + depth,
            (None, None) => SHARED.len() + 1,
        }
    }

    /// Whether a problem follows from it: something of the same stage, or for what grows old on the way, of an earlier one.
    fn explains(&self, key: &str, problem: &Problem, problems: &[Problem], order: &[&str]) -> bool {
        let worst = &problems[self.signs[0]];
        let is = |ends: &[&str]| is_called(&problem.check, ends);
        let stops = self.shared().is_some() || self.depth() == SHARED.len();
        let is_lag = self.key == "lag";
        // The door holds senders back for what processing found.
        let held_back = problem.check.ends_with("_storms") && self.key.contains("dead_letter");
        let waits = problem.state == State::Unknown && is(&["_topics"]) && self.shared() == Some(0);
        let can = match problem.check.as_str() {
            "age" => stops || is_lag,
            _ => (stops && is(FOLLOWS)) || waits || held_back || (is_lag && is(&["_retention"])),
        };
        // A warning explains nothing but what it leads to by itself; and what is more urgent is never put below.
        let fails = worst.state == State::Failing || is_lag || held_back;
        if !can || !fails || self.key == key || worst.urgency() < problem.urgency() {
            return false;
        }
        let place = |hop: &String| order.iter().position(|known| known == hop);
        let hops = || self.signs.iter().flat_map(|&at| &problems[at].hops);
        let grows_old = problem.check == "age";
        held_back
            || problem.hops.iter().all(|hop| {
                hops().any(|mine| mine == hop || (grows_old && place(mine).is_some() && place(mine) < place(hop)))
            })
    }

    fn cause(mut self, problems: &[Problem]) -> Cause {
        self.consequences.sort_unstable();
        let worst = &problems[self.signs[0]];
        let mut hops: Vec<String> = Vec::new();
        for &at in self.signs.iter().chain(&self.consequences) {
            for hop in &problems[at].hops {
                if !hops.contains(hop) {
                    hops.push(hop.clone());
                }
            }
        }
        let earlier = |a: &Timestamp, b: &Timestamp| (a.seconds, a.nanos).cmp(&(b.seconds, b.nanos));
        let since = self.signs.iter().filter_map(|&at| problems[at].since).min_by(earlier);
        let own: Vec<&str> = self.own_hops(problems);
        let summary = match self.shared() {
            Some(shared) if own.len() > 1 => {
                let says = if shared == 0 && self.signs.iter().any(|&at| problems[at].found.contains("broker")) {
                    "The brokers do not answer"
                } else {
                    SHARED[shared].says
                };
                let verb = if self.key == "Instances are missing" { "are short of them" } else { "wait" };
                format!("{says}: {} stages {verb}", own.len())
            }
            _ => {
                let more = self.signs.len() - 1;
                let more = if more > 0 { format!(" (and {more} more)") } else { String::new() };
                format!("{}: {}{more}", few(&worst.hops, ", "), worst.found)
            }
        };
        let advice = if own.len() > 1 && self.shared() == Some(0) { LOG } else { worst.advice };
        Cause {
            state: worst.state,
            action: worst.action,
            summary,
            advice: advice.to_owned(),
            hops,
            since,
            signs: self.signs,
            consequences: self.consequences,
        }
    }

    /// The stages whose checks say it.
    fn own_hops<'a>(&self, problems: &'a [Problem]) -> Vec<&'a str> {
        let mut hops: Vec<&str> = Vec::new();
        for hop in self.signs.iter().flat_map(|&at| &problems[at].hops) {
            if !hops.contains(&hop.as_str()) {
                hops.push(hop);
            }
        }
        hops
    }
}

#[cfg(test)]
#[path = "cause_tests.rs"]
mod tests;
