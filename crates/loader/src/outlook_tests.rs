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
    vec![Lag { topic: "loads".into(), partition: 0, position, records: records.into(), oldest_at_ms: None }]
}

/// A request at this offset, which could be loaded since then.
fn since(offset: i64, since: Instant) -> Option<Ready> {
    Some(Ready { place: ("loads".into(), 0), offset, since })
}

/// So many requests wait for table `t`, the first of them at this offset.
fn waits(ready: usize, oldest: Option<Ready>, loaded: Option<Instant>) -> Outlook {
    let table = TableOutlook { ready, oldest, loaded, error: None };
    Outlook { tables: [("t".to_owned(), table)].into(), ..Outlook::default() }
}

#[test]
fn whoever_has_work_and_does_none_is_told() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let idle = Outlook::default();
    let ready = |loaded: Option<u64>| waits(3, since(0, at(10)), loaded.map(at));
    let runs = Outlook { turn: Some(("t".to_owned(), at(20))), ..idle.clone() };
    let spare = || standing(Membership::Spare);
    let away = || standing(Membership::Away);
    let stalled = "stalled: 3 requests wait for table t, and none was loaded for 120 s";
    let table = [
        (idle.clone(), member(), Some(0), 500, State::Ok, "0 requests wait"),
        (idle.clone(), spare(), Some(0), 500, State::Ok, "0 requests wait"),
        (idle.clone(), member(), None, 500, State::Warning, "how many requests wait is not known"),
        (idle.clone(), joins(), None, 500, State::Warning, "waited for its group (up, wait-join) for 9 s"),
        (ready(None), member(), Some(0), 129, State::Ok, "3 requests wait"),
        (ready(None), member(), Some(0), 130, State::Failing, stalled),
        // Some were loaded meanwhile.
        (ready(Some(100)), member(), Some(0), 219, State::Ok, "3 requests wait"),
        (ready(Some(100)), member(), Some(0), 220, State::Failing, stalled),
        // That the group is shared out is no excuse: what it had may come again.
        (ready(None), joins(), None, 129, State::Warning, "waited for its group"),
        (ready(None), joins(), None, 130, State::Failing, stalled),
        (ready(None), away(), None, 129, State::Warning, "waited for a broker"),
        // It is for others.
        (ready(None), spare(), Some(0), 500, State::Ok, "3 requests wait"),
        (runs.clone(), member(), Some(0), 139, State::Ok, "0 requests wait"),
        (
            runs.clone(),
            member(),
            Some(0),
            140,
            State::Failing,
            "stalled: a commit to table t has been under way for 120 s",
        ),
        // The lake owes an answer whoever is in the group.
        (runs, joins(), None, 140, State::Failing, "a commit to table t has been under way for 120 s"),
    ];
    for (outlook, standing, records, seconds, state, text) in table {
        // Who is not in has nothing.
        let lags = if standing.is_in() && standing.partitions == 0 { Vec::new() } else { log(0, records) };
        let told = Verdicts::default().of(&outlook, &standing, lags, AFTER, at(seconds));
        assert!(told.0 == state && told.2.contains(text), "{outlook:?} {standing:?} {records:?}: {told:?}");
    }
}

/// One request is held, at offset 5, and what comes after it in its partition is loaded: the group's place stays before it.
#[test]
fn beside_a_request_that_is_held_only_what_was_not_taken_in_is_work() {
    let start = Instant::now();
    let mut outlook = Outlook::default();
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
    let other = vec![Lag { topic: "loads".into(), partition: 1, position: 5, records: Some(3), oldest_at_ms: None }];
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
    let idle = Outlook::default();
    assert_eq!(told(&idle, member(), log(2, 0), 10).1, 0, "that is all");
    assert_eq!(told(&idle, member(), log(2, 47), 20).1, 0);
    assert_eq!(told(&idle, member(), log(2, 47), 139).1, 119);
    assert_eq!(told(&idle, member(), log(2, None), 139).0, State::Warning);
    let stalled = "stalled: 47 requests of loads/0 wait, and none was taken in for 120 s";
    assert_eq!(told(&idle, member(), log(2, 47), 140), (State::Failing, 120, stalled.to_owned()));
    // They were taken in, and not loaded for that.
    let ready = |loaded| waits(47, since(2, at(141)), loaded);
    let stalled = "stalled: 47 requests wait for table t, and none was loaded for 121 s";
    assert_eq!(told(&ready(None), member(), log(49, 0), 141), (State::Failing, 121, stalled.to_owned()));
    assert_eq!(told(&ready(Some(at(141))), member(), log(49, 0), 142).1, 1, "some were");
    // It loses its partition, and gets it again, with the same records.
    let waits_on = waits(46, since(3, at(142)), Some(at(142)));
    assert_eq!(told(&waits_on, member(), log(49, 0), 143).1, 1);
    assert_eq!(told(&Outlook::default(), joins(), vec![], 200).1, 58);
    assert_eq!(told(&Outlook::default(), member(), log(3, 46), 201).1, 59, "they are on the log again");
    let again = waits(46, since(3, at(202)), None);
    assert_eq!(told(&again, member(), log(49, 0), 202).1, 60, "and taken in again");
    assert_eq!(told(&again, member(), log(49, 0), 261).0, State::Ok);
    assert_eq!(told(&again, member(), log(49, 0), 262).0, State::Failing);
    // What was taken in is held: another check tells of it.
    assert_eq!(told(&idle, member(), log(49, 3), 430).1, 0);
    assert_eq!(told(&idle, member(), log(52, 1), 549).1, 0, "another one, just now");
    assert_eq!(told(&idle, member(), log(53, 0), 550).1, 0);
}

/// A request that has just come could be loaded until it is found to be held; and the next one comes.
#[test]
fn what_is_held_on_purpose_is_no_stall_however_much_of_it_comes() {
    let start = Instant::now();
    let mut verdicts = Verdicts::default();
    for second in 0..500_u64 {
        let (now, offset) = (start + Duration::from_secs(second), i64::try_from(second).unwrap());
        let (lags, outlook) = match second % 3 {
            0 => (log(offset, 1), waits(0, None, None)),
            _ => (log(offset + 1, 0), waits(1, since(offset, now), None)),
        };
        let told = verdicts.of(&outlook, &member(), lags, AFTER, now);
        assert!(told.0 == State::Ok && told.1 <= Duration::from_secs(1), "after {second} s: {told:?}");
    }
}

#[test]
fn a_table_that_is_loaded_does_not_hide_another_that_is_not() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut outlook = waits(2, since(5, at(0)), None);
    outlook.tables.get_mut("t").unwrap().error = Some("the bucket is full".to_owned());
    let mut verdicts = Verdicts::default();
    for seconds in 0..=120 {
        let other = TableOutlook { ready: 1, oldest: since(100, at(seconds)), loaded: Some(at(seconds)), error: None };
        outlook.tables.insert("other".to_owned(), other);
        let told = verdicts.of(&outlook, &member(), log(200, 0), AFTER, at(seconds));
        assert_eq!((told.0, told.1.as_secs()), (if seconds < 120 { State::Ok } else { State::Failing }, seconds));
        let stalled =
            "stalled: 2 requests wait for table t, and none was loaded for 120 s; it failed last: the bucket is full";
        assert!(seconds < 120 || told.2 == stalled, "{}", told.2);
    }
}

/// The table of the one is loaded again and again; of the other nothing comes from the log, and nothing says so.
#[test]
fn a_partition_that_is_never_taken_in_is_not_hidden_by_another_that_is() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut verdicts = Verdicts::default();
    for seconds in 0..=130_u64 {
        // A turn lasts for eight of ten seconds.
        let turn = (seconds % 10 < 8).then(|| ("t".to_owned(), at(seconds - seconds % 10)));
        let outlook = Outlook { turn, ..waits(0, None, Some(at(seconds - seconds % 10))) };
        let stands = Lag { topic: "loads".into(), partition: 3, position: 7, records: Some(2) };
        let goes = log(seconds as i64, 1);
        let told = verdicts.of(&outlook, &member(), [goes, vec![stands]].concat(), AFTER, at(seconds));
        // From the second look between two turns on.
        let expected = if seconds < 129 { State::Ok } else { State::Failing };
        assert_eq!(told.0, expected, "after {seconds} s: {told:?}");
        let stalled = "stalled: 2 requests of loads/3 wait, and none was taken in for 120 s";
        assert!(seconds != 129 || told.2 == stalled, "{}", told.2);
    }
}

/// Each look that sees the group shared out finds what the loader had taken in gone, and each look after it finds it there anew.
#[test]
fn a_group_that_is_shared_out_again_and_again_does_not_hide_a_stall() {
    let start = Instant::now();
    let mut verdicts = Verdicts::default();
    let mut failed = None;
    for second in 0..300_u64 {
        let now = start + Duration::from_secs(second);
        let (outlook, standing, lags) = match second % 60 {
            0 => (Outlook::default(), joins(), vec![]),
            from => (waits(1, since(7, start + Duration::from_secs(second - from + 1)), None), member(), log(8, 0)),
        };
        let told = verdicts.of(&outlook, &standing, lags, AFTER, now);
        failed = failed.or((told.0 == State::Failing).then_some(second));
    }
    assert_eq!(failed, Some(121), "it could be loaded since the first second");
}

#[test]
fn while_another_instance_has_a_table_the_time_stands_still() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let waiting = waits(1, since(7, at(0)), None);
    let spare = || standing(Membership::Spare);
    let mut verdicts = Verdicts::default();
    let mut lasts = |outlook: &Outlook, standing, lags, seconds| {
        let told = verdicts.of(outlook, &standing, lags, AFTER, at(seconds));
        told.1.as_secs()
    };
    assert_eq!(lasts(&waiting, member(), log(8, 0), 60), 60);
    assert_eq!(lasts(&waiting, spare(), vec![], 61), 0, "it is for others");
    assert_eq!(lasts(&Outlook::default(), spare(), vec![], 160), 0);
    let again = |offset| waits(1, since(offset, at(161)), None);
    assert_eq!(lasts(&again(7), member(), log(8, 0), 161), 61, "nobody has loaded it");
    assert_eq!(lasts(&Outlook::default(), spare(), vec![], 162), 0);
    assert_eq!(lasts(&again(9), member(), log(10, 0), 163), 2, "another one");
}

#[test]
fn what_waits_is_noted_by_table() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut outlook = waits(9, since(1, at(0)), Some(at(0)));
    for table in ["failed", "gone"] {
        let error = Some("the bucket is full".to_owned());
        outlook.tables.insert(table.to_owned(), TableOutlook { error, ..TableOutlook::default() });
    }
    let all = [("t", since(7, at(2))), ("t", since(8, at(1))), ("t", None), ("failed", None)];
    outlook.waits(all.map(|(table, ready)| (table.to_owned(), ready)));
    let t = &outlook.tables["t"];
    assert_eq!((t.ready, &t.oldest, t.loaded), (2, &since(8, at(1)), Some(at(0))));
    assert!(outlook.tables["failed"].error.is_some(), "it has still something to load");
    assert_eq!(outlook.tables.keys().collect::<Vec<_>>(), ["failed", "t"]);
    outlook.waits([]);
    let t = &outlook.tables["t"];
    assert_eq!((t.ready, &t.oldest, t.loaded), (0, &None, Some(at(0))));
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
    /// It never says that it stands while something is loaded and all is taken in, and always does when nothing was although it could be. What is
    /// noted of a request is when it was taken in: here that is when it came.
    #[test]
    fn it_is_stalled_when_nothing_was_loaded_for_long(events in prop::collection::vec(event(), 1..200)) {
        const LIMIT: u64 = 12;
        let start = Instant::now();
        let mut outlook = Outlook::default();
        let mut verdicts = Verdicts::default();
        // What is on the log: whether each is to be held, since when it is there, and whether it is done.
        let (mut requests, mut taken) = (Vec::<(bool, u64, bool)>::new(), 0);
        let (mut loaded, mut runs) = (0, None);
        // The first that was not taken in, since when it is that, and when it could have been.
        let mut passed_over: Option<(usize, u64, Vec<u64>)> = None;
        for (second, event) in (0_u64..).zip(events) {
            let now = start + Duration::from_secs(second);
            match event {
                Event::Nothing => {}
                Event::Arrives { held } => requests.push((held, second, false)),
                Event::TakesIn => taken = requests.len(),
                Event::Loads => {
                    let ready = requests[..taken].iter_mut().filter(|(held, _, done)| !held && !done);
                    if ready.map(|(_, _, done)| *done = true).count() > 0 {
                        loaded = second;
                    }
                }
                Event::Begins => runs = runs.or(Some(second)),
                Event::Ends => runs = None,
            }
            outlook.turn = runs.map(|since| ("t".to_owned(), start + Duration::from_secs(since)));
            let ready: Vec<_> = (0_i64..).zip(&requests[..taken]).filter(|(_, (held, _, done))| !held && !done).collect();
            let oldest = ready.first().and_then(|(offset, (_, arrived, _))| {
                since(*offset, start + Duration::from_secs(*arrived))
            });
            outlook.tables = waits(ready.len(), oldest, Some(start + Duration::from_secs(loaded))).tables;
            outlook.taken = [(("loads".into(), 0), (1, taken as i64))].into();
            let position = requests.iter().position(|(_, _, done)| !done).unwrap_or(requests.len());
            let lags = outlook.untaken(log(position as i64, (requests.len() - position) as i64), |_| Some(1));
            let (state, lasts, text) = verdicts.of(&outlook, &member(), lags, Duration::from_secs(LIMIT), now);

            let first = taken.max(position);
            passed_over = passed_over.filter(|(of, ..)| *of == first && first < requests.len());
            if first < requests.len() {
                let (.., could) = passed_over.get_or_insert((first, second, Vec::new()));
                could.extend(runs.is_none().then_some(second));
            }
            let passed_over = passed_over.as_ref().map_or(0, |(_, began, could)| {
                second - loaded.min(could.get(1).copied().unwrap_or(loaded)).max(*began)
            });
            let since = |since: u64| second - since.max(loaded);
            let waits = ready.first().map_or(0, |(_, (_, arrived, _))| since(*arrived));
            let runs = runs.map_or(0, |since: u64| second - since);
            if second - loaded < LIMIT && runs < LIMIT && passed_over < LIMIT {
                prop_assert_eq!(state, State::Ok, "{} was loaded at {}: {}", second, loaded, text);
            }
            let longest = waits.max(runs).max(passed_over);
            if longest >= LIMIT {
                prop_assert_eq!(state, State::Failing, "{}: {} of {} s", second, text, longest);
            }
            prop_assert_eq!(state == State::Failing, lasts.as_secs() >= LIMIT);
            // What is held is never work.
            let untaken = requests.len() - taken;
            if ready.len() + untaken == 0 && outlook.turn.is_none() {
                prop_assert_eq!(state, State::Ok, "nothing can be loaded: {}", text);
            }
        }
    }
}
