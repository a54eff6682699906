//! Whatever is asked for, in whatever order and however often: each row is in the table once.

use crate::files::rows;
use crate::place::{Loading as _, Place, request};

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_several_partitions_are_loaded_and_acknowledged() {
    let place = Place::new("load-all").await;
    let loader = place.start().await;
    let asked = [place.range(0, 0, 10).await, place.range(1, 100, 120).await, place.range(0, 10, 15).await];
    place.ask(&[&asked[0], &asked[1], &asked[2]]).await;
    loader.until_done(35).await;
    loader.until_idle().await;
    let count = loader.counted();
    assert_eq!((count.taken_in, count.sent_on), (35, 35));
    assert!(!loader.digest().ages.is_empty(), "how old the rows are is known");
    loader.stop().await;
    place.assert_has(&[rows(0, 0..15), rows(1, 100..120)].concat());
    let count = place.count().await;
    assert_eq!((count.rows, count.days), (35, vec![("2026-03-01".to_owned(), 35)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_together_is_one_commit() {
    let place = Place::new("one-commit").await;
    let asked = [place.range(0, 0, 10).await, place.range(1, 0, 10).await, place.range(0, 10, 20).await];
    place.ask(&[&asked[0], &asked[1], &asked[2]]).await;
    let mut settings = place.settings.clone();
    settings.loader.commit_interval_ms = 2000;
    let loader = place.start_as(&settings, None).await;
    loader.until_done(30).await;
    loader.stop().await;
    // The first record may be alone; what comes after it waits for the interval.
    assert!(place.count().await.version <= 1, "{:?}", place.count().await);
    place.assert_has(&[rows(0, 0..20), rows(1, 0..10)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn several_files_of_one_range_go_in_together() {
    let place = Place::new("two-files").await;
    let files = vec![place.file(&rows(0, 0..7)).await, place.file(&rows(0, 9..20)).await];
    place.ask(&[&request(0, 0, 20, files)]).await;
    let loader = place.start().await;
    loader.until_done(18).await;
    loader.stop().await;
    place.assert_has(&[rows(0, 0..7), rows(0, 9..20)].concat());
    assert_eq!(place.count().await.version, 0, "the table was made by its first rows");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_overlapping_ranges_the_rows_that_are_there_are_dropped() {
    let place = Place::new("overlap").await;
    let loader = place.start().await;
    place.ask(&[&place.range(0, 0, 10).await]).await;
    loader.until_done(10).await;
    // One file that is all there, one that is in part, one that is new; and one range after it that overlaps again.
    let files =
        vec![place.file(&rows(0, 5..8)).await, place.file(&rows(0, 8..14)).await, place.file(&rows(0, 14..20)).await];
    let replaced = [files[0].path.clone(), files[1].path.clone()];
    place.ask(&[&request(0, 5, 20, files), &place.range(0, 12, 25).await]).await;
    loader.until_done(10 + 15 + 13).await;
    let dropped = loader.counted().dropped;
    loader.stop().await;
    assert_eq!(dropped["already_loaded"], 5 + 8);
    place.assert_has(&rows(0, 0..25));
    for path in replaced {
        assert!(!place.lake_folder().join("activities").join(&path).exists(), "{path} is of no use any more");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_out_of_order_wait_for_what_comes_before_them() {
    let place = Place::new("order").await;
    let loader = place.start().await;
    place.ask(&[&place.range(0, 0, 10).await]).await;
    loader.until_done(10).await;
    let (second, third, fourth) =
        (place.range(0, 10, 20).await, place.range(0, 20, 30).await, place.range(0, 30, 40).await);
    place.ask(&[&fourth, &third]).await;
    loader.until("both are held", |loader| loader.check("loader_held").1.starts_with("2 requests are held")).await;
    // Another partition does not wait with them.
    place.ask(&[&place.range(1, 0, 5).await]).await;
    loader.until_done(15).await;
    place.ask(&[&second]).await;
    loader.until_done(45).await;
    loader.until_idle().await;
    assert_eq!(loader.check("loader_held").1, "no request is held");
    loader.stop().await;
    place.assert_has(&[rows(0, 0..40), rows(1, 0..5)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_twice_is_loaded_once() {
    let place = Place::new("twice").await;
    let loader = place.start().await;
    let (first, second) = (place.range(0, 0, 10).await, place.range(0, 10, 20).await);
    place.ask(&[&first, &first, &second, &first, &second]).await;
    loader.until_done(50).await;
    loader.until_idle().await;
    let count = loader.counted();
    assert_eq!((count.sent_on, count.dropped["already_loaded"]), (20, 30));
    loader.stop().await;
    place.assert_has(&rows(0, 0..20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_without_rows_is_marked_as_loaded() {
    let place = Place::new("empty").await;
    let loader = place.start().await;
    // The first one comes before there is a table, and waits for what has rows.
    let rest = place.range(0, 20, 30).await;
    place.ask(&[&request(0, 0, 20, Vec::new())]).await;
    place.ask(&[&rest, &request(0, 30, 40, Vec::new()), &place.range(0, 40, 45).await]).await;
    loader.until_done(15).await;
    loader.until_idle().await;
    loader.stop().await;
    place.assert_has(&[rows(0, 20..30), rows(0, 40..45)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_topic_made_again_and_another_log_begin_anew() {
    let place = Place::new("anew").await;
    let loader = place.start().await;
    let first = place.range(0, 0, 50).await;
    let mut recreated = place.range(1, 0, 10).await;
    recreated.partition = 0;
    recreated.topic_id = "topic-2".to_owned();
    let mut elsewhere = place.range(2, 3, 9).await;
    elsewhere.partition = 0;
    elsewhere.log = "another#0".to_owned();
    place.ask(&[&first, &recreated, &elsewhere]).await;
    loader.until_done(66).await;
    loader.stop().await;
    place.assert_has(&[rows(0, 0..50), rows(1, 0..10), rows(2, 3..9)].concat());
}
