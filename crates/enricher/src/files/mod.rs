//! Rows into Parquet files, one for each day of a range.
//!
//! * [`rows`]: the columns
//! * [`day`]: which day a row belongs to
//! * [`DayFile`]: a file that grows in memory

pub mod day;
pub mod rows;

use std::sync::Arc;

use bytes::Bytes;
use lake::parquet::{PAGE_BYTES, ROW_GROUP_BYTES, ROW_GROUP_ROWS, WRITTEN_BY};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use rows::Row;

/// A Parquet file that grows in memory, rows in the order of their offsets.
pub struct DayFile {
    writer: ArrowWriter<Vec<u8>>,
    rows: u64,
    first: i64,
    last: i64,
}

impl std::fmt::Debug for DayFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DayFile").field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// A whole file.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its rows, at least one.
    pub rows: u64,
    /// The offset of the first row.
    pub first: i64,
    /// The offset of the last row.
    pub last: i64,
}

impl DayFile {
    /// An empty one.
    pub fn new() -> Result<Self, ParquetError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(3)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
            .set_data_page_size_limit(PAGE_BYTES)
            .set_dictionary_page_size_limit(PAGE_BYTES)
            .set_created_by(WRITTEN_BY.to_owned())
            .build();
        let writer = ArrowWriter::try_new(Vec::new(), Arc::clone(&rows::SCHEMA), Some(properties))?;
        Ok(Self { writer, rows: 0, first: i64::MAX, last: i64::MIN })
    }

    /// Takes in rows, which must not be empty.
    pub fn append(&mut self, rows: &[Row]) -> Result<(), ParquetError> {
        self.writer.write(&rows::batch(rows)?)?;
        self.rows += rows.len() as u64;
        for row in rows {
            self.first = self.first.min(row.at.offset);
            self.last = self.last.max(row.at.offset);
        }
        Ok(())
    }

    /// How large the file would be now, about.
    pub fn estimated_bytes(&self) -> usize {
        self.writer.bytes_written() + self.writer.in_progress_size()
    }

    /// What it takes in memory.
    pub fn memory(&self) -> usize {
        self.writer.inner().capacity() + self.writer.memory_size()
    }

    /// Writes its end.
    pub fn finish(self) -> Result<Finished, ParquetError> {
        let Self { writer, rows, first, last } = self;
        Ok(Finished { bytes: writer.into_inner()?.into(), rows, first, last })
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
