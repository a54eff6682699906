//! The window against a slow and obvious evaluator, on random series.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use common::health::v1::{Digest, RecentErrors};
use proptest::prelude::*;

use super::entry::entries_of;
use super::memory::Memory;
use crate::samples::{at, stamp};

const WINDOW: u64 = 60;

/// An error: of which instance, in which of its lives, when, with which text.
type Happened = (u8, u8, u64, u8);

/// What an instance tells at this time of what happened so far.
fn told(all: &[Happened], instance: u8, life: u8, now: u64) -> Digest {
    // As it keeps them: the same text within ten seconds is one entry, numbered as they came.
    let mut entries: Vec<RecentErrors> = Vec::new();
    let mut mine: Vec<_> = all.iter().filter(|one| (one.0, one.1) == (instance, life) && one.2 <= now).collect();
    mine.sort_by_key(|one| one.2);
    for &&(_, _, when, text) in &mine {
        let text = format!("text {}", char::from(b'a' + text));
        let open = |entry: &&mut RecentErrors| {
            entry.text == text && entry.at.is_some_and(|at| stamp(when as i64).seconds - at.seconds < 10)
        };
        if let Some(entry) = entries.iter_mut().find(open) {
            (entry.count, entry.last_at) = (entry.count + 1, Some(stamp(when as i64)));
            continue;
        }
        entries.push(RecentErrors {
            number: entries.len() as u64 + 1,
            hop: "loader".to_owned(),
            kind: "logged".to_owned(),
            text,
            count: 1,
            at: Some(stamp(when as i64)),
            last_at: Some(stamp(when as i64)),
            ..RecentErrors::default()
        });
    }
    Digest {
        instance: format!("load-{instance}"),
        started_at: Some(stamp(i64::from(life))),
        at: Some(stamp(now as i64)),
        errors: entries,
        ..Digest::default()
    }
}

/// The counts by instance and text of the errors whose entry began within the window: each error looked at by itself.
fn obvious(all: &[Happened], read: &BTreeMap<(u8, u8), u64>, now: u64) -> BTreeMap<(String, String), u64> {
    let mut counts = BTreeMap::new();
    for (&(instance, life), &until) in read {
        for entry in told(all, instance, life, until).errors {
            let began = entry.at.map_or(0, |at| at.seconds) - stamp(0).seconds;
            if (now as i64) - began < WINDOW as i64 {
                *counts.entry((format!("load-{instance}"), entry.text)).or_default() += entry.count;
            }
        }
    }
    counts
}

fn counts(window: &Memory, now: SystemTime) -> BTreeMap<(String, String), u64> {
    window.series(now).into_iter().map(|one| ((one.about.instance, one.text), one.count)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_error_counts_once_however_and_by_whomever_it_is_read(
        all in prop::collection::vec((0..3u8, 0..2u8, 0..200u64, 0..3u8), 0..120),
        reads in prop::collection::vec((0..3u8, 0..2u8, 0..200u64, 0..200u64), 0..60),
    ) {
        // Two readers: one in the order of the readings, one in the other, which was started anew on the way.
        let (mut one, mut other) = (Memory::new(Duration::from_secs(WINDOW)), Memory::new(Duration::from_secs(WINDOW)));
        let mut read = BTreeMap::new();
        let end = 200;
        for &(instance, life, now, _) in &reads {
            one.add(entries_of(&told(&all, instance, life, now), at(now)), at(now));
            let until = read.entry((instance, life)).or_insert(now);
            *until = now.max(*until);
        }
        for &(instance, life, now, late) in reads.iter().rev() {
            // Late on the way, and twice.
            let digest = told(&all, instance, life, now);
            for _ in 0..2 {
                other.add(entries_of(&digest, at(now)), at(now.max(late)));
            }
        }
        let expected = obvious(&all, &read, end);
        prop_assert_eq!(counts(&one, at(end)), expected.clone());
        prop_assert_eq!(counts(&other, at(end)), expected);
    }

    #[test]
    fn at_each_moment_it_has_what_began_within_the_window(
        all in prop::collection::vec((0..1u8, 0..1u8, 0..200u64, 0..3u8), 0..100),
        step in 1..20u64,
    ) {
        let mut window = Memory::new(Duration::from_secs(WINDOW));
        for now in (0..300).step_by(step as usize) {
            window.add(entries_of(&told(&all, 0, 0, now), at(now)), at(now));
            let read = BTreeMap::from([((0, 0), now)]);
            prop_assert_eq!(counts(&window, at(now)), obvious(&all, &read, now), "at {}", now);
        }
    }
}

fn digest(instance: &str, number: u64, count: u64) -> Digest {
    let error = RecentErrors {
        number,
        hop: "loader".to_owned(),
        text: "it failed".to_owned(),
        count,
        at: Some(stamp(0)),
        last_at: Some(stamp(0)),
        ..RecentErrors::default()
    };
    Digest { instance: instance.to_owned(), at: Some(stamp(0)), errors: vec![error], ..Digest::default() }
}

#[test]
fn it_stays_small_and_says_what_it_dropped() {
    let mut window = Memory::new(Duration::from_secs(WINDOW));
    for number in 1..=1010 {
        window.add(entries_of(&digest("a", number, 2), at(0)), at(0));
    }
    assert_eq!((counts(&window, at(0)).into_values().sum::<u64>(), window.dropped()), (2000, 20));
    for n in 0..120 {
        window.add(entries_of(&digest(&format!("b{n}"), 1, 1), at(0)), at(0));
    }
    assert_eq!(counts(&window, at(0)).into_values().sum::<u64>() + window.dropped(), 2140);
    window.expire(at(WINDOW));
    assert_eq!((window.series(at(WINDOW)).len(), window.dropped()), (0, 0));
    // A flood of one entry.
    window.add(entries_of(&digest("a", 1, 1_000_000), at(0)), at(0));
    assert_eq!(window.series(at(0))[0].count, 1000);
}

#[test]
fn a_clock_that_differs_is_corrected() {
    let window = |ahead: i64| {
        let mut digest = digest("a", 1, 1);
        digest.errors[0].at = Some(stamp(ahead - 20));
        digest.at = Some(stamp(ahead));
        let mut window = Memory::new(Duration::from_secs(WINDOW));
        window.add(entries_of(&digest, at(100)), at(100));
        window.series(at(100)).first().map(|one| one.first_at)
    };
    // Days behind and ahead: it came 20 s before it was told, and was told now.
    assert_eq!(window(-200_000), Some(at(80)));
    assert_eq!(window(200_000), Some(at(80)));
    // A little ahead: never later than now.
    assert_eq!(window(150), Some(at(100)));
}

#[test]
fn each_that_is_watched_has_its_place() {
    let mut window = Memory::new(Duration::from_secs(WINDOW));
    window.watch(150);
    for _ in 0..3 {
        for n in 0..150 {
            window.add(entries_of(&digest(&format!("b{n}"), 1, 1), at(0)), at(0));
        }
    }
    assert_eq!((counts(&window, at(0)).len(), window.dropped()), (150, 0));
}

#[test]
fn what_a_worker_forgot_before_it_was_asked_is_dropped_once() {
    let mut window = Memory::new(Duration::from_secs(WINDOW));
    let mut ask = |numbers: std::ops::RangeInclusive<u64>, forgotten: u64| {
        let entries: Vec<_> = numbers.flat_map(|number| entries_of(&digest("a", number, 1), at(0))).collect();
        window.forgot(forgotten, &entries[0], at(0));
        window.add(entries, at(0));
        window.dropped()
    };
    assert_eq!(ask(1..=5, 0), 0);
    // It has forgotten what it had told.
    assert_eq!(ask(4..=9, 3), 0);
    // And now what it had not; that is found once.
    assert_eq!(ask(12..=15, 11), 11);
    assert_eq!(ask(12..=17, 11), 11);
    assert_eq!(ask(15..=19, 14), 11);
    window.expire(at(WINDOW));
    assert_eq!(window.dropped(), 0);
}
