use std::collections::HashMap;

use common::health::v1::{Check, Membership, Work};
use proptest::prelude::*;

use super::*;
use crate::flow::INSTANCE_ENDED;
use crate::samples::{
    LIMITS, age, at, check, consumer, digest, hop, queue, refused, stamp, tell, told, watched, whole,
};

fn found(view: &View) -> Vec<(State, &str, &str)> {
    view.problems.iter().map(|problem| (problem.state, problem.check.as_str(), problem.found.as_str())).collect()
}

#[test]
fn all_is_well() {
    let view = whole(|_| ());
    assert_eq!(view.pipeline.state(), State::Ok, "{:?}", view.pipeline.problems);
    let names: Vec<_> = view.pipeline.hops.iter().map(|hop| hop.service.as_str()).collect();
    assert_eq!(names, ["streaming", "processing", "enricher", "loader"], "in the order in which they are watched");
    let streaming = hop(&view, "streaming");
    assert_eq!((streaming.instances, streaming.expected), (2, 2));
    // 600 and 580 in five seconds.
    assert!((streaming.in_per_second - 236.0).abs() < 0.1, "{}", streaming.in_per_second);
    assert_eq!(hop(&view, "processing").lag, 34);
    assert_eq!(hop(&view, "loader").age_seconds, Some(48.0));
    let total = hop(&view, "streaming").total.clone().unwrap();
    assert_eq!(
        (total.taken_in, total.sent_on),
        (40_000 + 3000 + 38_000 + 2900 + 1800, 39_990 + 3000 + 37_991 + 2900 + 1798)
    );
}

fn ticket(digest: &mut Digest, state: State) {
    let check = check("processing_step_geo", state, "a file cannot be read");
    digest.checks.push(Check { action: Action::Ticket.into(), ..check });
}

fn work(hop: &str, oldest: f64) -> Work {
    Work { hop: hop.to_owned(), in_work: 7, oldest_seconds: Some(oldest), limit_seconds: Some(60.0) }
}

fn record() -> Check {
    let check = check("processing_note", State::Failing, "");
    Check { action: Action::Log.into(), ..check }
}

#[test]
fn states_and_what_makes_them() {
    type Change = fn(&mut Digest);
    let table: &[(&str, Change, State, &str)] = &[
        ("nothing", |_| (), State::Ok, ""),
        ("a check fails", |d| d.checks[0].set_state(State::Failing), State::Failing, "processing_topics"),
        ("a check warns", |d| d.checks[0].set_state(State::Warning), State::Warning, "processing_topics"),
        ("a check is unknown", |d| d.checks[0].set_state(State::Unknown), State::Unknown, "processing_topics"),
        ("a check has no state", |d| d.checks[0].set_state(State::Unspecified), State::Unknown, "processing_topics"),
        ("some wait", |d| d.queues.push(queue("processing", 99)), State::Ok, ""),
        ("many wait", |d| d.queues.push(queue("processing", 100)), State::Warning, "lag"),
        ("very many wait", |d| d.queues.push(queue("processing", 1000)), State::Failing, "lag"),
        ("another's queue", |d| d.queues.push(queue("loader", 1000)), State::Failing, "lag"),
        ("old", |d| d.ages.push(age("processing", 60.0)), State::Warning, "age"),
        ("very old", |d| d.ages.push(age("processing", 601.0)), State::Failing, "age"),
        ("it has had work for long", |d| d.works.push(work("processing", 60.0)), State::Warning, "in_work"),
        ("for less long", |d| d.works.push(work("processing", 59.0)), State::Ok, ""),
        ("another's", |d| d.works.push(work("loader", 60.0)), State::Ok, ""),
        ("it stops", |d| d.ready = false, State::Ok, "ready"),
        ("a check for working hours", |d| ticket(d, State::Failing), State::Warning, "processing_step_geo"),
        ("one that is not known", |d| ticket(d, State::Unknown), State::Unknown, "processing_step_geo"),
        ("one that is for the record", |d| d.checks.push(record()), State::Ok, "processing_note"),
        ("it has partitions", |d| d.consumers.push(consumer("processing", Membership::Member, 3)), State::Ok, ""),
        ("others have all", |d| d.consumers.push(consumer("processing", Membership::Spare, 0)), State::Ok, ""),
        ("it waits, and has some", |d| d.consumers.push(consumer("processing", Membership::Joining, 3)), State::Ok, ""),
        (
            "it waits, and has none",
            |d| d.consumers.push(consumer("processing", Membership::Joining, 0)),
            State::Warning,
            "consumer",
        ),
        (
            "it waits, and a check says so",
            |d| {
                d.consumers.push(consumer("processing", Membership::Joining, 0));
                d.checks.push(check("processing_progress", State::Failing, "waits for its group"));
            },
            State::Failing,
            "processing_progress",
        ),
        (
            "a check of the whole process",
            |d| d.checks.push(check("disk", State::Failing, "full")),
            State::Failing,
            "disk",
        ),
        (
            "a check of the registrations",
            |d| d.checks.push(check("registrations_database", State::Failing, "away")),
            State::Failing,
            "registrations_database",
        ),
    ];
    for (what, change, state, check) in table {
        let mut digest = digest("processing", "work:1", &[("pages", 10, 10)]);
        change(&mut digest);
        let view = told(&[("processing", 1)], vec![("processing", "a", Ok(digest))]).view(at(0));
        assert_eq!(view.pipeline.state(), *state, "{what}");
        let checks: Vec<_> = view.problems.iter().map(|problem| problem.check.as_str()).collect();
        assert_eq!(checks.first().copied().unwrap_or_default(), *check, "{what}: {checks:?}");
    }
}

#[test]
fn too_few_instances_are_a_failure_with_the_reason() {
    let good = digest("processing", "work:1", &[]);
    let mut model =
        told(&[("processing", 2)], vec![("processing", "a", Ok(good.clone())), ("processing", "b", refused())]);
    let view = model.view(at(0));
    assert_eq!(view.pipeline.state(), State::Failing);
    let says = "1 of 2 instances answer; b: connection refused";
    assert_eq!(found(&view), [(State::Failing, "instances", says)]);
    assert!(
        view.pipeline.problems[0].starts_with("failing (page): processing: 1 of 2"),
        "{:?}",
        view.pipeline.problems
    );
    assert_eq!(
        view.pipeline.instances.iter().map(|i| i.error.as_str()).collect::<Vec<_>>(),
        ["", "connection refused"]
    );

    // One more than expected, of which one does not answer: enough do.
    let other = digest("processing", "work:2", &[]);
    tell(
        &mut model,
        vec![("processing", "a", Ok(good)), ("processing", "b", Ok(other)), ("processing", "c", refused())],
        5,
    );
    assert_eq!(model.view(at(5)).pipeline.state(), State::Ok);
}

#[test]
fn a_log_that_is_away_is_told_once() {
    let mut digest = digest("processing", "work:1", &[]);
    digest.checks.push(check("processing_log", State::Failing, "no broker answers"));
    digest.checks.push(check("processing_progress", State::Failing, "nothing done for 90 s"));
    digest.queues.push(queue("processing", 5000));
    digest.ages.push(age("processing", 5000.0));
    let view = told(&[("processing", 1)], vec![("processing", "a", Ok(digest))]).view(at(0));
    assert_eq!(found(&view), [(State::Failing, "processing_log", "no broker answers")]);
}

#[test]
fn missing_topics_are_told_once_for_each_stage_and_what_waits_for_them_is_not() {
    let missing = |n| format!("{n} topics are missing: run `weir topics --create`");
    let mut digest = digest("weir", "laptop:1", &[]);
    digest.checks = vec![
        check("processing_claims", State::Unknown, "not checked yet"),
        check("processing_registrations", State::Unknown, "the registrations topic has not been read"),
        check("processing_topics", State::Failing, &missing(120)),
        check("registrations_published", State::Unknown, "topic registrations does not exist"),
        check("streaming_registrations", State::Failing, "the topic registrations is not read to its end yet"),
        check("streaming_topics", State::Failing, &missing(9)),
    ];
    for (hop, taken_in) in [("processing", 0), ("streaming", 9)] {
        digest.counts.push(Count { hop: hop.to_owned(), taken_in, ..Count::default() });
    }
    let mut model = Model::new(watched(&[("weir", 1)]), LIMITS).in_order(&["streaming", "processing"]);
    tell(&mut model, vec![("weir", "this process", Ok(digest))], 0);
    let view = model.view(at(0));
    let told = view.problems.iter().map(|problem| (problem.hops.join(", "), problem.found.clone()));
    let expected = [("streaming", missing(9)), ("processing", missing(120))];
    assert_eq!(told.collect::<Vec<_>>(), expected.map(|(hop, found)| (hop.to_owned(), found)));
    assert!(view.problems.iter().all(|problem| problem.advice.contains("weir topics --check")));
}

#[test]
fn no_advice_names_a_setting_that_removes_what_is_registered() {
    // The cause may be any: only the message of the check knows whether a person has to decide that.
    let mut digest = digest("processing", "work:1", &[]);
    digest.checks.push(check("registrations_published", State::Failing, "topic registrations does not exist"));
    let view = told(&[("processing", 1)], vec![("processing", "a", Ok(digest))]).view(at(0));
    assert_eq!(view.problems.len(), 1);
    assert!(!view.problems[0].advice.contains("allow_removals"), "{:?}", view.problems);
}

#[test]
fn what_many_say_is_told_by_the_first_and_their_count() {
    let answers: Vec<(String, String)> =
        (0..50).map(|n| ("work".to_owned(), format!("http://10.0.0.{n}:9090"))).collect();
    let refused = answers.iter().map(|(service, at)| (&**service, &**at, refused())).collect();
    let view = told(&[("work", 50)], refused).view(at(0));
    assert!(view.problems[0].found.ends_with("http://10.0.0.2:9090: connection refused; and 47 more"), "{view:?}");
}

#[test]
fn what_two_instances_say_is_said_once() {
    let bad = |instance| {
        let mut digest = digest("processing", instance, &[]);
        digest.checks[0] = check("processing_topics", State::Failing, "raw.github is missing");
        digest
    };
    let mut later = bad("work:2");
    later.checks[0].since = Some(stamp(-5));
    let view = told(&[("processing", 2)], vec![("processing", "a", Ok(later)), ("processing", "b", Ok(bad("work:1")))])
        .view(at(0));
    assert_eq!(view.problems.len(), 1);
    assert_eq!(view.problems[0].instances, ["work:2", "work:1"]);
    assert_eq!(view.problems[0].since, Some(stamp(-600)), "the earlier one");
}

#[test]
fn dead_letters_are_a_matter_of_share() {
    for (dead, state) in [(30, State::Warning), (10, State::Ok)] {
        let mut model =
            told(&[("processing", 1)], vec![("processing", "a", Ok(digest("processing", "w", &[("pages", 0, 0)])))]);
        let mut next = digest("processing", "w", &[("pages", 400, 400 - dead)]);
        next.counts[0].dead_lettered = dead;
        tell(&mut model, vec![("processing", "a", Ok(next))], 300);
        assert_eq!(model.view(at(300)).pipeline.state(), state, "{dead}");
    }
}

#[test]
fn one_process_may_have_all_stages() {
    let mut digest = digest("weir", "laptop:1", &[]);
    digest.checks = vec![
        check("streaming_kafka", State::Ok, ""),
        check("processing_claims", State::Failing, "away"),
        check("registrations_database", State::Warning, "slow"),
    ];
    for (hop, taken_in) in [("loader", 0), ("processing", 5), ("streaming", 9)] {
        digest.counts.push(Count { hop: hop.to_owned(), taken_in, ..Count::default() });
    }
    digest.queues.push(queue("enricher", 7));
    let stages = ["streaming", "processing", "enricher", "loader"];
    let mut model = Model::new(watched(&[("weir", 1)]), LIMITS).in_order(&stages);
    tell(&mut model, vec![("weir", "this process", Ok(digest))], 0);
    let view = model.view(at(0));
    let lag = |hop: &Hop| (!hop.lag_unknown).then_some(hop.lag);
    let hops: Vec<_> = view.pipeline.hops.iter().map(|hop| (hop.service.as_str(), hop.state(), lag(hop))).collect();
    let expected = [
        // Nothing waits for the door, and of the others nobody says that they consume.
        ("streaming", State::Ok, Some(0)),
        ("processing", State::Failing, None),
        ("enricher", State::Ok, Some(7)),
        ("loader", State::Ok, None),
    ];
    assert_eq!(hops, expected);
    assert!(view.pipeline.hops.iter().all(|hop| (hop.instances, hop.expected) == (1, 1)));
}

#[test]
fn an_instance_with_two_addresses_is_one() {
    let one = || Ok(digest("loader", "load:1", &[("pages", 10, 10)]));
    let mut model =
        told(&[("loader", 1)], vec![("loader", "a", one()), ("loader", "b", one()), ("loader", "c", refused())]);
    let view = model.view(at(0));
    assert_eq!(hop(&view, "loader").instances, 1);
    assert_eq!(hop(&view, "loader").total.clone().unwrap().taken_in, 10);
    tell(&mut model, vec![("loader", "b", one())], 5);
    assert_eq!(hop(&model.view(at(5)), "loader").total.clone().unwrap().taken_in, 10, "the other address is gone");
}

#[test]
fn counts_go_on_over_a_restart_and_what_was_in_work_is_told() {
    let mut model =
        told(&[("processing", 1)], vec![("processing", "a", Ok(digest("processing", "w:1", &[("pages", 100, 95)])))]);
    tell(&mut model, vec![("processing", "a", refused())], 5);
    let view = model.view(at(5));
    assert_eq!(view.pipeline.state(), State::Failing);
    let total = hop(&view, "processing").total.clone().unwrap();
    assert_eq!((total.taken_in, total.sent_on, Flow::from(&total).in_work()), (100, 95, 5));

    let mut again = digest("processing", "w:2", &[("pages", 8, 8)]);
    again.started_at = Some(stamp(6));
    tell(&mut model, vec![("processing", "a", Ok(again))], 10);
    let view = model.view(at(10));
    assert_eq!(view.pipeline.state(), State::Ok);
    let total = Flow::from(&hop(&view, "processing").total.clone().unwrap());
    assert_eq!((total.taken_in, total.sent_on, total.in_work()), (108, 103, 0));
    assert_eq!(total.dropped, [(INSTANCE_ENDED.to_owned(), 5)].into());
    // It did them in the four seconds since its start.
    assert!((hop(&view, "processing").in_per_second - 2.0).abs() < 1e-9);
}

#[test]
fn rates_are_of_the_window_and_end_with_the_instance() {
    let one = |n| Ok(digest("loader", "l:1", &[("pages", n, n)]));
    let mut model = told(&[("loader", 1)], vec![("loader", "a", one(1_000_000))]);
    assert!(hop(&model.view(at(0)), "loader").rates_unknown, "what came before is no rate");
    for second in (5..=300).step_by(5) {
        let n = 1_000_000 + if second <= 240 { second * 10 } else { 2400 };
        tell(&mut model, vec![("loader", "a", one(n))], second);
    }
    let view = model.view(at(300));
    // The last sample before the window of 60 s is 65 s old; nothing came in the last 60.
    assert!((hop(&view, "loader").in_per_second - 50.0 / 65.0).abs() < 1e-9, "{}", hop(&view, "loader").in_per_second);
    assert!((view.five_minutes[0].unwrap()[0] - 8.0).abs() < 1e-9, "{:?}", view.five_minutes);
    tell(&mut model, vec![("loader", "a", refused())], 305);
    assert!(hop(&model.view(at(305)), "loader").rates_unknown);
}

#[test]
fn the_balance_is_by_endpoint_and_hour_with_old_hours_together() {
    let mut digest = digest("loader", "l:1", &[("pages", 7, 7), ("repo", 0, 0)]);
    let count = |hour: Option<i64>, taken_in| Count {
        hop: "loader".to_owned(),
        endpoint: "pages".to_owned(),
        hour: hour.map(stamp),
        taken_in,
        ..Count::default()
    };
    digest.counts.extend([count(None, 1), count(Some(-2096 - 30 * 3600), 2), count(Some(-2096 - 3600), 4)]);
    let view = told(&[("loader", 1)], vec![("loader", "a", Ok(digest))]).view(at(0));
    let rows: Vec<_> = view.balance.iter().map(|count| (count.hour.map(|at| at.to_string()), count.taken_in)).collect();
    let hour = |hour: &str| Some(format!("2026-03-01T{hour}:00:00Z"));
    assert_eq!(rows, [(hour("12"), 7), (hour("11"), 4), (None, 3)]);
}

/// What an instance does between two looks.
#[derive(Debug, Clone)]
enum Step {
    Work {
        taken: u64,
        sent: u64,
        dropped: u64,
    },
    Restart,
    Silent,
    /// Its address is resolved no more; a new one comes with the next round.
    Moves,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step)>> {
    let step = prop_oneof![
        6 => (0..50u64, 0..50u64, 0..5u64).prop_map(|(taken, sent, dropped)| Step::Work { taken, sent, dropped }),
        1 => Just(Step::Restart),
        1 => Just(Step::Silent),
        1 => Just(Step::Moves),
    ];
    prop::collection::vec((0..3usize, step), 1..80)
}

proptest! {
    #[test]
    fn whatever_restarts_what_was_told_is_counted_once_and_the_equation_holds(steps in steps()) {
        let mut model = Model::new(watched(&[("processing", 3)]), LIMITS);
        // For each instance: its address, its run, taken in, sent on, dropped.
        let mut now: Vec<(u32, u32, [u64; 3])> = vec![(0, 0, [0; 3]); 3];
        let mut told: HashMap<(usize, u32), [u64; 3]> = HashMap::new();
        let mut last = 0;
        for (second, (who, step)) in (0u64..).step_by(5).zip(steps) {
            let silent = matches!(step, Step::Silent);
            let (address, run, counts) = &mut now[who];
            match step {
                Step::Work { taken, sent, dropped } => {
                    counts[0] += taken;
                    let open = counts[0] - counts[1] - counts[2];
                    counts[1] += sent.min(open);
                    counts[2] += dropped.min(open - sent.min(open));
                }
                Step::Restart => {
                    *run += 1;
                    *counts = [0; 3];
                }
                Step::Silent => {}
                Step::Moves => *address += 1,
            }
            let mut answers = Vec::new();
            for (n, (address, run, counts)) in now.iter().enumerate() {
                let mut one = digest("processing", &format!("w-{n}:{run}"), &[("pages", counts[0], counts[1])]);
                one.counts[0].dropped = [("duplicate".to_owned(), counts[2])].into();
                let is_silent = silent && n == who;
                if !is_silent {
                    told.insert((n, *run), *counts);
                }
                answers.push((format!("{n}.{address}"), if is_silent { refused() } else { Ok(one) }));
            }
            let answers = answers.iter().map(|(a, outcome)| ("processing", a.as_str(), outcome.clone())).collect();
            tell(&mut model, answers, second);
            let view = model.view(at(second));
            let total = Flow::from(&hop(&view, "processing").total.clone().unwrap());
            let expected: u64 = told.values().map(|counts| counts[0]).sum();
            prop_assert!(total.taken_in >= last, "totals never go back");
            last = total.taken_in;
            prop_assert_eq!(total.taken_in, expected, "each once, wherever it moved");
            let out = total.sent_on + total.dead_lettered + total.all_dropped();
            prop_assert_eq!(total.taken_in, out + total.in_work());
            let hop = hop(&view, "processing");
            prop_assert!(hop.in_per_second.is_finite() && hop.in_per_second >= 0.0);
            prop_assert!(!silent || hop.lag_unknown, "what the silent one would say is missing");
        }
    }
}
