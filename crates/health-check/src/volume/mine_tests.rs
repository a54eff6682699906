use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

const RULES: Rules = Rules { weeks: 2, samples: 3, quantile: 0.25, low: 0.4, high: 3.0, floor: 20, silence: 30 };

/// The same series as the history has it, and as plain numbers by hour.
fn both(series: &[Option<u32>]) -> (History, BTreeMap<i64, u32>) {
    let (mut history, mut plain) = (History::default(), BTreeMap::new());
    history.raise("a", 0, 1, 9);
    for (hour, count) in (1..).zip(series) {
        if let Some(count) = count {
            history.raise("a", hour, u64::from(*count), 9);
            history.watch(hour);
            plain.insert(hour, *count);
        }
    }
    (history, plain)
}

/// The definition, word for word: no history, no shared code.
fn obvious(plain: &BTreeMap<i64, u32>, rules: &Rules, hour: i64) -> Option<(u32, u32, u32, Basis)> {
    if hour < i64::from(rules.weeks) * 7 * 24 {
        return None;
    }
    let sorted = |of: &dyn Fn(i64) -> bool| {
        let mut counts: Vec<u32> = plain.iter().filter(|(at, _)| of(**at)).map(|(_, count)| *count).collect();
        counts.sort_unstable();
        counts
    };
    let same = |beside: i64, every: i64, at: i64| {
        let back = hour + beside - at;
        back > 0 && back % every == 0 && back <= 5 * 168
    };
    let weeks: Vec<Vec<u32>> = [-1, 0, 1].iter().map(|beside| sorted(&|at| same(*beside, 168, at))).collect();
    if weeks.iter().all(|counts| counts.len() >= rules.samples) {
        let at = |counts: &Vec<u32>, part: f64| counts[(part * (counts.len() - 1) as f64).floor() as usize];
        let from_above = |counts: &Vec<u32>| {
            let reversed = counts.iter().rev().copied().collect();
            at(&reversed, rules.quantile)
        };
        let least = weeks.iter().map(|counts| at(counts, rules.quantile)).min()?;
        let most = weeks.iter().map(from_above).max()?;
        return Some((least, at(&weeks[1], 0.5), most, Basis::Week));
    }
    let days = sorted(&|at| same(0, 24, at));
    if days.len() < 7 {
        return None;
    }
    let near = sorted(&|at| [-1, 0, 1].iter().any(|beside| same(*beside, 24, at)));
    Some((near[0], days[(days.len() - 1) / 2], near[near.len() - 1], Basis::Day))
}

fn series() -> impl Strategy<Value = Vec<Option<u32>>> {
    let count = prop_oneof![8 => (0..200_u32).prop_map(Some), 1 => Just(None), 1 => Just(Some(0))];
    vec(count, 300..1100)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn the_miner_finds_what_an_obvious_one_finds(
        series in series(),
        quantile in 0.0..=0.5_f64,
        samples in 1..=5_usize,
        weeks in 1..=5_u32,
    ) {
        let (history, plain) = both(&series);
        let rules = Rules { quantile, samples, weeks, ..RULES };
        for hour in (1..series.len() as i64 + 200).step_by(7) {
            let found = rules.usual(&history, "a", hour).map(|usual| (usual.least, usual.middle, usual.most, usual.basis));
            prop_assert_eq!(found, obvious(&plain, &rules, hour), "hour {}", hour);
        }
    }

    #[test]
    fn a_verdict_is_the_definition(series in series(), low in 0.0..1.0_f64, high in 1.0..4.0_f64, floor in 1..60_u32) {
        let (history, plain) = both(&series);
        let rules = Rules { low, high, floor, ..RULES };
        for hour in (1..series.len() as i64 + 5).step_by(3) {
            let expected = match (plain.get(&hour), obvious(&plain, &rules, hour)) {
                (None, _) | (_, None) => "not known",
                (Some(count), Some((_, _, most, _))) if f64::from(*count) > f64::from(most.max(floor)) * high => "high",
                (_, Some((least, ..))) if least < floor => "not known",
                (Some(count), Some((least, ..))) if f64::from(*count) < f64::from(least) * low => "low",
                _ => "ok",
            };
            let found = match rules.judge(&history, "a", hour) {
                Judgement::Ok => "ok",
                Judgement::Low { .. } => "low",
                Judgement::High { .. } => "high",
                Judgement::NotKnown(_) => "not known",
            };
            prop_assert_eq!(found, expected, "hour {}", hour);
        }
    }

    #[test]
    fn what_is_expected_is_the_sum_over_minutes(series in series(), first in 400..900_i64, hours in 0..30_i64, clean in 0..30_i64) {
        let (history, plain) = both(&series);
        let at = |hour: i64, minute: i64| hour * 3600 + minute * 60;
        let (from, to, clean) = (at(first, 17), at(first + hours, 43), at(first + clean, 9));
        let least = |hour| obvious(&plain, &RULES, hour).map_or(0.0, |(least, ..)| f64::from(least));
        let mut sum = 0.0;
        for hour in first..=first + hours {
            let minutes = (0..60).map(|minute| at(hour, minute)).filter(|minute| (from..to).contains(minute));
            let counted = minutes.filter(|minute| plain.contains_key(&hour) || *minute >= clean).count();
            sum += least(hour) * counted as f64 / 60.0;
        }
        let [found, _] = RULES.expected(&history, "a", [from, clean, to]);
        prop_assert!((found - sum).abs() < 1e-6, "{} {}", found, sum);
    }
}

/// Three weeks of a hundred an hour by day, and one by night: 8 to 19 o'clock.
fn days(weeks: i64) -> History {
    let mut history = History::default();
    for hour in 0..weeks * WEEK {
        history.watch(hour);
        history.raise("a", hour, if (8..20).contains(&(hour % 24)) { 100 } else { 1 }, 9);
    }
    history
}

#[test]
fn clocks_that_are_changed_alarm_nobody() {
    let mut history = days(4);
    let day = 4 * WEEK;
    for hour in 0..24 {
        history.watch(day + hour);
        // An hour later than before, in UTC.
        history.raise("a", day + hour, if (9..21).contains(&hour) { 100 } else { 1 }, 9);
        let verdict = RULES.judge(&history, "a", day + hour);
        assert!(!matches!(verdict, Judgement::Low { .. } | Judgement::High { .. }), "{hour} {verdict:?}");
    }
    history.watch(day + 24);
    assert!(matches!(RULES.judge(&days_with_noon_missing(), "a", day + 12), Judgement::Low { count: 0, .. }));
}

fn days_with_noon_missing() -> History {
    let mut history = days(4);
    (0..24).for_each(|hour| history.watch(4 * WEEK + hour));
    history
}

#[test]
fn with_too_few_weeks_days_are_compared_and_with_too_little_nothing() {
    let basis = |weeks: i64| RULES.usual(&days(weeks), "a", weeks * WEEK + 12).map(|usual| usual.basis);
    assert_eq!([1, 2, 3, 4].map(basis), [None, Some(Basis::Day), Some(Basis::Week), Some(Basis::Week)]);
    let mut young = days(1);
    young.watch(WEEK);
    assert_eq!(RULES.judge(&young, "a", WEEK + 12), Judgement::NotKnown(Why::NotWatched));
    young.watch(WEEK + 12);
    assert_eq!(RULES.judge(&young, "a", WEEK + 12), Judgement::NotKnown(Why::TooYoung));
}

#[test]
fn what_is_not_listed_may_be_of_any_endpoint() {
    let mut history = days_with_noon_missing();
    history.raise(OTHERS, 4 * WEEK + 12, 10, 9);
    assert!(matches!(RULES.judge(&history, "a", 4 * WEEK + 12), Judgement::Low { .. }), "10 are too few all the same");
    history.raise(OTHERS, 4 * WEEK + 12, 70, 9);
    assert_eq!(RULES.judge(&history, "a", 4 * WEEK + 12), Judgement::NotKnown(Why::NotListed));
    let from = (4 * WEEK + 12) * HOUR;
    assert_eq!(RULES.expected(&history, "a", [from, 0, from + HOUR]), [0.0; 2]);
    assert!(RULES.expected(&history, "a", [from + HOUR, 0, from + 2 * HOUR])[0] > 99.0);
}

/// In hours with more endpoints than an instance lists, an endpoint may be listed with none of its deliveries, or a part.
#[test]
fn hours_in_which_not_all_are_listed_are_not_learned() {
    let mut history = History::default();
    for hour in 0..=4 * WEEK {
        history.watch(hour);
        let is_full = (2 * WEEK..4 * WEEK).contains(&hour);
        history.raise("a", hour, if is_full { 1 } else { 100 }, 9);
        history.raise(OTHERS, hour, if is_full { 500 } else { 0 }, 9);
        history.raise(ALL, hour, 600, 9);
    }
    let usual = |endpoint| RULES.usual(&history, endpoint, 4 * WEEK).map(|usual| [usual.least, usual.most]);
    assert_eq!([usual("a"), usual(ALL)], [Some([100, 100]), Some([600, 600])]);
    assert_eq!(RULES.judge(&history, "a", 4 * WEEK), Judgement::Ok);
}

#[test]
fn a_quiet_hour_proves_nothing() {
    let mut history = days_with_noon_missing();
    assert_eq!(RULES.judge(&history, "a", 4 * WEEK + 3), Judgement::NotKnown(Why::TooFew));
    history.raise("a", 4 * WEEK + 3, 61, 9);
    assert!(matches!(RULES.judge(&history, "a", 4 * WEEK + 3), Judgement::High { count: 61, .. }));
}
