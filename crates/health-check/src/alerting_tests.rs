use alerts::inhibition::{follows_log, is_log, stands_alone};
use common::health::v1::{FailureKind, State, Work};

use super::*;
use crate::samples::{age, check, queue, stamp, whole};

#[test]
fn an_alert_names_its_runbook() {
    for (stage, check, page) in [
        ("loader", "loader_log", "https://a/b/WeirLogUnavailable.md"),
        ("enricher", "enricher_step_geo", "https://a/b/WeirRequiredStepUnavailable.md"),
        ("probes", "a_log", "https://a/b/WeirProbeFailing.md"),
        ("loader", "alerts_delivery", "https://a/b/WeirAlertsNotDelivered.md"),
        ("loader", "something_new", "https://a/b/WeirCheckFailing.md"),
    ] {
        assert_eq!(runbook("https://a/b/", stage, check), page, "{check}");
    }
}

/// All that can be wrong with processing, and its log too.
fn wrong(log: State) -> Vec<String> {
    let view = whole(|answers| {
        for digest in answers.iter_mut().filter_map(|(_, _, digest)| digest.as_mut().ok()) {
            if digest.service != "processing" {
                continue;
            }
            digest.checks.retain(|check| check.name != "processing_log");
            digest.checks.push(check("processing_log", log, "away"));
            for name in ["processing_progress", "processing_retention", "processing_partitions", "processing_claims"] {
                digest.checks.push(check(name, State::Failing, "wrong"));
            }
            digest.queues.push(queue("processing", 5000));
            let (oldest_seconds, limit_seconds) = (Some(100.0), Some(60.0));
            digest.works.push(Work { hop: "processing".to_owned(), in_work: 1, oldest_seconds, limit_seconds });
            digest.ages = vec![age("processing", 900.0)];
        }
    });
    let of_it = view.problems.iter().filter(|problem| problem.hops.iter().any(|hop| hop == "processing"));
    of_it.map(|problem| problem.check.clone()).collect()
}

#[test]
fn what_is_not_reported_while_the_log_is_away_is_what_follows_from_it() {
    let (mut well, away) = (wrong(State::Ok), wrong(State::Failing));
    // What expires does not wait for the log.
    assert!(away.contains(&"processing_retention".to_owned()), "{away:?}");
    well.retain(|check| !stands_alone(check));
    let (hidden, kept): (Vec<_>, Vec<_>) = well.iter().partition(|check| !away.contains(check));
    assert!(hidden.len() >= 4, "{well:?} {away:?}");
    assert!(hidden.iter().all(|check| follows_log(check)), "{hidden:?}");
    assert!(!kept.iter().any(|check| follows_log(check)) && kept.len() >= 2, "{kept:?}");
    assert!(away.iter().any(|check| is_log("processing", check)), "{away:?}");
}

#[test]
fn a_problem_of_two_stages_is_two_alerts() {
    let problem = Problem {
        state: State::Failing,
        action: common::health::v1::Action::Page,
        hops: vec!["enricher".to_owned(), "loader".to_owned()],
        check: "certificates".to_owned(),
        instances: vec!["a".to_owned()],
        found: "expired".to_owned(),
        advice: "renew it",
        since: Some(stamp(0)),
        failure: FailureKind::Unspecified,
    };
    let unknown = Problem { state: State::Unknown, since: None, ..problem.clone() };
    let found = found(&[problem, unknown], "", 7);
    let told: Vec<_> = found.iter().map(|one| (one.stage.as_str(), one.class)).collect();
    let expected =
        [("enricher", Class::Page), ("loader", Class::Page), ("enricher", Class::Ticket), ("loader", Class::Ticket)];
    assert_eq!(told, expected);
    assert_eq!((found[0].since_ms, found[2].since_ms), (crate::samples::NOW as i64 * 1000, 7));
}
