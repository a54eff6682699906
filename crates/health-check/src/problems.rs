//! What is not as it should be, in words, and what to do about it. Pure.

use std::cmp::Reverse;
use std::fmt;

use common::health::v1::{Action, Check, Digest, Hop, State};
use prost_types::Timestamp;
use service::digest_json::{action_name, state_name};

use crate::pipeline::{Limits, Stage, hops_of, is_about};

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
            write!(f, " on {}", self.instances.join(", "))?;
        }
        if let Some(since) = self.since {
            write!(f, ", since {since}")?;
        }
        write!(f, "). {}", self.advice)
    }
}

/// Everything about one stage. `asked`: everybody was asked at least once.
pub(crate) fn of_hop(stage: &Stage<'_>, hop: &Hop, five: [f64; 3], limits: Limits, asked: bool) -> Vec<Problem> {
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
    };
    if asked && hop.instances < hop.expected {
        let mut found = format!("{} of {} instances answer", hop.instances, hop.expected);
        for (address, error) in &stage.silent {
            found.push_str(&format!("; {address}: {error}"));
        }
        problems.push(own(State::Failing, Action::Page, "instances", found, INSTANCES));
    }
    let mut log_away = false;
    for (digest, _) in &stage.live {
        let hops = hops_of(digest);
        let mut blocked = false;
        for check in digest.checks.iter().filter(|check| is_about(check, &stage.hop, &hops)) {
            let state = check.state();
            log_away |= state == State::Failing && is_log(&check.name);
            blocked |= check.gates_readiness && !matches!(state, State::Ok | State::Warning);
            if state != State::Ok {
                problems.push(of_check(check, &stage.hop, digest));
            }
        }
        if !digest.ready && !blocked && digest.checks.iter().all(|check| is_about(check, &stage.hop, &hops)) {
            let found = "takes no work: it is about to stop".to_owned();
            let mut problem = own(State::Warning, Action::Log, "ready", found, READY);
            problem.instances = vec![digest.instance.clone()];
            problems.push(problem);
        }
    }
    if log_away {
        // With the log away everything waits: told once is enough.
        problems.retain(|problem| !problem.check.ends_with("_progress"));
        return problems;
    }
    if let Some(state) = beyond(hop.lag as f64, limits.lag) {
        let found = format!("{} records wait", hop.lag);
        problems.push(own(state, Action::Page, "lag", found, LAG));
    }
    if let Some((age, state)) = hop.age_seconds.and_then(|age| Some((age, beyond(age, limits.age)?))) {
        let found = format!("what it has just finished came {age:.0} s ago (99th percentile)");
        problems.push(own(state, Action::Page, "age", found, AGE));
    }
    let [taken_in, _, dead] = five;
    let (share, letters) = (dead / taken_in.max(f64::MIN_POSITIVE), dead * 300.0);
    if limits.dead_letters > 0.0 && letters >= limits.dead_letters_min as f64 && share >= limits.dead_letters {
        let found = format!("{:.0}% of what it takes in becomes dead letters", (share * 100.0).min(100.0));
        problems.push(own(State::Warning, Action::Ticket, "dead_letters", found, DEAD_LETTERS));
    }
    problems
}

fn of_check(check: &Check, hop: &str, digest: &Digest) -> Problem {
    Problem {
        // What was not set is not known.
        state: if check.state() == State::Unspecified { State::Unknown } else { check.state() },
        action: check.action(),
        hops: vec![hop.to_owned()],
        check: check.name.clone(),
        instances: vec![digest.instance.clone()],
        found: check.message.clone(),
        advice: advice(&check.name),
        since: check.since,
    }
}

fn beyond(value: f64, [warning, failing]: [f64; 2]) -> Option<State> {
    let over = |limit: f64| limit > 0.0 && value >= limit;
    if over(failing) { Some(State::Failing) } else { over(warning).then_some(State::Warning) }
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
                && (known.hops == problem.hops || !problem.instances.is_empty())
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
    once.sort_by_key(|problem| (Reverse(problem.state as i32), problem.action as i32));
    *problems = once;
}

fn is_log(check: &str) -> bool {
    check.ends_with("_log") || check.ends_with("_kafka")
}

const INSTANCES: &str = "Look at the orchestrator or the process's log for why it is not there; start it. Nothing that \
                         was acknowledged is lost meanwhile.";
const READY: &str = "Nothing to do if somebody restarts it; else look at its log.";
const LAG: &str = "See whether its rate is what it was; if it works at its limit, add instances, else look at its other \
                   checks. Mind that what waits expires after the topic's retention.";
const AGE: &str = "Look at the lag of this stage and of those before it: the oldest work is where the lag is.";
const DEAD_LETTERS: &str = "Read the reasons: weir dead-letters stats. Mostly a sender has changed its format, or an \
                            endpoint gets what is not meant for it. After the fix: weir dead-letters replay.";

/// What to do about a check of a service, by the end of its name: every service names the same thing the same way.
fn advice(check: &str) -> &'static str {
    const TABLE: &[(&str, &str)] = &[
        (
            "_kafka",
            "See whether the brokers are up and reachable (setting bus.kafka.brokers). Senders get 503 and come again; \
             goes on by itself.",
        ),
        (
            "_log",
            "See whether the log answers: the brokers (setting bus.kafka.brokers), or the disk of the embedded log. Goes \
             on by itself.",
        ),
        ("_topics", "Create or alter the topics as the message says; it looks again by itself."),
        (
            "_claims",
            "See whether the claims' store (Redis, Valkey) answers. Nothing is emitted until it does; nothing is lost.",
        ),
        (
            "_claims_reach",
            "Give the claims' store enough memory, and maxmemory-policy noeviction: docs/claims.md says how much. What comes \
             again after its claim was thrown away comes out twice, under one id.",
        ),
        (
            "_retention",
            "What waits is removed unread before long: give the stage what it lacks (see its other checks), add instances; \
             meanwhile raise retention.ms of the topic, so that nothing goes.",
        ),
        (
            "_progress",
            "Look at its other checks and at its log; if these say nothing, restart it: its work comes again.",
        ),
        (
            "_partitions",
            "Decide whether what is missing may be given up, then set where the group goes on: weir groups set. Offsets are \
             never skipped by themselves.",
        ),
        (
            "_clock",
            "See to the clock of the machine (its time service). Nothing is lost: what is removed by time waits for an hour in \
             which the clock is right.",
        ),
        (
            "_unread",
            "See why the group does not read: weir groups list, and the checks of its stage. One that nobody runs any more: \
             weir groups delete. What it has not read is kept, until the disk is full.",
        ),
        (
            "_dead_letter_storm",
            "Read the dead letters (weir dead-letters list). If this version cannot read what the one before could, go \
             back to that one.",
        ),
        (
            "_endpoint_dead_letters",
            "Ask who delivers to this endpoint; read the reasons: weir dead-letters list --endpoint NAME. The door \
             holds it back until a minute after the last refusal.",
        ),
        ("_storms", "Nothing: they are let in again by themselves. Processing says which deliveries cannot be read."),
        ("_saturation", "Add instances, or set a rate_limit for the endpoint that sends most."),
        (
            "_endpoints",
            "Give the endpoint a secret that is valid (weir register rotate), or the key file that sealed it.",
        ),
        ("_database", "See whether the database answers (setting registrations.database). Deliveries go on meanwhile."),
        (
            "_published",
            "Nothing was changed. Give it the right database; or, if the database is right, set \
             registrations.allow_removals for one start.",
        ),
        ("_registrations", "Mostly passes when the registrations topic has been read; else look at the log's checks."),
        ("_lake", "See whether the object store answers, and what its credentials may do (section [lake])."),
        (
            "_load_requests",
            "Look at the log: what was written is not told to the loader until it acknowledges. Nothing is lost.",
        ),
        (
            "_held",
            "Requests that do not follow on what is loaded are never skipped: the message says what is missing. docs/lake.md \
             says what to do.",
        ),
        ("_upkeep", "Loading goes on; the message says why files are not put together. It is tried again by itself."),
    ];
    if check.contains("_step_") {
        return "See whether what the step asks answers. Activities go on without it, and are marked as partial.";
    }
    let known = TABLE.iter().find(|(end, _)| check.ends_with(end));
    known.map_or("Look at the log of the instance around that time.", |(_, advice)| advice)
}
