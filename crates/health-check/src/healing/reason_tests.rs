use common::health::v1::{Check, Digest, Membership};

use super::*;
use crate::samples::{age, check, consumer, queue, refused, whole};

/// A pipeline whose loader says this of itself.
fn with(change: impl Fn(&mut Digest)) -> View {
    whole(|answers| {
        if let Ok(digest) = &mut answers[5].2 {
            change(digest);
        }
    })
}

fn failing(name: &str) -> Check {
    check(name, State::Failing, "wrong")
}

#[test]
fn a_stage_that_stands_still_is_to_be_restarted_and_no_other_one() {
    let stalled = with(|digest| digest.checks.push(check("loader_progress", State::Failing, "none was done for 90 s")));
    assert_eq!(super::stalled(&stalled, "loader").unwrap(), "loader_progress: none was done for 90 s");
    for stage in ["streaming", "processing", "enricher", "unheard-of"] {
        assert_eq!(super::stalled(&stalled, stage), None, "{stage}");
    }
    assert_eq!(super::stalled(&whole(|_| ()), "loader"), None);
}

#[test]
fn what_follows_from_standing_still_does_not_hold_it_up() {
    let stalled = with(|digest| {
        digest.checks.push(failing("loader_progress"));
        digest.checks.push(failing("loader_retention"));
        digest.queues = vec![queue("loader", 5000)];
        digest.consumers = vec![consumer("loader", Membership::Joining, 0)];
        digest.ages = vec![age("loader", 900.0)];
    });
    assert!(stalled.problems.len() >= 4, "{:?}", stalled.problems);
    assert!(super::stalled(&stalled, "loader").is_some());
}

#[test]
fn lag_and_age_and_what_only_warns_are_no_reason() {
    let table: [(&str, fn(&mut Digest)); 4] = [
        ("lag", |digest| digest.queues = vec![queue("loader", 5000)]),
        ("age", |digest| digest.ages = vec![age("loader", 900.0)]),
        ("a warning", |digest| digest.checks.push(check("loader_progress", State::Warning, "waits"))),
        ("not known", |digest| digest.checks.push(check("loader_progress", State::Unknown, "not looked at"))),
    ];
    for (what, change) in table {
        let view = with(change);
        assert!(!view.problems.is_empty(), "{what}");
        assert_eq!(super::stalled(&view, "loader"), None, "{what}");
    }
}

/// The next process would find it as it is.
#[test]
fn what_a_restart_does_not_help_against_is_none() {
    let others = [
        "loader_log",
        "loader_topics",
        "loader_topic_settings",
        "loader_lake",
        "loader_claims",
        "loader_held",
        "loader_partitions",
        "loader_load_requests",
        "loader_dead_letter_storm",
        "loader_something_new",
        "certificates",
    ];
    for other in others {
        for state in [State::Failing, State::Unknown] {
            let view = with(|digest| {
                digest.checks.retain(|check| check.name != other);
                digest.checks.push(failing("loader_progress"));
                digest.checks.push(check(other, state, "away"));
            });
            assert_eq!(super::stalled(&view, "loader"), None, "{other} {state:?}");
        }
        // What only warns does not stand in the way.
        let view = with(|digest| {
            digest.checks.retain(|check| check.name != other);
            digest.checks.push(failing("loader_progress"));
            digest.checks.push(check(other, State::Warning, "slow"));
        });
        assert!(super::stalled(&view, "loader").is_some(), "{other}");
    }
    // And what is wrong elsewhere does not either.
    let view = whole(|answers| {
        for (at, check) in [(4, "enricher_lake"), (5, "loader_progress")] {
            if let Ok(digest) = &mut answers[at].2 {
                digest.checks.push(failing(check));
            }
        }
    });
    assert!(super::stalled(&view, "loader").is_some());
}

#[test]
fn a_stage_of_which_an_instance_is_missing_is_coming_up_or_has_another_fault() {
    let view = whole(|answers| {
        for at in [2, 3] {
            if let Ok(digest) = &mut answers[at].2 {
                digest.checks.push(failing("processing_progress"));
            }
        }
        answers[3].2 = refused();
    });
    assert!(view.problems.iter().any(|problem| problem.check == "processing_progress"), "{:?}", view.problems);
    assert_eq!(super::stalled(&view, "processing"), None);
}

#[test]
fn what_health_check_says_of_itself_is_not_of_a_stage() {
    let view = with(|digest| {
        digest.checks.push(failing("loader_progress"));
        digest.checks.push(failing("alerts_delivery"));
        digest.checks.push(failing("health_check_history"));
    });
    assert!(super::stalled(&view, "loader").is_some());
}
