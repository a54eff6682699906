//! The page of docs/runbooks about a check. Pure.

use crate::stage::PROBES;

/// By the name of a check or by the end of it: as the rules of Prometheus have them.
const RUNBOOKS: &[(&str, &str)] = &[
    ("_log", "WeirLogUnavailable"),
    ("_kafka", "WeirLogUnavailable"),
    ("_topics", "WeirTopicsWrong"),
    ("_topic_settings", "WeirTopicsWrong"),
    ("_claims", "WeirClaimsUnavailable"),
    ("_progress", "WeirStageStalled"),
    ("_partitions", "WeirPartitionStopped"),
    ("_retention", "WeirRetentionNearlyUsed"),
    ("_dead_letter_storm", "WeirDeadLetterStorm"),
    ("_endpoint_dead_letters", "WeirEndpointDeadLetters"),
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
    ("consumer", "WeirStageLagUnknown"),
    ("lag", "WeirStageBehind"),
    ("age", "WeirStageBehind"),
    ("canary", "WeirCanaryLate"),
    ("volume", "WeirStageBehind"),
    ("in_work", "WeirStageStalled"),
    ("ready", "WeirNotReady"),
    ("round", "WeirHealthCheckStands"),
];

/// The name of the page about a check of a stage; none: it wakes nobody (`wakes`), and has none.
pub(crate) fn of(stage: &str, check: &str, wakes: bool) -> Option<&'static str> {
    if stage == PROBES {
        return Some("WeirProbeFailing");
    }
    if check.contains("_step_") {
        return wakes.then_some("WeirRequiredStepUnavailable");
    }
    let is_it = |(name, _): &&(&str, &str)| if name.starts_with('_') { check.ends_with(name) } else { check == *name };
    let known = RUNBOOKS.iter().find(is_it).map(|(_, page)| *page);
    known.or(wakes.then_some("WeirCheckFailing"))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_runbook_is_there() {
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/runbooks");
        let more = ["WeirProbeFailing", "WeirRequiredStepUnavailable", "WeirCheckFailing"];
        for page in RUNBOOKS.iter().map(|(_, page)| *page).chain(more) {
            assert!(docs.join(format!("{page}.md")).exists(), "{page}");
        }
    }
}
