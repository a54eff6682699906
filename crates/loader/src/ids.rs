//! The ids of a table's rows, of the time they were accepted in: reads two columns of each file, and skips files and row
//! groups in which there can be none.

use std::sync::Arc;

use deltalake_core::arrow::array::{Array as _, RecordBatch, StringArray, TimestampMicrosecondArray};
use deltalake_core::arrow::compute::cast;
use deltalake_core::arrow::datatypes::DataType;
use deltalake_core::parquet::arrow::ProjectionMask;
use deltalake_core::parquet::arrow::async_reader::{ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder};
use deltalake_core::parquet::errors::ParquetError;
use deltalake_core::parquet::file::statistics::Statistics;
use futures_util::TryStreamExt as _;
use lake::{Lake, LakeSettings, columns};
use object_store::ObjectStore;

use crate::footer::FileError;
use crate::instants::in_utc;
use crate::reader::FileReader;
use crate::rewrite::Input;
use crate::table::{Error, Table};

/// The ids of rows, as they stand in the files: one file after the other, in parts that fit into memory.
#[derive(Debug)]
pub struct Ids {
    name: String,
    store: Arc<dyn ObjectStore>,
    files: std::vec::IntoIter<Input>,
    received: (i64, i64),
    open: Option<(Input, ParquetRecordBatchStream<FileReader>)>,
}

impl Ids {
    /// The ids of the rows that were accepted at `received`, microseconds since 1970, half open. A row that does not say
    /// when it was is left out.
    ///
    /// # Errors
    /// When there is no such table, or it cannot be read.
    pub async fn of(lake: &LakeSettings, name: &str, received: (i64, i64)) -> anyhow::Result<Self> {
        let lake = Lake::open(lake)?;
        let table = Table::open(&lake, name).await?;
        let files = table.files_of(&(received.0..received.1)).await?.into_iter();
        let files = files.map(|file| Input { path: table.path_of(&file.path), bytes: file.bytes }).collect::<Vec<_>>();
        Ok(Self { name: name.to_owned(), store: lake.store(), files: files.into_iter(), received, open: None })
    }

    /// Some more of them; none: that were all.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub async fn next(&mut self) -> anyhow::Result<Option<Vec<String>>> {
        Ok(self.some().await.map_err(|error| Error::File { table: self.name.clone(), error })?)
    }

    async fn some(&mut self) -> Result<Option<Vec<String>>, FileError> {
        loop {
            if let Some((file, batches)) = &mut self.open {
                let batch = batches.try_next().await.map_err(|error| FileError::parquet(&file.path, error))?;
                if let Some(batch) = batch {
                    let ids = ids(&batch, self.received).map_err(|problem| FileError::unusable(&file.path, problem))?;
                    return Ok(Some(ids));
                }
                self.open = None;
            }
            let Some(file) = self.files.next() else { return Ok(None) };
            let batches = open(&self.store, &file, self.received).await;
            let batches = batches.map_err(|error| FileError::parquet(&file.path, error))?;
            self.open = Some((file, batches));
        }
    }
}

async fn open(
    store: &Arc<dyn ObjectStore>,
    file: &Input,
    received: (i64, i64),
) -> Result<ParquetRecordBatchStream<FileReader>, ParquetError> {
    let builder = ParquetRecordBatchStreamBuilder::new(FileReader::new(store, &file.path, file.bytes)).await?;
    let described = builder.metadata().file_metadata().schema_descr_ptr();
    let leaf =
        |name: &str| (0..described.num_columns()).find(|n| *described.column(*n).path().parts() == [name.to_owned()]);
    let at = leaf(columns::RECEIVED_AT);
    let groups = builder.metadata().row_groups().iter().enumerate();
    let groups = groups.filter(|(_, group)| at.is_none_or(|at| may_have(group.column(at).statistics(), received)));
    let groups: Vec<usize> = groups.map(|(n, _)| n).collect();
    let mask = ProjectionMask::leaves(&described, leaf(columns::ID).into_iter().chain(at));
    builder.with_row_groups(groups).with_projection(mask).build()
}

/// Whether a row group may have a row of the time.
fn may_have(statistics: Option<&Statistics>, (from, until): (i64, i64)) -> bool {
    match statistics {
        Some(Statistics::Int64(values)) => match (values.min_opt(), values.max_opt()) {
            (Some(min), Some(max)) => *min < until && *max >= from,
            _ => true,
        },
        _ => true,
    }
}

fn ids(batch: &RecordBatch, (from, until): (i64, i64)) -> Result<Vec<String>, String> {
    let batch = in_utc(batch).map_err(|error| error.to_string())?;
    let missing = |name: &str| format!("it has no column {name}");
    let ids = batch.column_by_name(columns::ID).ok_or_else(|| missing(columns::ID))?;
    let ids = cast(ids, &DataType::Utf8).map_err(|error| error.to_string())?;
    let ids = ids.as_any().downcast_ref::<StringArray>().ok_or_else(|| missing(columns::ID))?;
    let received = batch.column_by_name(columns::RECEIVED_AT);
    let received = received.and_then(|array| array.as_any().downcast_ref::<TimestampMicrosecondArray>());
    let received = received.ok_or_else(|| missing(columns::RECEIVED_AT))?;
    let meant = |row: &usize| received.is_valid(*row) && (from..until).contains(&received.value(*row));
    Ok((0..batch.num_rows()).filter(meant).map(|row| ids.value(row).to_owned()).collect())
}

#[cfg(test)]
#[path = "ids_tests.rs"]
mod tests;
