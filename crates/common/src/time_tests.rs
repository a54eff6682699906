use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp { seconds: 1_763_600_000, nanos: 0 };

#[test]
fn reads_rfc3339_with_an_offset_only() {
    let cases = [
        ("2019-05-15T15:20:18Z", Some((1_557_933_618, 0))),
        ("2019-05-15T17:20:18+02:00", Some((1_557_933_618, 0))),
        ("2019-05-15T15:20:18.123Z", Some((1_557_933_618, 123_000_000))),
        ("2019-05-15T15:20:18", None),
        ("2019-05-15", None),
        ("15:20:18Z", None),
        ("", None),
        ("Z", None),
        ("é+02:00", None),
        ("2019-13-45T99:99:99Z", None),
    ];
    for (text, expected) in cases {
        assert_eq!(from_rfc3339(text).map(|time| (time.seconds, time.nanos)), expected, "{text}");
        assert_eq!(read(&json!(text)).map(|time| (time.seconds, time.nanos)), expected, "{text}");
    }
}

#[test]
fn reads_what_platforms_write() {
    const AT: i64 = 1_557_933_618;
    for (sent, nanos) in [
        (json!("2019-05-15T15:20:18+0000"), 0),
        (json!("2019-05-15T17:20:18+0200"), 0),
        (json!("2019-05-15T17:20:18+02"), 0),
        (json!("2019-05-15 15:20:18 UTC"), 0),
        (json!("2019-05-15 15:20:18UTC"), 0),
        (json!("2019-05-15T15:20:18 GMT"), 0),
        (json!("2019-05-15 15:20:18 +0000"), 0),
        (json!("2019-05-15 11:20:18-04:00"), 0),
        (json!("2019-05-15 15:20:18Z"), 0),
        (json!("2019-05-15t15:20:18z"), 0),
        (json!(" 2019-05-15T15:20:18.5Z\n"), 500_000_000),
        (json!(AT), 0),
        (json!("1557933618"), 0),
        (json!("1557933618.0"), 0),
        (json!("1557933618.123"), 123_000_000),
        (json!("1557933618.1234567899"), 123_456_789),
        (json!("1.557933618e9"), 0),
        (json!(1_557_933_618_250_i64), 250_000_000),
        (json!("1557933618250.5"), 250_500_000),
        (serde_json::from_str("1557933618.123").unwrap(), 123_000_000),
        (serde_json::from_str("1557933618.0").unwrap(), 0),
        (serde_json::from_str("1.557933618E+09").unwrap(), 0),
    ] {
        assert_eq!(read(&sent), Some(Timestamp { seconds: AT, nanos }), "{sent}");
    }
    assert_eq!(read(&json!(-1)), Some(from_seconds(-1)));
    assert_eq!(read(&json!("-0.25")), Some(Timestamp { seconds: -1, nanos: 750_000_000 }));
}

#[test]
fn what_no_moment_can_be_told_from_is_not_read() {
    for sent in [
        json!("yesterday"),
        json!("2019-05-15"),
        json!("2019-05-15 UTC"),
        json!("2019-05-15 15:20:18"),
        json!("2019-05-15T15:20:18 CET"),
        json!("15:20:18 UTC"),
        json!("1557933618 s"),
        json!("0x5cdc"),
        json!(""),
        json!(" "),
        json!("."),
        json!("-"),
        json!("1e400"),
        // A `Timestamp` has no such year.
        json!("9223372036854775807"),
        json!(i64::MIN),
        json!("9e99999999999999999999"),
        json!(null),
        json!(true),
        json!([1_557_933_618]),
        json!({"seconds": 1_557_933_618}),
    ] {
        assert_eq!(read(&sent), None, "{sent}");
    }
}

#[test]
fn the_first_that_can_be_is_taken_and_never_now() {
    use TimeQuality::{Absurd, Missing, Reported, Sent, Unreadable};
    let (good, other) = (Some(from_seconds(NOW.seconds - 5)), Some(from_seconds(NOW.seconds - 4)));
    let (early, late) = (Some(from_seconds(-62_135_596_800)), Some(from_seconds(NOW.seconds + 2 * 86_400)));
    let cases = [
        (vec![], None, None, Missing),
        (vec![good], None, good, Sent),
        (vec![Some(from_seconds(NOW.seconds + 3600))], None, Some(from_seconds(NOW.seconds + 3600)), Sent),
        (vec![good, other], None, good, Sent),
        // What cannot be, or cannot be read, is passed over.
        (vec![early, good], None, good, Sent),
        (vec![late, None, good], Some(other), good, Sent),
        (vec![], Some(good), good, Reported),
        (vec![early], Some(good), good, Reported),
        (vec![None], Some(good), good, Reported),
        // Absurd is only what was understood, and all of it.
        (vec![early], None, None, Absurd),
        (vec![late, Some(from_seconds(0))], Some(early), None, Absurd),
        (vec![], Some(Some(from_seconds(i64::MIN))), None, Absurd),
        (vec![None], None, None, Unreadable),
        (vec![early, None], None, None, Unreadable),
        (vec![early], Some(None), None, Unreadable),
        (vec![], Some(None), None, Unreadable),
    ];
    for (sent, reported, time, quality) in cases {
        assert_eq!(judge(&sent, reported, &NOW), (time, quality), "{sent:?}, {reported:?}");
    }
}

#[test]
fn millis_round_trip() {
    for millis in [0, 1, 999, 1_000, 1_763_600_000_123, -1, -1_001] {
        assert_eq!(to_millis(&from_millis(millis)), millis);
    }
}

proptest! {
    #[test]
    fn however_a_moment_is_written_it_is_read(
        seconds in 0..4_102_444_800_i64, nanos in 0..1_000_000_000_i32, offset in -23 * 60..24 * 60_i64,
    ) {
        let at = Timestamp { seconds, nanos };
        let fraction = format!("{seconds}.{nanos:09}");
        prop_assert_eq!(read(&json!(fraction)), Some(at));
        prop_assert_eq!(read(&serde_json::from_str(&fraction).unwrap()), Some(at));
        // The same moment as a clock `offset` minutes ahead shows it.
        let local = Timestamp { seconds: seconds + offset * 60, nanos }.to_string();
        let (sign, hours, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60, offset.abs() % 60);
        let local = local.trim_end_matches('Z');
        let utc = at.to_string().trim_end_matches('Z').to_owned();
        for text in [
            format!("{local}{sign}{hours:02}:{minutes:02}"),
            format!("{local}{sign}{hours:02}{minutes:02}"),
            format!("{} {sign}{hours:02}{minutes:02}", local.replace('T', " ")),
            format!("{utc} UTC"),
            format!("{}Z", utc.to_lowercase()),
        ] {
            prop_assert_eq!(read(&json!(text)), Some(at), "{}", text);
        }
    }

    #[test]
    fn no_text_is_read_as_what_a_timestamp_cannot_hold(text in "\\PC{0,24}|[-+0-9TZ:. eE]{0,40}") {
        if let Some(time) = read(&json!(text)) {
            prop_assert!(YEARS.contains(&time.seconds) && (0..1_000_000_000).contains(&time.nanos), "{} {:?}", text, time);
        }
    }
}

#[test]
fn times_beyond_the_microseconds_are_none() {
    for seconds in [i64::MAX, i64::MIN] {
        assert_eq!(to_micros(&Timestamp { seconds, nanos: 0 }), None);
    }
    assert_eq!(to_micros(&Timestamp { seconds: -1, nanos: 999_999_999 }), Some(-1));
}
