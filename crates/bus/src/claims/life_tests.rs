//! How claims of the embedded store live: what is stored, what of it was stored before, when it goes, and that its room
//! is given back.

use std::sync::atomic::Ordering;

use super::embedded::Embedded;
use super::tests::{DAY, at, backend, claim, clock, fresh};
use super::*;

const TTL: u64 = 8 * DAY;

fn embedded(claims: &Claims) -> &Embedded {
    let Store::Embedded(embedded) = &*claims.store else { panic!("embedded by default") };
    embedded
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What is stored is never written in another way: claims of the version before are still there.
#[tokio::test]
async fn golden() {
    let folder = tempfile::tempdir().unwrap();
    let claims = fresh(folder.path(), clock().1).await;
    let here = Coordinates { log: "log".into(), topic: "raw.meta".into(), partition: 3, offset: 100_000_000 };
    let claim = claim(1, &here);
    claims.claim("s", &[claim]).await.unwrap();
    let key = claims.key("s", claim.ce_type, claim.id);
    assert_eq!(hex(&key), "fed30e4099eec42833655eba296b6824");
    assert_eq!(hex(&embedded(&claims).stored(&key).unwrap()), "ff6553f10005d6f4de0380c2d72f01");
}

#[tokio::test]
async fn what_was_stored_before_is_read_until_it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let (now, clock) = clock();
    let claims = fresh(folder.path(), clock).await;
    let (here, there) = (at(1), at(2));
    let millis = (now.load(Ordering::SeqCst) * 1000).to_be_bytes();
    let old = |id, text: &str| {
        let claim = claim(id, &here);
        let stored = [&millis, text.as_bytes()].concat();
        embedded(&claims).enter(claims.key("s", claim.ce_type, claim.id), &stored);
    };
    old(1, "log/raw.meta/0/1/0");
    old(2, "log/raw.meta/0/1/*");
    old(3, "log/raw.meta/0/7/0");
    let asked = [1, 2, 3].map(|id| claim(id, &here));
    let expected = [Verdict::Again, Verdict::Again, Verdict::Duplicate];
    assert_eq!(claims.claim("s", &asked).await.unwrap(), expected);
    for id in [1, 2, 3] {
        claims.release("s", &claim(id, &here)).await.unwrap();
    }
    // Only what was claimed at this very place was given back.
    let expected = [Verdict::First, Verdict::Duplicate, Verdict::Duplicate];
    assert_eq!(claims.claim("s", &[1, 2, 3].map(|id| claim(id, &there))).await.unwrap(), expected);
    now.fetch_add(TTL, Ordering::SeqCst);
    assert_eq!(claims.claim("s", &asked).await.unwrap(), [Verdict::First; 3]);
}

/// Claims come evenly, for six times as long as one lasts: what is there, and what it takes, is soon as much as it ever
/// gets.
#[tokio::test]
async fn the_room_of_expired_claims_is_given_back() {
    const ALIVE: u64 = 4000;
    const BATCH: u64 = 100;
    let folder = tempfile::tempdir().unwrap();
    let (now, clock) = clock();
    let claims = fresh(folder.path(), clock).await;
    let store = embedded(&claims);
    let (here, there) = (at(1), at(2));
    let (mut most, mut sizes) = (0, Vec::new());
    for window in 0..6 {
        for first in (0..ALIVE).step_by(100) {
            let first = window * ALIVE + first;
            let batch: Vec<_> = (first..first + BATCH).map(|id| claim(id, &here)).collect();
            assert!(claims.claim("s", &batch).await.unwrap().iter().all(|verdict| *verdict == Verdict::First));
            now.fetch_add(TTL * BATCH / ALIVE, Ordering::SeqCst);
            most = store.len().max(most);
        }
        sizes.push(store.size_when_compact());
        let last = claim((window + 1) * ALIVE - 1, &there);
        assert_eq!(claims.claim("s", &[last]).await.unwrap(), [Verdict::Duplicate], "what has not expired is there");
    }
    // All are looked at in the time in which a quarter of them is claimed.
    assert!(most as u64 <= ALIVE * 3 / 2, "{most} of {ALIVE}");
    let (early, late) = (sizes[1], sizes[5]);
    assert!(late <= early + early / 4, "{sizes:?}");
    assert!(sizes[0] > ALIVE * 16, "nothing was measured: {sizes:?}");
}

#[tokio::test]
async fn how_far_they_reach() {
    let folder = tempfile::tempdir().unwrap();
    let (now, clock) = clock();
    let claims = fresh(folder.path(), clock.clone()).await;
    let days = async |claims: &Claims| {
        let reach = claims.reach("s").await.unwrap();
        assert_eq!((reach.ttl.as_secs(), reach.lost(), reach.risk()), (TTL, None, None));
        (reach.whole.as_secs() / DAY, reach.oldest.map(|oldest| oldest.as_secs() / DAY))
    };
    assert_eq!(days(&claims).await, (0, None));
    let here = at(1);
    claims.claim("s", &[claim(1, &here)]).await.unwrap();
    now.fetch_add(2 * DAY, Ordering::SeqCst);
    assert_eq!(days(&claims).await, (2, Some(2)));
    drop(claims);
    let claims = Claims::open(&backend(folder.path()), clock).await.unwrap();
    now.fetch_add(5 * DAY, Ordering::SeqCst);
    assert_eq!(days(&claims).await, (7, Some(7)), "since it was made, and not since it was opened");
    claims.claim("s", &[claim(2, &here)]).await.unwrap();
    now.fetch_add(2 * DAY, Ordering::SeqCst);
    assert_eq!(days(&claims).await, (8, Some(2)), "the first has expired");
}

/// 40 days ahead for a minute, or 8: no claim is removed, and none is ignored.
#[tokio::test]
async fn a_clock_that_is_wrong_for_a_minute_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (now, clock) = clock();
    let monotonic = now.load(Ordering::SeqCst);
    let ran = Arc::new(std::sync::atomic::AtomicU64::new(monotonic));
    let shared = ran.clone();
    let clock = clock.with_monotonic(move || Duration::from_secs(shared.load(Ordering::SeqCst)));
    let claims = fresh(folder.path(), clock.clone()).await;
    let (here, there) = (at(1), at(2));
    let asked: Vec<_> = (0..100).map(|id| claim(id, &here)).collect();
    claims.claim("s", &asked).await.unwrap();
    let again: Vec<_> = (0..100).map(|id| claim(id, &there)).collect();
    for days in [40, 8] {
        now.fetch_add(days * DAY, Ordering::SeqCst);
        assert_eq!(claims.claim("s", &again).await.unwrap(), [Verdict::Duplicate; 100], "{days}");
        // What is claimed meanwhile lasts as long as any, whoever is right.
        assert_eq!(claims.claim("s", &[claim(1000 + days, &here)]).await.unwrap(), [Verdict::First]);
        now.fetch_sub(days * DAY, Ordering::SeqCst);
        assert_eq!(claims.claim("s", &again).await.unwrap(), [Verdict::Duplicate; 100], "{days}");
        assert_eq!(claims.claim("s", &[claim(1000 + days, &there)]).await.unwrap(), [Verdict::Duplicate]);
    }
    drop(claims);
    // Opened with such a clock.
    now.fetch_add(40 * DAY, Ordering::SeqCst);
    let claims = Claims::open(&backend(folder.path()), clock).await.unwrap();
    assert_eq!(claims.claim("s", &again).await.unwrap(), [Verdict::Duplicate; 100]);
    // It was right after all.
    now.fetch_add(3600, Ordering::SeqCst);
    ran.fetch_add(3600, Ordering::SeqCst);
    assert_eq!(claims.claim("s", &again).await.unwrap(), [Verdict::First; 100]);
}
