use proptest::prelude::*;

use super::*;

const DAY: u64 = 24 * 3600;
/// 2026-03-01 12:34:56 UTC
const NOW: u64 = 1_772_368_496;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn stamp(seconds: u64) -> Timestamp {
    at(seconds).into()
}

fn add(hop: &HopCounts, endpoint: &str, received: Option<u64>, now: u64, what: What) {
    let received = received.map(stamp);
    hop.count(&hop.place(endpoint, received.as_ref(), at(now)), what, 1);
}

fn counts(hop: &HopCounts, now: u64) -> Vec<Count> {
    let mut digest = Digest::default();
    hop.fill(&mut digest, at(now));
    digest.counts
}

fn in_work(count: &Count) -> i64 {
    let out = count.sent_on + count.dead_lettered + count.dropped.values().sum::<u64>();
    count.taken_in as i64 - out as i64
}

#[test]
fn the_hour_is_that_of_the_door() {
    let hop = Counts::default().hop("processing");
    add(&hop, "pages", Some(NOW - 3 * 3600), NOW, What::TakenIn);
    add(&hop, "pages", Some(NOW), NOW, What::TakenIn);
    add(&hop, "pages", Some(NOW), NOW, What::Dropped("duplicate"));
    add(&hop, "", None, NOW, What::TakenIn);
    let counts: Vec<_> = counts(&hop, NOW)
        .into_iter()
        .map(|count| (count.hour.map(|hour| hour.to_string()), count.endpoint.clone(), count.taken_in, in_work(&count)))
        .collect();
    let hour = |hour: &str| Some(format!("2026-03-01T{hour}:00:00Z"));
    let expected =
        [(None, String::new(), 1, 1), (hour("09"), "pages".to_owned(), 1, 1), (hour("12"), "pages".to_owned(), 1, 0)];
    assert_eq!(counts, expected);
}

#[test]
fn hours_beyond_the_window_are_told_together() {
    let hop = Counts::default().hop("processing");
    for hour in 0..100 {
        let now = NOW + hour * 3600;
        add(&hop, "pages", Some(now), now, What::TakenIn);
        add(&hop, "pages", Some(now), now, What::SentOn);
        // From days ago, from never, and from a clock that is far ahead.
        add(&hop, "pages", Some(now - 3 * DAY), now, What::TakenIn);
        add(&hop, "pages", Some(now + DAY), now, What::TakenIn);
    }
    let counts = counts(&hop, NOW + 99 * 3600);
    assert_eq!(counts.len(), 27, "26 hours, and the rest without hour");
    assert_eq!(counts[0].hour, None);
    assert_eq!((counts[0].taken_in, counts[0].sent_on), (100 + 100 + 74, 74));
    assert!(counts[1..].iter().all(|count| count.taken_in == 1 && in_work(count) == 0));
}

#[test]
fn endpoints_beyond_the_limit_are_told_together() {
    let hop = Counts::default().hop("streaming");
    for endpoint in 0..800 {
        add(&hop, &format!("e{endpoint:03}"), Some(NOW), NOW, What::TakenIn);
        add(&hop, &format!("e{endpoint:03}"), Some(NOW), NOW, What::Dropped("too_large"));
    }
    add(&hop, "e000", Some(NOW), NOW, What::TakenIn);
    // The same once all of it is old.
    for now in [NOW, NOW + 2 * DAY] {
        let counts = counts(&hop, now);
        assert_eq!(counts.len(), 501);
        assert_eq!((counts[0].endpoint.as_str(), counts[0].taken_in), ("(others)", 300));
        assert_eq!((counts[1].endpoint.as_str(), counts[1].taken_in), ("e000", 2));
        assert_eq!(counts[0].dropped, [("too_large".to_owned(), 300)].into());
    }
}

#[test]
fn what_is_held_is_told_when_its_hour_is_old() {
    let hop = Counts::default().hop("processing");
    let place = hop.place("pages", Some(&stamp(NOW)), at(NOW));
    hop.count(&place, What::TakenIn, 1);
    assert_eq!(counts(&hop, NOW + 2 * DAY).len(), 1);
    hop.count(&place, What::SentOn, 1);
    drop(place);
    let counts = counts(&hop, NOW + 2 * DAY);
    assert_eq!(counts.len(), 1);
    assert_eq!((counts[0].hour, counts[0].taken_in, counts[0].sent_on), (None, 1, 1));
}

#[test]
fn whatever_becomes_of_it_the_equation_holds() {
    let hop = Counts::default().hop("processing");
    let received = clock::timestamp();
    let mut taken = hop.take("pages", Some(&received), 10, "comes_again");
    taken.end(What::SentOn, 4);
    taken.end(What::DeadLettered, 1);
    taken.end(What::Dropped("duplicate"), 2);
    let of = |hop: &HopCounts| {
        let mut digest = Digest::default();
        hop.fill(&mut digest, clock::now());
        digest
    };
    let digest = of(&hop);
    assert_eq!(in_work(&digest.counts[0]), 3);
    assert!(digest.ages[0].p99_seconds < 60.0);
    drop(taken);
    let digest = of(&hop);
    assert_eq!(in_work(&digest.counts[0]), 0);
    assert_eq!(digest.counts[0].dropped, [("comes_again".to_owned(), 3), ("duplicate".to_owned(), 2)].into());
}

#[test]
fn the_digest_has_every_hop_and_queue() {
    let counts = Counts::default();
    counts.hop("streaming").add("pages", None, What::TakenIn, 3);
    counts.clone().hop("streaming").add("pages", None, What::SentOn, 2);
    counts.hop("processing").age(Duration::from_secs(8));
    counts.watch_consumer(|| {
        let group = || "weir-processing".to_owned();
        let consumer = Consumer { group: group(), partitions: 1, ..Consumer::default() };
        (consumer, vec![Queue { group: group(), lag: 7, ..Queue::default() }])
    });
    let mut digest = Digest::default();
    counts.fill(&mut digest);
    let counted: Vec<_> = digest.counts.iter().map(|c| (c.hop.as_str(), c.taken_in, c.sent_on)).collect();
    assert_eq!(counted, [("processing", 0, 0), ("streaming", 3, 2)], "a hop is named before it has counted anything");
    assert_eq!((digest.queues[0].lag, digest.consumers[0].partitions), (7, 1));
    assert_eq!(digest.ages[0].hop, "processing");
}

#[test]
fn no_more_goes_out_than_came_in_while_others_count() {
    let hop = Counts::default().hop("processing");
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in 0..2000u64 {
                    let mut taken = hop.take("pages", Some(&stamp(NOW + n)), 2, "comes_again");
                    taken.end(What::SentOn, 1);
                }
            });
        }
        for _ in 0..200 {
            let mut digest = Digest::default();
            hop.fill(&mut digest, at(NOW));
            assert!(digest.counts.iter().all(|count| in_work(count) >= 0), "{:?}", digest.counts);
        }
    });
}

proptest! {
    #[test]
    fn nothing_is_lost_as_time_goes_on(
        steps in prop::collection::vec((0u64..40 * 3600, 0u64..3 * DAY, 0usize..700, 0u8..4), 1..200)
    ) {
        let hop = Counts::default().hop("loader");
        let mut now = NOW;
        for (later, old, endpoint, what) in &steps {
            now += later;
            let what = [What::TakenIn, What::SentOn, What::DeadLettered, What::Dropped("duplicate")][usize::from(*what)];
            add(&hop, &endpoint.to_string(), Some(now - old), now, what);
        }
        let counts = counts(&hop, now);
        let all: u64 = counts
            .iter()
            .map(|c| c.taken_in + c.sent_on + c.dead_lettered + c.dropped.values().sum::<u64>())
            .sum();
        prop_assert_eq!(all, steps.len() as u64);
        let hours: std::collections::BTreeSet<_> = counts.iter().map(|c| c.hour.map(|h| h.seconds)).collect();
        prop_assert!(hours.len() <= 27);
    }
}
