use super::*;

const RULES: Rules = Rules { weeks: 2, samples: 2, quantile: 0.25, low: 0.4, high: 3.0, floor: 20, silence: 30 };

/// Looks every five minutes. `per_hour` says how many of each endpoint come in an hour.
struct Door {
    watch: Watch,
    now: i64,
    counts: BTreeMap<(String, i64), u64>,
}

impl Door {
    fn new() -> Self {
        Self {
            watch: Watch::new(RULES, 10, vec!["test".to_owned()], History::default()),
            now: 0,
            counts: BTreeMap::new(),
        }
    }

    fn run(&mut self, hours: f64, right: bool, per_hour: &[(&str, u64)]) {
        for _ in 0..(hours * 12.0) as i64 {
            self.now += 300;
            let hour = (self.now - 1).div_euclid(HOUR);
            for (endpoint, count) in per_hour {
                *self.counts.entry(((*endpoint).to_owned(), hour)).or_default() += count / 12;
            }
            self.counts.retain(|(_, of), _| *of >= hour - 1);
            self.watch.look(self.now, &self.counts, right);
        }
    }

    fn found(&self) -> Vec<(&str, &str, i64)> {
        let told = |finding: &Finding| match finding.kind {
            FindingKind::Silent { .. } => "silent",
            FindingKind::Low { .. } => "low",
            FindingKind::High { .. } => "high",
        };
        self.watch.findings().iter().map(|found| (found.endpoint.as_str(), told(found), found.since)).collect()
    }
}

const USUAL: [(&str, u64); 3] = [("shop", 120), ("news", 240), ("test", 120)];

fn four_weeks() -> Door {
    let mut door = Door::new();
    door.run(4.0 * WEEK as f64 + 48.0, true, &USUAL);
    assert_eq!(door.found(), []);
    assert_eq!(door.watch.summary().ok, 3);
    door
}

#[test]
fn silence_is_found_once_thirty_should_have_come_and_ends_with_the_next_one() {
    let mut door = four_weeks();
    let gone = door.now;
    let rest = [("news", 240), ("test", 0)];
    door.run(0.2, true, &rest);
    assert_eq!(door.found(), [], "ignored, and too early");
    door.run(0.25, true, &rest);
    assert_eq!(door.found(), [("shop", "silent", gone)]);
    door.run(0.25, true, &USUAL);
    assert_eq!(door.found(), []);
}

#[test]
fn fewer_in_an_hour_are_found_at_its_end() {
    let mut door = four_weeks();
    let began = door.now;
    let few = [("shop", 36), ("news", 240), ("test", 120)];
    door.run(0.9, true, &few);
    assert_eq!(door.found(), []);
    door.run(2.5, true, &few);
    assert_eq!(door.found(), [("shop", "low", began)]);
    door.run(1.0, true, &[("shop", 120), ("news", 2400), ("test", 120)]);
    door.run(0.1, true, &USUAL);
    assert!(door.found().contains(&("news", "high", began + 3 * HOUR)), "{:?}", door.found());
}

#[test]
fn all_together_are_watched_too() {
    let mut door = four_weeks();
    let gone = door.now;
    door.run(0.5, true, &[]);
    assert_eq!(door.found()[0], ("", "silent", gone));
}

#[test]
fn what_is_wrong_at_the_door_is_not_said_again_nor_learned() {
    let mut door = four_weeks();
    door.run(1.5, false, &[]);
    assert_eq!(door.found(), []);
    door.run(0.4, true, &USUAL);
    assert_eq!(door.found(), [], "the hours of the outage prove nothing");
    door.run(1.5, true, &USUAL);
    assert_eq!(door.found(), []);
    let watched = [0, 1, 2].map(|hour| door.watch.history().is_watched(4 * WEEK + 48 + hour));
    assert_eq!(watched, [false, false, true]);
}

#[test]
fn an_hour_with_a_break_is_not_learned() {
    let mut door = Door::new();
    door.run(2.5, true, &USUAL);
    door.now += 1200;
    door.run(3.0, true, &USUAL);
    let watched = [0, 1, 2, 3, 4].map(|hour| door.watch.history().is_watched(hour));
    assert_eq!(watched, [false, true, false, true, true]);
}

#[test]
fn after_a_restart_the_history_goes_on() {
    let mut door = four_weeks();
    let gone = door.now;
    door.run(0.5, true, &USUAL[1..]);
    assert_eq!(door.found(), [("shop", "silent", gone)]);
    let history = door.watch.history().clone();
    door.watch = Watch::new(RULES, 10, Vec::new(), history);
    door.run(0.1, true, &USUAL[1..]);
    assert_eq!(door.found(), [], "it has not watched since");
    door.run(0.5, true, &USUAL[1..]);
    assert_eq!(door.found(), [("shop", "silent", gone)]);
}

#[test]
fn a_week_of_silence_is_an_end() {
    let mut door = four_weeks();
    door.run(WEEK as f64 + 1.0, true, &USUAL[1..]);
    assert!(
        !door.found().iter().any(|(endpoint, kind, _)| (*endpoint, *kind) == ("shop", "silent")),
        "{:?}",
        door.found()
    );
}

#[test]
fn two_weeks_are_needed() {
    let mut door = Door::new();
    door.run(13.0 * 24.0, true, &USUAL);
    door.run(24.0, true, &[]);
    assert_eq!(door.found(), []);
    let summary = door.watch.summary();
    assert_eq!((summary.not_known, summary.ok), (3, 0));
}

#[test]
fn a_hundred_thousand_endpoints_take_bounded_room() {
    let mut watch = Watch::new(RULES, 500, Vec::new(), History::default());
    for round in 0..3 {
        let hour = round + 1000;
        let names = (0..100_000).map(|n| ((format!("e{n}"), hour), 1 + n % 997));
        watch.look((hour + 1) * HOUR - 1, &names.collect(), true);
    }
    assert_eq!(watch.history().endpoints().count(), 500);
    assert!(watch.history().so_far(ALL, 1002) > 49_000_000);
}

#[test]
fn what_a_clock_that_was_ahead_has_written_is_forgotten() {
    let mut history = History::default();
    history.raise("shop", 9_000_000, 5, 9);
    history.watch(9_000_000);
    let mut door = Door::new();
    door.watch = Watch::new(RULES, 10, Vec::new(), history);
    door.run(2.0, true, &USUAL);
    assert_eq!((door.watch.history().so_far("shop", 1), door.watch.history().is_watched(9_000_000)), (120, false));
}

#[test]
fn a_clock_that_is_wrong_for_a_while_costs_no_week() {
    for wrong in [-4 * WEEK, -500_000, 6 * WEEK, 500_000] {
        let mut door = four_weeks();
        door.watch.history.forget(door.now.div_euclid(HOUR));
        let (right, known) = (door.now, door.watch.history().clone());
        // So it was when health-check was started; or the clock was set while it ran.
        for restarts in [true, false] {
            let mut door = Door { watch: door.watch.clone(), now: right, counts: BTreeMap::new() };
            if restarts {
                door.watch = Watch::new(RULES, 10, Vec::new(), known.clone());
            }
            door.now += wrong * HOUR;
            door.run(0.9, true, &USUAL);
            assert_eq!(*door.watch.history(), known, "{wrong}");
            assert_eq!((door.found(), door.watch.summary().ok), (vec![], 0));
            door.now = right;
            door.counts.clear();
            door.run(1.0, true, &USUAL);
            assert_eq!(door.watch.history().so_far("shop", right.div_euclid(HOUR)), 120, "{wrong}");
            assert_eq!(door.watch.history().first("shop"), known.first("shop"), "{wrong}");
        }
    }
}

#[test]
fn a_clock_that_stays_is_followed() {
    let mut door = four_weeks();
    door.now += 6 * WEEK * HOUR;
    let hour = door.now.div_euclid(HOUR);
    door.counts.clear();
    door.run(3.0, true, &USUAL);
    assert_eq!(door.watch.history().so_far("shop", hour + 1), 120);
    assert!(door.watch.history().first("shop") >= Some(hour));
}

#[test]
fn while_something_is_wrong_nothing_is_called_ok() {
    let mut door = four_weeks();
    door.run(0.1, false, &USUAL);
    assert_eq!(door.watch.summary(), Summary { not_known: 3, ..Summary::default() });
    door.run(0.1, true, &USUAL);
    assert_eq!(door.watch.summary().ok, 3, "the last hour was as usual");
}
