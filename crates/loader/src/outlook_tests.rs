use bus::Membership;
use proptest::prelude::*;

use super::*;

const AFTER: Duration = Duration::from_secs(120);

/// In its group for a while, or not.
fn standing(membership: Membership) -> Standing {
    let (lasts, limit) = (Duration::from_secs(9), Duration::from_secs(45));
    let partitions = usize::from(membership == Membership::Member);
    Standing { membership, lasts, partitions, limit }
}

fn member() -> Standing {
    standing(Membership::Member)
}

fn joins() -> Standing {
    standing(Membership::Joining("up, wait-join".to_owned()))
}

/// Partition 0 of the topic, of which nothing before this offset is left to do.
fn log(position: i64, records: impl Into<Option<i64>>) -> Vec<Lag> {
    vec![Lag { topic: "loads".into(), partition: 0, position, records: records.into() }]
}

fn idle(loaded: Instant) -> Outlook {
    Outlook { ready: 0, oldest: None, taken: Taken::new(), loaded, round: None }
}

#[test]
fn whoever_has_work_and_does_none_is_told() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let idle = idle(start);
    let ready = Outlook { ready: 3, oldest: Some(at(10)), ..idle.clone() };
    let runs = Outlook { round: Some(at(20)), ..idle.clone() };
    let spare = || standing(Membership::Spare);
    let away = || standing(Membership::Away);
    let table = [
        (idle.clone(), member(), Some(0), 500, State::Ok, "0 requests wait"),
        (idle.clone(), spare(), Some(0), 500, State::Ok, "0 requests wait"),
        (idle.clone(), member(), None, 500, State::Warning, "how many requests wait is not known"),
        (idle.clone(), joins(), None, 500, State::Warning, "waited for its group (up, wait-join) for 9 s"),
        (ready.clone(), member(), Some(0), 129, State::Ok, "3 requests wait"),
        (ready.clone(), member(), Some(0), 130, State::Failing, "3 requests wait, and nothing was loaded for 120 s"),
        // Something else was loaded meanwhile.
        (Outlook { loaded: at(100), ..ready.clone() }, member(), Some(0), 219, State::Ok, "3 requests wait"),
        (Outlook { loaded: at(100), ..ready.clone() }, member(), Some(0), 220, State::Failing, "loaded for 120 s"),
        // What it had is somebody else's by now, or comes again.
        (ready.clone(), joins(), None, 500, State::Warning, "waited for its group"),
        (ready.clone(), away(), None, 500, State::Warning, "waited for a broker"),
        (ready, spare(), Some(0), 500, State::Ok, "3 requests wait"),
        (runs.clone(), member(), Some(0), 139, State::Ok, "0 requests wait"),
        (runs.clone(), member(), Some(0), 140, State::Failing, "a commit has been under way for 120 s"),
        // A round with many commits.
        (Outlook { loaded: at(100), ..runs.clone() }, member(), Some(0), 219, State::Ok, "0 requests wait"),
        (
            Outlook { loaded: at(100), ..runs.clone() },
            member(),
            Some(0),
            220,
            State::Failing,
            "a commit has been under way for 120 s",
        ),
        // The lake owes an answer whoever is in the group.
        (runs, joins(), None, 140, State::Failing, "a commit has been under way for 120 s"),
    ];
    for (outlook, standing, waits, seconds, state, text) in table {
        let told = Verdicts::default().of(&outlook, &standing, log(0, waits), AFTER, at(seconds));
        assert!(told.0 == state && told.2.contains(text), "{outlook:?} {standing:?} {waits:?}: {told:?}");
    }
}

/// One request is held, at offset 5, and what comes after it in its partition is loaded: the group's place stays before it.
#[test]
fn beside_a_request_that_is_held_only_what_was_not_taken_in_is_work() {
    let start = Instant::now();
    let mut outlook = idle(start);
    let untaken = |outlook: &Outlook, lags, turn| {
        let lags = outlook.untaken(lags, |_| turn);
        lags.into_iter().map(|lag| (lag.position, lag.records)).collect::<Vec<_>>()
    };
    assert_eq!(untaken(&outlook, log(5, 95), Some(7)), [(5, Some(95))], "nothing was taken in");
    outlook.taken = [(("loads".into(), 0), (7, 100))].into();
    let table = [
        (log(5, 95), Some(7), (100, Some(0))),
        (log(5, 97), Some(7), (100, Some(2))),
        (log(5, None), Some(7), (100, None)),
        (log(100, 0), Some(7), (100, Some(0))),
        // The log said before where it ends.
        (log(5, 90), Some(7), (100, Some(0))),
        (log(120, 3), Some(7), (120, Some(3))),
        // In another turn all of it comes again.
        (log(5, 95), Some(8), (5, Some(95))),
        (log(5, 95), None, (5, Some(95))),
    ];
    for (lags, turn, expected) in table {
        assert_eq!(untaken(&outlook, lags.clone(), turn), [expected], "{lags:?} {turn:?}");
    }
    let other = vec![Lag { topic: "loads".into(), partition: 1, position: 5, records: Some(3) }];
    assert_eq!(untaken(&outlook, other, Some(7)), [(5, Some(3))], "of another partition nothing");

    let mut verdicts = Verdicts::default();
    for seconds in 0..500 {
        let lags = outlook.untaken(log(5, 95), |_| Some(7));
        let told = verdicts.of(&outlook, &member(), lags, AFTER, start + Duration::from_secs(seconds));
        assert_eq!((told.0, told.1), (State::Ok, Duration::ZERO), "after {seconds} s: {told:?}");
    }
}

#[test]
fn requests_that_nobody_takes_in_are_work() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut verdicts = Verdicts::default();
    let mut told = |outlook: &Outlook, standing: Standing, lags, seconds| {
        let (state, stalled, text) = verdicts.of(outlook, &standing, lags, AFTER, at(seconds));
        (state, stalled.as_secs(), text)
    };
    let idle = idle(start);
    assert_eq!(told(&idle, member(), log(2, 0), 10).1, 0, "that is all");
    assert_eq!(told(&idle, member(), log(2, 47), 20).1, 0);
    assert_eq!(told(&idle, member(), log(2, 47), 139).1, 119);
    assert_eq!(told(&idle, member(), log(2, None), 139).0, State::Warning);
    let stalled = "stalled: 47 requests wait, and nothing was loaded for 120 s";
    assert_eq!(told(&idle, member(), log(2, 47), 140), (State::Failing, 120, stalled.to_owned()));
    // They were taken in, and not loaded for that.
    let ready = Outlook { ready: 47, oldest: Some(at(141)), ..idle.clone() };
    assert_eq!(told(&ready, member(), log(49, 0), 141), (State::Failing, 121, stalled.replace("120", "121")));
    assert_eq!(told(&Outlook { loaded: at(141), ..ready.clone() }, member(), log(49, 0), 142).1, 1, "some were");
    // It loses its partition, and gets it again: as at its start.
    assert_eq!(told(&ready, joins(), log(49, None), 300).1, 0);
    assert_eq!(told(&ready, member(), log(49, 0), 301).1, 1);
    assert_eq!(told(&ready, member(), log(49, 0), 419).0, State::Ok);
    assert_eq!(told(&ready, member(), log(49, 0), 420).0, State::Failing);
    // What was taken in is held: another check tells of it.
    assert_eq!(told(&idle, member(), log(49, 3), 430).1, 0);
    assert_eq!(told(&idle, member(), log(52, 1), 549).1, 0, "another one, just now");
    assert_eq!(told(&idle, member(), log(53, 0), 550).1, 0);
}

/// What happens within a second.
#[derive(Debug, Clone, Copy)]
enum Event {
    Nothing,
    Arrives { held: bool },
    TakesIn,
    Loads,
    Begins,
    Ends,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => Just(Event::Nothing),
        2 => any::<bool>().prop_map(|held| Event::Arrives { held }),
        2 => Just(Event::TakesIn),
        1 => Just(Event::Loads),
        1 => Just(Event::Begins),
        1 => Just(Event::Ends),
    ]
}

proptest! {
    /// It never says that it stands while something is loaded, and always does when nothing was although it could be.
    #[test]
    fn it_is_stalled_when_nothing_was_loaded_for_long(events in prop::collection::vec(event(), 1..200)) {
        const LIMIT: u64 = 12;
        let start = Instant::now();
        let mut outlook = idle(start);
        let mut verdicts = Verdicts::default();
        // What is on the log: whether each is to be held, and is done.
        let (mut requests, mut taken) = (Vec::<(bool, bool)>::new(), 0);
        let (mut loaded, mut waits, mut runs) = (0, None, None);
        for (second, event) in (0_u64..).zip(events) {
            let now = start + Duration::from_secs(second);
            match event {
                Event::Nothing => {}
                Event::Arrives { held } => requests.push((held, false)),
                Event::TakesIn => taken = requests.len(),
                Event::Loads => {
                    let ready = requests[..taken].iter_mut().filter(|(held, done)| !held && !done);
                    if ready.map(|(_, done)| *done = true).count() > 0 {
                        (outlook.loaded, loaded) = (now, second);
                    }
                }
                Event::Begins => outlook.round = outlook.round.or(Some(now)),
                Event::Ends => outlook.round = None,
            }
            let ready = requests[..taken].iter().filter(|(held, done)| !held && !done).count();
            outlook.oldest = (ready > 0).then(|| outlook.oldest.unwrap_or(now));
            outlook.ready = ready;
            outlook.taken = [(("loads".into(), 0), (1, taken as i64))].into();
            let position = requests.iter().position(|(_, done)| !done).unwrap_or(requests.len());
            let lags = outlook.untaken(log(position as i64, (requests.len() - position) as i64), |_| Some(1));
            let (state, lasts, text) = verdicts.of(&outlook, &member(), lags, Duration::from_secs(LIMIT), now);

            let loadable = requests.iter().any(|(held, done)| !held && !done);
            waits = loadable.then(|| waits.unwrap_or(second));
            runs = outlook.round.map(|_| runs.unwrap_or(second));
            let since = |since: Option<u64>| since.map_or(0, |since: u64| second - since.max(loaded));
            let owed = since(waits).max(since(runs));
            if second - loaded < LIMIT {
                prop_assert_eq!(state, State::Ok, "{} was loaded at {}: {}", second, loaded, text);
            }
            if owed >= LIMIT {
                prop_assert_eq!(state, State::Failing, "{}: {} of {} s", second, text, owed);
            }
            prop_assert_eq!(state == State::Failing, lasts.as_secs() >= LIMIT);
            // What is held is never work.
            let untaken = requests.len() - taken;
            if ready + untaken == 0 && outlook.round.is_none() {
                prop_assert_eq!(state, State::Ok, "nothing can be loaded: {}", text);
            }
        }
    }
}
