//! Finds single rows: reads of each file only what may have them.

use std::sync::Arc;

use deltalake_core::arrow::array::{BooleanArray, RecordBatch, Scalar, StringArray};
use deltalake_core::arrow::compute::{cast, kernels::cmp};
use deltalake_core::arrow::datatypes::DataType;
use deltalake_core::arrow::error::ArrowError;
use deltalake_core::arrow::json::{WriterBuilder, writer::JsonArray};
use deltalake_core::parquet::arrow::ProjectionMask;
use deltalake_core::parquet::arrow::arrow_reader::{ArrowPredicateFn, RowFilter};
use deltalake_core::parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use deltalake_core::parquet::file::statistics::Statistics;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use lake::{Lake, LakeSettings};
use object_store::ObjectStore;
use serde_json::Value;

use crate::footer::FileError;
use crate::reader::FileReader;
use crate::rewrite::Input;
use crate::table::{Error, Table};

/// Files that are read at once.
const READS: usize = 8;
/// More rows than this are not what anybody looks for.
const MOST: usize = 1000;

/// The rows whose column of text has this value, the youngest days first, as JSON objects; at most 1000. With `day`
/// (`2026-03-01`) only that one is looked at.
///
/// # Errors
/// When there is no such table, or it cannot be read.
pub async fn find(
    lake: &LakeSettings,
    table: &str,
    column: &str,
    value: &str,
    day: Option<&str>,
) -> anyhow::Result<Vec<Value>> {
    let lake = Lake::open(lake)?;
    Ok(of(&lake, table, column, value, day).await?)
}

async fn of(lake: &Lake, name: &str, column: &str, value: &str, day: Option<&str>) -> Result<Vec<Value>, Error> {
    let table = Table::open(lake, name).await?;
    let mut files = Vec::new();
    for file in table.files().await? {
        let of_day = file.day().to_owned();
        if day.is_none_or(|day| day == of_day) {
            files.push((of_day, Input { path: table.path_of(&file.path), bytes: file.bytes }));
        }
    }
    files.sort_by(|(a, _), (b, _)| b.cmp(a));
    let store = lake.store();
    let mut found = Vec::new();
    let mut reads = stream::iter(files)
        .map(|(day, file)| {
            let store = Arc::clone(&store);
            async move { in_file(&store, &file, column, value).await.map(|rows| (day, rows)) }
        })
        .buffered(READS);
    while found.len() < MOST {
        let Some(read) = reads.next().await else { break };
        let (day, rows) = read.map_err(|error| Error::File { table: name.to_owned(), error })?;
        found.extend(rows.into_iter().map(|mut row| {
            if let Value::Object(row) = &mut row {
                row.insert(lake::columns::DAY.to_owned(), Value::String(day.clone()));
            }
            row
        }));
    }
    found.truncate(MOST);
    Ok(found)
}

async fn in_file(
    store: &Arc<dyn ObjectStore>,
    file: &Input,
    column: &str,
    value: &str,
) -> Result<Vec<Value>, FileError> {
    let failed = |error| FileError::parquet(&file.path, error);
    let reader = FileReader::new(store, &file.path, file.bytes);
    let mut builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(failed)?;
    let columns = builder.metadata().file_metadata().schema_descr_ptr();
    let Some(leaf) = (0..columns.num_columns()).find(|n| *columns.column(*n).path().parts() == [column.to_owned()])
    else {
        // Written before the table had the column.
        return Ok(Vec::new());
    };
    let mut groups = Vec::new();
    for group in 0..builder.metadata().num_row_groups() {
        if may_have(&mut builder, group, leaf, value).await.map_err(failed)? {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let wanted = Scalar::new(StringArray::from(vec![value.to_owned()]));
    let predicate =
        ArrowPredicateFn::new(ProjectionMask::leaves(&columns, [leaf]), move |batch| equal(&batch, &wanted));
    let filter = RowFilter::new(vec![Box::new(predicate)]);
    let batches = builder.with_row_groups(groups).with_row_filter(filter).build().map_err(failed)?;
    let batches: Vec<RecordBatch> = batches.try_collect().await.map_err(failed)?;
    rows(&batches).map_err(|problem| FileError::unusable(&file.path, problem))
}

fn equal(batch: &RecordBatch, wanted: &Scalar<StringArray>) -> Result<BooleanArray, ArrowError> {
    let texts = cast(batch.column(0), &DataType::Utf8)?;
    cmp::eq(&texts, wanted)
}

/// Whether a row group may have the value, by its smallest and largest and by its Bloom filter.
async fn may_have(
    builder: &mut ParquetRecordBatchStreamBuilder<FileReader>,
    group: usize,
    leaf: usize,
    value: &str,
) -> Result<bool, deltalake_core::parquet::errors::ParquetError> {
    let statistics = builder.metadata().row_group(group).column(leaf).statistics();
    // A largest value that was cut is still one that no value exceeds.
    if let Some(Statistics::ByteArray(values)) = statistics
        && let (Some(min), Some(max)) = (values.min_opt(), values.max_opt())
        && (value.as_bytes() < min.data() || value.as_bytes() > max.data())
    {
        return Ok(false);
    }
    let filter = builder.get_row_group_column_bloom_filter(group, leaf).await?;
    Ok(filter.is_none_or(|filter| filter.check(value)))
}

fn rows(batches: &[RecordBatch]) -> Result<Vec<Value>, String> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
    for batch in batches {
        writer.write(batch).map_err(|error| error.to_string())?;
    }
    writer.finish().map_err(|error| error.to_string())?;
    let written = writer.into_inner();
    if written.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&written).map_err(|error| error.to_string())
}
