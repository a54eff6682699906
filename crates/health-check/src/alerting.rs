//! What a round found, as alerts are told of it. Pure.

use alerts::{Alert, Class};
use common::time::to_millis;

use crate::problems::Problem;
use crate::stage::PROBES;
use crate::urgency::Urgency;

/// The runbook of a check whose failure wakes somebody, by the end of its name, as the rules of Prometheus have them.
const RUNBOOKS: &[(&str, &str)] = &[
    ("_kafka", "WeirLogUnavailable"),
    ("_log", "WeirLogUnavailable"),
    ("_topics", "WeirTopicsWrong"),
    ("_claims", "WeirClaimsUnavailable"),
    ("_progress", "WeirStageStalled"),
    ("_partitions", "WeirPartitionStopped"),
    ("_retention", "WeirRetentionNearlyUsed"),
    ("_endpoint_dead_letters", "WeirEndpointDeadLetters"),
    ("_dead_letter_storm", "WeirDeadLetterStorm"),
    ("registrations_database", "WeirRegistrationsDatabase"),
    ("registrations_published", "WeirRegistrationsDiffer"),
    ("_registrations", "WeirRegistrationsUnread"),
    ("_endpoints", "WeirEndpointsUnusable"),
    ("_lake", "WeirLakeUnavailable"),
    ("_load_requests", "WeirLoadRequestsRefused"),
    ("_held", "WeirLoadHeld"),
    ("certificates", "WeirCertificateExpired"),
    ("alerts_delivery", "WeirAlertsNotDelivered"),
    ("instances", "WeirInstancesMissing"),
    ("lag", "WeirStageBehind"),
    ("age", "WeirStageBehind"),
    ("volume", "WeirStageBehind"),
];

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

fn runbook(base: &str, stage: &str, check: &str) -> String {
    if base.is_empty() {
        return String::new();
    }
    let known = RUNBOOKS.iter().find(|(end, _)| check.ends_with(end)).map(|(_, page)| *page);
    let page = match known {
        _ if stage == PROBES => "WeirProbeFailing",
        _ if check.contains("_step_") => "WeirRequiredStepUnavailable",
        Some(page) => page,
        None => "WeirCheckFailing",
    };
    format!("{}/{page}.md", base.trim_end_matches('/'))
}

#[cfg(test)]
#[path = "alerting_tests.rs"]
mod tests;
