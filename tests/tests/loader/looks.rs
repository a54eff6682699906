//! Single rows, for whoever follows a delivery.

use serde_json::Value;

use crate::place::{Loading as _, Place, TABLE};

#[tokio::test(flavor = "multi_thread")]
async fn the_rows_of_a_delivery_are_found_whole() {
    let place = Place::new("find").await;
    let loader = place.start().await;
    for n in 0..3 {
        place.ask(&[&place.range(0, n * 10, n * 10 + 10).await]).await;
    }
    loader.until_done(30).await;
    loader.stop().await;
    let find = async |column: &str, value: &str, day: Option<&str>| -> Vec<Value> {
        loader::find(
            &place.settings.lake,
            TABLE,
            column,
            &[value.to_owned()],
            day.and_then(loader::received_on).as_ref(),
        )
        .await
        .unwrap()
    };
    let found = find("delivery_id", "d6", None).await;
    assert_eq!(found.iter().map(|row| row["id"].as_str().unwrap()).collect::<Vec<_>>(), ["00-000012", "00-000013"]);
    let row = &found[0];
    assert_eq!(
        (&row["day"], &row["text"], &row["weir_offset"]),
        (&"2026-03-01".into(), &"said at 12".into(), &12.into())
    );
    assert_eq!((&row["links"][0], &row["attributes"]["team"]), (&"https://example.com/12".into(), &"t0".into()));
    assert_eq!(row["received_at"], "2026-03-01T00:00:12.000007Z");
    assert_eq!(find("delivery_id", "d6", Some("2026-03-01")).await.len(), 2);
    assert_eq!(find("delivery_id", "d6", Some("2026-03-02")).await, Vec::<Value>::new());
    assert_eq!(find("delivery_id", "nothing", None).await, Vec::<Value>::new());
    assert_eq!(find("no_such_column", "d6", None).await, Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_is_not_there_is_told() {
    let place = Place::new("no-table").await;
    let error = loader::count(&place.settings.lake, TABLE).await.unwrap_err().to_string();
    assert!(error.contains("there is no table activities in the lake at"), "{error}");
}
