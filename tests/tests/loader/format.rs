//! Tables that an earlier version made: they are loaded as they are, until an operator brings them to the present format.

use std::fs;

use loader::maintain::upgrade;
use serde_json::{Value, json};

use crate::files::rows;
use crate::place::{Loading as _, Place, TABLE};

/// As tables were before: the day is a text.
fn as_before(place: &Place) {
    let path = place.lake_folder().join(TABLE).join("_delta_log/00000000000000000000.json");
    let commit = fs::read_to_string(&path).unwrap();
    let lines = commit.lines().map(|line| {
        let mut action: Value = serde_json::from_str(line).unwrap();
        if let Some(metadata) = action.get_mut("metaData") {
            let schema = metadata["schemaString"].as_str().unwrap();
            assert!(schema.contains(r#""name":"day","type":"date""#), "{schema}");
            metadata["schemaString"] = schema.replace(r#""type":"date""#, r#""type":"string""#).into();
            metadata["configuration"].as_object_mut().unwrap().remove("weir.format").unwrap();
        }
        action.to_string() + "\n"
    });
    fs::write(&path, lines.collect::<String>()).unwrap();
}

fn day_type(place: &Place) -> String {
    let found = place.query("select distinct arrow_typeof(day) as type from t");
    assert_eq!(found.len(), 1);
    found[0]["type"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_before_goes_on_and_is_upgraded_when_it_is_asked_for() {
    let place = Place::new("format").await;
    let loader = place.start().await;
    place.ask(&[&place.range(0, 0, 10).await]).await;
    loader.until_done(10).await;
    loader.stop().await;
    assert_eq!(day_type(&place), "Date32");
    as_before(&place);

    // It is loaded as it is, with checkpoints, and the operator is told.
    let mut settings = place.settings.clone();
    settings.loader.checkpoint_commits = 2;
    settings.loader.compact.interval_ms = 50;
    let loader = place.start_as(&settings, None).await;
    for n in 1..4 {
        place.ask(&[&place.range(0, n * 10, n * 10 + 10).await]).await;
        loader.until_done(u64::try_from(n).unwrap() * 10).await;
    }
    loader.until("the operator is told", |loader| loader.check("loader_upkeep").1.contains("weir job upgrade")).await;
    assert!(day_type(&place).starts_with("Utf8"), "{}", day_type(&place));
    place.assert_has(&rows(0, 0..40));

    // It is upgraded while the loader runs, and goes on.
    assert!(upgrade(&place.settings.lake, TABLE).await.unwrap());
    assert!(!upgrade(&place.settings.lake, TABLE).await.unwrap(), "once is enough");
    for n in 4..7 {
        place.ask(&[&place.range(0, n * 10, n * 10 + 10).await]).await;
        loader.until_done(u64::try_from(n).unwrap() * 10).await;
    }
    loader.until("there is no more to tell", |loader| !loader.check("loader_upkeep").1.contains("upgrade")).await;
    loader.stop().await;
    assert_eq!(day_type(&place), "Date32");
    place.assert_has(&rows(0, 0..70));
    let found = place.query("select count(*) as n from t where day > date '2026-03-01' - interval '7 days'");
    assert_eq!(found, [json!({ "n": 70 })]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_a_later_format_is_not_written() {
    let place = Place::new("later-format").await;
    let loader = place.start().await;
    place.ask(&[&place.range(0, 0, 10).await]).await;
    loader.until_done(10).await;
    loader.stop().await;
    let path = place.lake_folder().join(TABLE).join("_delta_log/00000000000000000000.json");
    let commit = fs::read_to_string(&path).unwrap();
    fs::write(&path, commit.replace(r#""weir.format":"2""#, r#""weir.format":"3""#)).unwrap();
    let loader = place.start().await;
    place.ask(&[&place.range(0, 10, 20).await]).await;
    loader.until("it says why", |loader| loader.check("loader_lake").1.contains("it has format 3")).await;
    loader.stop().await;
    place.assert_has(&rows(0, 0..10));
}
