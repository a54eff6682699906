use common::health::v1::Pipeline;
use proptest::prelude::*;

use super::*;
use crate::pipeline::Model;
use crate::samples::{LIMITS, at, check, whole};

fn view(state: State, summary: &str) -> View {
    let mut view = Model::new(Vec::new(), LIMITS).view(at(0));
    summary.clone_into(&mut view.pipeline.headline);
    view.pipeline.set_state(state);
    view.pipeline.hops = vec![Hop { service: "loader".to_owned(), lag: 7, ..Hop::default() }];
    view.pipeline.hops[0].set_state(state);
    view
}

fn minutes(time: &Time) -> u64 {
    time.to - time.from + 1
}

fn times(history: &History) -> Vec<(u64, State)> {
    history.day.all().iter().map(|time| (minutes(time), time.state)).collect()
}

#[test]
fn states_of_a_day_are_told_by_the_minute_and_the_worst_of_each_counts() {
    let mut history = History::default();
    for (seconds, state) in [
        (4, State::Ok),
        (64, State::Ok),
        (70, State::Failing),
        (80, State::Warning),
        (124, State::Warning),
        (184, State::Ok),
        // Nobody watched for ten minutes.
        (784, State::Ok),
    ] {
        history.record(&view(state, "x"), at(seconds));
    }
    let expected = [(1, State::Ok), (1, State::Failing), (1, State::Warning), (1, State::Ok), (1, State::Ok)];
    assert_eq!(times(&history), expected);
    let gap = history.day.all();
    assert_eq!(gap[4].from - gap[3].to, 10);
}

#[test]
fn after_a_clock_that_was_ahead_the_history_goes_on() {
    let mut history = History::default();
    for (seconds, state) in [(4, State::Ok), (900, State::Failing), (905, State::Failing), (64, State::Ok)] {
        history.record(&view(state, "x"), at(seconds));
    }
    assert_eq!(times(&history), [(2, State::Ok)], "the minutes that there were");
    assert_eq!(history.of("loader").unwrap().hour(at(64)).count(), 2);
    history.record(&view(State::Failing, "late"), at(70));
    let last = history.events.back().unwrap();
    assert_eq!((last.from, last.to, last.summary.as_str()), (at(70), at(70), "late"));
    assert_eq!(history.events.len(), 1, "{:?}", history.events);

    // It was ahead from the start.
    let mut history = History::default();
    for seconds in [86_400, 0] {
        history.record(&view(State::Ok, "x"), at(seconds));
    }
    assert_eq!((history.since, times(&history)), (Some(at(0)), vec![(1, State::Ok)]));
}

#[test]
fn a_time_in_which_nobody_watched_belongs_to_no_event() {
    let told = |every, times: &[(u64, State)]| {
        let mut history = History::new(Duration::from_secs(every));
        for (seconds, state) in times {
            history.record(&view(*state, "x"), at(*seconds));
        }
        let of = |event: &Event| (event.from, event.to, event.is_gap());
        (history.events.iter().map(of).collect::<Vec<_>>(), history.goes_on())
    };
    let failing = State::Failing;
    let expected = vec![(at(0), at(5), false), (at(5), at(605), true), (at(605), at(610), false)];
    assert_eq!(told(5, &[(0, failing), (5, failing), (605, failing), (610, failing)]), (expected, true));
    let expected = vec![(at(5), at(605), true)];
    assert_eq!(
        told(5, &[(0, State::Ok), (5, State::Ok), (605, State::Ok)]),
        (expected, false),
        "also while all was well"
    );
    let expected = vec![(at(0), at(1200), false)];
    assert_eq!(
        told(600, &[(0, failing), (600, failing), (1200, failing)]),
        (expected, true),
        "rounds may be that rare"
    );
}

/// All logs are away, or only that of the loader; or the claims' store.
fn behind(checks: &[&str]) -> View {
    whole(|answers| {
        for digest in answers.iter_mut().filter_map(|(_, _, digest)| digest.as_mut().ok()) {
            for name in checks.iter().filter(|name| name.starts_with(&digest.service)) {
                digest.checks.retain(|check| check.name != **name);
                digest.checks.push(check(name, State::Failing, "away"));
            }
        }
    })
}

#[test]
fn another_cause_is_another_event_and_a_wider_one_is_told_as_wide_as_it_was() {
    let logs = ["loader_log", "enricher_log", "processing_log"];
    let mut history = History::default();
    for (seconds, checks) in [
        (0, &logs[..1]),
        (5, &logs[..]),
        (10, &["loader_log", "enricher_log", "processing_log", "loader_held"][..]),
        (15, &logs[..2]),
        (20, &["processing_claims"][..]),
    ] {
        history.record(&behind(checks), at(seconds));
    }
    let told: Vec<_> = history.events.iter().map(|event| (event.from, event.to, event.summary.as_str())).collect();
    let expected = [(at(0), at(15), "The log does not answer: 3 stages wait"), (at(20), at(20), "processing: away")];
    assert_eq!(told, expected);
}

#[test]
fn what_was_wrong_is_told_with_its_time_and_its_cause() {
    let mut history = History::default();
    for (seconds, state, summary) in [
        (0, State::Ok, "All is well"),
        (5, State::Failing, "The brokers do not answer"),
        (10, State::Failing, "The brokers do not answer, and more"),
        (15, State::Warning, "late"),
        (20, State::Ok, "All is well"),
        (25, State::Failing, "again"),
    ] {
        history.record(&view(state, summary), at(seconds));
    }
    let told: Vec<_> =
        history.events.iter().map(|event| (event.from, event.to, event.state, event.summary.as_str())).collect();
    assert_eq!(
        told,
        [
            (at(5), at(10), State::Failing, "The brokers do not answer"),
            (at(15), at(15), State::Warning, "late"),
            (at(25), at(25), State::Failing, "again"),
        ]
    );
    history.record(&view(State::Ok, ""), at(2 * 86_400));
    assert!(history.events.iter().all(Event::is_gap), "older than a day");
    assert_eq!(history.since, Some(at(0)));
}

#[test]
fn an_hour_has_a_point_for_each_half_minute_and_keeps_the_peaks() {
    let mut history = History::default();
    let mut now = view(State::Ok, "");
    for round in 0..800u64 {
        now.pipeline.hops[0].lag = if round == 790 { 5_000 } else { 7 };
        now.pipeline.hops[0].rates_unknown = round % 7 == 0;
        history.record(&now, at(round * 5));
    }
    let last = at(799 * 5);
    let points: Vec<_> = history.of("loader").unwrap().hour(last).collect();
    assert_eq!((points.len(), points[0].0, points[POINTS - 1].0), (POINTS, 0, POINTS - 1));
    assert_eq!(points.iter().filter(|(_, point)| point.lag == Some(5000.0)).count(), 1);
    assert!(points.iter().any(|(_, point)| point.taken_in.is_none()), "what was not known is no number");
    // Nothing was told for half an hour.
    assert_eq!(history.of("loader").unwrap().hour(last + Duration::from_secs(1800)).count(), 60);
}

#[test]
fn a_stage_that_is_gone_is_forgotten() {
    let mut history = History::default();
    history.record(&whole(|_| ()), at(0));
    assert!(history.of("enricher").is_some());
    history.record(&View { pipeline: Pipeline::default(), ..whole(|_| ()) }, at(5));
    assert!(history.of("enricher").is_none());
}

proptest! {
    #[test]
    fn it_is_bounded_and_in_order(steps in prop::collection::vec((0..900u64, 0..5i32), 1..400)) {
        let mut history = History::default();
        let mut now = 0;
        for (step, state) in steps {
            now += step;
            history.record(&view(State::try_from(state).unwrap(), "x"), at(now));
        }
        let day = history.day.all();
        prop_assert!(day.iter().map(minutes).sum::<u64>() <= MINUTES);
        prop_assert!(day.windows(2).all(|pair| pair[0].to < pair[1].from));
        prop_assert!(history.events.len() <= TOLD);
        prop_assert!(history.of("loader").unwrap().points.len() <= POINTS);
    }
}
