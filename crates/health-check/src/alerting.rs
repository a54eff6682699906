//! What a round found, as alerts are told of it. Pure.

use alerts::{Alert, Class};
use common::time::to_millis;

use crate::problems::Problem;
use crate::runbooks;
use crate::urgency::Urgency;

/// One alert for each check and each stage that it is about. `runbooks` is where the runbooks are; empty: nowhere.
pub(crate) fn found(problems: &[Problem], runbooks: &str, now_ms: i64) -> Vec<Alert> {
    let alerts = problems.iter().filter(|problem| problem.urgency() != Urgency::Fine).flat_map(|problem| {
        let class = class(problem.urgency());
        problem.hops.iter().map(move |stage| Alert {
            stage: stage.clone(),
            check: problem.check.clone(),
            class,
            instances: problem.instances.clone(),
            text: problem.found.clone(),
            advice: problem.advice.to_owned(),
            runbook: if class == Class::Page { runbook(runbooks, stage, &problem.check) } else { String::new() },
            since_ms: problem.since.as_ref().map_or(now_ms, to_millis),
        })
    });
    alerts.collect()
}

/// What is not known may be well: it wakes nobody, and somebody has to look.
fn class(urgency: Urgency) -> Class {
    match urgency {
        Urgency::Page => Class::Page,
        Urgency::Ticket | Urgency::NotKnown => Class::Ticket,
        Urgency::Look | Urgency::Note | Urgency::Fine => Class::Log,
    }
}

/// Where the page about a check is that wakes somebody; empty: nowhere.
fn runbook(base: &str, stage: &str, check: &str) -> String {
    match runbooks::of(stage, check, true) {
        Some(page) if !base.is_empty() => format!("{}/{page}.md", base.trim_end_matches('/')),
        _ => String::new(),
    }
}

#[cfg(test)]
#[path = "alerting_tests.rs"]
mod tests;
