use std::fs;

use super::super::tests::{send, settings, topic};
use super::*;
use crate::claims::tests::copy_all as copy;
use crate::{Bus, Coordinates, Start};

/// Opens the log of a folder, sends so many records with one key, and answers where they came to stand.
async fn life(folder: &Path, records: usize) -> Vec<Coordinates> {
    let bus = Bus::open(&settings(folder)).unwrap();
    topic(&bus, "things").await;
    let producer = bus.producer().unwrap();
    let mut places = Vec::new();
    for _ in 0..records {
        let at = send(&producer, "things", "key", "value").await.unwrap();
        assert_eq!(bus.logs().await.of(&at.topic, at.partition, at.offset), at.log);
        places.push(at);
    }
    places
}

/// All that is there, as a reader has it.
async fn there(folder: &Path) -> Vec<Coordinates> {
    let bus = Bus::open(&settings(folder)).unwrap();
    let mut reader = bus.reader(&["things".to_owned()], Start::Beginning).await.unwrap();
    let (mut lookup, mut found) = (bus.lookup(), Vec::new());
    while let Some(record) = reader.next_until_end().await.unwrap() {
        let at = record.coordinates;
        let again = lookup.at("things", at.partition, at.offset).await.unwrap().unwrap();
        assert_eq!(again.coordinates, at);
        found.push(at);
    }
    found
}

#[tokio::test]
async fn a_log_that_is_opened_again_or_moved_has_one_life() {
    let folder = tempfile::tempdir().unwrap();
    let (home, new_home) = (folder.path().join("home"), folder.path().join("new-home"));
    let mut places = life(&home, 2).await;
    places.extend(life(&home, 2).await);
    fs::rename(&home, &new_home).unwrap();
    places.extend(life(&new_home, 2).await);
    assert!(places.iter().all(|at| at.log == places[0].log), "{places:?}");
    assert_eq!(there(&new_home).await, places);
    let bus = Bus::open(&settings(&new_home)).unwrap();
    let one = vec![Epoch { log: bus.identity().await, first: 0 }];
    assert_eq!(bus.epochs("things").await.unwrap(), [one.clone(), one]);
}

#[tokio::test]
async fn a_copy_gives_no_place_again_that_the_original_has_given() {
    let folder = tempfile::tempdir().unwrap();
    let (home, other) = (folder.path().join("home"), folder.path().join("other"));
    let before = life(&home, 3).await;
    copy(&home, &other);
    let (mine, others) = (life(&home, 2).await, life(&other, 2).await);
    // The same offsets, and not the same places.
    assert_eq!(mine.iter().map(|at| at.offset).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(others.iter().map(|at| at.offset).collect::<Vec<_>>(), [3, 4]);
    assert_eq!(mine[0].log, before[0].log, "the original goes on");
    assert_ne!(others[0].log, before[0].log);
    assert!(others[0].log.starts_with(&*before[0].log), "{others:?}");
    // What was there before has the places that it had.
    assert_eq!(there(&home).await, [&before[..], &mine].concat());
    assert_eq!(there(&other).await, [&before[..], &others].concat());
    // Opened again, the copy goes on as what it is; a topic that it makes is all of its epoch.
    let again = life(&other, 1).await;
    assert_eq!(again[0].log, others[0].log);
    let bus = Bus::open(&settings(&other)).unwrap();
    topic(&bus, "later").await;
    let later = send(&bus.producer().unwrap(), "later", "key", "value").await.unwrap();
    assert_eq!((later.offset, later.log), (0, others[0].log.clone()));
    let partition = usize::try_from(again[0].partition).unwrap();
    let epochs = bus.epochs("things").await.unwrap();
    let of = |log: &Arc<str>, first| Epoch { log: Arc::clone(log), first };
    assert_eq!(epochs[partition], [of(&before[0].log, 0), of(&others[0].log, 3)]);
    drop(bus);
    // A copy of the copy is a third one.
    let third = folder.path().join("third");
    copy(&other, &third);
    let third = life(&third, 1).await;
    assert_eq!(third[0].offset, 6);
    assert!(![&before[0].log, &others[0].log].contains(&&third[0].log));
}

#[tokio::test]
async fn a_folder_that_was_put_back_in_its_place_begins_a_new_epoch() {
    let folder = tempfile::tempdir().unwrap();
    let (log, kept) = (folder.path().join("log"), folder.path().join("kept"));
    let before = life(folder.path(), 3).await;
    copy(&log, &kept);
    let gone = life(folder.path(), 2).await;
    fs::remove_dir_all(&log).unwrap();
    fs::rename(&kept, &log).unwrap();
    let after = life(folder.path(), 2).await;
    assert_eq!(after[0].offset, gone[0].offset);
    assert_ne!(after[0].log, gone[0].log);
    assert_eq!(there(folder.path()).await, [&before[..], &after].concat());
}
