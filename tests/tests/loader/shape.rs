//! The table's columns, its statistics, and what other engines see of it.

use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, StringArray};
use serde_json::{Value, json};

use crate::files::{DAY, columns, rows};
use crate::place::{Loading as _, Place, request};

#[tokio::test(flavor = "multi_thread")]
async fn columns_are_added_and_are_null_where_they_were_not() {
    let place = Place::new("growth").await;
    let loader = place.start().await;
    place.ask(&[&place.range(0, 0, 10).await]).await;
    loader.until_done(10).await;
    let new = rows(0, 10..20);
    let mut with = columns(&new);
    with.push(("score", Arc::new(Float64Array::from_iter_values((10..20).map(f64::from))) as ArrayRef));
    let file = place.file_of(with, &new, "2026-03-01").await;
    place.ask(&[&request(0, 10, 20, vec![file]), &place.range(0, 20, 25).await]).await;
    loader.until_done(25).await;
    loader.stop().await;
    place.assert_has(&rows(0, 0..25));
    let found = place.query("select count(*) as n, count(score) as scores, max(score) as most from t");
    assert_eq!(found, [json!({ "n": 25, "scores": 10, "most": 19.0 })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_has_the_same_table() {
    let place = Place::in_bucket("shape").await;
    let loader = place.start().await;
    place.ask(&[&place.range(0, 0, 10).await, &place.range(0, 5, 20).await]).await;
    loader.until_done(25).await;
    loader.stop().await;
    place.assert_has(&rows(0, 0..20));
    assert_eq!(place.count().await.rows, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_tells_what_files_have() {
    let place = Place::new("statistics").await;
    let loader = place.start().await;
    place.ask(&[&place.range(0, 3, 10).await]).await;
    loader.until_done(7).await;
    loader.stop().await;
    let log =
        std::fs::read_to_string(place.lake_folder().join("activities/_delta_log/00000000000000000000.json")).unwrap();
    let actions: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let add = actions.iter().find_map(|action| action.get("add")).unwrap();
    let statistics: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(statistics["numRecords"], 7);
    assert_eq!(
        (&statistics["minValues"]["weir_offset"], &statistics["maxValues"]["weir_offset"]),
        (&json!(3), &json!(9))
    );
    // Milliseconds, with the largest rounded up: what is between must not be passed over.
    assert_eq!(statistics["minValues"]["received_at"], "2026-03-01T00:00:03Z");
    assert_eq!(statistics["maxValues"]["received_at"], "2026-03-01T00:00:09.001Z");
    assert_eq!(statistics["nullCount"]["received_at"], 0);
    assert_eq!(add["partitionValues"], json!({ "day": "2026-03-01" }));
    let info = &actions[0]["commitInfo"];
    assert_eq!(info["weirRequests"].as_array().unwrap().len(), 1);
    let after = place.query("select count(*) as n from t where received_at > '2026-03-01T00:00:09Z'");
    assert_eq!(after, [json!({ "n": 1 })], "an engine that prunes by them finds the last row");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_day_is_a_partition() {
    let place = Place::new("days").await;
    let loader = place.start().await;
    let late = rows(0, 5..8);
    let at = late.iter().map(|row| crate::files::FIRST_DAY + DAY + row.offset);
    let at = arrow::array::TimestampMicrosecondArray::from_iter_values(at).with_timezone("UTC");
    let mut with = columns(&late);
    with[3] = ("received_at", Arc::new(at));
    let files = vec![place.file(&rows(0, 0..5)).await, place.file_of(with, &late, "2026-03-02").await];
    place.ask(&[&request(0, 0, 8, files)]).await;
    loader.until_done(8).await;
    loader.stop().await;
    let days = place.count().await.days;
    assert_eq!(days, [("2026-03-01".to_owned(), 5), ("2026-03-02".to_owned(), 3)]);
    let found = place.query("select day, count(*) as n from t group by day order by day");
    assert_eq!(found, [json!({ "day": "2026-03-01", "n": 5 }), json!({ "day": "2026-03-02", "n": 3 })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_of_another_table_is_no_reason_to_stop() {
    let place = Place::new("two-tables").await;
    let loader = place.start().await;
    let mut other = place.range(1, 0, 4).await;
    other.table = "others".to_owned();
    let new = rows(1, 0..4);
    let with = vec![
        ("name", Arc::new(StringArray::from_iter_values(["a", "b", "c", "d"])) as ArrayRef),
        columns(&new).pop().unwrap(),
    ];
    let bytes = crate::files::parquet(with);
    other.files[0].size_bytes = bytes.len() as u64;
    let at = object_store::path::Path::from(format!("others/{}", other.files[0].path));
    object_store::ObjectStoreExt::put(&place.lake.store(), &at, bytes.into()).await.unwrap();
    place.ask(&[&place.range(0, 0, 10).await, &other]).await;
    loader.until_done(14).await;
    loader.stop().await;
    place.assert_has(&rows(0, 0..10));
    assert_eq!(loader::count(&place.settings.lake, "others").await.unwrap().rows, 4);
}
