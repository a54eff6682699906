use common::health::v1::{Action, State};
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
    }
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
        problem("streaming", "streaming_kafka", State::Failing, "not acknowledged for 4 s"),
        problem("streaming", "streaming_registrations", State::Unknown, "not read yet"),
        problem("processing", "processing_log", State::Failing, away),
        problem("processing", "processing_topics", State::Unknown, "not compared yet"),
        problem("enricher", "enricher_log", State::Failing, away),
        problem("enricher", "enricher_load_requests", State::Failing, "not acknowledged"),
        problem("loader", "loader_log", State::Failing, "asked for 5 s"),
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
