use common::health::v1::{Action, FailureKind, State};
use proptest::prelude::*;

use super::*;
use crate::problems::arrange;

const ORDER: [&str; 4] = ["streaming", "processing", "enricher", "loader"];

fn problem(hop: &str, check: &str, state: State, found: &str) -> Problem {
    Problem {
        state,
        action: if check.ends_with("_endpoint") { Action::Ticket } else { Action::Page },
        hops: vec![hop.to_owned()],
        check: check.to_owned(),
        instances: if check.contains('_') { vec![format!("{hop}-0:7")] } else { Vec::new() },
        found: found.to_owned(),
        advice: "Look at it. Then think.",
        since: None,
        failure: FailureKind::Unspecified,
    }
}

/// A check of the log that fails.
fn log(hop: &str, failure: FailureKind, found: &str) -> Problem {
    let check = if hop == "streaming" { "kafka" } else { "log" };
    Problem { failure, ..problem(hop, &format!("{hop}_{check}"), State::Failing, found) }
}

/// The summary of each cause, with the checks that say it and those that follow.
fn told(mut problems: Vec<Problem>) -> Vec<(String, Vec<String>, Vec<String>)> {
    arrange(&mut problems);
    let names = |places: &[usize]| places.iter().map(|&at| problems[at].check.clone()).collect();
    let causes = causes(&problems, &ORDER);
    causes.iter().map(|cause| (cause.summary.clone(), names(&cause.signs), names(&cause.consequences))).collect()
}

fn one(summary: &str, signs: &[&str], consequences: &[&str]) -> (String, Vec<String>, Vec<String>) {
    let owned = |list: &[&str]| list.iter().map(|one| (*one).to_owned()).collect();
    (summary.to_owned(), owned(signs), owned(consequences))
}

#[test]
fn brokers_that_are_away_are_one_cause_and_not_one_of_each_stage() {
    let away = "no broker is reachable: Connection refused";
    let problems = vec![
        log("streaming", FailureKind::NotAcknowledged, "not acknowledged for 4 s"),
        problem("streaming", "streaming_registrations", State::Unknown, "not read yet"),
        log("processing", FailureKind::Unreachable, away),
        problem("processing", "processing_topics", State::Unknown, "not compared yet"),
        log("enricher", FailureKind::Unreachable, away),
        problem("enricher", "enricher_load_requests", State::Failing, "not acknowledged"),
        log("loader", FailureKind::Unreachable, "asked for 5 s"),
    ];
    let signs = ["streaming_kafka", "processing_log", "enricher_log", "loader_log"];
    let follow = ["enricher_load_requests", "streaming_registrations", "processing_topics"];
    assert_eq!(told(problems.clone()), [one("The brokers do not answer: 4 stages wait", &signs, &follow)]);

    let mut arranged = problems;
    arrange(&mut arranged);
    let cause = &causes(&arranged, &ORDER)[0];
    assert_eq!(
        cause.line(),
        "failing (page): The brokers do not answer: 4 stages wait. Check that the brokers are up and reachable (setting \
         bus.kafka.brokers), or the disk of the embedded log."
    );
    assert_eq!(cause.hops, ORDER);
}

#[test]
fn what_the_log_says_is_told_and_no_word_of_a_message_decides() {
    let text = "kafka at broker:9093 is unavailable: the broker says no";
    let table = [
        (FailureKind::Unreachable, "The brokers do not answer: 2 stages wait"),
        (FailureKind::Credentials, "The brokers reject the user name or the password: 2 stages wait"),
        (FailureKind::Certificate, "A certificate is in the way of the brokers: 2 stages wait"),
        (FailureKind::Protocol, "The brokers speak another protocol: 2 stages wait"),
        (FailureKind::Unspecified, "The log does not answer: 2 stages wait"),
    ];
    for (failure, says) in table {
        let problems = vec![
            log("processing", failure, text),
            log("loader", failure, text),
            problem("loader", "loader_progress", State::Failing, "nothing was loaded for 60 s"),
        ];
        assert_eq!(told(problems), [one(says, &["processing_log", "loader_log"], &["loader_progress"])], "{failure:?}");
    }
    // One that is not let in is another cause than brokers that others do not reach.
    let problems = vec![
        log("streaming", FailureKind::Credentials, text),
        log("processing", FailureKind::Unreachable, text),
        log("loader", FailureKind::Unreachable, text),
    ];
    let expected = [
        one(&format!("streaming: {text}"), &["streaming_kafka"], &[]),
        one("The brokers do not answer: 2 stages wait", &["processing_log", "loader_log"], &[]),
    ];
    assert_eq!(told(problems), expected);
}

#[test]
fn what_follows_depends_on_the_cause() {
    let failing = |hop: &str, check: &str| problem(hop, check, State::Failing, check);
    let topics = |failure| Problem { failure, ..failing("loader", "loader_topics") };
    let table = [
        (
            "a topic that is missing stops its stage",
            vec![topics(FailureKind::Missing), failing("loader", "loader_progress"), failing("loader", "lag")],
            vec![one("loader: loader_topics", &["loader_topics"], &["loader_progress", "lag"])],
        ),
        (
            "a wrong setting does not",
            vec![failing("loader", "loader_topic_settings"), failing("loader", "loader_progress")],
            vec![
                one("loader: loader_topic_settings", &["loader_topic_settings"], &[]),
                one("loader: loader_progress", &["loader_progress"], &[]),
            ],
        ),
        (
            "topics that could not be looked at are not missing",
            vec![topics(FailureKind::Unreachable), log("loader", FailureKind::Unreachable, "away")],
            vec![one("loader: away", &["loader_log"], &["loader_topics"])],
        ),
        (
            "records that expire do not wait for the cause",
            vec![failing("loader", "loader_lake"), failing("loader", "loader_retention"), failing("loader", "lag")],
            vec![
                one("loader: loader_lake", &["loader_lake"], &["lag"]),
                one("loader: loader_retention", &["loader_retention"], &[]),
            ],
        ),
        (
            "without the database of the registrations deliveries are processed all the same",
            vec![
                failing("processing", "registrations_database"),
                failing("processing", "registrations_published"),
                failing("processing", "lag"),
            ],
            vec![
                one("processing: registrations_database", &["registrations_database"], &["registrations_published"]),
                one("processing: lag", &["lag"], &[]),
            ],
        ),
        (
            "one endpoint holds nobody else up",
            vec![failing("processing", "processing_endpoint_dead_letters"), failing("processing", "lag")],
            vec![
                one("processing: processing_endpoint_dead_letters", &["processing_endpoint_dead_letters"], &[]),
                one("processing: lag", &["lag"], &[]),
            ],
        ),
        (
            "load requests that are not acknowledged hold up the enricher",
            vec![failing("enricher", "enricher_load_requests"), failing("enricher", "enricher_progress")],
            vec![one("enricher: enricher_load_requests", &["enricher_load_requests"], &["enricher_progress"])],
        ),
        (
            "the same check of two stages is two causes",
            vec![failing("processing", "lag"), failing("loader", "lag")],
            vec![one("processing: lag", &["lag"], &[]), one("loader: lag", &["lag"], &[])],
        ),
        (
            "a probe may be called as a check of Weir",
            vec![
                failing("probes", "shop_log"),
                failing("probes", "shop_held"),
                failing("probes", "shop_progress"),
                failing("probes", "lag"),
            ],
            vec![
                one("probes: shop_log", &["shop_log"], &[]),
                one("probes: shop_held", &["shop_held"], &[]),
                one("probes: shop_progress", &["shop_progress"], &[]),
                one("probes: lag", &["lag"], &[]),
            ],
        ),
        (
            "stages do not wait for topics of which they only say that these are missing",
            vec![failing("processing", "processing_topics"), failing("loader", "loader_topics")],
            vec![one("Topics are missing: 2 stages need them", &["processing_topics", "loader_topics"], &[])],
        ),
    ];
    for (what, problems, expected) in table {
        assert_eq!(told(problems), expected, "{what}");
    }
}

#[test]
fn a_cause_has_a_name_that_no_other_has() {
    let failing = |hop: &str, check: &str| problem(hop, check, State::Failing, check);
    let mut problems = vec![
        failing("enricher", "lag"),
        failing("loader", "lag"),
        log("processing", FailureKind::Unreachable, "away"),
        log("streaming", FailureKind::Credentials, "wrong"),
    ];
    arrange(&mut problems);
    let ids: std::collections::BTreeSet<_> = causes(&problems, &ORDER).into_iter().map(|cause| cause.id).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    // Whether one instance fails or warns.
    let progress = |state| problem("loader", "loader_progress", state, "nothing was loaded");
    let id = |states: &[State]| {
        let mut problems: Vec<Problem> = states.iter().map(|state| progress(*state)).collect();
        arrange(&mut problems);
        causes(&problems, &ORDER).into_iter().map(|cause| cause.id).collect::<Vec<_>>()
    };
    assert_eq!(id(&[State::Warning]), id(&[State::Failing, State::Warning]));
}

#[test]
fn what_follows_from_a_cause_stands_below_it() {
    let table = [
        (
            "one stage says it in its own words",
            vec![problem("processing", "processing_log", State::Failing, "asked for 5 s")],
            vec![one("processing: asked for 5 s", &["processing_log"], &[])],
        ),
        (
            "a store that two stages need, and what grows old behind them",
            vec![
                problem("processing", "processing_claims", State::Failing, "timed out"),
                problem("enricher", "enricher_claims", State::Failing, "refused"),
                problem("processing", "lag", State::Failing, "the lag is 9000 records"),
                problem("loader", "age", State::Warning, "400 s old"),
            ],
            vec![one(
                "The claims' store does not answer: 2 stages wait",
                &["processing_claims", "enricher_claims"],
                &["lag", "age"],
            )],
        ),
        (
            "what another stage does has nothing to do with it",
            vec![
                problem("loader", "loader_lake", State::Failing, "timed out"),
                problem("processing", "lag", State::Failing, "the lag is 9000 records"),
            ],
            vec![
                one("loader: timed out", &["loader_lake"], &[]),
                one("processing: the lag is 9000 records", &["lag"], &[]),
            ],
        ),
        (
            "a stage is behind, and the next ones get old work",
            vec![
                problem("processing", "lag", State::Warning, "the lag is 200 records"),
                problem("loader", "age", State::Warning, "400 s old"),
                problem("streaming", "age", State::Warning, "300 s old"),
            ],
            vec![
                one("processing: the lag is 200 records", &["lag"], &["age"]),
                one("streaming: 300 s old", &["age"], &[]),
            ],
        ),
        (
            "a warning does not hide a failure",
            vec![
                problem("loader", "loader_held", State::Warning, "one request is held"),
                problem("loader", "loader_progress", State::Failing, "nothing was loaded for 60 s"),
            ],
            vec![
                one("loader: nothing was loaded for 60 s", &["loader_progress"], &[]),
                one("loader: one request is held", &["loader_held"], &[]),
            ],
        ),
        (
            "the door holds back what processing cannot read",
            vec![
                problem("streaming", "streaming_storms", State::Warning, "hub is held back"),
                problem("processing", "processing_endpoint_dead_letters", State::Failing, "hub: 40 of 50"),
                problem("processing", "dead_letters", State::Warning, "80% of its input becomes dead letters"),
            ],
            vec![one(
                "processing: hub: 40 of 50",
                &["processing_endpoint_dead_letters"],
                &["streaming_storms", "dead_letters"],
            )],
        ),
        (
            "a program of another name is none of ours",
            vec![
                problem("probes", "storage", State::Failing, "full"),
                problem("probes", "database", State::Failing, "away"),
            ],
            vec![one("probes: full", &["storage"], &[]), one("probes: away", &["database"], &[])],
        ),
    ];
    for (what, problems, expected) in table {
        assert_eq!(told(problems), expected, "{what}");
    }
}

fn any_problem() -> impl Strategy<Value = Problem> {
    let checks = prop::sample::select(vec![
        "log",
        "kafka",
        "claims",
        "topics",
        "lake",
        "progress",
        "retention",
        "held",
        "registrations",
        "storms",
        "endpoint_dead_letters",
        "load_requests",
    ]);
    let own = prop::sample::select(vec!["instances", "lag", "age", "ready", "consumer", "in_work", "dead_letters"]);
    let states = prop::sample::select(vec![State::Unknown, State::Warning, State::Failing]);
    let actions = prop::sample::select(vec![Action::Page, Action::Ticket, Action::Log]);
    (prop::sample::select(ORDER.to_vec()), checks, own, any::<bool>(), states, actions).prop_map(
        |(hop, check, own, is_own, state, action)| {
            let check = if is_own { own.to_owned() } else { format!("{hop}_{check}") };
            Problem { action, ..problem(hop, &check, state, "not as it should be") }
        },
    )
}

proptest! {
    #[test]
    fn each_problem_has_one_cause_and_none_is_hidden_below_a_lesser_one(
        mut problems in prop::collection::vec(any_problem(), 0..24)
    ) {
        arrange(&mut problems);
        let causes = causes(&problems, &ORDER);
        let mut places: Vec<usize> =
            causes.iter().flat_map(|cause| cause.signs.iter().chain(&cause.consequences).copied()).collect();
        places.sort_unstable();
        prop_assert_eq!(places, (0..problems.len()).collect::<Vec<_>>());
        for cause in &causes {
            let worst = cause.signs.iter().chain(&cause.consequences).map(|&at| problems[at].urgency()).max();
            prop_assert_eq!(Some(cause.urgency()), worst);
            prop_assert!(!cause.signs.is_empty() && !cause.summary.is_empty());
        }
        prop_assert!(causes.is_sorted_by_key(|cause| Reverse(cause.urgency())));
    }
}
