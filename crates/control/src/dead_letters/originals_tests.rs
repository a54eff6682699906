use bus::{Coordinates, Headers};

use super::*;

fn at(offset: i64) -> At {
    ("raw.meta".into(), 0, offset)
}

fn original(offset: i64, bytes: usize) -> Option<Stored> {
    let coordinates = Coordinates { log: "log.1".into(), topic: "raw.meta".into(), partition: 0, offset };
    let payload = Some(vec![0; bytes].into());
    Some(Stored { coordinates, key: None, payload, headers: Headers::default(), produced_at_ms: 0 })
}

#[test]
fn the_last_are_kept_and_the_others_are_forgotten() {
    let mut kept = Kept::default();
    (0..KEPT as i64).for_each(|n| kept.put(at(n), original(n, 10)));
    assert!(kept.get(&at(0)).unwrap().is_some());
    kept.put(at(1000), None);
    assert_eq!(kept.get(&at(1000)), Some(None), "that it is gone is known too");
    assert_eq!(kept.get(&at(1)), None, "the one that was asked for longest ago");
    assert!(kept.get(&at(0)).is_some());
    assert_eq!(kept.bytes, 10 * (KEPT - 1));
}

#[test]
fn their_bytes_have_a_limit() {
    let mut kept = Kept::default();
    (0..4).for_each(|n| kept.put(at(n), original(n, KEPT_BYTES / 3)));
    assert_eq!((kept.originals.len(), kept.get(&at(0))), (3, None));
    kept.put(at(9), original(9, 2 * KEPT_BYTES));
    assert_eq!(kept.originals.len(), 1, "one always is");
    assert_eq!(kept.bytes, 2 * KEPT_BYTES);
}
