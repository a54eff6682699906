//! Reading and writing rows: a file without those that are loaded already, and several files as one.

use std::sync::Arc;

use deltalake_core::arrow::array::{Int64Array, RecordBatch, Scalar, new_null_array};
use deltalake_core::arrow::compute::{cast, filter_record_batch, kernels::cmp};
use deltalake_core::arrow::datatypes::{DataType, SchemaRef};
use deltalake_core::arrow::error::ArrowError;
use deltalake_core::parquet::arrow::async_reader::ParquetRecordBatchStreamBuilder;
use deltalake_core::parquet::arrow::async_writer::AsyncArrowWriter;
use deltalake_core::parquet::basic::{Compression, ZstdLevel};
use deltalake_core::parquet::file::properties::WriterProperties;
use deltalake_core::parquet::schema::types::ColumnPath;
use futures_util::TryStreamExt as _;
use lake::parquet::{PAGE_BYTES, ROW_GROUP_BYTES, ROW_GROUP_ROWS, WRITTEN_BY};
use object_store::buffered::BufWriter;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::footer::{FileError, Footer};
use crate::reader::FileReader;

/// Columns that single rows are looked for by.
const LOOKED_FOR: [&str; 3] = [lake::columns::ID, lake::columns::EVENT_ID, lake::columns::DELIVERY_ID];

/// A file that is read.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    pub(crate) path: Path,
    pub(crate) bytes: u64,
}

/// A file that was written.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) footer: Footer,
    pub(crate) bytes: u64,
}

/// Writes the rows of the inputs as one file, in their order, with these columns: what an input lacks is null. With
/// `from`, the rows whose value in that column is smaller are left out.
pub(crate) async fn write(
    store: &Arc<dyn ObjectStore>,
    inputs: &[Input],
    columns: &SchemaRef,
    to: &Path,
    from: Option<(&str, i64)>,
) -> Result<Output, FileError> {
    let failed = |error| FileError::parquet(to, error);
    let writer = BufWriter::new(Arc::clone(store), to.clone());
    let mut writer =
        AsyncArrowWriter::try_new(writer, Arc::clone(columns), Some(properties(columns))).map_err(failed)?;
    for input in inputs {
        let reader = FileReader::new(store, &input.path, input.bytes);
        let unreadable = |error| FileError::parquet(&input.path, error);
        let builder = ParquetRecordBatchStreamBuilder::new(reader).await.map_err(unreadable)?;
        let mut batches = builder.build().map_err(unreadable)?;
        while let Some(batch) = batches.try_next().await.map_err(unreadable)? {
            let batch = kept(batch, from)
                .and_then(|batch| with_columns(&batch, columns))
                .map_err(|error| FileError::unusable(&input.path, error.to_string()))?;
            if batch.num_rows() > 0 {
                writer.write(&batch).await.map_err(failed)?;
            }
        }
    }
    let metadata = writer.close().await.map_err(failed)?;
    let footer = Footer::written(to, metadata)?;
    let bytes = store.head(to).await.map_err(|error| FileError::store(to, error))?.size;
    Ok(Output { footer, bytes })
}

fn properties(columns: &SchemaRef) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(PAGE_BYTES)
        .set_created_by(WRITTEN_BY.to_owned());
    for name in LOOKED_FOR {
        if columns.field_with_name(name).is_ok() {
            properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(name), true);
        }
    }
    properties.build()
}

fn kept(batch: RecordBatch, from: Option<(&str, i64)>) -> Result<RecordBatch, ArrowError> {
    let Some((column, from)) = from else { return Ok(batch) };
    let offsets =
        batch.column_by_name(column).ok_or_else(|| ArrowError::SchemaError(format!("it has no column {column}")))?;
    let offsets = cast(offsets, &DataType::Int64)?;
    let keep = cmp::gt_eq(&offsets, &Scalar::new(Int64Array::from(vec![from])))?;
    filter_record_batch(&batch, &keep)
}

fn with_columns(batch: &RecordBatch, columns: &SchemaRef) -> Result<RecordBatch, ArrowError> {
    let arrays = columns.fields().iter().map(|field| match batch.column_by_name(field.name()) {
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
        Some(array) if array.data_type() == field.data_type() => Ok(Arc::clone(array)),
        Some(array) => cast(array, field.data_type()),
    });
    RecordBatch::try_new(Arc::clone(columns), arrays.collect::<Result<_, _>>()?)
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
