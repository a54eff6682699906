//! Parquet files as the enricher writes them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, Int32Array, Int64Array, ListBuilder, MapBuilder, RecordBatch, StringArray, StringBuilder,
    TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

/// 2026-03-01T00:00:00Z, in microseconds.
pub(crate) const FIRST_DAY: i64 = 1_772_323_200_000_000;
pub(crate) const DAY: i64 = 86_400_000_000;

/// A row: its offset tells everything else of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) partition: i32,
    pub(crate) offset: i64,
}

impl Row {
    pub(crate) fn id(self) -> String {
        format!("{:02}-{:06}", self.partition, self.offset)
    }
}

pub(crate) fn rows(partition: i32, offsets: impl IntoIterator<Item = i64>) -> Vec<Row> {
    offsets.into_iter().map(|offset| Row { partition, offset }).collect()
}

/// The columns of rows that were taken in on the first day, a second each.
pub(crate) fn columns(rows: &[Row]) -> Vec<(&'static str, ArrayRef)> {
    let text =
        |of: &dyn Fn(&Row) -> String| -> ArrayRef { Arc::new(StringArray::from_iter_values(rows.iter().map(of))) };
    let (mut links, mut attributes) =
        (ListBuilder::new(StringBuilder::new()), MapBuilder::new(None, StringBuilder::new(), StringBuilder::new()));
    for row in rows {
        links.values().append_value(format!("https://example.com/{}", row.offset));
        links.append(true);
        attributes.keys().append_value("team");
        attributes.values().append_value(format!("t{}", row.offset % 3));
        attributes.append(true).unwrap();
    }
    let at = rows.iter().map(|row| FIRST_DAY + row.offset % 86_400 * 1_000_000 + 7);
    vec![
        ("id", text(&|row| row.id())),
        ("delivery_id", text(&|row| format!("d{}", row.offset / 2))),
        ("text", text(&|row| format!("said at {}", row.offset))),
        ("received_at", Arc::new(TimestampMicrosecondArray::from_iter_values(at).with_timezone("UTC"))),
        ("links", Arc::new(links.finish())),
        ("attributes", Arc::new(attributes.finish())),
        ("weir_partition", Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.partition)))),
        ("weir_offset", Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.offset)))),
    ]
}

pub(crate) fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch =
        RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap();
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(Default::default())).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}
