//! Finds single rows: reads of each file only what may have them.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use deltalake_core::arrow::array::{AsArray as _, BooleanArray, RecordBatch};
use deltalake_core::arrow::compute::cast;
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
use crate::instants::in_utc;
use crate::reader::FileReader;
use crate::rewrite::Input;
use crate::table::{Error, Table, TableFile};

/// Files that are read at once.
const READS: usize = 8;
/// More rows than this are not what anybody looks for who names fewer values.
const MOST: usize = 1000;

/// The rows whose column of text has one of these values, the youngest days first, as JSON objects; at most 1000, or twice
/// as many as there are values. With `received`, microseconds since 1970, only rows that were accepted then are certain to be
/// found. The table is opened once, and only what may have one of the values is read.
///
/// # Errors
/// When there is no such table, or it cannot be read.
pub async fn find(
    lake: &LakeSettings,
    table: &str,
    column: &str,
    values: &[String],
    received: Option<&Range<i64>>,
) -> anyhow::Result<Vec<Value>> {
    let lake = Lake::open(lake)?;
    Ok(of(&lake, table, column, values, received).await?)
}

async fn of(
    lake: &Lake,
    name: &str,
    column: &str,
    values: &[String],
    received: Option<&Range<i64>>,
) -> Result<Vec<Value>, Error> {
    let most = MOST.max(values.len() * 2);
    let table = Table::open(lake, name).await?;
    let files = match received {
        Some(received) => table.files_of(received).await?,
        None => table.files().await?,
    };
    let input = |file: &TableFile| Input { path: table.path_of(&file.path), bytes: file.bytes };
    let mut files: Vec<_> = files.iter().map(|file| (file.day().to_owned(), input(file))).collect();
    files.sort_by(|(a, _), (b, _)| b.cmp(a));
    let store = lake.store();
    let mut found = Vec::new();
    let mut reads = stream::iter(files)
        .map(|(day, file)| {
            let store = Arc::clone(&store);
            async move { in_file(&store, &file, column, values).await.map(|rows| (day, rows)) }
        })
        .buffered(READS);
    while found.len() < most {
        let Some(read) = reads.next().await else { break };
        let (day, rows) = read.map_err(|error| Error::File { table: name.to_owned(), error })?;
        found.extend(rows.into_iter().map(|mut row| {
            if let Value::Object(row) = &mut row {
                row.insert(lake::columns::DAY.to_owned(), Value::String(day.clone()));
            }
            row
        }));
    }
    found.truncate(most);
    Ok(found)
}

async fn in_file(
    store: &Arc<dyn ObjectStore>,
    file: &Input,
    column: &str,
    values: &[String],
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
        if may_have(&mut builder, group, leaf, values).await.map_err(failed)? {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        return Ok(Vec::new());
    }
    let wanted: HashSet<String> = values.iter().cloned().collect();
    let predicate =
        ArrowPredicateFn::new(ProjectionMask::leaves(&columns, [leaf]), move |batch| is_one_of(&batch, &wanted));
    let filter = RowFilter::new(vec![Box::new(predicate)]);
    let batches = builder.with_row_groups(groups).with_row_filter(filter).build().map_err(failed)?;
    let batches: Vec<RecordBatch> = batches.try_collect().await.map_err(failed)?;
    rows(&batches).map_err(|problem| FileError::unusable(&file.path, problem))
}

fn is_one_of(batch: &RecordBatch, wanted: &HashSet<String>) -> Result<BooleanArray, ArrowError> {
    let texts = cast(batch.column(0), &DataType::Utf8)?;
    let texts = texts.as_string::<i32>();
    Ok(texts.iter().map(|text| Some(text.is_some_and(|text| wanted.contains(text)))).collect())
}

/// Whether a row group may have one of the values, by its smallest and largest and by its Bloom filter.
async fn may_have(
    builder: &mut ParquetRecordBatchStreamBuilder<FileReader>,
    group: usize,
    leaf: usize,
    values: &[String],
) -> Result<bool, deltalake_core::parquet::errors::ParquetError> {
    let statistics = builder.metadata().row_group(group).column(leaf).statistics();
    // A largest value that was cut is still one that no value exceeds.
    let within = |value: &&String| match statistics {
        Some(Statistics::ByteArray(all)) => match (all.min_opt(), all.max_opt()) {
            (Some(min), Some(max)) => (min.data()..=max.data()).contains(&value.as_bytes()),
            _ => true,
        },
        _ => true,
    };
    let possible: Vec<_> = values.iter().filter(within).collect();
    if possible.is_empty() {
        return Ok(false);
    }
    let filter = builder.get_row_group_column_bloom_filter(group, leaf).await?;
    Ok(filter.is_none_or(|filter| possible.into_iter().any(|value| filter.check(value.as_str()))))
}

fn rows(batches: &[RecordBatch]) -> Result<Vec<Value>, String> {
    let mut writer = WriterBuilder::new().with_explicit_nulls(true).build::<_, JsonArray>(Vec::new());
    for batch in batches {
        let batch = in_utc(batch).map_err(|error| error.to_string())?;
        writer.write(&batch).map_err(|error| error.to_string())?;
    }
    writer.finish().map_err(|error| error.to_string())?;
    let written = writer.into_inner();
    if written.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_slice(&written).map_err(|error| error.to_string())
}
