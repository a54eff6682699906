use super::*;

fn lag(partition: i32, position: i64, records: i64) -> Lag {
    Lag { topic: "raw.meta".into(), partition, position, records: Some(records), oldest_at_ms: None }
}

/// Partition and seconds.
fn longest(stalls: &mut Stalls, lag: &[Lag], now: Instant) -> Option<(i32, u64)> {
    stalls.longest(lag.to_vec(), true, now).map(|(lag, waited)| (lag.partition, waited.as_secs()))
}

#[test]
fn an_idle_time_is_no_stall() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut stalls = Stalls::default();
    assert_eq!(longest(&mut stalls, &[lag(0, 7, 0)], at(0)), None);
    assert_eq!(longest(&mut stalls, &[lag(0, 7, 5)], at(3600)), Some((0, 0)), "the work has just come");
    assert_eq!(longest(&mut stalls, &[lag(0, 7, 9)], at(3603)), Some((0, 3)), "more of it is no progress");
    assert_eq!(longest(&mut stalls, &[lag(0, 8, 8)], at(3604)), Some((0, 0)), "something was done");
    assert_eq!(longest(&mut stalls, &[lag(0, 16, 0)], at(3605)), None);
    assert_eq!(longest(&mut stalls, &[lag(0, 16, 1)], at(3700)), Some((0, 0)));
}

#[test]
fn one_partition_that_stands_still_is_found_among_those_that_go_on() {
    let start = Instant::now();
    let mut stalls = Stalls::default();
    for second in 0..=60 {
        let now = start + Duration::from_secs(second);
        let done = i64::try_from(second).unwrap();
        let found = longest(&mut stalls, &[lag(0, done, 100), lag(1, 41, 3), lag(2, done, 1)], now);
        assert_eq!(found.map(|(_, waited)| waited), Some(second));
        assert!(second == 0 || found == Some((1, second)));
    }
    let now = start + Duration::from_secs(61);
    assert_eq!(longest(&mut stalls, &[lag(0, 61, 100)], now), Some((0, 0)), "it is in other hands");
    let now = start + Duration::from_secs(70);
    assert_eq!(longest(&mut stalls, &[lag(1, 41, 3)], now), Some((1, 0)), "and back: its time begins anew");
}

#[test]
fn work_that_is_not_known_is_what_there_was() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let unknown = |position| Lag { records: None, ..lag(0, position, 0) };
    let mut stalls = Stalls::default();
    assert_eq!(longest(&mut stalls, &[unknown(7)], at(0)), None);
    assert_eq!(longest(&mut stalls, &[lag(0, 7, 0)], at(1)), None);
    assert_eq!(longest(&mut stalls, &[unknown(7)], at(60)), None, "nothing waited");
    assert_eq!(longest(&mut stalls, &[lag(0, 7, 1)], at(61)), Some((0, 0)));
    assert_eq!(longest(&mut stalls, &[unknown(7)], at(70)), Some((0, 9)), "it still does");
    assert_eq!(longest(&mut stalls, &[unknown(8)], at(71)), None, "that is done");
}

#[test]
fn a_rebalance_is_no_progress() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut stalls = Stalls::default();
    let mut look = |lag: &[Lag], is_in, seconds| {
        let found = stalls.longest(lag.to_vec(), is_in, at(seconds));
        found.map(|(lag, waited)| (lag.partition, lag.records, waited.as_secs()))
    };
    let both = [lag(0, 7, 5), lag(1, 41, 0)];
    assert_eq!(look(&both, true, 0), Some((0, Some(5), 0)));
    assert_eq!(look(&[], false, 20), Some((0, Some(5), 20)), "it was taken back");
    assert_eq!(look(&both, true, 22), Some((0, Some(5), 22)), "and came again");
    assert_eq!(look(&[lag(0, 4, 8)], false, 30), Some((0, Some(8), 30)), "what was done is done again");
    assert_eq!(look(&[lag(0, 5, 7)], false, 31), Some((0, Some(7), 31)), "which is no progress");
    assert_eq!(look(&[lag(0, 8, 4)], false, 32), Some((0, Some(4), 0)), "and so it gets on");
    assert_eq!(look(&[lag(1, 41, 1)], false, 40), Some((0, Some(4), 8)));
    assert_eq!(look(&[lag(1, 41, 1)], true, 42), Some((1, Some(1), 2)), "the other is in other hands");
    assert_eq!(look(&[], true, 43), None, "and this one too");
}

/// A group that is shared out every half a minute, and does the same records again each time.
#[test]
fn work_that_is_done_again_and_again_is_a_stall() {
    let start = Instant::now();
    let mut stalls = Stalls::default();
    for second in 0..=300_u64 {
        let done = i64::try_from(second % 30).unwrap();
        let found = longest(&mut stalls, &[lag(0, done, 100 - done)], start + Duration::from_secs(second));
        // The first time it is new.
        let waited = if second < 30 { 0 } else { second - 29 };
        assert_eq!(found, Some((0, waited)));
    }
    let now = start + Duration::from_secs(301);
    assert_eq!(longest(&mut stalls, &[lag(0, 30, 70)], now), Some((0, 0)), "it gets further");
}

#[test]
fn a_topic_that_is_made_again_begins_anew() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut stalls = Stalls::default();
    assert_eq!(longest(&mut stalls, &[lag(0, 700, 5)], at(0)), Some((0, 0)));
    assert_eq!(longest(&mut stalls, &[lag(0, 0, 9)], at(60)), Some((0, 0)), "it ends before what was reached");
    assert_eq!(longest(&mut stalls, &[lag(0, 0, 9)], at(70)), Some((0, 10)));
}

#[test]
fn since_when_a_record_waits_is_known_of_the_first() {
    let start = Instant::now();
    let mut stalls = Stalls::default();
    longest(&mut stalls, &[lag(0, 7, 5)], start);
    longest(&mut stalls, &[lag(0, 7, 6)], start + Duration::from_secs(9));
    let topic: Arc<str> = "raw.meta".into();
    assert_eq!(stalls.since(&topic, 0, 7), Some(start));
    assert_eq!((stalls.since(&topic, 0, 8), stalls.since(&topic, 1, 7)), (None, None));
}
