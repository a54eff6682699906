//! What Apache Spark tells of a table that the loader made, and what the loader makes of a table that Spark compacted.

use loader::maintain::compact;
use serde_json::{Value, json};
use weir_tests::spark;

use crate::files::{DAY, FIRST_DAY, rows};
use crate::place::{Place, TABLE};
use crate::upkeep::{ALL, load};

/// What Spark answers, of which nothing may have failed.
fn ask(place: &Place, queries: &[&str]) -> Vec<Value> {
    let location = place.lake_folder().join(TABLE).display().to_string();
    let queries: Vec<String> =
        queries.iter().map(|query| query.replace("TABLE", &format!("delta.`{location}`"))).collect();
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    let answers = spark::shared().unwrap().ask(&location, &queries).unwrap();
    assert!(answers.iter().all(Value::is_array), "{answers:#?}");
    answers
}

/// A column of an answer.
fn column(answer: &Value, place: usize) -> Vec<&Value> {
    answer.as_array().unwrap().iter().map(|row| &row[place]).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn spark_tells_a_tables_history_and_what_it_was_and_the_loader_goes_on_after_spark_has_compacted_it() {
    spark::shared().unwrap();
    let mut place = Place::new("spark").await;
    // So that a reader begins with a checkpoint, and not with the first commit.
    place.settings.loader.checkpoint_commits = 2;
    load(&place, 0, 0..3).await;
    compact(&place.settings.lake, TABLE, &ALL).await.unwrap();
    load(&place, 0, 3..5).await;
    let log = place.lake_folder().join(TABLE).join("_delta_log");
    assert!(log.join("_last_checkpoint").exists(), "a table without a checkpoint");
    let answers = ask(
        &place,
        &[
            "SELECT count(*) FROM TABLE VERSION AS OF 1",
            "SELECT count(*) FROM TABLE VERSION AS OF 3",
            // The log has milliseconds, and a row 7 microseconds more: its time is not passed over, and the next one is.
            "SELECT count(*) FROM activities WHERE received_at >= timestamp '2026-03-01 00:00:49.000007'",
            "SELECT count(*) FROM activities WHERE received_at >= timestamp '2026-03-01 00:00:49.000008'",
            "SELECT id, day, received_at, links, attributes['team'] FROM activities WHERE weir_offset = 42",
            "DESCRIBE HISTORY TABLE",
            "DESCRIBE DETAIL TABLE",
        ],
    );
    let [of_1, of_3, last, after, row, history, detail] = &answers[..] else { panic!("{answers:#?}") };
    assert_eq!([of_1, of_3, last, after], [&json!([[20]]), &json!([[30]]), &json!([[1]]), &json!([[0]])]);
    let links = ["https://example.com/42"];
    assert_eq!(*row, json!([["00-000042", "2026-03-01", "2026-03-01T00:00:42.000007+00:00", links, "t0"]]));
    assert_eq!(column(history, 4), ["WRITE", "WRITE", "OPTIMIZE", "WRITE", "WRITE", "WRITE"]);
    // Format, columns of partitions, files, and the versions of the protocol that a reader and a writer need.
    let detail: Vec<_> = [0, 7, 9, 12, 13].map(|place| column(detail, place)[0].clone()).into();
    assert_eq!(detail, [json!("delta"), json!(["day"]), json!(3), json!(1), json!(2)]);

    // Spark writes times as INT96, and the day as a column of the file too.
    ask(&place, &["OPTIMIZE TABLE"]);
    assert_eq!(place.count().await.files, 1);
    let lake = &place.settings.lake;
    let mut ids = loader::Ids::of(lake, TABLE, (FIRST_DAY, FIRST_DAY + DAY)).await.unwrap();
    let mut counted = 0;
    while let Some(some) = ids.next().await.unwrap() {
        counted += some.len();
    }
    assert_eq!(counted, 50);
    let found = loader::find(lake, TABLE, "id", &["00-000042".to_owned()], None).await.unwrap();
    assert_eq!((found.len(), &found[0]["received_at"]), (1, &json!("2026-03-01T00:00:42.000007Z")));
    load(&place, 0, 5..7).await;
    place.assert_has(&rows(0, 0..70));
    let done = compact(&place.settings.lake, TABLE, &ALL).await.unwrap();
    assert_eq!((done.files_before, done.files_after, done.rows), (3, 1, 70));
    place.assert_has(&rows(0, 0..70));
    let answers = ask(
        &place,
        &[
            "SELECT count(*), count(DISTINCT id), min(received_at), max(received_at) FROM activities WHERE day = '2026-03-01'",
            "SELECT count(*) FROM activities WHERE received_at >= timestamp '2026-03-01 00:01:09.000007'",
        ],
    );
    let (from, to) = ("2026-03-01T00:00:00.000007+00:00", "2026-03-01T00:01:09.000007+00:00");
    assert_eq!(answers, [json!([[70, 70, from, to]]), json!([[1]])]);
}
