//! What is not as it should be: from which value on, and in words. Pure.

use std::cmp::Reverse;
use std::fmt;

use alerts::inhibition::{follows_log, follows_topics, is_log, is_topics, stands_alone};
use common::few::few;
use common::health::v1::{self, Action, Check, Consumer, Digest, FailureKind, Hop, State};
use prost_types::Timestamp;
use service::digest_json::{action_name, state_name};

use crate::advice::{AGE, DEAD_LETTERS, IN_WORK, INSTANCES, LAG, PROBE, READY, advice};
use crate::stage::{PROBES, Stage, hops_of, is_about, is_idle};
use crate::urgency::{Urgency, beyond};

/// From which value on something is not as it should be; 0: never.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Records that wait: warning, failing.
    pub lag: [f64; 2],
    /// Seconds from the door: warning, failing.
    pub age: [f64; 2],
    /// Seconds that a canary waits for a stage: warning, failing.
    pub canary: [f64; 2],
    /// Part of what was taken in within five minutes.
    pub dead_letters: f64,
    /// Fewer within five minutes prove nothing.
    pub dead_letters_min: u64,
}

/// One thing that is not as it should be.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// How bad it is.
    pub state: State,
    /// What it asks for.
    pub action: Action,
    /// The stages it is about.
    pub hops: Vec<String>,
    /// The name of the check.
    pub check: String,
    /// Which instances say so; empty where health-check itself does.
    pub instances: Vec<String>,
    /// What was found.
    pub found: String,
    /// What to do.
    pub advice: &'static str,
    /// Since when, where that is known.
    pub since: Option<Timestamp>,
    /// What is behind it, where the service told it.
    pub failure: FailureKind,
}

impl Problem {
    /// As gRPC tells it.
    pub(crate) fn told(&self) -> v1::Problem {
        v1::Problem {
            state: self.state.into(),
            action: self.action.into(),
            hops: self.hops.clone(),
            check: self.check.clone(),
            instances: self.instances.clone(),
            found: self.found.clone(),
            advice: self.advice.to_owned(),
            since: self.since,
        }
    }

    /// What it asks for.
    #[must_use]
    pub fn urgency(&self) -> Urgency {
        Urgency::of(self.state, self.action)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", state_name(self.state))?;
        // The class says what a failure asks for, and nothing else does.
        if self.state == State::Failing {
            write!(f, " ({})", action_name(self.action))?;
        }
        write!(f, ": {}: {} ({}", self.hops.join(", "), self.found, self.check)?;
        if !self.instances.is_empty() {
            write!(f, " on {}", few(&self.instances, ", "))?;
        }
        if let Some(since) = self.since {
            write!(f, ", since {since}")?;
        }
        write!(f, "). {}", self.advice)
    }
}

/// Everything about one stage. `asked`: everybody was asked at least once.
pub(crate) fn of_hop(
    stage: &Stage<'_>,
    hop: &Hop,
    five: Option<[f64; 3]>,
    limits: Thresholds,
    asked: bool,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let own = |state, action, check: &str, found, advice| Problem {
        state,
        action,
        hops: vec![stage.hop.clone()],
        check: check.to_owned(),
        instances: Vec::new(),
        found,
        advice,
        since: None,
        failure: FailureKind::Unspecified,
    };
    if asked && hop.instances < hop.expected {
        let mut found = format!("{} of {} instances answer", hop.instances, hop.expected);
        if !stage.silent.is_empty() {
            let silent = stage.silent.iter().map(|(address, error)| format!("{address}: {error}"));
            found.push_str(&format!("; {}", few(silent, "; ")));
        }
        problems.push(own(State::Failing, Action::Page, "instances", found, INSTANCES));
    }
    let (mut log_away, mut no_topics) = (false, false);
    for (digest, _) in &stage.live {
        let hops = hops_of(digest);
        let mut blocked = false;
        for check in digest.checks.iter().filter(|check| is_about(check, &stage.hop, &hops)) {
            let state = check.state();
            log_away |= state == State::Failing && is_log(&stage.hop, &check.name);
            no_topics |= state == State::Failing && is_topics(&stage.hop, &check.name);
            blocked |= check.gates_readiness && !matches!(state, State::Ok | State::Warning);
            if state != State::Ok {
                problems.push(of_check(check, &stage.hop, &digest.instance));
            }
        }
        if !digest.ready && !blocked && digest.checks.iter().all(|check| is_about(check, &stage.hop, &hops)) {
            let found = "takes no work: the instance is shutting down".to_owned();
            let mut problem = own(State::Warning, Action::Log, "ready", found, READY);
            problem.instances = vec![digest.instance.clone()];
            problems.push(problem);
        }
    }
    if no_topics {
        // What waits for them is not known, and is told once they are there.
        problems.retain(|problem| problem.state != State::Unknown && !follows_topics(&problem.check));
    }
    if log_away {
        // With the log away everything waits, and nothing is known of it: told once is enough.
        let fails = |problem: &Problem| problem.state == State::Failing && stands_alone(&problem.check);
        problems.retain(|problem| !follows_log(&problem.check) || fails(problem));
        return problems;
    }
    problems.extend(idle(stage, &problems));
    problems.extend(in_work(stage));
    if let Some(state) = beyond(hop.lag as f64, limits.lag) {
        let found = format!("the lag is {} records", hop.lag);
        problems.push(own(state, Action::Page, "lag", found, LAG));
    }
    if let Some((age, state)) = hop.age_seconds.and_then(|age| Some((age, beyond(age, limits.age)?))) {
        let found = format!("the work just finished was {age:.0} s old (99th percentile)");
        problems.push(own(state, Action::Page, "age", found, AGE));
    }
    let [taken_in, _, dead] = five.unwrap_or_default();
    let (share, letters) = (dead / taken_in.max(f64::MIN_POSITIVE), dead * 300.0);
    if limits.dead_letters > 0.0 && letters >= limits.dead_letters_min as f64 && share >= limits.dead_letters {
        let found = format!("{:.0}% of its input becomes dead letters", (share * 100.0).min(100.0));
        problems.push(own(State::Warning, Action::Ticket, "dead_letters", found, DEAD_LETTERS));
    }
    problems
}

/// What came in and did not come out, whatever the lag says.
fn in_work(stage: &Stage<'_>) -> Vec<Problem> {
    let works = stage.live.iter().flat_map(|(digest, _)| digest.works.iter().map(move |work| (digest, work)));
    let late = works.filter_map(|(digest, work)| {
        let (oldest, limit) = (work.oldest_seconds?, work.limit_seconds?);
        (work.hop == stage.hop && oldest >= limit).then(|| Problem {
            state: State::Warning,
            action: Action::Page,
            hops: vec![stage.hop.clone()],
            check: "in_work".to_owned(),
            instances: vec![digest.instance.clone()],
            found: format!(
                "{} are in work, the oldest for {oldest:.0} s; it should take less than {limit:.0} s",
                work.in_work
            ),
            advice: IN_WORK,
            since: None,
            failure: FailureKind::Unspecified,
        })
    });
    late.collect()
}

/// Consumers that have no part of the work, of which no check tells: a stage that does nothing is never well.
fn idle(stage: &Stage<'_>, told: &[Problem]) -> Vec<Problem> {
    let is_told = |digest: &Digest| {
        let of_it = |problem: &&Problem| problem.instances.contains(&digest.instance);
        told.iter().filter(of_it).any(|problem| problem.check.ends_with("_progress"))
    };
    let idle = stage.consumers().filter(|(digest, consumer)| is_idle(consumer) && !is_told(digest));
    let problem = |(digest, consumer): (&Digest, &Consumer)| Problem {
        state: State::Warning,
        action: Action::Page,
        hops: vec![stage.hop.clone()],
        check: "consumer".to_owned(),
        instances: vec![digest.instance.clone()],
        found: format!("a consumer of group {} has no partition ({})", consumer.group, consumer.waits_for),
        advice: advice("_progress", FailureKind::Unspecified),
        since: None,
        failure: FailureKind::Unspecified,
    };
    idle.map(problem).collect()
}

fn of_check(check: &Check, hop: &str, instance: &str) -> Problem {
    Problem {
        // What was not set is not known.
        state: if check.state() == State::Unspecified { State::Unknown } else { check.state() },
        action: check.action(),
        hops: vec![hop.to_owned()],
        check: check.name.clone(),
        instances: vec![instance.to_owned()],
        found: check.message.clone(),
        advice: if hop == PROBES { PROBE } else { advice(&check.name, check.failure()) },
        since: check.since,
        failure: check.failure(),
    }
}

/// The same thing said by several instances, or about several stages, is said once; the worst first.
pub(crate) fn arrange(problems: &mut Vec<Problem>) {
    let mut once: Vec<Problem> = Vec::new();
    for problem in problems.drain(..) {
        let same = |known: &&mut Problem| {
            known.check == problem.check
                && known.state == problem.state
                && known.found == problem.found
                // What health-check says of one stage has nothing to do with another.
                && (known.hops == problem.hops || !OWN.contains(&&*problem.check))
        };
        let Some(known) = once.iter_mut().find(same) else {
            once.push(problem);
            continue;
        };
        let add = |list: &mut Vec<String>, more: Vec<String>| {
            for one in more {
                if !list.contains(&one) {
                    list.push(one);
                }
            }
        };
        add(&mut known.hops, problem.hops);
        add(&mut known.instances, problem.instances);
        let earlier = |a: &Timestamp, b: &Timestamp| (a.seconds, a.nanos).cmp(&(b.seconds, b.nanos));
        known.since = known.since.into_iter().chain(problem.since).min_by(earlier);
    }
    once.sort_by_key(|problem| (Reverse(problem.urgency()), Reverse(problem.state as i32)));
    *problems = once;
}

/// The checks that are health-check's own, of every stage.
pub(crate) const OWN: [&str; 11] = [
    "instances",
    "ready",
    "consumer",
    "in_work",
    "lag",
    "age",
    "dead_letters",
    "error_rate",
    "volume",
    "canary",
    ROUND_CHECK,
];

/// Of health-check itself: that it asks.
pub(crate) const ROUND_CHECK: &str = "round";
