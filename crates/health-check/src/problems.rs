//! What is not as it should be: from which value on, in words, and what to do about it. Pure.

use std::cmp::Reverse;
use std::fmt;

use alerts::inhibition::{follows_log, follows_topics, is_log, is_topics};
use common::few::few;
use common::health::v1::{self, Action, Check, Consumer, Digest, Hop, State};
use prost_types::Timestamp;
use service::digest_json::{action_name, state_name};

use crate::stage::{PROBES, Stage, hops_of, is_about, is_idle};
use crate::urgency::Urgency;

/// From which value on something is not as it should be; 0: never.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Records that wait: warning, failing.
    pub lag: [f64; 2],
    /// Seconds from the door: warning, failing.
    pub age: [f64; 2],
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
        problems.retain(|problem| !follows_log(&problem.check));
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
        advice: advice("_progress"),
        since: None,
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
        advice: if hop == PROBES { PROBE } else { advice(&check.name) },
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
    once.sort_by_key(|problem| (Reverse(problem.urgency()), Reverse(problem.state as i32)));
    *problems = once;
}

/// The checks that are health-check's own, of every stage.
pub(crate) const OWN: [&str; 10] =
    ["instances", "ready", "consumer", "in_work", "lag", "age", "dead_letters", "error_rate", "volume", ROUND_CHECK];

/// Of health-check itself: that it asks.
pub(crate) const ROUND_CHECK: &str = "round";

const INSTANCES: &str = "Find the cause in the orchestrator or in the log of the process, then start the missing \
                         instance. Acknowledged deliveries are not lost meanwhile.";
/// Of health-check itself.
pub(crate) const ROUND: &str =
    "Look at the log of health-check, and restart it. Everything on this page is as old as that.";
const PROBE: &str = "Run the probe by hand, from where health-check runs: the message says what was asked. If it answers there, \
                     look at the network in between; otherwise at the program itself.";
const IN_WORK: &str =
    "Look at the other checks of the stage, and at its log. What is in work is read again after a restart.";
const READY: &str = "Nothing to do if it is being restarted. Otherwise look at its log.";
const LAG: &str = "Compare its rate with its usual rate. If it works at its limit, add instances; otherwise look at its other \
                   checks. Waiting records expire after the retention of their topic.";
const AGE: &str =
    "Look at the lag of this stage and of the stages before it. The oldest records wait at the stage with the lag.";
const DEAD_LETTERS: &str = "Read the reasons: weir dead-letters stats. Usually a sender has changed its format, or an \
                            endpoint receives deliveries that are not meant for it. After the fix: weir dead-letters replay.";

/// What to do about a check of a service, by the end of its name.
const ADVICE: &[(&str, &str)] = &[
    (
        "_kafka",
        "Check that the brokers are up and reachable (setting bus.kafka.brokers). Senders get 503. Most \
         re-send; redeliver GitHub's from its page. The door resumes by itself when the brokers answer.",
    ),
    (
        "_log",
        "Check the log: the brokers (setting bus.kafka.brokers), or the disk of the embedded log. The stage resumes by \
         itself when the log answers.",
    ),
    (
        "_topics",
        "Create or alter the topics as the message says. weir topics --check lists all of them. The service checks them \
         again by itself.",
    ),
    (
        "_claims",
        "Check that the claims' store (Redis, Valkey) answers. Until then the stage emits nothing; nothing is lost.",
    ),
    (
        "_claims_reach",
        "Give the claims' store enough memory (docs/claims.md says how much), and set maxmemory-policy noeviction. After \
         a claim was evicted, a redelivery produces its event a second time, with the same id.",
    ),
    (
        "_retention",
        "Waiting records will soon expire unread. Fix what holds up the stage (see its other checks), or add instances. \
         Meanwhile raise retention.ms of the topic, so that no record expires.",
    ),
    (
        "_progress",
        "Look at its other checks and at its log. If they show no cause, restart it: its records are read again.",
    ),
    (
        "_partitions",
        "Decide whether the missing records can be given up, then set the offset of the group: weir groups set. Weir \
         never skips offsets by itself.",
    ),
    (
        "_clock",
        "Check the clock of the machine and its time service. Nothing is lost: the log expires no records until the clock \
         has been right for an hour.",
    ),
    (
        "_unread",
        "Find out why the group does not read: weir groups list, and the checks of its stage. If the group is no longer \
         used: weir groups delete. The log keeps its unread records until the disk is full.",
    ),
    (
        "_dead_letter_storm",
        "Read the dead letters (weir dead-letters list). If the previous version could read these \
         deliveries, roll back to it.",
    ),
    (
        "_endpoint_dead_letters",
        "Ask the sender of this endpoint. Read the reasons: weir dead-letters list --endpoint NAME. The door holds \
         the endpoint back until a minute after the last refusal: with 429, or in the slow lane if its platform never re-sends.",
    ),
    (
        "_storms",
        "Nothing to do at the door: it lets them in again by itself. Processing says which deliveries cannot be read.",
    ),
    ("_saturation", "Add instances, or set a rate_limit for the endpoint that sends most."),
    (
        "_endpoints",
        "Give the endpoint a valid secret (weir register rotate), or start the service with the key file that sealed it.",
    ),
    (
        "registrations_database",
        "Check that the database answers (setting registrations.database). Deliveries are still processed meanwhile.",
    ),
    ("_database", "Check that the database answers. The settings of the service say where it is."),
    (
        "_published",
        "The message says why topic and database were not compared, or what they differ in. Processing changed nothing, \
         and compares them again by itself.",
    ),
    (
        "_registrations",
        "Usually passes when the registrations topic has been read. Otherwise look at the checks of the log.",
    ),
    ("_lake", "Check that the object store answers, and what its credentials may do (section [lake])."),
    (
        "_load_requests",
        "Check the log: the loader gets no load request until the log acknowledges it. Nothing is lost.",
    ),
    (
        "_held",
        "The loader never skips a load request with a gap before it. The message says what is missing. docs/lake.md says \
         what to do.",
    ),
    (
        "alerts_delivery",
        "The message names the receiver and its setting. Look at it there, then try it: weir alerts test NAME.",
    ),
    ("_upkeep", "Loading continues. The message says why compaction or vacuum failed. The loader retries by itself."),
];

/// What to do about a check of a service, by the end of its name: every service names the same thing the same way.
fn advice(check: &str) -> &'static str {
    if check.contains("_step_") {
        return "Check the service or file that the step uses. Activities continue without it and are marked as partial; \
                where the step is required they wait.";
    }
    let known = ADVICE.iter().find(|(end, _)| check.ends_with(end));
    known.map_or("Look at the log of the instance around that time.", |(_, advice)| advice)
}
