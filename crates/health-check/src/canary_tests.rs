use common::health::v1::State;

use super::*;
use crate::pipeline::{Model, View};
use crate::samples::{LIMITS, at, digest, stamp, tell, watched};

const WAY: &str = "raw.github/3";

/// What a stage tells of a way: when the last that passed was sent, and when it passed.
fn canary(hop: &str, way: &str, last: Option<(i64, i64)>) -> Canary {
    Canary {
        hop: hop.to_owned(),
        way: way.to_owned(),
        since: Some(stamp(0)),
        sent_at: last.map(|(sent, _)| stamp(sent)),
        passed_at: last.map(|(_, passed)| stamp(passed)),
    }
}

fn told(hop: &str, instance: &str, canaries: &[(&str, Option<(i64, i64)>)]) -> Digest {
    let canaries = canaries.iter().map(|(way, last)| canary(hop, way, *last)).collect();
    Digest { canaries, ..digest(hop, instance, &[]) }
}

type Told<'a> = (&'a str, Option<(i64, i64)>);

/// All four stages, each with one instance that told this of the way.
fn model(stages: [Option<(i64, i64)>; 4], seconds: u64) -> Model {
    let mut model = empty();
    round(&mut model, stages, seconds);
    model
}

const HOPS: [&str; 4] = ["streaming", "processing", "enricher", "loader"];

fn empty() -> Model {
    Model::new(watched(&HOPS.map(|hop| (hop, 1))), LIMITS)
}

fn round(model: &mut Model, stages: [Option<(i64, i64)>; 4], seconds: u64) {
    let answers = HOPS.iter().zip(stages).map(|(hop, last)| {
        let canaries: Vec<Told<'_>> =
            if last.is_some() || *hop == "streaming" { vec![(WAY, last)] } else { Vec::new() };
        (*hop, *hop, Ok(told(hop, &format!("{hop}-0:7"), &canaries)))
    });
    tell(model, answers.collect(), seconds);
}

fn of_canaries(view: &View) -> Vec<(State, &str, &str)> {
    let problems = view.problems.iter().filter(|problem| problem.check == CHECK);
    problems.map(|problem| (problem.state, problem.hops[0].as_str(), problem.found.as_str())).collect()
}

/// Sent every minute from 0 on: which stage is named, and how. The limits are a minute and ten.
#[test]
fn the_first_stage_that_one_has_not_passed_is_named() {
    let fine = Some((600, 601));
    type Row = ([Option<(i64, i64)>; 4], u64, Option<(State, &'static str, &'static str)>);
    let table: [Row; 8] = [
        ([fine, fine, Some((600, 603)), Some((600, 606))], 610, None),
        // On its way.
        ([fine, fine, Some((540, 543)), Some((540, 546))], 610, None),
        (
            [fine, fine, Some((540, 543)), Some((540, 546))],
            695,
            Some((State::Warning, "streaming", "no canary of raw.github/3 has passed streaming for 95 s")),
        ),
        (
            [Some((1290, 1291)), Some((1290, 1292)), Some((1290, 1293)), Some((1200, 1206))],
            1900,
            Some((State::Failing, "streaming", "no canary of raw.github/3 has passed streaming for 610 s")),
        ),
        (
            [fine, None, None, None],
            665,
            Some((State::Warning, "streaming", "no canary of raw.github/3 has passed streaming for 65 s")),
        ),
        ([fine, None, None, None], 655, None),
        // None became durable at the door since it began to send.
        (
            [None, None, None, None],
            70,
            Some((State::Warning, "streaming", "no canary of raw.github/3 has passed streaming for 70 s")),
        ),
        ([None, None, None, None], 50, None),
    ];
    for (n, (stages, seconds, expected)) in table.into_iter().enumerate() {
        let view = model(stages, seconds).view(at(seconds));
        assert_eq!(of_canaries(&view), Vec::from_iter(expected), "{n}");
    }
}

#[test]
fn a_stage_that_stands_is_late_from_the_first_one_that_waits() {
    let mut model = empty();
    // Every 30 s one is sent and passes processing; from 60 s on none passes the enricher.
    let mut named = None;
    for n in 0..8u64 {
        let sent = (n * 30) as i64;
        let held = sent.min(60);
        let passed = |sent: i64, after: i64| Some((sent, sent + after));
        round(&mut model, [passed(sent, 0), passed(sent, 1), passed(held, 2), passed(held, 3)], n * 30 + 5);
        let view = model.view(at(n * 30 + 5));
        if let Some((state, hop, found)) = of_canaries(&view).first() {
            named.get_or_insert((n, *state, (*hop).to_owned(), (*found).to_owned()));
        }
    }
    // The one sent at 90 waits for more than a minute at 155: not from when the last was sent.
    let found = "the last canary of raw.github/3 passed processing 4 s ago, and none has passed enricher for 93 s";
    assert_eq!(named, Some((5, State::Warning, "enricher".to_owned(), found.to_owned())));
    // The loader only waits for the enricher: one stage is named.
    let view = model.view(at(220));
    assert_eq!(of_canaries(&view).len(), 1);
    let waits: Vec<_> = view.pipeline.hops.iter().map(|hop| hop.canary_seconds).collect();
    assert_eq!(waits, [Some(10.0), Some(0.0), Some(130.0), Some(130.0)]);
    // And when they pass again, all is well at once.
    let sent = Some((240, 241));
    round(&mut model, [sent; 4], 245);
    assert!(of_canaries(&model.view(at(245))).is_empty());
}

#[test]
fn one_partition_that_stands_is_seen_among_many_that_go() {
    let mut model = empty();
    let ways: Vec<String> = (0..6).map(|n| format!("raw.github/{n}")).collect();
    for second in [0i64, 60, 120, 180] {
        let go = |hop: &str, held: bool, after: i64| {
            let canaries: Vec<Told<'_>> = ways
                .iter()
                .map(|way| {
                    let sent = if held && way.ends_with("/4") { 0 } else { second };
                    (way.as_str(), Some((sent, sent + after)))
                })
                .collect();
            Ok(told(hop, &format!("{hop}-0:7"), &canaries))
        };
        let answers = vec![
            ("streaming", "a", go("streaming", false, 0)),
            ("processing", "b", go("processing", true, 1)),
            ("enricher", "c", go("enricher", true, 2)),
            ("loader", "d", go("loader", true, 3)),
        ];
        tell(&mut model, answers, second as u64 + 4);
    }
    let view = model.view(at(184));
    let found = "the last canary of raw.github/4 passed streaming 4 s ago, and none has passed processing for 183 s";
    assert_eq!(of_canaries(&view), [(State::Warning, "processing", found)]);
}

#[test]
fn of_several_instances_the_latest_counts_and_one_that_is_gone_is_remembered() {
    let mut model = Model::new(watched(&[("streaming", 2), ("processing", 2)]), LIMITS);
    let door = |instance: &str, sent| Ok(told("streaming", instance, &[(WAY, Some((sent, sent)))]));
    let stage = |instance: &str, sent: Option<i64>| {
        let canaries: Vec<Told<'_>> = sent.map(|sent| (WAY, Some((sent, sent + 1)))).into_iter().collect();
        Ok(told("processing", instance, &canaries))
    };
    // The partition has gone from one to the other.
    let answers = vec![
        ("streaming", "a", door("door-0:7", 300)),
        ("streaming", "b", door("door-1:7", 290)),
        ("processing", "c", stage("work-0:7", Some(0))),
        ("processing", "d", stage("work-1:7", Some(300))),
    ];
    tell(&mut model, answers, 305);
    assert!(of_canaries(&model.view(at(305))).is_empty());
    // Who passed it is gone, and the other one has passed none yet.
    let answers = vec![
        ("streaming", "a", door("door-0:7", 300)),
        ("streaming", "b", door("door-1:7", 290)),
        ("processing", "c", stage("work-2:7", None)),
        ("processing", "d", stage("work-3:7", None)),
    ];
    tell(&mut model, answers, 340);
    assert!(of_canaries(&model.view(at(340))).is_empty());
    // Of doors each has to send: that of one says nothing of the other.
    let answers = vec![
        ("streaming", "a", door("door-0:7", 360)),
        ("streaming", "b", door("door-1:7", 290)),
        ("processing", "c", stage("work-2:7", Some(360))),
        ("processing", "d", stage("work-3:7", None)),
    ];
    tell(&mut model, answers, 365);
    let view = model.view(at(365));
    let found = "no canary of raw.github/3 has passed streaming for 75 s";
    assert_eq!(of_canaries(&view), [(State::Warning, "streaming", found)]);
    let problem = view.problems.iter().find(|problem| problem.check == CHECK).unwrap();
    assert_eq!(problem.instances, ["door-1:7"]);
}

#[test]
fn where_none_is_sent_nothing_is_said() {
    // The stages remember some, and no door sends any.
    let mut model = empty();
    round(&mut model, [Some((0, 0)), Some((0, 1)), None, None], 5);
    let door: Vec<Told<'_>> = Vec::new();
    tell(
        &mut model,
        vec![
            ("streaming", "streaming", Ok(told("streaming", "streaming-0:7", &door))),
            ("processing", "processing", Ok(told("processing", "processing-0:7", &[(WAY, Some((0, 1)))]))),
            ("enricher", "enricher", Ok(told("enricher", "enricher-0:7", &[]))),
            ("loader", "loader", Ok(told("loader", "loader-0:7", &[]))),
        ],
        5000,
    );
    let view = model.view(at(5000));
    assert!(of_canaries(&view).is_empty());
    assert!(view.pipeline.hops.iter().all(|hop| hop.canary_seconds.is_none()), "{:?}", view.pipeline.hops);
}
