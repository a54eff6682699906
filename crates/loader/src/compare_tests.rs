use bytes::Bytes;
use deltalake_core::arrow::array::{ArrayRef, StringArray};
use deltalake_core::parquet::arrow::ArrowWriter;

use super::*;
use crate::fresh::Fresh;

const DAY: &str = "2026-01-31";
const SCOPE: Scope<'static> = Scope { received: (100, 200), leave_out: &[columns::ENRICHED_AT] };

fn settings(folder: &std::path::Path) -> LakeSettings {
    let mut file: toml::Table = toml::from_str(lake::DEFAULTS).unwrap();
    let mut settings: LakeSettings = file.remove("lake").unwrap().try_into().unwrap();
    settings.root = folder.display().to_string();
    settings
}

/// Rows of id, text and the time they were accepted.
fn file(rows: &[(&str, Option<&str>, i64)], enriched_at: &str) -> Bytes {
    let columns: [(&str, ArrayRef); 4] = [
        (columns::ID, Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)))),
        (columns::TEXT, Arc::new(StringArray::from_iter(rows.iter().map(|row| row.1)))),
        (
            columns::RECEIVED_AT,
            Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.2)).with_timezone("UTC")),
        ),
        (columns::ENRICHED_AT, Arc::new(StringArray::from_iter_values(rows.iter().map(|_| enriched_at)))),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

async fn table(settings: &LakeSettings, name: &str, files: &[(&str, Bytes)]) {
    let mut fresh = Fresh::begin(settings, name).await.unwrap();
    for (day, file) in files {
        fresh.put(day, file.clone()).await.unwrap();
    }
    fresh.commit().await.unwrap();
}

#[tokio::test]
async fn rows_are_compared_by_their_ids_however_many_are_held_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let old = [("a", Some("x"), 100), ("b", Some("x"), 150), ("c", None, 160), ("d", None, 170), ("e", Some("x"), 180)];
    table(&settings, "old", &[(DAY, file(&old[..3], "t")), (DAY, file(&old[3..], "t"))]).await;
    // Another text, a text where there was none, one row less, one more; and what was accepted at another time.
    let new = [("f", None, 110), ("c", Some("y"), 160), ("b", Some("y"), 150), ("a", Some("x"), 100), ("d", None, 170)];
    let outside = [("g", None, 99), ("h", None, 200)];
    table(&settings, "new", &[(DAY, file(&new, "u")), (DAY, file(&outside, "u"))]).await;

    let lake = Lake::open(&settings).unwrap();
    for held in [1, 2, 1000] {
        let found = in_parts(&lake, "old", "new", SCOPE, held).await.unwrap();
        assert_eq!((found.old_rows, found.new_rows), (5, 5), "{held}");
        assert_eq!((found.only_old, found.only_old_ids.as_slice()), (1, &["e".to_owned()][..]));
        assert_eq!((found.only_new, found.only_new_ids.as_slice()), (1, &["f".to_owned()][..]));
        assert_eq!((found.differ, found.columns), (2, BTreeMap::from([(columns::TEXT.to_owned(), 2)])));
        let mut examples = found.examples;
        examples.sort();
        let example = |id: &str| (DAY.to_owned(), id.to_owned(), columns::TEXT.to_owned());
        assert_eq!(examples, [example("b"), example("c")]);
    }
    assert_eq!(in_parts(&lake, "old", "old", SCOPE, 2).await.unwrap().differ, 0);
    let error = in_parts(&lake, "old", "gone", SCOPE, 2).await.unwrap_err();
    assert!(matches!(error, Error::NoTable { .. }), "{error}");
}

#[tokio::test]
async fn a_table_is_made_whole_or_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let refused = async |name: &str| Fresh::begin(&settings, name).await.unwrap_err().to_string();
    let empty = Fresh::begin(&settings, "t").await.unwrap().commit().await.unwrap_err();
    assert!(empty.to_string().contains("no rows"), "{empty}");

    let rows = file(&[("a", None, 100)], "t");
    let mut interrupted = Fresh::begin(&settings, "t").await.unwrap();
    interrupted.put(DAY, rows.clone()).await.unwrap();
    drop(interrupted);
    assert!(crate::count(&settings, "t").await.is_err(), "there is no table");
    assert!(refused("t").await.contains("Remove the folder"));

    let (mut first, mut second) =
        (Fresh::begin(&settings, "u").await.unwrap(), Fresh::begin(&settings, "u").await.unwrap());
    first.put(DAY, rows.clone()).await.unwrap();
    second.put(DAY, rows).await.unwrap();
    first.commit().await.unwrap();
    assert!(second.commit().await.is_err(), "somebody was faster");
    assert_eq!(crate::count(&settings, "u").await.unwrap().rows, 1);
    assert!(refused("u").await.contains("choose another name"));
    assert!(refused("../u").await.contains("not a valid table name"));
}
