use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::What;
use super::*;

fn series(limit: usize) -> Series {
    let series = Series::default();
    series.limit(limit);
    series
}

fn take(series: &Series, endpoint: &str, now: Instant) {
    if let Some(cell) = series.cell_at("streaming", endpoint, now) {
        cell.add(What::TakenIn, 1);
    }
}

/// What was taken in, by endpoint.
fn taken(series: &Series, now: Instant) -> BTreeMap<String, u64> {
    series.told(now).into_iter().map(|(endpoint, _, count)| (endpoint, count.taken_in)).collect()
}

fn told<const N: usize>(expected: [(&str, u64); N]) -> BTreeMap<String, u64> {
    expected.map(|(endpoint, n)| (endpoint.to_owned(), n)).into()
}

#[test]
fn so_many_have_their_own_and_the_rest_share_one() {
    let (series, now) = (series(2), Instant::now());
    for endpoint in ["a", "b", "c", "d", "a", ""] {
        take(&series, endpoint, now);
    }
    assert_eq!(taken(&series, now), told([("a", 2), ("b", 1), ("(others)", 2)]));
    // Each hop has its own, and an endpoint has one place for all of them.
    series.cell_at("processing", "a", now).unwrap().add(What::Dropped("duplicate"), 3);
    series.cell_at("processing", "c", now).unwrap().add(What::TakenIn, 5);
    let all: Vec<_> = series.told(now).into_iter().map(|(e, hop, c)| (e, hop, c.taken_in)).collect();
    let all: Vec<_> = all.iter().map(|(e, hop, n)| (e.as_str(), *hop, *n)).collect();
    let expected = [
        ("(others)", "processing", 5),
        ("(others)", "streaming", 2),
        ("a", "processing", 0),
        ("a", "streaming", 2),
        ("b", "streaming", 1),
    ];
    assert_eq!(all, expected);
}

#[test]
fn with_a_limit_of_zero_there_are_none() {
    let (series, now) = (series(0), Instant::now());
    series.stays("fixed");
    take(&series, "a", now);
    series.gone("a", now);
    assert_eq!(taken(&series, now), told([]));
    assert!(read(&series.table).slots.is_empty());
}

#[test]
fn those_of_the_settings_have_a_place_before_anything_comes_and_keep_it() {
    let (series, now) = (series(2), Instant::now());
    series.stays("fixed");
    for endpoint in ["a", "b", "fixed"] {
        take(&series, endpoint, now);
    }
    assert_eq!(taken(&series, now), told([("a", 1), ("fixed", 1), ("(others)", 1)]));
    series.gone("fixed", now);
    series.sweep(now + IDLE);
    series.sweep(now + 3 * IDLE);
    assert_eq!(taken(&series, now + 3 * IDLE), told([("fixed", 1), ("(others)", 1)]));
    // One more of the settings than there are places is one of the others.
    series.stays("second");
    series.stays("third");
    take(&series, "third", now);
    assert_eq!(taken(&series, now), told([("fixed", 1), ("(others)", 2)]));
}

#[test]
fn the_series_of_who_is_gone_end_and_another_has_the_place() {
    let (series, now) = (series(1), Instant::now());
    take(&series, "a", now);
    take(&series, "late", now);
    series.sweep(now);
    series.gone("a", now);
    // Told again, as a compacted topic does: it is gone since the first time.
    series.gone("a", now + STAYS / 2);
    let last = now + STAYS - Duration::from_millis(1);
    series.sweep(last);
    assert_eq!(taken(&series, last), told([("a", 1), ("(others)", 1)]), "what was counted last is still read");
    let over = now + STAYS;
    assert_eq!(taken(&series, over), told([("(others)", 1)]), "gone before anybody sweeps");
    // What is left of it goes on for a while: not shown, and no series begins again.
    take(&series, "a", over);
    series.sweep(over);
    assert_eq!(taken(&series, over), told([("(others)", 1)]));
    series.sweep(over + STAYS);
    take(&series, "late", over + STAYS);
    assert_eq!(taken(&series, over + STAYS), told([("late", 1), ("(others)", 1)]), "others never go down");
}

#[test]
fn one_that_comes_back_goes_on_where_it_was() {
    let (series, now) = (series(1), Instant::now());
    take(&series, "a", now);
    series.gone("a", now);
    assert_eq!(taken(&series, now + STAYS), told([]));
    series.here("a");
    take(&series, "a", now + STAYS);
    assert_eq!(taken(&series, now + 2 * STAYS), told([("a", 2)]));
}

#[test]
fn one_that_nothing_comes_for_gives_its_place_after_a_day() {
    let (series, now) = (series(1), Instant::now());
    take(&series, "a", now);
    series.sweep(now);
    take(&series, "a", now + IDLE / 2);
    series.sweep(now + IDLE / 2);
    series.sweep(now + IDLE);
    assert_eq!(taken(&series, now + IDLE), told([("a", 1 + 1)]));
    series.sweep(now + IDLE / 2 + IDLE);
    assert_eq!(taken(&series, now + 2 * IDLE), told([]));
}

#[test]
fn a_hundred_thousand_that_are_only_told_of_cost_nothing() {
    let (series, now) = (series(200), Instant::now());
    for n in 0..100_000 {
        series.here(&format!("e{n}"));
        series.gone(&format!("e{n}"), now);
    }
    assert_eq!(read(&series.table).slots.capacity(), 0);
}

proptest! {
    /// What is shown twice in a row has not gone down, whatever comes, goes and comes back; and there are never more.
    #[test]
    fn a_series_never_goes_down(
        steps in prop::collection::vec((0usize..9, 0u8..6, 0u64..600), 1..300), limit in 1usize..6
    ) {
        let (series, mut now) = (series(limit), Instant::now());
        let mut before = BTreeMap::new();
        let mut all = 0;
        for (endpoint, what, later) in steps {
            now += Duration::from_secs(later);
            let endpoint = format!("e{endpoint}");
            match what {
                0 => series.gone(&endpoint, now),
                1 => series.here(&endpoint),
                2 => series.sweep(now),
                _ => {
                    take(&series, &endpoint, now);
                    all += 1;
                }
            }
            let shown = taken(&series, now);
            prop_assert!(shown.len() <= limit + 1);
            prop_assert!(shown.values().sum::<u64>() <= all);
            for (endpoint, n) in &shown {
                prop_assert!(before.get(endpoint).is_none_or(|was| was <= n), "{endpoint}: {before:?}, then {shown:?}");
            }
            before = shown;
        }
    }
}
