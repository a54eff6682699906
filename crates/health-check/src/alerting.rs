//! What a round found, as alerts are told of it. Pure.

use std::collections::BTreeMap;

use alerts::{Alert, Class};
use common::health::v1::Membership;
use common::time::to_millis;

use crate::pipeline::View;
use crate::problems::Problem;
use crate::runbooks;
use crate::stage::PROBES;
use crate::urgency::Urgency;

/// One alert for each check and each stage that it is about. `runbooks` is where the runbooks are; empty: nowhere.
pub(crate) fn found(view: &View, runbooks: &str, now_ms: i64) -> Vec<Alert> {
    let alerts = view.problems.iter().filter(|problem| problem.urgency() != Urgency::Fine).flat_map(|problem| {
        problem.hops.iter().map(move |stage| {
            let class = class(view, stage, problem);
            Alert {
                stage: stage.clone(),
                check: problem.check.clone(),
                class,
                instances: problem.instances.clone(),
                subjects: subjects(view, stage, problem),
                text: problem.found.clone(),
                advice: problem.advice.to_owned(),
                runbook: if class == Class::Page { runbook(runbooks, stage, &problem.check) } else { String::new() },
                since_ms: problem.since.as_ref().map_or(now_ms, to_millis),
            }
        })
    });
    alerts.collect()
}

/// What is not known may be well: it wakes nobody, and somebody has to look. Some is only worth a look on the page, and asks
/// for more if it lasts: as the rules of Prometheus have it.
fn class(view: &View, stage: &str, problem: &Problem) -> Class {
    let of_urgency = match problem.urgency() {
        Urgency::Page => Class::Page,
        Urgency::Ticket | Urgency::NotKnown => Class::Ticket,
        Urgency::Look | Urgency::Note | Urgency::Fine => Class::Log,
    };
    let if_it_lasts = match problem.check.as_str() {
        _ if stage == PROBES => Class::Log,
        "consumer" if has_idle_group(view, stage) => Class::Page,
        "ready" => Class::Page,
        "in_work" => Class::Ticket,
        _ => Class::Log,
    };
    of_urgency.max(if_it_lasts)
}

/// Whether nobody takes the work of one of the groups of a stage.
fn has_idle_group(view: &View, stage: &str) -> bool {
    let answering = view.pipeline.instances.iter().filter(|instance| instance.error.is_empty());
    let consumers = answering.filter_map(|instance| instance.digest.as_ref()).flat_map(|digest| &digest.consumers);
    let mut works: BTreeMap<&str, bool> = BTreeMap::new();
    for consumer in consumers.filter(|consumer| consumer.hop == stage) {
        *works.entry(&consumer.group).or_default() |= consumer.membership() == Membership::Member;
    }
    works.values().any(|works| !works)
}

/// What one more of is news: an instance that is missing, an endpoint that is silent.
fn subjects(view: &View, stage: &str, problem: &Problem) -> Vec<String> {
    match problem.check.as_str() {
        "instances" => {
            let hop = view.pipeline.hops.iter().find(|hop| hop.service == stage);
            let missing = hop.map_or(0, |hop| hop.expected.saturating_sub(hop.instances));
            (1..=missing).map(|n| format!("missing {n}")).collect()
        }
        "volume" if problem.urgency() == Urgency::Page => view.silent.clone(),
        _ => Vec::new(),
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
