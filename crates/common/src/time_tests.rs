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
    }
}

#[test]
fn an_unknown_or_absurd_time_is_never_now() {
    let cases = [
        (true, Some(NOW.seconds - 5), TimeQuality::Sent),
        (true, Some(NOW.seconds + 3600), TimeQuality::Sent),
        (true, Some(NOW.seconds + 2 * 86_400), TimeQuality::Absurd),
        (true, Some(0), TimeQuality::Absurd),
        (true, Some(i64::MIN), TimeQuality::Absurd),
        (true, None, TimeQuality::Absurd),
        (false, None, TimeQuality::Missing),
    ];
    for (sent, seconds, expected) in cases {
        let (time, quality) = judge(sent, seconds.map(from_seconds), &NOW);
        assert_eq!(quality, expected, "{seconds:?}");
        assert_eq!(time.map(|time| time.seconds), seconds.filter(|_| expected == TimeQuality::Sent));
    }
}

#[test]
fn millis_round_trip() {
    for millis in [0, 1, 999, 1_000, 1_763_600_000_123, -1, -1_001] {
        assert_eq!(to_millis(&from_millis(millis)), millis);
    }
}
