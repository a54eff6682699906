use bytes::Bytes;
use deltalake_core::arrow::array::ArrayRef;
use deltalake_core::parquet::arrow::ArrowWriter;

use super::*;
use crate::fresh::Fresh;

const DAY_US: i64 = 86_400_000_000;

fn settings(folder: &std::path::Path) -> LakeSettings {
    let mut file: toml::Table = toml::from_str(lake::DEFAULTS).unwrap();
    let mut settings: LakeSettings = file.remove("lake").unwrap().try_into().unwrap();
    settings.root = folder.display().to_string();
    settings
}

/// Rows of id and the time they were accepted, where it is known.
fn file(rows: &[(&str, Option<i64>)]) -> Bytes {
    let columns: [(&str, ArrayRef); 3] = [
        (columns::ID, Arc::new(StringArray::from_iter_values(rows.iter().map(|row| row.0)))),
        (columns::TEXT, Arc::new(StringArray::from_iter_values(rows.iter().map(|_| "not read")))),
        (
            columns::RECEIVED_AT,
            Arc::new(TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.1)).with_timezone("UTC")),
        ),
    ];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

async fn all(settings: &LakeSettings, received: (i64, i64)) -> Vec<String> {
    let mut ids = Ids::of(settings, "rows", received).await.unwrap();
    let mut all = Vec::new();
    while let Some(some) = ids.next().await.unwrap() {
        all.extend(some);
    }
    all.sort_unstable();
    all
}

#[tokio::test]
async fn only_rows_of_the_time_and_each_as_often_as_it_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut fresh = Fresh::begin(&settings, "rows").await.unwrap();
    let first = [("a", Some(0)), ("b", Some(5)), ("c", Some(DAY_US - 1)), ("unknown", None)];
    fresh.put("1970-01-01", file(&first)).await.unwrap();
    fresh.put("1970-01-02", file(&[("d", Some(DAY_US)), ("e", Some(DAY_US + 1))])).await.unwrap();
    fresh.put("1970-01-02", file(&[("d", Some(DAY_US))])).await.unwrap();
    fresh.commit().await.unwrap();

    assert_eq!(all(&settings, (0, 2 * DAY_US)).await, ["a", "b", "c", "d", "d", "e"]);
    assert_eq!(all(&settings, (5, DAY_US)).await, ["b", "c"], "half open, to the end of a day");
    assert_eq!(all(&settings, (DAY_US, DAY_US + 1)).await, ["d", "d"]);
    assert!(all(&settings, (2 * DAY_US, 3 * DAY_US)).await.is_empty());
    assert!(Ids::of(&settings, "nothing", (0, 1)).await.is_err());
}
