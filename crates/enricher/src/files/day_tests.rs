use super::*;

const NOON: i64 = 1_772_366_400_000; // 2026-03-01T12:00:00Z

fn at(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp { seconds, nanos: 999_999_999 })
}

#[test]
fn it_is_the_utc_day_of_received_at() {
    for (seconds, day) in [
        (1_772_323_199, "2026-02-28"),
        (1_772_323_200, "2026-03-01"),
        (1_709_164_800, "2024-02-29"),
        (946_684_800, "2000-01-01"),
    ] {
        assert_eq!(of(at(seconds).as_ref(), NOON), day);
    }
}

#[test]
fn without_a_time_that_can_be_it_is_the_day_of_the_record() {
    for received_at in [None, at(0), at(-5), at(i64::MAX), at(i64::MIN), at(NOON / 1000 + DAY + 1)] {
        assert_eq!(of(received_at.as_ref(), NOON), "2026-03-01", "{received_at:?}");
    }
    assert_eq!(of(at(NOON / 1000 + DAY).as_ref(), NOON), "2026-03-02", "the door's clock may be ahead");
    assert_eq!(of(None, i64::MIN), "2000-01-01");
    assert_eq!(of(at(i64::MAX).as_ref(), i64::MAX), "9999-12-31");
    assert_eq!(of(at(LATEST + 1).as_ref(), LATEST * 1000), "9999-12-31");
}
