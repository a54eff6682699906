use std::sync::Arc;

use super::super::tests::claim;
use super::super::{Claims, Verdict, place};
use super::*;
use crate::clock::system_clock;
use crate::embedded::tests::{send, settings, topic};
use crate::{Bus, Settings};

/// A log with this many records of one key, and claims that are kept beside it, as in a store of its own.
async fn log(folder: &std::path::Path, records: usize) -> (Bus, Coordinates) {
    let bus = Bus::open(&settings(folder)).unwrap();
    topic(&bus, "things").await;
    let producer = bus.producer().unwrap();
    let mut last = None;
    for _ in 0..records {
        last = Some(send(&producer, "things", "key", "value").await.unwrap());
    }
    (bus, last.unwrap())
}

fn claims(settings: &Settings, store: Arc<super::super::Store>) -> Claims {
    let backend = Backend::open(Arc::new(settings.clone()), &system_clock()).unwrap();
    Claims { store, lost: Arc::new(Lost::of(&backend)), namespace: String::new() }
}

#[tokio::test]
async fn a_claim_of_a_record_that_the_log_never_had_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let (bus, last) = log(folder.path(), 3).await;
    let claims = bus.claims().await.unwrap();
    claims.restored().await.unwrap();
    let beyond = Coordinates { offset: last.offset + 7, ..last.clone() };
    let elsewhere = Coordinates { log: "another".into(), ..beyond.clone() };
    let first = Coordinates { offset: 0, ..last.clone() };
    // By records that are gone, by one that is there, and by one of another log.
    let before = [claim(1, &beyond), claim(2, &first), claim(3, &elsewhere)];
    assert_eq!(claims.claim("s", &before).await.unwrap(), [Verdict::First; 3]);
    let now = [claim(1, &last), claim(2, &last), claim(3, &last)];
    let expected = [Verdict::First, Verdict::Duplicate, Verdict::Duplicate];
    assert_eq!(claims.claim("s", &now).await.unwrap(), expected);
    // It is the own claim of that record from then on.
    let expected = [Verdict::Again, Verdict::Duplicate, Verdict::Duplicate];
    assert_eq!(claims.claim("s", &now).await.unwrap(), expected);
    assert_eq!(claims.claim("s", &[claim(1, &first)]).await.unwrap(), [Verdict::Duplicate]);
    // What was restored has its output, whatever became of its record.
    let id = claim(4, &last).id;
    claims.restore("s", &[("t", id, &beyond)]).await.unwrap();
    assert_eq!(claims.claim("s", &[claim(4, &last)]).await.unwrap(), [Verdict::Duplicate]);
}

/// The offset was given again: only the epoch tells that the record is another one.
#[tokio::test]
async fn nor_one_of_a_life_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let (home, kept, other) = (folder.path().join("home"), folder.path().join("kept"), folder.path().join("claims"));
    drop(log(&home, 2).await);
    super::super::tests::copy_all(&home.join("log"), &kept);
    // The claims are in a store that is not put back.
    let store = Bus::open(&settings(&other)).unwrap().claims().await.unwrap();
    store.restored().await.unwrap();
    let (bus, gone) = log(&home, 2).await;
    let here = claims(bus.settings(), store.store.clone());
    assert_eq!(here.claim("s", &[claim(1, &gone)]).await.unwrap(), [Verdict::First]);
    drop((bus, here));

    std::fs::remove_dir_all(home.join("log")).unwrap();
    std::fs::rename(&kept, home.join("log")).unwrap();
    let (bus, now) = log(&home, 5).await;
    assert!(now.offset > gone.offset && now.log != gone.log);
    let here = claims(bus.settings(), store.store.clone());
    assert_eq!(here.claim("s", &[claim(1, &now)]).await.unwrap(), [Verdict::First]);
    assert_eq!(here.claim("s", &[claim(1, &now)]).await.unwrap(), [Verdict::Again]);
}

#[test]
fn a_place_is_read_as_it_was_written() {
    let at = Coordinates { log: "l.1".into(), topic: "t".into(), partition: 300, offset: i64::MAX };
    let one = claim(1, &at);
    for written in [place::place(&one), place::text(&one).into_bytes()] {
        let stands = Stands::read(&written).unwrap();
        assert_eq!((stands.partition, stands.offset), (300, i64::MAX));
        assert!(stands.is_of("l.1", "t") && !stands.is_of("l.2", "t"));
        (0..written.len()).for_each(|cut| assert_ne!(Stands::read(&written[..cut]), Some(stands)));
    }
    assert_eq!(Stands::read(&place::anywhere(&at)), None);
    assert_eq!(Stands::read(format!("{at}/*").as_bytes()), None);
    assert_eq!(Stands::read(&[0xff; 40]), None);
}
