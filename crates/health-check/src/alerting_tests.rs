use alerts::inhibition::{follows_log, is_log, stands_alone};
use common::health::v1::{Action, FailureKind, Membership, State, Work};

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

/// A pipeline with these problems.
fn with(problems: Vec<Problem>) -> View {
    View { problems, ..whole(|_| ()) }
}

fn problem(check: &str, state: State, action: Action) -> Problem {
    Problem {
        state,
        action,
        hops: vec!["loader".to_owned()],
        check: check.to_owned(),
        instances: vec!["a".to_owned()],
        found: "found".to_owned(),
        advice: "do",
        since: Some(stamp(0)),
        failure: FailureKind::Unspecified,
    }
}

#[test]
fn a_problem_of_two_stages_is_two_alerts() {
    let hops = vec!["enricher".to_owned(), "loader".to_owned()];
    let expired = Problem { hops, ..problem("certificates", State::Failing, Action::Page) };
    let unknown = Problem { state: State::Unknown, since: None, ..expired.clone() };
    let found = found(&with(vec![expired, unknown]), "", 7);
    let told: Vec<_> = found.iter().map(|one| (one.stage.as_str(), one.class)).collect();
    let expected =
        [("enricher", Class::Page), ("loader", Class::Page), ("enricher", Class::Ticket), ("loader", Class::Ticket)];
    assert_eq!(told, expected);
    assert_eq!((found[0].since_ms, found[2].since_ms), (crate::samples::NOW as i64 * 1000, 7));
}

/// As WeirStageLagUnknown, WeirNotReady and WeirWorkStuck have it.
#[test]
fn what_is_worth_a_look_asks_for_more_if_it_lasts() {
    let class = |view: &View| found(view, "", 0)[0].class;
    let warns = |check: &str, action| with(vec![problem(check, State::Warning, action)]);
    assert_eq!(class(&warns("ready", Action::Log)), Class::Page);
    assert_eq!(class(&warns("in_work", Action::Page)), Class::Ticket);
    assert_eq!(class(&warns("loader_upkeep", Action::Ticket)), Class::Log);
    // Nobody of the group has a part of the work, or somebody has.
    for (membership, expected) in [(Membership::Joining, Class::Page), (Membership::Member, Class::Log)] {
        let mut view = warns("consumer", Action::Page);
        let digests = view.pipeline.instances.iter_mut().filter_map(|instance| instance.digest.as_mut());
        for consumer in digests.flat_map(|digest| &mut digest.consumers).filter(|it| it.hop == "loader") {
            consumer.set_membership(membership);
        }
        assert_eq!(class(&view), expected, "{membership:?}");
    }
    let mut probe = warns("ready", Action::Log);
    probe.problems[0].hops = vec![PROBES.to_owned()];
    assert_eq!(class(&probe), Class::Log);
}

#[test]
fn one_more_that_is_missing_or_silent_is_told() {
    let mut view = with(vec![problem("instances", State::Failing, Action::Page)]);
    let hop = view.pipeline.hops.iter_mut().find(|hop| hop.service == "loader").unwrap();
    (hop.expected, hop.instances) = (2, 1);
    assert_eq!(found(&view, "", 0)[0].subjects, ["missing 1"]);
    view.pipeline.hops.iter_mut().for_each(|hop| hop.instances = 0);
    assert_eq!(found(&view, "", 0)[0].subjects, ["missing 1", "missing 2"]);
    let silent = vec!["shop".to_owned()];
    let view = View { silent, ..with(vec![problem("volume", State::Failing, Action::Page)]) };
    assert_eq!(found(&view, "", 0)[0].subjects, ["shop"]);
}
