//! What cannot be loaded is held, pages and says what to do; it is never passed over.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use bus::{Headers, Record};
use common::health::v1::State;
use common::load::v1::LoadRequest;
use common::topics::LOADS;
use object_store::ObjectStoreExt as _;

use crate::files::{columns, rows};
use crate::place::{Loading as _, Place, Running, TABLE, at, request};

async fn until_held(loader: &Running, says: &str) -> String {
    loader.until("it is held", |loader| loader.check("loader_held").0 == State::Failing).await;
    let message = loader.check("loader_held").1;
    assert!(message.contains(says), "{message}");
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_is_held_until_an_operator_accepts_it() {
    let place = Place::new("gap").await;
    let loader = place.start().await;
    let behind = place.range(0, 15, 20).await;
    place.ask(&[&place.range(0, 0, 10).await, &behind, &place.range(0, 20, 25).await]).await;
    let message = until_held(&loader, "no request covers 10 to 15").await;
    for said in [behind.id.as_str(), "weir/log#0/t.activities.enriched/topic-1/0", "loader.accept", "version 10"] {
        assert!(message.contains(said), "{message}");
    }
    loader.stop().await;
    place.assert_has(&rows(0, 0..10));
    // What is held is not acknowledged: it comes again.
    let mut settings = place.settings.clone();
    settings.loader.accept = vec![behind.id];
    let loader = place.start_as(&settings, None).await;
    loader.until_idle().await;
    assert_eq!(loader.check("loader_held").0, State::Ok);
    loader.stop().await;
    place.assert_has(&[rows(0, 0..10), rows(0, 15..25)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_file_is_held_until_it_is_back() {
    let place = Place::new("missing").await;
    let loader = place.start().await;
    let asked = place.range(0, 0, 10).await;
    let path = at(&asked.files[0].path);
    let bytes = place.lake.store().get(&path).await.unwrap().bytes().await.unwrap();
    place.lake.store().delete(&path).await.unwrap();
    place.ask(&[&asked, &place.range(0, 10, 20).await, &place.range(1, 0, 5).await]).await;
    let message = until_held(&loader, "does not exist").await;
    assert!(message.contains(&asked.id) && message.contains("Restore the original file"), "{message}");
    // Nothing behind it is loaded before it, as that could never be made good. Other partitions go on.
    loader.until_done(5).await;
    place.lake.store().put(&path, bytes.into()).await.unwrap();
    loader.until_idle().await;
    loader.stop().await;
    place.assert_has(&[rows(0, 0..20), rows(1, 0..5)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_begins_later_waits_also_where_more_wait_than_one_commit_takes() {
    let place = Place::new("slices").await;
    let mut settings = place.settings.clone();
    settings.loader.max_requests = 2;
    let asked = place.range(0, 0, 10).await;
    let path = at(&asked.files[0].path);
    let bytes = place.lake.store().get(&path).await.unwrap().bytes().await.unwrap();
    place.lake.store().delete(&path).await.unwrap();
    let later = [place.range(0, 10, 20).await, place.range(0, 20, 30).await, place.range(0, 30, 40).await];
    place.ask(&[&asked, &later[0], &later[1], &later[2], &place.range(1, 0, 5).await]).await;
    let loader = place.start_as(&settings, None).await;
    until_held(&loader, "does not exist").await;
    // By then it has looked at all of them; and the table has no version of that partition yet.
    loader.until_done(5).await;
    place.lake.store().put(&path, bytes.into()).await.unwrap();
    loader.until_idle().await;
    loader.stop().await;
    place.assert_has(&[rows(0, 0..40), rows(1, 0..5)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_whose_rows_cannot_be_read_holds_its_own_partition_only() {
    let place = Place::new("rows").await;
    let asked = place.range(0, 5, 15).await;
    let path = at(&asked.files[0].path);
    let bytes = place.lake.store().get(&path).await.unwrap().bytes().await.unwrap();
    // Its end, which tells what is in it, is as it should be.
    let mut broken = bytes.to_vec();
    broken[4..64].fill(0xff);
    place.lake.store().put(&path, broken.into()).await.unwrap();
    place.ask(&[&place.range(0, 0, 10).await, &asked, &place.range(1, 0, 5).await]).await;
    let loader = place.start().await;
    let message = until_held(&loader, "cannot be used").await;
    assert!(message.contains(&asked.id), "{message}");
    loader.until_done(15).await;
    place.lake.store().put(&path, bytes.into()).await.unwrap();
    loader.until_idle().await;
    loader.stop().await;
    place.assert_has(&[rows(0, 0..15), rows(1, 0..5)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_file_can_be_given_up() {
    let place = Place::new("lost").await;
    let mut settings = place.settings.clone();
    let files = vec![place.file(&rows(0, 0..4)).await, place.file(&rows(0, 4..10)).await];
    place.lake.store().delete(&at(&files[0].path)).await.unwrap();
    let asked = request(0, 0, 10, files);
    settings.loader.accept = vec![asked.id.clone()];
    place.ask(&[&asked, &place.range(0, 10, 12).await]).await;
    let loader = place.start_as(&settings, None).await;
    loader.until_idle().await;
    assert_eq!(loader.counted().dropped["accepted_loss"], 4);
    loader.stop().await;
    place.assert_has(&rows(0, 4..12));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_what_their_request_says_are_held() {
    type Case = (&'static str, &'static str, fn(&mut LoadRequest));
    let cases: [Case; 4] = [
        ("size", "bytes and should have", |asked| asked.files[0].size_bytes += 1),
        ("rows", "rows and should have", |asked| asked.files[0].rows += 1),
        ("range", "it has offsets 0 to 9, and its request covers 0 to 9", |asked| asked.to = 9),
        ("column", "do not have the offsets", |asked| asked.offset_column = "id".to_owned()),
    ];
    for (name, says, spoil) in cases {
        let place = Place::new(&format!("spoiled-{name}")).await;
        let mut asked = place.range(0, 0, 10).await;
        spoil(&mut asked);
        assert_held(&place, &asked, says).await;
    }
    let place = Place::new("spoiled-bytes").await;
    let asked = place.range(0, 0, 10).await;
    let junk = vec![7; usize::try_from(asked.files[0].size_bytes).unwrap()];
    place.lake.store().put(&at(&asked.files[0].path), junk.into()).await.unwrap();
    assert_held(&place, &asked, "cannot be used").await;
}

async fn assert_held(place: &Place, asked: &LoadRequest, says: &str) {
    let loader = place.start().await;
    place.ask(&[asked]).await;
    until_held(&loader, says).await;
    assert_eq!(loader.counted().sent_on, 0);
    loader.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_with_another_type_is_held() {
    let place = Place::new("type").await;
    let loader = place.start().await;
    place.ask(&[&place.range(0, 0, 10).await]).await;
    loader.until_done(10).await;
    let changed = rows(0, 10..20);
    let mut with = columns(&changed);
    with[2] = ("text", Arc::new(Int64Array::from_iter_values(10..20)) as ArrayRef);
    let file = place.file_of(with, &changed, "2026-03-01").await;
    place.ask(&[&request(0, 10, 20, vec![file]), &place.range(1, 0, 3).await]).await;
    until_held(&loader, "column text is long in the file and string in the table").await;
    loader.until_done(13).await;
    loader.stop().await;
    place.assert_has(&[rows(0, 0..10), rows(1, 0..3)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_a_dead_letter_and_what_follows_it_is_held() {
    let place = Place::new("no-request").await;
    let loader = place.start().await;
    place.ask(&[&place.range(0, 0, 10).await]).await;
    loader.until_done(10).await;
    let producer = place.bus.producer().unwrap();
    let headers = Headers { r#type: "weir.load.v1.LoadRequest".into(), ..Headers::default() };
    let record = Record::encoded(LOADS.name(), TABLE, vec![0xff; 20], headers);
    producer.try_send(record).unwrap().await.unwrap();
    place.ask(&[&place.range(0, 20, 30).await]).await;
    until_held(&loader, "no request covers 10 to 20").await;
    let count = loader.counted();
    loader.stop().await;
    let letters = place.dead_letters().await;
    assert_eq!((letters.len(), letters[0].reason.as_str(), count.dead_lettered), (1, "undecodable", 1));
    place.assert_has(&rows(0, 0..10));
}
