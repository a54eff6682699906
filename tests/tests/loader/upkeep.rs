//! Compaction, vacuum, checkpoints: the same rows before and after.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use loader::CompactSettings;
use loader::maintain::{compact, vacuum};

use crate::files::rows;
use crate::place::{Loading as _, Place, TABLE};

pub(crate) const ALL: CompactSettings = CompactSettings { interval_ms: 0, after_ms: 0, target_bytes: 1 << 28 };
const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);
const RETENTION: Duration = Duration::from_secs(8 * 24 * 3600);

/// Loads so many ranges of ten rows, each in a commit of its own.
pub(crate) async fn load(place: &Place, partition: i32, ranges: std::ops::Range<i64>) {
    let loader = place.start().await;
    let before = loader.counted().sent_on;
    for (n, range) in ranges.enumerate() {
        place.ask(&[&place.range(partition, range * 10, range * 10 + 10).await]).await;
        loader.until_done(before + (n as u64 + 1) * 10).await;
    }
    loader.until_idle().await;
    loader.stop().await;
}

fn parquet_files(folder: &Path) -> Vec<String> {
    let day = folder.join("activities/day=2026-03-01");
    let mut names: Vec<String> =
        fs::read_dir(day).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// As if the files had been there for a month.
fn age(folder: &Path) {
    for name in parquet_files(folder) {
        let file = File::options().write(true).open(folder.join("activities/day=2026-03-01").join(name)).unwrap();
        file.set_modified(service::clock::now() - MONTH).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_files_become_one_with_the_same_rows() {
    let place = Place::new("compact").await;
    load(&place, 0, 0..8).await;
    let before = place.query("select * from t order by id");
    let done = compact(&place.settings.lake, TABLE, &ALL).await.unwrap();
    assert_eq!((done.files_before, done.files_after, done.rows), (8, 1, 80));
    assert_eq!(place.query("select * from t order by id"), before);
    let count = place.count().await;
    assert_eq!((count.files, count.rows), (1, 80));
    let again = compact(&place.settings.lake, TABLE, &ALL).await.unwrap();
    assert_eq!(again.files_before, 0, "there is nothing left to do");
    // The versions of the applications are still there.
    load(&place, 0, 8..9).await;
    place.assert_has(&rows(0, 0..90));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_that_has_not_ended_long_ago_is_left() {
    let place = Place::new("open-day").await;
    load(&place, 0, 0..3).await;
    let ended = Duration::from_secs(365 * 24 * 3600);
    let settings = CompactSettings { after_ms: u64::try_from(100 * ended.as_millis()).unwrap(), ..ALL };
    assert_eq!(compact(&place.settings.lake, TABLE, &settings).await.unwrap().files_before, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_and_loading_do_not_get_into_each_others_way() {
    let place = Place::new("compact-append").await;
    load(&place, 0, 0..10).await;
    let loader = place.start().await;
    for n in 0..30 {
        place.ask(&[&place.range(1, n * 10, n * 10 + 10).await]).await;
        if n % 5 == 0 {
            let other = place.settings.lake.clone();
            let both = tokio::join!(compact(&place.settings.lake, TABLE, &ALL), compact(&other, TABLE, &ALL));
            both.0.unwrap();
            both.1.unwrap();
        }
    }
    loader.until_done(300).await;
    loader.until_idle().await;
    loader.stop().await;
    compact(&place.settings.lake, TABLE, &ALL).await.unwrap();
    place.assert_has(&[rows(0, 0..100), rows(1, 0..300)].concat());
    assert_eq!(place.count().await.rows, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn vacuum_deletes_what_nobody_needs_and_nothing_else() {
    let place = Place::new("vacuum").await;
    load(&place, 0, 0..4).await;
    compact(&place.settings.lake, TABLE, &ALL).await.unwrap();
    let (old, new) = (place.file(&rows(9, 0..3)).await, place.file(&rows(9, 3..6)).await);
    age(&place.lake_folder());
    // One that may still be asked to be loaded.
    let path = place.lake_folder().join(TABLE).join(&new.path);
    File::options().write(true).open(path).unwrap().set_modified(service::clock::now() - RETENTION / 2).unwrap();
    let there = parquet_files(&place.lake_folder());
    assert_eq!(there.len(), 4 + 1 + 2);

    let would = vacuum(&place.settings.lake, TABLE, RETENTION, true).await.unwrap();
    // The four that were compacted were removed from the table just now: somebody may still read them.
    assert_eq!(would.files, [format!("{TABLE}/{}", old.path)]);
    assert_eq!(would.bytes, old.size_bytes);
    assert_eq!(parquet_files(&place.lake_folder()), there, "a dry run deletes nothing");

    // A retention that is too short is not taken.
    let done = vacuum(&place.settings.lake, TABLE, Duration::ZERO, false).await.unwrap();
    assert_eq!(done, would);
    assert_eq!(parquet_files(&place.lake_folder()).len(), there.len() - 1);
    place.assert_has(&rows(0, 0..40));
    assert!(vacuum(&place.settings.lake, "nothing", RETENTION, true).await.is_err(), "no table, no vacuum");
}

#[tokio::test(flavor = "multi_thread")]
async fn checkpoints_keep_rows_and_versions() {
    let place = Place::new("checkpoints").await;
    let mut settings = place.settings.clone();
    settings.loader.checkpoint_commits = 3;
    let loader = place.start_as(&settings, None).await;
    let repeated = place.range(0, 0, 10).await;
    place.ask(&[&repeated]).await;
    for n in 1..10 {
        place.ask(&[&place.range(0, n * 10, n * 10 + 10).await]).await;
        loader.until_done((n as u64 + 1) * 10).await;
    }
    loader.stop().await;
    let log = place.lake_folder().join("activities/_delta_log");
    let checkpoints = fs::read_dir(&log)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_str().unwrap().ends_with(".checkpoint.parquet"));
    assert!(checkpoints.count() >= 2);
    // Without the commits before the checkpoint: what they said stands in it.
    for version in 0..4 {
        fs::remove_file(log.join(format!("{version:020}.json"))).unwrap();
    }
    place.assert_has(&rows(0, 0..100));
    let loader = place.start().await;
    place.ask(&[&repeated, &place.range(0, 95, 105).await]).await;
    loader.until_done(20).await;
    loader.stop().await;
    place.assert_has(&rows(0, 0..105));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_cannot_be_read_keeps_no_other_from_being_compacted() {
    let place = Place::new("compact-others").await;
    load(&place, 0, 0..4).await;
    let log = place.lake_folder().join("aaa/_delta_log");
    fs::create_dir_all(&log).unwrap();
    fs::write(log.join("00000000000000000000.json"), "this is no commit").unwrap();
    let mut settings = place.settings.clone();
    settings.loader.compact = CompactSettings { interval_ms: 50, ..ALL };
    let loader = place.start_as(&settings, None).await;
    loader.until("it is told", |loader| loader.check("loader_upkeep").1.contains("table aaa")).await;
    loader.stop().await;
    let count = place.count().await;
    assert_eq!((count.files, count.rows), (1, 40));
}
