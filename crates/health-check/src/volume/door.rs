//! From what the door tells to what is watched, and from what is found to problems.

use std::collections::BTreeMap;

use alerts::inhibition::{follows_topics, is_log};
use common::few::few;
use common::health::v1::{Action, FailureKind, State};
use platforms::PlatformAnswer;
use prost_types::Timestamp;

use super::asked::{Asked, Heard};
use super::history::{ALL, HOUR};
use super::watch::{Finding, FindingKind};
use crate::flow::Totals;
use crate::problems::Problem;
use crate::stage::{Stage, hops_of, is_about};

/// The stage that takes deliveries in.
pub(crate) const DOOR: &str = "streaming";

/// Deliveries that are durable, by endpoint and hour: those of the present hour and of the one before it. What the door
/// refused is not counted, because it is lost to everybody behind it, whyever that is.
pub(crate) fn counts<'a>(all: impl IntoIterator<Item = &'a Totals>, now: i64) -> BTreeMap<(String, i64), u64> {
    let present = now.div_euclid(HOUR);
    let mut counts: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for totals in all {
        let of_door = totals.0.range((DOOR.to_owned(), String::new(), None)..);
        for ((_, endpoint, hour), flow) in of_door.take_while(|((hop, ..), _)| hop == DOOR) {
            let hour = hour.map(|seconds| seconds.div_euclid(HOUR));
            if let Some(hour) = hour.filter(|hour| (present - 1..=present).contains(hour)) {
                *counts.entry((endpoint.clone(), hour)).or_default() += flow.sent_on;
            }
        }
    }
    counts
}

/// Whether all of the door answers, and has its log: else other problems say why little comes.
pub(crate) fn is_right(stage: &Stage<'_>) -> bool {
    let is_failing = stage.live.iter().any(|(digest, _)| {
        let hops = hops_of(digest);
        let failing = digest.checks.iter().filter(|check| check.state() == State::Failing);
        let mut of_it = failing.filter(|check| is_about(check, &stage.hop, &hops));
        of_it.any(|check| is_log(&stage.hop, &check.name) || follows_topics(&check.name) || check.gates_readiness)
    });
    !stage.live.is_empty() && stage.live.len() >= stage.expected as usize && !is_failing
}

/// What is told of: with what the platform says, where one was to be asked.
pub(crate) type Told<'a> = (&'a Finding, Option<Heard>);

/// What is told at a moment: silence only once the platform was asked, or does not answer.
pub(crate) fn told<'a>(findings: &'a [Finding], asked: &Asked, now: i64) -> Vec<Told<'a>> {
    let told = findings.iter().map(|finding| {
        let is_asked = matches!(finding.kind, FindingKind::Silent { .. }) && finding.endpoint != ALL;
        (finding, is_asked.then(|| asked.of(&finding.endpoint, now)))
    });
    told.filter(|(_, heard)| *heard != Some(Heard::Waiting)).collect()
}

/// One line for those that are silent, one for those that are low, one for those that are high.
pub(crate) fn found(told: &[Told<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (begins, state, action, advice) in [
        ("nothing comes any more: ", State::Failing, Action::Page, SILENT),
        ("less than usual in the last hour: ", State::Failing, Action::Ticket, LOW),
        ("more than usual in the last hour: ", State::Warning, Action::Ticket, HIGH),
    ] {
        let is_it = |(finding, _): &&Told<'_>| match finding.kind {
            FindingKind::Silent { .. } => action == Action::Page,
            FindingKind::Low { .. } => action == Action::Ticket && state == State::Failing,
            FindingKind::High { .. } => state == State::Warning,
        };
        let of_it: Vec<&Told<'_>> = told.iter().filter(is_it).collect();
        let Some(since) = of_it.iter().map(|(finding, _)| finding.since).min() else { continue };
        let advice = if action == Action::Page { advice_on(&of_it) } else { advice };
        problems.push(Problem {
            state,
            action,
            hops: vec![DOOR.to_owned()],
            check: "volume".to_owned(),
            instances: Vec::new(),
            found: format!("{begins}{}", few(of_it.into_iter().map(one), ", ")),
            advice,
            since: Some(Timestamp { seconds: since, nanos: 0 }),
            failure: FailureKind::Unspecified,
        });
    }
    problems
}

/// The endpoints of which nothing comes any more.
pub(crate) fn silent(told: &[Told<'_>]) -> Vec<String> {
    let silent = told.iter().filter(|(finding, _)| matches!(finding.kind, FindingKind::Silent { .. }));
    silent.map(|(finding, _)| finding.endpoint.clone()).collect()
}

fn one((finding, heard): &Told<'_>) -> String {
    let name = if finding.endpoint == ALL { "all endpoints together" } else { &finding.endpoint };
    match finding.kind {
        FindingKind::Silent { expected } => {
            let said = heard.as_ref().map_or(String::new(), |heard| format!("; {}", says(heard)));
            format!("{name} (at least {expected:.0} deliveries were usual meanwhile{said})")
        }
        FindingKind::Low { count, usual } | FindingKind::High { count, usual } => {
            format!("{name} {count} (usually {}, {} to {})", usual.middle, usual.least, usual.most)
        }
    }
}

fn says(heard: &Heard) -> String {
    match heard {
        Heard::Waiting => "its platform is being asked".to_owned(),
        Heard::Answer(answer @ PlatformAnswer::Active { .. }) => format!("{answer}, and nothing comes"),
        Heard::Answer(answer) => answer.to_string(),
        Heard::Nothing { limit } => format!("its platform was asked, and nothing was heard within {limit} s"),
    }
}

/// What to do about those that are silent: what the platforms' answers ask for, if that is one thing.
fn advice_on(silent: &[&Told<'_>]) -> &'static str {
    let mut all = silent.iter().map(|(_, heard)| match heard {
        Some(Heard::Answer(answer)) => answer.advice(),
        _ => None,
    });
    let first = all.next().flatten();
    match first {
        Some(advice) if all.all(|other| other == first) => advice,
        _ => SILENT,
    }
}

const SILENT: &str = "Look at the platform: whether its subscription or webhook is still there, and what it says of failed \
                      deliveries (weir platforms check asks it). If several endpoints are silent, look at what is before the \
                      door: DNS, certificate, load balancer. Where the sender has ended for good: \
                      health_check.volume.ignore. After a week of silence this ends by itself, and that is no recovery.";
const LOW: &str = "Compare with the sender: a part of its subscription may be gone, or the door refuses a part (see the \
                   dropped deliveries of the endpoint). If this is the new usual, it is learned within the coming weeks.";
const HIGH: &str =
    "Look whether the sender repeats deliveries (duplicates at processing), and whether the stages keep up.";

#[cfg(test)]
#[path = "door_tests.rs"]
pub(crate) mod tests;
