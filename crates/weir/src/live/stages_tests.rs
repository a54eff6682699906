use common::health::v1::{Check, Count};

use super::*;

fn check(name: &str, state: State, gates_readiness: bool) -> Check {
    let message = format!("{name} says why");
    Check { name: name.to_owned(), state: state.into(), gates_readiness, message, ..Check::default() }
}

#[test]
fn what_is_waited_for_is_told_with_its_reason() {
    let checks = vec![
        check("loader_lake", State::Warning, false),
        check("streaming_kafka", State::Ok, true),
        check("streaming_registrations", State::Unknown, true),
        check("loader_reach", State::Unknown, false),
        check("streaming_topics", State::Failing, true),
    ];
    let mut digest = Digest { checks, ..Digest::default() };
    let troubles = |digest: &Digest| troubles(digest, Duration::from_secs(11));
    assert_eq!(
        troubles(&digest),
        "  streaming_topics: streaming_topics says why\n  streaming_registrations: streaming_registrations says why\n"
    );
    for name in ["a", "b", "c"] {
        digest.checks.push(check(name, State::Failing, false));
    }
    assert_eq!(troubles(&digest).lines().count(), 4);
    assert!(troubles(&digest).ends_with("and 2 more checks: see the status page\n"));
    assert_eq!(state(&digest, false), "not ready");
    assert_eq!(super::troubles(&digest, Duration::ZERO).matches("says why").count(), 3, "only what fails");
    digest.ready = true;
    assert_eq!((state(&digest, false), state(&digest, true)), ("ready", "stopping"));
}

#[test]
fn each_stage_has_a_line() {
    let count = |hop: &str, endpoint: &str, taken_in, sent_on, dead_lettered| Count {
        hop: hop.to_owned(),
        endpoint: endpoint.to_owned(),
        taken_in,
        sent_on,
        dead_lettered,
        dropped: [("duplicate".to_owned(), taken_in - sent_on - dead_lettered)].into(),
        ..Count::default()
    };
    let counts = vec![
        count("processing", "a", 1_200_000, 1_199_990, 4),
        count("streaming", "a", 5, 4, 0),
        count("streaming", "b", 7, 7, 0),
        count("loader", "", 0, 0, 0),
    ];
    let digest = Digest { counts, ..Digest::default() };
    insta::assert_snapshot!(flows(&digest, &["streaming", "processing", "enricher", "loader"]));
}
