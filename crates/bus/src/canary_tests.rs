use super::*;
use crate::Headers;

#[test]
fn a_header_has_canaries_and_leaves_out_what_is_none() {
    let one = |way: &str, sent_at_ms| Canary { way: way.into(), sent_at_ms };
    for (value, expected) in [
        ("raw.github/3@1772368496000", vec![one("raw.github/3", 1_772_368_496_000)]),
        ("raw.github/0@1,raw.meta/5@2", vec![one("raw.github/0", 1), one("raw.meta/5", 2)]),
        ("raw.github/3", vec![]),
        ("@1", vec![]),
        ("raw.github/3@-1", vec![]),
        ("raw.github/3@soon,raw.meta/0@7", vec![one("raw.meta/0", 7)]),
        ("", vec![]),
    ] {
        assert_eq!(Canary::list(value), expected, "{value}");
    }
}

#[test]
fn what_is_written_is_read_again() {
    let now = UNIX_EPOCH + Duration::from_millis(1_772_368_496_123);
    let canaries = vec![Canary::new("raw.github", 3, now), Canary::new("raw.meta", 0, now)];
    let headers = Headers { canaries: canaries.clone(), ..Headers::default() };
    let written = headers.written();
    let read = Headers::read(written.iter().map(|(name, value)| (*name, Some(value.as_bytes()))));
    assert_eq!(read.canaries, canaries);
    assert_eq!(canaries[0].sent_at(), now);
    // Everything else has no such header: an older version reads every other record as before.
    assert!(Headers::default().written().iter().all(|(name, _)| *name != "weir-canary"));
}

#[test]
fn what_is_replayed_is_of_another_time() {
    let sent = UNIX_EPOCH + Duration::from_secs(1_000_000);
    let canary = Canary::new("raw.github", 0, sent);
    for (later, stale) in [(0, false), (3600, false), (3601, true), (1_000_000, true)] {
        assert_eq!(canary.is_stale(sent + Duration::from_secs(later)), stale, "{later}");
    }
    // A door whose clock is ahead.
    assert!(!canary.is_stale(sent - Duration::from_secs(60)));
}

#[test]
fn of_each_way_the_latest_is_kept() {
    let one = |way: &str, sent_at_ms| Canary { way: way.into(), sent_at_ms };
    let mut latest = Vec::new();
    for canary in [one("a/0", 5), one("b/0", 1), one("a/0", 4), one("b/0", 2)] {
        Canary::keep_latest(&mut latest, canary);
    }
    assert_eq!(latest, [one("a/0", 5), one("b/0", 2)]);
}
