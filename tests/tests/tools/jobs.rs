//! Periodic work, one run of each.

use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use weir_tests::wait;

use crate::{ALL, Log, Up, WITHIN, deliver, issue, number, post, rows, says, succeeds, up};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A count of the last hour, up to now.
fn conservation(up: &Up) -> (bool, Value) {
    let (succeeded, text) = says(up, &["job", "conservation", "--from", "1h", "--to", "0s", "--json"]);
    (succeeded, json(&text))
}

/// Everything that is accepted, on its way into the lake, and a count that finds it there.
async fn all_is_found(up: &Up) {
    deliver(up).await;
    wait::until("all rows", WITHIN, || Ok((rows(up, "activities") == Some(ALL)).then_some(()))).unwrap();

    let report = succeeds(up, &["job", "conservation", "--from", "1h", "--to", "0s"]);
    assert_eq!(number(&report, "deliveries"), ALL + 2, "{report}");
    assert_eq!((number(&report, "  events produced"), number(&report, "  items refused")), (ALL + 1, 1), "{report}");
    assert_eq!((number(&report, "activities"), number(&report, "  enriched")), (ALL, ALL), "{report}");
    assert_eq!((number(&report, "enriched activities"), number(&report, "  rows in the lake")), (ALL, ALL), "{report}");
    assert!(report.contains("everything arrived exactly once"), "{report}");
    let (whole, same) = conservation(up);
    assert!(whole && same["whole"] == true && same["lake"]["there"] == ALL && same["raw"]["refused"] == 1, "{same}");
    let before = succeeds(up, &["job", "conservation", "--from", "3h", "--to", "2h", "--json"]);
    assert_eq!((&json(&before)["raw"]["deliveries"], &json(&before)["lake"]["taken"]), (&0.into(), &0.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_was_accepted_on_kafka_is_found_in_the_lake() {
    let up = up(Log::Kafka, 200);
    all_is_found(&up).await;
    up.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_was_accepted_is_found_in_the_lake() {
    let up = up(Log::Embedded, 200);
    let nothing = succeeds(&up, &["job", "compact"]);
    assert!(nothing.contains("there is no table in"), "{nothing}");
    all_is_found(&up).await;

    // Days that are not over stay as they are, and what is young stays.
    let compacted = json(&succeeds(&up, &["job", "compact", "--json"]));
    assert_eq!((&compacted["tables"][0]["table"], &compacted["tables"][0]["rows"]), (&"activities".into(), &0.into()));
    let vacuumed = json(&succeeds(&up, &["job", "vacuum", "--dry-run", "--json"]));
    assert_eq!((&vacuumed["dry_run"], &vacuumed["tables"][0]["files"]), (&true.into(), &0.into()), "{vacuumed}");
    assert_eq!(rows(&up, "activities"), Some(ALL));

    let exported = json(&succeeds(&up, &["job", "export-reference", "--json"]));
    assert_eq!(exported["rows"], 1, "{exported}");
    let file = up.folder().join("weir-data/lake/reference/registrations.parquet");
    let file = Bytes::from(std::fs::read(file).unwrap());
    assert_eq!(exported["bytes"], file.len());
    let rows_there = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().metadata().file_metadata().num_rows();
    assert_eq!(rows_there, 1);
    // It is beside the tables, and none of them.
    assert!(succeeds(&up, &["job", "compact"]).lines().all(|line| line.starts_with("activities ")));

    for (arguments, told) in [
        (&["conservation", "--from", "1h", "--to", "2h"][..], "--to is not after --from"),
        (&["conservation", "--from", "9d", "--to", "8d"], "--to is more than 7 days ago"),
        (&["compact", "--table", "none"], "compacting none"),
        (&["vacuum", "--table", "none"], "vacuuming none"),
        (&["export-reference", "--grpc", "http://127.0.0.1:1"], "cannot connect to gRPC"),
        (&["conservation"], "--from"),
    ] {
        let (succeeded, text) = says(&up, &[&["job"], arguments].concat());
        assert!(!succeeded && text.contains(told), "{arguments:?} says: {text}");
    }
    up.stop();
}

/// The control: what has no row is told, and the job fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_no_row_fails_the_count() {
    // The loader does not commit in the time of this test.
    let up = up(Log::Embedded, 600_000);
    post(&up, 1, issue(1)).await;
    // The first commit is at once; what comes after it waits.
    wait::until("the first row", WITHIN, || Ok((rows(&up, "activities") == Some(1)).then_some(()))).unwrap();
    post(&up, 2, issue(2)).await;
    let report = wait::until("the second is enriched", WITHIN, || {
        let (whole, report) = conservation(&up);
        Ok((report["lake"]["taken"] == 2).then_some((whole, report)))
    });
    let (whole, report) = report.unwrap();
    assert!(!whole && report["whole"] == false, "{report}");
    assert_eq!(
        (&report["lake"]["missing"], report["lake"]["examples"].as_array().unwrap().len()),
        (&1.into(), 1),
        "{report}"
    );
    assert_eq!((&report["raw"]["missing"], &report["enrichment"]["missing"]), (&0.into(), &0.into()), "{report}");
    up.stop();
}
