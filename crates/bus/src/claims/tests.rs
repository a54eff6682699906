use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use super::*;
use crate::clock::system_clock;
use crate::{DEFAULTS, Settings};

pub(super) const DAY: u64 = 24 * 3600;

fn settings(folder: &std::path::Path) -> Settings {
    let mut file: toml::Table = toml::from_str(DEFAULTS).unwrap();
    let mut settings: Settings = file.remove("bus").unwrap().try_into().unwrap();
    settings.data_dir = folder.to_owned();
    settings
}

pub(super) fn backend(folder: &std::path::Path) -> Backend {
    Backend::open(Arc::new(settings(folder)), &system_clock()).unwrap()
}

pub(super) fn clock() -> (Arc<AtomicU64>, Clock) {
    let seconds = Arc::new(AtomicU64::new(1_700_000_000));
    let shared = seconds.clone();
    let clock = Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_secs(shared.load(Ordering::SeqCst)));
    (seconds, clock)
}

/// A store that begins with nothing.
pub(super) async fn fresh(folder: &std::path::Path, clock: Clock) -> Claims {
    let claims = Claims::open(&backend(folder), clock).await.unwrap();
    assert!(claims.is_new());
    claims.restored().await.unwrap();
    claims
}

pub(super) fn at(offset: i64) -> Coordinates {
    Coordinates { log: "log".into(), topic: "raw.meta".into(), partition: 0, offset }
}

pub(super) fn claim(id: u64, at: &Coordinates) -> Claim<'_> {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&id.to_be_bytes());
    Claim { ce_type: "t", id: Id(bytes), at, index: 0 }
}

#[tokio::test]
async fn claims_outlive_the_process_and_expire() {
    let folder = tempfile::tempdir().unwrap();
    let (now, clock) = clock();
    let (here, there) = (at(1), at(2));
    let claims = fresh(folder.path(), clock.clone()).await;
    assert_eq!(claims.claim("s", &[claim(1, &here)]).await.unwrap(), [Verdict::First]);
    drop(claims);

    let claims = Claims::open(&backend(folder.path()), clock).await.unwrap();
    assert!(!claims.is_new());
    now.fetch_add(8 * DAY - 1, Ordering::SeqCst);
    assert_eq!(claims.claim("s", &[claim(1, &there)]).await.unwrap(), [Verdict::Duplicate]);
    now.fetch_add(1, Ordering::SeqCst);
    assert_eq!(claims.claim("s", &[claim(1, &there)]).await.unwrap(), [Verdict::First]);
    assert_eq!(claims.claim("s", &[claim(1, &there)]).await.unwrap(), [Verdict::Again], "it was claimed anew");
}

/// A copy of the folder while it is open is what a kill leaves behind.
#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let here = at(1);
    let claims = fresh(folder.path(), clock().1).await;
    let asked: Vec<_> = (0..1000).map(|id| claim(id, &here)).collect();
    claims.claim("s", &asked).await.unwrap();
    claims.release("s", &asked[0]).await.unwrap();
    copy_all(folder.path(), copy.path());
    let after = Claims::open(&backend(copy.path()), clock().1).await.unwrap();
    assert!(!after.is_new());
    let verdicts = after.claim("s", &asked).await.unwrap();
    assert_eq!(verdicts[0], Verdict::First);
    assert!(verdicts[1..].iter().all(|verdict| *verdict == Verdict::Again));
    drop(claims);
}

pub(crate) fn copy_all(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_all(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn expired_claims_are_swept() {
    let folder = tempfile::tempdir().unwrap();
    let (now, clock) = clock();
    let here = at(1);
    let claims = fresh(folder.path(), clock).await;
    let old: Vec<_> = (0..1000).map(|id| claim(id, &here)).collect();
    claims.claim("s", &old).await.unwrap();
    now.fetch_add(9 * DAY, Ordering::SeqCst);
    let Store::Embedded(embedded) = &*claims.store else { panic!("embedded by default") };
    assert_eq!(embedded.len(), 1000);
    let there = at(2);
    for id in 1000..1600 {
        claims.claim("s", &[claim(id, &there)]).await.unwrap();
    }
    assert_eq!(embedded.len(), 600, "the old ones are gone, the new ones are there");
    assert_eq!(claims.claim("s", &[claim(1300, &there)]).await.unwrap(), [Verdict::Again]);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("claims"), "a file").unwrap();
    let error = Claims::open(&backend(folder.path()), clock().1).await.unwrap_err();
    assert!(matches!(error, Error::Claims { .. }), "{error}");
}
