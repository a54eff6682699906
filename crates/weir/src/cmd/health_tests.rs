use common::health::v1::{Action, Cause, Count, Hop, Instance};
use prost_types::Timestamp;

use super::*;

fn hop(service: &str, state: State, instances: u32, rates: (f64, f64), lag: i64, age: Option<f64>) -> Hop {
    Hop {
        service: service.to_owned(),
        state: state.into(),
        instances,
        expected: 2,
        in_per_second: rates.0,
        out_per_second: rates.1,
        total: Some(Count {
            taken_in: 1_234_567,
            sent_on: 1_234_000,
            dead_lettered: 12,
            dropped: [("duplicate".to_owned(), 550)].into(),
            ..Count::default()
        }),
        lag,
        age_seconds: age,
        oldest_seconds: None,
        canary_seconds: None,
        lag_unknown: state == State::Unknown,
        rates_unknown: state == State::Unknown,
        action: if state == State::Failing { Action::Page } else { Action::Unspecified }.into(),
    }
}

fn pipeline() -> Pipeline {
    Pipeline {
        state: State::Failing.into(),
        hops: vec![
            hop("streaming", State::Ok, 2, (236.04, 236.0), 0, Some(0.012)),
            hop("processing", State::Failing, 1, (340.2, 337.0), 48_211, Some(75.0)),
            hop("loader", State::Unknown, 2, (0.0, 0.0), 0, None),
        ],
        instances: vec![
            Instance { address: "http://10.0.1.1:9090".to_owned(), ..Instance::default() },
            Instance {
                address: "http://10.0.1.2:9090".to_owned(),
                error: "Connection refused (os error 111)".to_owned(),
                ..Instance::default()
            },
        ],
        problems: vec![
            "failing (page): processing: 1 of 2 instances answer (instances). Look at the orchestrator.".to_owned(),
            "warning: processing: the lag is 48211 records (lag). Compare its rate with its usual rate.".to_owned(),
        ],
        at: Some(Timestamp { seconds: 1_772_368_496, nanos: 0 }),
        action: Action::Page.into(),
        headline: "Something is broken: one thing to do now".to_owned(),
        errors: vec![
            errors("processing", "hub", "refused", "not_acknowledged", 1234),
            errors("loader", "", "logged", "loading failed, retrying: no route to host", 7),
        ],
        errors_window_seconds: 1800,
        errors_dropped: 0,
        volume: None,
        name: "shop, Frankfurt".to_owned(),
        summary: "processing: 1 of 2 instances answer. Look at the orchestrator.".to_owned(),
        causes: vec![Cause {
            state: State::Failing.into(),
            action: Action::Page.into(),
            summary: "processing: 1 of 2 instances answer".to_owned(),
            advice: "Look at the orchestrator. Nothing is lost.".to_owned(),
            hops: vec!["processing".to_owned()],
            since: None,
            signs: vec![0],
            consequences: vec![1],
        }],
        ..Pipeline::default()
    }
}

fn errors(hop: &str, endpoint: &str, kind: &str, text: &str, count: u64) -> ErrorGroup {
    let at = |seconds: i64| Some(Timestamp { seconds: 1_772_368_000 + seconds, nanos: 0 });
    ErrorGroup {
        hop: hop.to_owned(),
        endpoint: endpoint.to_owned(),
        kind: kind.to_owned(),
        text: text.to_owned(),
        count,
        first_at: at(0),
        last_at: at(400),
        instances: vec!["a:7".to_owned()],
    }
}

#[test]
fn errors_are_a_line_for_each_group_and_all_where_they_are_asked_for() {
    let mut pipeline = pipeline();
    let all = super::errors(&pipeline, usize::MAX);
    assert_eq!(
        all,
        "\nErrors of the last 30 min:\n    1,234  processing hub: not_acknowledged (refused, last at 2026-03-01T12:33:20Z)\n        \
         7  loader: loading failed, retrying: no route to host (logged, last at 2026-03-01T12:33:20Z)\n"
    );
    let one = super::errors(&pipeline, 1);
    assert!(one.ends_with("\n  and 1 others: weir health --errors\n") && !one.contains("no route"), "{one}");
    pipeline.errors.clear();
    assert_eq!(super::errors(&pipeline, 5), "No errors of the last 30 min.\n");
}

#[test]
fn people_read_the_result_the_problems_and_the_stages() {
    insta::assert_snapshot!(render(&pipeline()));
}

#[test]
fn a_pipeline_that_is_well_takes_few_words() {
    let mut pipeline = pipeline();
    pipeline.set_state(State::Ok);
    "All is well".clone_into(&mut pipeline.headline);
    pipeline.hops.truncate(1);
    pipeline.problems.clear();
    pipeline.causes.clear();
    pipeline.summary.clear();
    pipeline.errors.clear();
    pipeline.instances.truncate(1);
    insta::assert_snapshot!(render(&pipeline));
    insta::assert_snapshot!(render(&Pipeline::default()));
}

#[test]
fn an_older_health_check_is_not_believed_that_all_is_well() {
    let mut pipeline = pipeline();
    pipeline.set_state(State::Ok);
    assert_eq!(exit_code(state(&pipeline)), 0);
    pipeline.headline.clear();
    pipeline.name.clear();
    assert_eq!(exit_code(state(&pipeline)), UNKNOWN);
    assert!(render(&pipeline).starts_with("Weir is ok, it says; but this health-check is of an older version"));
}

#[test]
fn json_has_the_names_of_the_proto() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&PipelineJson::from(pipeline())).unwrap());
}

#[tokio::test]
async fn when_nobody_answers_the_address_and_the_setting_are_named() {
    let limit = Duration::from_secs(5);
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let dial = Dial::new("grpc.client", &service::tls::ClientTlsSettings::default());
    let error = ask(&dial, &format!("http://127.0.0.1:{port}"), limit).await.unwrap_err();
    assert!(error.starts_with(&format!("cannot connect to http://127.0.0.1:{port} (")), "{error}");
    assert!(error.contains("--grpc URL") && error.contains("grpc.listen"), "{error}");
    let error = ask(&dial, "no url at all", limit).await.unwrap_err();
    assert!(error.contains("no url at all") && error.contains("--grpc"), "{error}");
    // Takes the connection, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let error = ask(&dial, &url, Duration::from_millis(300)).await.unwrap_err();
    assert!(error.contains(&url), "{error}");
}
