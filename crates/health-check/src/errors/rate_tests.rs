use std::time::SystemTime;

use super::*;
use crate::errors::entry::About;

const LIMITS: Limits = Limits { worker: [10, 100], stage: [20, 200], endpoint: [5, 50] };

fn series(hop: &str, instance: &str, endpoint: &str, kind: &str, count: u64) -> Series {
    let text = format!("it failed at {endpoint}");
    let about = About {
        instance: instance.to_owned(),
        hop: hop.to_owned(),
        endpoint: endpoint.to_owned(),
        kind: kind.to_owned(),
        same: text.clone(),
    };
    Series { about, text, count, first_at: SystemTime::UNIX_EPOCH, last_at: SystemTime::UNIX_EPOCH }
}

/// The states by stage.
fn states(all: &[Series], limits: Limits) -> Vec<(String, State)> {
    let found = too_many(all, limits, Duration::from_secs(1800));
    found.into_iter().map(|one| (one.hop, one.state)).collect()
}

#[test]
fn each_of_the_limits_is_one_of_a_worker_a_stage_or_an_endpoint() {
    let one = |instance, endpoint, count| series("loader", instance, endpoint, "logged", count);
    let table = [
        (vec![one("a", "", 9), one("b", "", 9)], None),
        (vec![one("a", "", 10)], Some(State::Warning)),
        (vec![one("a", "", 100)], Some(State::Failing)),
        // Of the stage.
        (vec![one("a", "", 9), one("b", "", 9), one("c", "", 2)], Some(State::Warning)),
        (vec![one("a", "", 99), one("b", "", 99), one("c", "", 2)], Some(State::Failing)),
        // Of an endpoint, on two workers.
        (vec![one("a", "hub", 2), one("b", "hub", 2)], None),
        (vec![one("a", "hub", 3), one("b", "hub", 2)], Some(State::Warning)),
        (vec![one("a", "hub", 25), one("b", "hub", 25)], Some(State::Failing)),
        // Without an endpoint there is none.
        (vec![one("a", "", 5)], None),
    ];
    for (all, expected) in table {
        let expected: Vec<_> = expected.into_iter().map(|state| ("loader".to_owned(), state)).collect();
        assert_eq!(states(&all, LIMITS), expected, "{all:?}");
    }
    assert_eq!(states(&[one("a", "hub", 1000)], Limits::default()), []);
}

#[test]
fn dead_letters_do_not_count_and_stages_are_apart() {
    let all = [
        series("enricher", "a", "hub", "dead_letter", 500),
        series("loader", "a", "", "logged", 9),
        series("processing", "a", "", "logged", 9),
        series("streaming", "a", "", "refused", 11),
    ];
    assert_eq!(states(&all, LIMITS), [("streaming".to_owned(), State::Warning)]);
    let counts: Vec<_> = counted(&all).into_iter().collect();
    assert_eq!(counts, [("loader".to_owned(), 9), ("processing".to_owned(), 9), ("streaming".to_owned(), 11)]);
}

#[test]
fn it_says_how_many_of_whom_and_which() {
    let all = [
        series("loader", "load-0:7", "hub", "logged", 30),
        series("loader", "load-1:7", "", "panic", 7),
        series("loader", "load-2:7", "", "logged", 200),
    ];
    let found = too_many(&all, LIMITS, Duration::from_secs(1800));
    let expected = TooMany {
        hop: "loader".to_owned(),
        state: State::Failing,
        instances: vec!["load-2:7".to_owned(), "load-0:7".to_owned()],
        found: "237 errors within 30 min, 30 of them of endpoint hub".to_owned(),
        since: Some(SystemTime::UNIX_EPOCH),
    };
    assert_eq!(found, [expected]);
}
