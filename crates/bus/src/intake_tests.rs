use bytes::Bytes;

use super::*;
use crate::Headers;

fn intake(records: usize, bytes: usize) -> Arc<Intake> {
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let settings: crate::Settings = file.remove("bus").unwrap().try_into().unwrap();
    let settings = ConsumerSettings { max_in_flight_records: records, max_in_flight_bytes: bytes, ..settings.consumer };
    Arc::new(Intake::new("group".into(), settings, Some(Arc::default())))
}

fn place(partition: i32) -> TopicPartition {
    ("topic".into(), partition)
}

fn at(partition: i32, offset: i64) -> Coordinates {
    Coordinates { log: "log".into(), topic: "topic".into(), partition, offset }
}

fn content(size: usize) -> Content {
    Content { key: None, payload: Some(Bytes::from(vec![0; size])), headers: Headers::default(), produced_at_ms: 0 }
}

fn begin(intake: &Intake, partition: i32, position: i64) {
    intake.lock().begin(place(partition), position, position, Watch::begin(None, 0, position, position, 1));
}

fn take(intake: &Intake, partition: i32, offset: i64) -> bool {
    let mut state = intake.lock();
    intake.take(&mut state, at(partition, offset), content(10))
}

fn hand_out(intake: &Arc<Intake>) -> Vec<Incoming> {
    let mut state = intake.lock();
    intake.hand_out(&mut state).unwrap()
}

fn offsets(records: &[Incoming]) -> Vec<i64> {
    records.iter().map(|record| record.coordinates.offset).collect()
}

#[test]
fn what_is_not_begun_before_the_end_does_not_undo_what_is_on_its_way() {
    let intake = intake(10, 10_000);
    begin(&intake, 0, 5);
    let end = CancellationToken::new();
    intake.end.set(end.clone()).unwrap();
    for offset in 5..10 {
        assert!(take(&intake, 0, offset));
    }
    let mut out = hand_out(&intake);
    end.cancel();
    drop(out.split_off(2));
    let all = |_: &TopicPartition| true;
    let of = |state: &State| {
        let part = &state.parts[&place(0)];
        (part.tracker.position(), part.failed, state.awaited(all), state.unfinished(all))
    };
    assert_eq!(of(&intake.lock()), (5, false, 2, 5));
    out.remove(1).ack.complete();
    out.remove(0).ack.complete();
    assert_eq!(of(&intake.lock()), (7, false, 0, 3), "the three come again");
    assert_eq!(intake.lock().in_flight(), (0, 0));

    // What fails goes back as ever.
    begin(&intake, 1, 0);
    assert!(take(&intake, 1, 0));
    hand_out(&intake).remove(0).ack.fail(&Error::Closed);
    assert!(intake.lock().parts[&place(1)].failed);
}

#[test]
fn hands_out_within_the_limits_and_keeps_the_order() {
    let intake = intake(2, 10_000);
    begin(&intake, 0, 5);
    for offset in [5, 6, 9] {
        assert!(take(&intake, 0, offset));
    }
    let mut out = hand_out(&intake);
    assert_eq!(offsets(&out), [5, 6]);
    assert!(hand_out(&intake).is_empty());
    assert!(!intake.admit(&mut intake.lock()), "two are out");
    out.remove(0).ack.complete();
    assert!(!intake.admit(&mut intake.lock()), "the third took the room");
    assert_eq!(offsets(&hand_out(&intake)), [9]);
    assert_eq!(intake.lock().parts[&place(0)].tracker.position(), 6);
}

#[test]
fn one_record_may_be_larger_than_the_limit() {
    let intake = intake(10, 1000);
    begin(&intake, 0, 0);
    let mut state = intake.lock();
    for (offset, size) in [(0, 100), (1, 5000), (2, 100)] {
        assert!(intake.take(&mut state, at(0, offset), content(size)));
    }
    drop(state);
    let first = hand_out(&intake);
    assert_eq!(offsets(&first), [0]);
    drop(first.into_iter().map(|record| record.ack.complete()).collect::<Vec<_>>());
    intake.admit(&mut intake.lock());
    let second = hand_out(&intake);
    assert_eq!(offsets(&second), [1], "alone");
    second.into_iter().for_each(|record| record.ack.complete());
    intake.admit(&mut intake.lock());
    let third = hand_out(&intake);
    assert_eq!(offsets(&third), [2]);
    third.into_iter().for_each(|record| record.ack.complete());
    assert_eq!(intake.lock().in_flight(), (0, 0));
}

#[test]
fn a_failed_record_takes_its_partition_back_and_leaves_the_others() {
    let intake = intake(100, 1_000_000);
    begin(&intake, 0, 0);
    begin(&intake, 1, 0);
    for offset in 0..3 {
        assert!(take(&intake, 0, offset) && take(&intake, 1, offset));
    }
    let mut late = Vec::new();
    for record in hand_out(&intake) {
        match (record.coordinates.partition, record.coordinates.offset) {
            (0, 1) => record.ack.fail(&Error::Full),
            (0, 2) => late.push(record.ack),
            _ => record.ack.complete(),
        }
    }
    assert!(!take(&intake, 0, 3), "it must come again after the failed one");
    let settings = intake.settings.clone();
    let (position, wait, why) = intake.lock().go_back(&place(0), &settings).unwrap();
    assert_eq!((position, wait), (1, Duration::from_millis(u64::from(settings.retry_backoff_ms))));
    assert_eq!(*why, Error::Full.to_string());
    assert!(intake.lock().go_back(&place(1), &settings).is_none());
    late.into_iter().for_each(Ack::complete);

    intake.lock().parts.get_mut(&place(0)).unwrap().retry_at = None;
    assert!(!take(&intake, 0, 0), "done already");
    assert!(take(&intake, 0, 1));
    drop(hand_out(&intake));
    let (position, wait, why) = intake.lock().go_back(&place(0), &settings).unwrap();
    assert_eq!((position, wait), (1, Duration::from_millis(u64::from(settings.retry_backoff_ms * 2))));
    assert_eq!(&*why, "the stage dropped it without an outcome");
    let state = intake.lock();
    assert_eq!(state.parts[&place(1)].tracker.position(), 3);
    assert_eq!(state.in_flight(), (0, 0));
}

#[test]
fn what_was_not_handed_out_is_discarded_and_late_acks_only_give_room() {
    let intake = intake(2, 1_000_000);
    begin(&intake, 0, 0);
    for offset in 0..4 {
        assert!(take(&intake, 0, offset));
    }
    let out = hand_out(&intake);
    intake.lock().discard(|gone| *gone == place(0));
    intake.lock().parts.clear();
    begin(&intake, 0, 0);
    assert_eq!(intake.lock().in_flight().0, 2, "what is out still takes its room");
    out.into_iter().for_each(|record| record.ack.complete());
    let state = intake.lock();
    assert_eq!(state.in_flight(), (0, 0));
    assert_eq!(state.parts[&place(0)].tracker.position(), 0, "of an older assignment");
    drop(state);
    assert!(!take(&intake, 1, 0), "not assigned");
}

#[test]
fn a_gap_at_the_end_is_no_lag() {
    let intake = intake(10, 1_000_000);
    begin(&intake, 0, 4);
    let mut state = intake.lock();
    let part = state.parts.get_mut(&place(0)).unwrap();
    assert_eq!(part.lag(), 0);
    (part.seen, part.fetched) = (6, 6);
    assert_eq!(part.lag(), 2, "fetched, and not given yet");
    part.given = 6;
    assert_eq!(part.lag(), 0);
}

#[test]
fn what_nobody_fetches_is_lag() {
    let (intake, now) = (intake(10, 1_000_000), Instant::now());
    intake.lock().begin(place(0), 4, 9, Watch::begin(None, 0, 4, 9, 1));
    let mut state = intake.lock();
    let behind = [(place(0), 4)];
    assert_eq!((state.parts[&place(0)].lag(), state.behind(now)), (5, vec![]), "the client says nothing yet");
    let part = state.parts.get_mut(&place(0)).unwrap();
    (part.seen, part.fetched, part.ahead) = (4, 4, Ahead::Some);
    assert_eq!((part.lag(), state.behind(now)), (5, behind.to_vec()), "whatever the client believes");
    assert_eq!(state.behind(now + Duration::from_secs(30)), [], "nobody has said since that there are records");
    drop(state);
    for offset in 4..9 {
        assert!(take(&intake, 0, offset));
    }
    let mut state = intake.lock();
    assert_eq!((state.parts[&place(0)].lag(), state.behind(now)), (5, vec![]), "it was given, and is not done");
    state.parts.get_mut(&place(0)).unwrap().end = 12;
    assert_eq!((state.parts[&place(0)].lag(), state.behind(now)), (8, vec![(place(0), 9)]));
    type Change = fn(&mut Part);
    let changes: [(&str, Change, bool); 6] = [
        ("it was fetched, and other records are before it", |part| part.fetched = 10, false),
        ("a gap was fetched, and nothing behind it", |part| (part.fetched, part.ahead) = (10, Ahead::Nothing), true),
        ("all of it was fetched", |part| (part.fetched, part.ahead) = (12, Ahead::Nothing), false),
        ("there is no room for it", |part| part.ahead = Ahead::Full, false),
        ("it goes back first", |part| part.failed = true, false),
        ("it waits to go back", |part| part.retry_at = Some(Instant::now()), false),
    ];
    for (why, change, is_behind) in changes {
        let part = state.parts.get_mut(&place(0)).unwrap();
        (part.fetched, part.ahead, part.failed, part.retry_at) = (9, Ahead::Some, false, None);
        change(part);
        assert_eq!(!state.behind(now).is_empty(), is_behind, "{why}");
    }
}

#[test]
fn a_marker_at_the_end_is_nothing_to_wait_for() {
    let (intake, now) = (intake(10, 1_000_000), Instant::now());
    begin(&intake, 0, 4);
    let mut state = intake.lock();
    let part = state.parts.get_mut(&place(0)).unwrap();
    (part.end, part.seen, part.fetched, part.given, part.ahead) = (6, 6, 6, 6, Ahead::Nothing);
    assert_eq!((part.lag(), state.behind(now)), (0, vec![]));
}

#[test]
fn what_waits_to_go_back_is_lag() {
    let intake = intake(10, 1_000_000);
    begin(&intake, 0, 4);
    assert!(take(&intake, 0, 4));
    let failed = intake.hand_out(&mut intake.lock()).unwrap();
    failed.into_iter().for_each(|record| record.ack.fail(&Error::Closed));
    let mut state = intake.lock();
    assert!(state.go_back(&place(0), &intake.settings).is_some());
    let part = state.parts.get_mut(&place(0)).unwrap();
    (part.end, part.seen, part.fetched, part.given) = (5, 5, 5, 5);
    assert_eq!(part.lag(), 1);
}

#[test]
fn of_an_end_that_nobody_has_told_for_long_nothing_is_known() {
    let intake = intake(10, 1_000_000);
    begin(&intake, 0, 4);
    let mut state = intake.lock();
    let part = state.parts.get_mut(&place(0)).unwrap();
    part.end = 5;
    let told = part.end_at;
    let known = |seconds| part.known_lag(told + Duration::from_secs(seconds));
    assert_eq!((known(0), known(14), known(15)), (Some(1), Some(1), None));
}

#[test]
fn since_when_the_oldest_waits_is_known_until_it_is_done() {
    let intake = intake(10, 1_000_000);
    begin(&intake, 0, 4);
    let take = |offset, produced_at_ms| {
        let content = Content { produced_at_ms, ..content(10) };
        assert!(intake.take(&mut intake.lock(), at(0, offset), content));
    };
    let oldest = || intake.lock().parts[&place(0)].oldest_at_ms();
    assert_eq!(oldest(), None, "nothing was fetched");
    for (offset, at) in [(4, 1000), (6, 2000), (7, 3000)] {
        take(offset, at);
        assert_eq!(oldest(), Some(1000), "before it is handed out too");
    }
    let mut out = hand_out(&intake);
    out.remove(1).ack.complete();
    assert_eq!(oldest(), Some(1000), "what is done behind it changes nothing");
    out.remove(0).ack.complete();
    assert_eq!(oldest(), Some(3000));

    // Its partition goes back to it, and waits.
    out.remove(0).ack.fail(&Error::Full);
    assert!(intake.lock().go_back(&place(0), &intake.settings).is_some());
    assert_eq!(oldest(), Some(3000), "while it is not there again");
    intake.lock().parts.get_mut(&place(0)).unwrap().retry_at = None;
    for (offset, at) in [(7, 3000), (8, 4000), (9, 0)] {
        take(offset, at);
    }
    let mut done = vec![];
    for record in hand_out(&intake) {
        record.ack.complete();
        done.push(oldest());
    }
    assert_eq!(done, [Some(4000), None, None], "a record without a time, and none");
    begin(&intake, 0, 10);
    assert_eq!(oldest(), None, "of another assignment");
}
