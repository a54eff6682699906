use common::identity::Id;
use proptest::prelude::*;

use super::*;

fn at(log: &str, topic: &str, partition: i32, offset: i64) -> Coordinates {
    Coordinates { log: log.into(), topic: topic.into(), partition, offset }
}

fn claim(at: &Coordinates, index: u32) -> Claim<'_> {
    Claim { ce_type: "t", id: Id([1; 16]), at, index }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is stored is never written in another way: claims of the version before are still there.
#[test]
fn golden() {
    let far = at("MkU3OEVBNTcwNTJENDM2Qk.1", "prod.raw.meta", 300, i64::MAX);
    let near = at("MkU3OEVBNTcwNTJENDM2Qk.1", "raw.meta", 3, 100_000_000);
    assert_eq!(hex(&place(&claim(&near, 0))), "ffc3466a840380c2d72f01");
    assert_eq!(hex(&place(&claim(&near, 7))), "ffc3466a840380c2d72f08");
    assert_eq!(hex(&anywhere(&near)), "ffc3466a840380c2d72f00");
    assert_eq!(hex(&place(&claim(&far, u32::MAX))), "ffda518167ac02ffffffffffffffff7f8080808010");
    assert_eq!(text(&claim(&near, 7)), "MkU3OEVBNTcwNTJENDM2Qk.1/raw.meta/3/100000000/7");
}

#[test]
fn verdicts() {
    let (here, there) = (at("l", "t", 0, 1), at("l", "t", 0, 2));
    let own = claim(&here, 0);
    let known = |before: &[u8]| verdict(&own, Some(before));
    assert_eq!(verdict(&own, None), Verdict::First);
    assert_eq!(known(&place(&own)), Verdict::Again);
    assert_eq!(known(&anywhere(&here)), Verdict::Again);
    let elsewhere = [
        place(&claim(&here, 1)),
        place(&claim(&there, 0)),
        place(&claim(&at("l", "t", 1, 1), 0)),
        place(&claim(&at("l", "other", 0, 1), 0)),
        place(&claim(&at("other", "t", 0, 1), 0)),
        anywhere(&there),
    ];
    for before in elsewhere {
        assert_eq!(known(&before), Verdict::Duplicate, "{before:x?}");
    }
}

#[test]
fn verdicts_on_what_was_written_as_text() {
    let here = at("l", "t", 0, 1);
    let table = [
        ("l/t/0/1/0", Verdict::Again),
        ("l/t/0/1/*", Verdict::Again),
        ("l/t/0/1/1", Verdict::Duplicate),
        ("l/t/0/2/*", Verdict::Duplicate),
        ("l/t/0/1/0-seen", Verdict::Duplicate),
        ("", Verdict::Duplicate),
    ];
    for (before, expected) in table {
        assert_eq!(verdict(&claim(&here, 0), Some(before.as_bytes())), expected, "{before:?}");
    }
}

proptest! {
    /// Two places are one value where they are one place, and nowhere else: for one log and topic always.
    #[test]
    fn a_value_is_one_place(
        one in (any::<i32>(), any::<i64>(), any::<u32>()),
        other in (any::<i32>(), any::<i64>(), any::<u32>()),
    ) {
        let value = |(partition, offset, index)| place(&claim(&at("l", "t", partition, offset), index));
        prop_assert_eq!(value(one) == value(other), one == other);
        prop_assert!(std::str::from_utf8(&value(one)).is_err(), "no older version takes it for a text");
        prop_assert_ne!(value(one), anywhere(&at("l", "t", other.0, other.1)));
    }
}
