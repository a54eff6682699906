//! Reading and writing rows: a file without those that are loaded already, and several files as one.
//!
//! Row groups of the inputs are put together to larger ones, and each of these is written column by column: in memory is what the
//! inputs of one row group take in their files, and one column of it.

use std::sync::Arc;

use deltalake_core::arrow::datatypes::SchemaRef;
use deltalake_core::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use deltalake_core::parquet::arrow::async_reader::AsyncFileReader as _;
use deltalake_core::parquet::basic::{Compression, ZstdLevel};
use deltalake_core::parquet::file::metadata::{ParquetMetaData, RowGroupMetaData};
use deltalake_core::parquet::file::properties::WriterProperties;
use deltalake_core::parquet::schema::types::ColumnPath;
use lake::parquet::{PAGE_BYTES, ROW_GROUP_BYTES, ROW_GROUP_ROWS, WRITTEN_BY};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::footer::{FileError, Footer};
use crate::reader::FileReader;
use piece::Piece;

mod output;
mod piece;
mod upload;

#[cfg(test)]
mod output_tests;
#[cfg(test)]
mod refused_tests;

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
    let mut output = output::Output::begin(store, to, columns, properties(columns))?;
    let rows = match fill(&mut output, store, inputs, from).await {
        Ok(rows) => rows,
        Err(error) => {
            output.abort().await;
            return Err(error);
        }
    };
    let footer = Footer::written(to, output.close(rows).await?)?;
    let bytes = store.head(to).await.map_err(|error| FileError::not_stored(to, error))?.size;
    Ok(Output { footer, bytes })
}

/// Writes the rows of the inputs. How many there are, as the inputs say.
async fn fill(
    output: &mut output::Output,
    store: &Arc<dyn ObjectStore>,
    inputs: &[Input],
    from: Option<(&str, i64)>,
) -> Result<u64, FileError> {
    let (mut pieces, mut rows, mut bytes, mut all) = (Vec::new(), 0, 0, 0);
    for Input { path, bytes: size } in inputs {
        let failed = |error| FileError::parquet(path, error);
        let mut reader = FileReader::new(store, path, *size);
        let metadata = reader.get_metadata(None).await.map_err(failed)?;
        let metadata = ArrowReaderMetadata::try_new(metadata, ArrowReaderOptions::default()).map_err(failed)?;
        all += said(path, metadata.metadata())?;
        for (group, has) in metadata.metadata().row_groups().iter().enumerate() {
            // There is nothing to read of it, and some stores refuse to be asked for nothing.
            if has.num_rows() == 0 {
                continue;
            }
            let piece = Piece::read(&mut reader, path, &metadata, group, from).await?;
            let kept = piece.rows();
            all -= has.num_rows().unsigned_abs().saturating_sub(kept as u64);
            if kept == 0 {
                continue;
            }
            if !pieces.is_empty() && (rows + kept > ROW_GROUP_ROWS || bytes + piece.bytes() > ROW_GROUP_BYTES) {
                output.write(&pieces).await?;
                pieces.clear();
                (rows, bytes) = (0, 0);
            }
            (rows, bytes) = (rows + kept, bytes + piece.bytes());
            pieces.push(piece);
        }
    }
    if !pieces.is_empty() {
        output.write(&pieces).await?;
    }
    Ok(all)
}

/// How many rows a file has, of which the file and its row groups have to say the same.
fn said(path: &Path, metadata: &ParquetMetaData) -> Result<u64, FileError> {
    let all = metadata.file_metadata().num_rows();
    let mut groups = metadata.row_groups().iter().map(RowGroupMetaData::num_rows);
    let sum = groups.try_fold(0_i64, |sum, rows| sum.checked_add(rows).filter(|_| rows >= 0));
    match u64::try_from(all) {
        Ok(rows) if sum == Some(all) => Ok(rows),
        _ => Err(FileError::unusable(path, format!("it says that it has {all} rows, and its row groups do not"))),
    }
}

fn properties(columns: &SchemaRef) -> WriterProperties {
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_data_page_size_limit(PAGE_BYTES)
        .set_dictionary_page_size_limit(PAGE_BYTES)
        // The filters below are made for so many values: eight times as large otherwise, in memory too.
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by(WRITTEN_BY.to_owned());
    for name in LOOKED_FOR {
        if columns.field_with_name(name).is_ok() {
            properties = properties.set_column_bloom_filter_enabled(ColumnPath::from(name), true);
        }
    }
    properties.build()
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
