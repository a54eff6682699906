//! What the usual readers find in a table with filters. By what the table's log says of a file they pass over it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, ListBuilder, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use loader::CompactSettings;
use serde_json::{Value, json};
use weir_tests::{python, spark};

use crate::files::{DAY, FIRST_DAY, rows};
use crate::place::{Loading as _, Place, TABLE, request};

/// Ten rows that differ from those of the other file in all that is asked for.
fn columns(first: i64, source: &str, reactions: bool, flags: bool) -> Vec<(&'static str, ArrayRef)> {
    let n = first..first + 10;
    let mut links = ListBuilder::new(StringBuilder::new());
    for offset in n.clone() {
        links.values().append_value(format!("https://example.com/{offset}"));
        links.append(offset % 2 == 0);
    }
    let texts = n.clone().map(|n| (n % 5 != 0).then(|| format!("{} {n}", "said in many words and more ".repeat(2))));
    let at = n.clone().map(|n| FIRST_DAY + n / 10 * DAY + n % 10 * 1_000_000 + 7);
    let verbs = n.clone().map(|n| if n % 2 == 0 { "comment" } else { "push" });
    let reacted = n.clone().map(|n| (reactions && n % 2 == 0).then_some("like"));
    let flagged = n.clone().map(|n| flags.then_some(n % 2 == 0));
    vec![
        ("id", Arc::new(StringArray::from_iter_values(n.clone().map(|n| format!("{n:06}")))) as ArrayRef),
        ("source", Arc::new(StringArray::from_iter_values(n.clone().map(|_| source)))),
        ("verb", Arc::new(StringArray::from_iter_values(verbs))),
        ("text", Arc::new(StringArray::from_iter(texts))),
        ("reaction", Arc::new(StringArray::from_iter(reacted))),
        ("partial", Arc::new(BooleanArray::from_iter(flagged))),
        ("links", Arc::new(links.finish())),
        ("received_at", Arc::new(TimestampMicrosecondArray::from_iter_values(at).with_timezone("UTC"))),
        ("weir_offset", Arc::new(Int64Array::from_iter_values(n))),
    ]
}

/// Starts Spark meanwhile, which takes as long. Two files: of GitHub on the first day, without reactions; of Facebook on the second, without flags.
async fn table(name: &str) -> Place {
    spark::shared().unwrap();
    let place = Place::new(name).await;
    let loader = place.start().await;
    for (first, source, reactions, day) in [(0, "github", false, "2026-03-01"), (10, "facebook", true, "2026-03-02")] {
        let with = columns(first, source, reactions, !reactions);
        let file = place.file_of(with, &rows(0, first..first + 10), day).await;
        place.ask(&[&request(0, first, first + 10, vec![file])]).await;
        loader.until_done(u64::try_from(first).unwrap() + 10).await;
    }
    loader.stop().await;
    place
}

/// Name, SQL, the same as conditions, and how many rows that is.
fn cases() -> Vec<(&'static str, String, Value, u64)> {
    let text = format!("{} 13", "said in many words and more ".repeat(2));
    vec![
        ("all", String::new(), json!([]), 20),
        ("source", "source = 'github'".into(), json!([["source", "=", "github"]]), 10),
        ("other source", "source = 'facebook'".into(), json!([["source", "=", "facebook"]]), 10),
        ("no source", "source = 'instagram'".into(), json!([["source", "=", "instagram"]]), 0),
        ("sources", "source > 'f' and source < 'g'".into(), json!([["source", ">", "f"], ["source", "<", "g"]]), 10),
        (
            "source and verb",
            "source = 'github' and verb = 'push'".into(),
            json!([["source", "=", "github"], ["verb", "=", "push"]]),
            5,
        ),
        ("one of", "id in ('000003', '000017', 'x')".into(), json!([["id", "in", ["000003", "000017", "x"]]]), 2),
        ("long text", format!("text = '{text}'"), json!([["text", "=", text]]), 1),
        ("texts before", "text < 't'".into(), json!([["text", "<", "t"]]), 16),
        ("no text", "text is null".into(), json!([["text", "is null"]]), 4),
        ("reaction", "reaction = 'like'".into(), json!([["reaction", "=", "like"]]), 5),
        ("no reaction", "reaction is null".into(), json!([["reaction", "is null"]]), 15),
        ("flag", "partial = true".into(), json!([["partial", "=", true]]), 5),
        ("no flag", "partial is null".into(), json!([["partial", "is null"]]), 10),
        ("no links", "links is null".into(), json!([["links", "is null"]]), 10),
        ("day", "day >= date '2026-03-02'".into(), json!([["day", ">=", "2026-03-02"]]), 10),
        ("offsets", "weir_offset >= 15".into(), json!([["weir_offset", ">=", 15]]), 5),
    ]
}

/// What Spark finds that it should not. Apart from the others, because it takes as long as all of them.
fn wrong_for_spark(place: &Place) -> Vec<(&'static str, Value)> {
    let (location, cases) = (place.lake_folder().join(TABLE).display().to_string(), cases());
    let filter = |sql: &str| if sql.is_empty() { String::new() } else { format!(" WHERE {sql}") };
    let queries: Vec<String> =
        cases.iter().map(|(_, sql, ..)| format!("SELECT count(*) FROM activities{}", filter(sql))).collect();
    let queries: Vec<&str> = queries.iter().map(String::as_str).collect();
    let answers = spark::shared().unwrap().ask(&location, &queries).unwrap();
    assert_eq!(answers.len(), cases.len());
    let found = cases.iter().zip(answers).filter(|(case, answer)| *answer != json!([[case.3]]));
    found.map(|(case, answer)| (case.0, answer)).collect()
}

/// What readers find that they should not, and of how many files they think that they may have it.
fn read(place: &Place) -> (BTreeMap<String, Value>, BTreeMap<String, u64>) {
    let cases = cases();
    let asked: Vec<Value> = cases.iter().map(|(name, sql, filters, _)| json!([name, sql, filters])).collect();
    let location = place.lake_folder().join(TABLE).display().to_string();
    let told = python::script(python::READERS, &[&location, &Value::Array(asked).to_string()]).unwrap();
    let mut told: Value = serde_json::from_str(&told).unwrap();
    let found: BTreeMap<String, Value> = serde_json::from_value(told["found"].take()).unwrap();
    assert_eq!(found.len(), 6 * cases.len(), "{found:#?}");
    let expected = |key: &str| cases.iter().find(|case| key.ends_with(&format!(": {}", case.0))).unwrap().3;
    let wrong = found.into_iter().filter(|(key, value)| *value != expected(key)).collect();
    (wrong, serde_json::from_value(told["opened"].take()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reader_finds_the_rows_of_every_filter_and_opens_no_more_files_than_it_has_to() {
    let place = table("readers").await;
    let (wrong, opened) = read(&place);
    assert_eq!(wrong, BTreeMap::new());
    let opened: Vec<_> = ["source", "other source", "no source"].iter().map(|name| opened[*name]).collect();
    assert_eq!(opened, [1, 1, 0]);
    assert_eq!(wrong_for_spark(&place), []);
}

/// As tables were before: what the log says of files is of numbers and times only.
fn as_before(place: &Place) {
    let log = place.lake_folder().join(TABLE).join("_delta_log");
    for entry in fs::read_dir(log).unwrap() {
        let path = entry.unwrap().path();
        let Ok(commit) = fs::read_to_string(&path) else { continue };
        let lines = commit.lines().map(|line| {
            let mut action: Value = serde_json::from_str(line).unwrap();
            if let Some(add) = action.get_mut("add") {
                let mut stats: Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
                for told in ["minValues", "maxValues", "nullCount"] {
                    let told = stats[told].as_object_mut().unwrap();
                    told.retain(|column, _| ["received_at", "weir_offset"].contains(&column.as_str()));
                }
                add["stats"] = stats.to_string().into();
            }
            if let Some(metadata) = action.get_mut("metaData") {
                metadata["configuration"].as_object_mut().unwrap().remove("delta.dataSkippingStatsColumns");
            }
            action.to_string() + "\n"
        });
        fs::write(&path, lines.collect::<String>()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_of_before_is_mended_with_its_next_compaction() {
    let place = table("readers-before").await;
    as_before(&place);
    let (wrong, _) = read(&place);
    assert!(wrong.contains_key("to_pandas: source"), "such a table is wrong before it is mended: {wrong:#?}");
    let settings = CompactSettings { interval_ms: 0, after_ms: 0, target_bytes: 1 << 28 };
    loader::maintain::compact(&place.settings.lake, TABLE, &settings).await.unwrap();
    let (wrong, opened) = read(&place);
    assert_eq!((wrong, opened["source"]), (BTreeMap::new(), 1));
    assert_eq!(wrong_for_spark(&place), []);
    let version = place.count().await.version;
    loader::maintain::compact(&place.settings.lake, TABLE, &settings).await.unwrap();
    assert_eq!(place.count().await.version, version, "once is enough");
}
