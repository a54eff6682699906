use std::time::Duration;

use common::health::v1::Queue;

use super::*;
use crate::check::{exit_code, state};
use crate::samples::{at, check, digest, tell, told, whole};

fn found(name: &str) -> (u8, String) {
    let view = whole(|answers| {
        for (at, state, text) in [(2, State::Warning, "slow | and\nlate"), (3, State::Ok, "answers")] {
            let Ok(digest) = &mut answers[at].2 else { continue };
            let mut claims = check("processing_claims", state, text);
            (claims.value, claims.threshold, claims.unit) = (Some(1.5), Some(5.0), "seconds".to_owned());
            digest.checks.push(claims);
            digest.queues[0].lag = 100;
        }
    });
    match Named::find(&view.pipeline, name) {
        Ok(named) => (exit_code(named.state), named.line),
        Err(problem) => (3, problem),
    }
}

#[test]
fn a_stage_a_check_and_one_of_its_own_are_found_by_name() {
    let table = [
        ("loader", 0, "OK loader: ok"),
        ("processing", 1, "WARNING processing: "),
        ("processing_claims", 1, "WARNING processing_claims: slow / and late | 'processing_claims'=1.5s;5"),
        ("processing/processing_claims", 1, "WARNING processing/processing_claims: slow / and late |"),
        ("processing_log", 0, "OK processing_log: answers"),
        ("lag", 1, "WARNING lag: processing: the lag is 200 records"),
        ("processing/lag", 1, "WARNING processing/lag: processing: the lag is 200 records"),
        ("loader/lag", 0, "OK loader/lag: as it should be"),
        ("procesing", 3, "no stage and no check is called \"procesing\": there are age, canary, consumer, and "),
        ("procesing/lag", 3, "no stage and no check is called \"procesing/lag\": did you mean lag?"),
        ("claims", 3, "did you mean processing_claims?"),
    ];
    for (name, code, says) in table {
        let (told, line) = found(name);
        assert!(told == code && line.contains(says) && !line.contains('\n'), "{name}: {told} {line}");
    }
}

#[test]
fn who_does_not_answer_any_more_says_nothing_of_now() {
    let mut pipeline = whole(|_| ()).pipeline;
    let line = |pipeline: &Pipeline| Named::find(pipeline, "loader_log").unwrap();
    assert_eq!(line(&pipeline).state, State::Ok);
    "Connection refused".clone_into(&mut pipeline.instances[5].error);
    let Named { state, line } = line(&pipeline);
    assert_eq!((state, &*line), (State::Unknown, "UNKNOWN loader_log: load-0:7 does not answer: Connection refused"));
    assert_eq!(Named::find(&Pipeline::default(), "lag").unwrap().state, State::Unknown);
}

/// The exit code and the line.
fn named(pipeline: &Pipeline, name: &str) -> (u8, String) {
    let Named { state, line } = Named::find(pipeline, name).unwrap();
    (exit_code(state), line)
}

#[test]
fn a_check_is_known_of_a_stage_only_when_all_of_it_has_told_it() {
    let code = |pipeline: &Pipeline, name: &str| named(pipeline, name).0;
    let whole = whole(|_| ()).pipeline;
    assert_eq!(code(&whole, "processing_log"), 0);
    // One of two has never answered: it may fail there.
    let view = crate::samples::whole(|answers| answers[3].2 = Err("refused".to_owned()));
    let mut pipeline = view.pipeline;
    pipeline.instances[3].digest = None;
    for name in ["processing_log", "processing/processing_log"] {
        let (code, line) = named(&pipeline, name);
        assert!(code == 3 && line.contains("processing: 1 of 2 instances answer"), "{line}");
    }
    assert_eq!((code(&pipeline, "loader_log"), code(&pipeline, "streaming_kafka")), (0, 0));
    // A check of another stage is none of this one.
    assert!(Named::find(&whole, "loader/processing_log").is_err());
    assert_eq!(code(&whole, "loader/loader_log"), 0);
}

#[test]
fn while_health_check_stands_still_nothing_is_known() {
    let mut model =
        told(&[("processing", 1)], vec![("processing", "a", Ok(digest("processing", "work:1", &[("pages", 10, 10)])))])
            .stale_after(Duration::from_secs(19));
    for (seconds, code) in [(19, 0), (20, 3)] {
        let pipeline = model.view(at(seconds)).pipeline;
        for name in ["round", "instances", "in_work", "processing", "processing_topics", "processing/processing_topics"]
        {
            let (is, line) = named(&pipeline, name);
            assert!(is == code && (code == 0 || line.ends_with("health-check has asked nobody for 20 s")), "{line}");
        }
    }
    // Nor is what failed before known to fail still.
    tell(&mut model, vec![("processing", "a", Err("refused".to_owned()))], 30);
    assert_eq!(named(&model.view(at(30)).pipeline, "instances").0, 2);
    assert_eq!(named(&model.view(at(50)).pipeline, "instances").0, 3);
}

#[test]
fn what_is_not_known_of_a_stage_is_not_ok() {
    let mut pipeline = whole(|_| ()).pipeline;
    let is = |pipeline: &Pipeline, names: &[&str], code: u8, says: &str| {
        for name in names {
            let (is, line) = named(pipeline, name);
            assert!(is == code && line.contains(says), "{line}");
        }
    };
    is(&pipeline, &["lag", "processing/lag", "dead_letters", "streaming/lag"], 0, "as it should be");
    pipeline.hops[1].lag_unknown = true;
    is(&pipeline, &["lag", "processing/lag"], 3, "processing: the lag is not known");
    is(&pipeline, &["loader/lag", "processing/age"], 0, "as it should be");
    pipeline.hops[1].rates_unknown = true;
    is(&pipeline, &["dead_letters", "processing/dead_letters"], 3, "the rates are not known");
    pipeline.hops[1].instances = 1;
    let made_of_all = ["age", "in_work", "consumer", "processing/ready", "processing/dead_letters"];
    is(&pipeline, &made_of_all, 3, "processing: 1 of 2 instances answer");
    is(&pipeline, &["loader/age", "round", "processing/instances"], 0, "as it should be");
    // What is known to be wrong is worse.
    let view = whole(|answers| {
        if let Ok(digest) = &mut answers[2].2 {
            digest.queues[0].lag = 5000;
            digest.queues.push(Queue { lag_unknown: true, ..digest.queues[0].clone() });
        }
    });
    is(&view.pipeline, &["lag", "processing/lag"], 2, "processing: the lag is 10017 records");
    // While the log is away, nothing is measured.
    let view = whole(|answers| {
        if let Ok(digest) = &mut answers[5].2 {
            digest.checks.push(check("loader_kafka", State::Failing, "no broker answers"));
        }
    });
    is(&view.pipeline, &["age", "loader/in_work"], 3, "loader: not looked at, because loader_kafka fails");
}

#[test]
fn an_older_health_check_does_not_say_what_it_does_not_know() {
    let whole = whole(|_| ()).pipeline;
    let names = ["lag", "loader/lag", "round", "loader", "loader_log", "loader/loader_log"];
    assert!(names.iter().all(|name| named(&whole, name).0 == 0));
    assert_eq!(state(&whole), State::Ok);
    // Before there were headlines; and before problems were told field by field.
    let first = Pipeline { headline: String::new(), ..whole.clone() };
    let next = Pipeline { problems: vec!["warning: loader: slow".to_owned()], ..whole };
    for name in names {
        for older in [&first, &next] {
            let (code, line) = named(older, name);
            assert!(code == 3 && line.contains("an older version"), "{line}");
        }
    }
    assert_eq!(state(&first), State::Unknown);
    assert_eq!(state(&Pipeline { state: State::Failing.into(), ..first }), State::Failing);
}

#[test]
fn a_volume_that_nobody_has_judged_is_unknown() {
    let mut pipeline = whole(|_| ()).pipeline;
    let (code, line) = named(&pipeline, "volume");
    assert!(code == 3 && line.contains("streaming: the volume is not watched"), "{line}");
    pipeline.volume = Some(VolumeSummary { not_known: 7, ..VolumeSummary::default() });
    let (code, line) = named(&pipeline, "streaming/volume");
    assert!(code == 3 && line.contains("no endpoint could be judged"), "{line}");
    pipeline.volume = Some(VolumeSummary { ok: 1, not_known: 7, ..VolumeSummary::default() });
    assert_eq!(named(&pipeline, "volume").0, 0);
}
