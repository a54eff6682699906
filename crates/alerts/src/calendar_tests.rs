use proptest::prelude::*;

use super::*;

const HOUR: i64 = 60 * MINUTE;
/// 2026-01-05T00:00:00Z, a Monday.
const MONDAY: i64 = 1_767_571_200_000;

fn rotation(people: usize, shift_ms: i64) -> Rotation {
    let people = (0..people).map(|n| n.to_string()).collect();
    Rotation { name: "primary".to_owned(), people, start_ms: MONDAY, shift_ms, overrides: Vec::new() }
}

fn maintenance(days: Days, from_minute: i64, to_minute: i64, utc_offset_minutes: i64) -> Maintenance {
    let about = Matcher::default();
    Maintenance { name: "patch".to_owned(), about, days, from_minute, to_minute, utc_offset_minutes }
}

#[test]
fn people_are_on_call_one_after_the_other() {
    let mut weeks = rotation(3, 7 * DAY);
    for (days, who) in [(0, "0"), (6, "0"), (7, "1"), (20, "2"), (21, "0"), (-1, "2"), (-8, "1")] {
        assert_eq!(weeks.on_call(MONDAY + days * DAY), Some(who), "{days}");
    }
    let stand_in = |from, to, who: &str| Substitute { from_ms: from, to_ms: to, who: who.to_owned() };
    weeks.overrides = vec![stand_in(MONDAY, MONDAY + DAY, "2"), stand_in(MONDAY + HOUR, MONDAY + 2 * HOUR, "1")];
    for (hours, who) in [(0, "2"), (1, "1"), (2, "2"), (23, "2"), (24, "0")] {
        assert_eq!(weeks.on_call(MONDAY + hours * HOUR), Some(who), "{hours}");
    }
    assert_eq!(rotation(0, DAY).on_call(MONDAY), None);
}

#[test]
fn a_week_begins_on_monday() {
    assert_eq!(weekday(0), Weekday::Thu);
    assert_eq!(weekday(-1), Weekday::Wed);
    assert_eq!(weekday(MONDAY / DAY), Weekday::Mon);
}

#[test]
fn maintenance_goes_past_midnight_and_follows_local_time() {
    let night = maintenance(Days::Weekly(vec![Weekday::Tue]), 23 * 60, 2 * 60, 60);
    // Tuesday 23:00 at UTC+1 is Tuesday 22:00 in UTC.
    let tuesday = MONDAY + DAY;
    for (hours, is_on) in [(-1, false), (21, false), (22, true), (24, true), (25, false), (46, false)] {
        assert_eq!(night.is_on(tuesday + hours * HOUR), is_on, "{hours}");
    }
    let date = maintenance(Days::Dates(vec![MONDAY / DAY]), 60, 120, 0);
    for (hours, is_on) in [(0, false), (1, true), (2, false), (25, false)] {
        assert_eq!(date.is_on(MONDAY + hours * HOUR), is_on, "{hours}");
    }
    let all_day = maintenance(Days::Weekly(vec![]), 0, 0, 0);
    assert!(all_day.is_on(MONDAY) && all_day.is_on(MONDAY + 23 * HOUR));
}

proptest! {
    /// Walks shift by shift from the start.
    #[test]
    fn the_rotation_is_that_of_walking(people in 1_usize..5, shift in 1_i64..50, after in 0_i64..2000) {
        let (mut who, mut end) = (0, shift);
        while end <= after {
            who = (who + 1) % people;
            end += shift;
        }
        let (who, rotation) = (who.to_string(), rotation(people, shift));
        prop_assert_eq!(rotation.on_call(MONDAY + after), Some(who.as_str()));
    }

    /// Walks minute by minute from every day on which it may have begun.
    #[test]
    fn maintenance_is_that_of_walking(
        days in proptest::collection::vec(0_usize..7, 1..4),
        from in 0_i64..1440, to in 0_i64..1440, offset in -720_i64..=840, at in 0_i64..20_160,
    ) {
        let days: Vec<_> = days.into_iter().map(|day| WEEK[day]).collect();
        let window = maintenance(Days::Weekly(days.clone()), from, to, offset);
        let length = if from < to { to - from } else { to + 1440 - from };
        let begins = (-3_i64..20).filter(|day| days.contains(&WEEK[day.rem_euclid(7) as usize]));
        let expected = begins.map(|day| day * 1440 + from - offset).any(|begin| (begin..begin + length).contains(&at));
        prop_assert_eq!(window.is_on(MONDAY + at * MINUTE), expected);
    }
}
