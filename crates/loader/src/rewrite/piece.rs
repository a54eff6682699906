//! A row group of an input, read as one range of its file, whose columns are decoded one at a time.

use std::io::Read;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use deltalake_core::arrow::array::{Array as _, ArrayRef, BooleanArray, Int64Array, Scalar, new_null_array};
use deltalake_core::arrow::compute::{CastOptions, cast, cast_with_options, kernels::cmp, prep_null_mask_filter};
use deltalake_core::arrow::datatypes::{DataType, Field};
use deltalake_core::arrow::util::display::FormatOptions;
use deltalake_core::parquet;
use deltalake_core::parquet::arrow::ProjectionMask;
use deltalake_core::parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder, RowSelection,
};
use deltalake_core::parquet::arrow::async_reader::AsyncFileReader as _;
use deltalake_core::parquet::errors::ParquetError;
use deltalake_core::parquet::file::metadata::RowGroupMetaData;
use deltalake_core::parquet::file::reader::{ChunkReader, Length};
use object_store::path::Path;

use crate::footer::FileError;
use crate::reader::FileReader;

/// Rows that are decoded at once.
const BATCH: usize = 1024;
/// A value that its column cannot have is refused, and does not become null.
const STRICT: CastOptions<'static> = CastOptions { safe: false, format_options: FormatOptions::new() };

/// A row group of an input.
#[derive(Debug)]
pub(super) struct Piece {
    path: Path,
    metadata: ArrowReaderMetadata,
    group: usize,
    span: Span,
    /// The rows that are kept; none: all.
    keep: Option<RowSelection>,
}

/// A part of a file, which is in memory.
#[derive(Debug, Clone)]
struct Span {
    start: u64,
    bytes: Bytes,
    file: u64,
}

impl Length for Span {
    fn len(&self) -> u64 {
        self.file
    }
}

impl Span {
    fn from(&self, at: u64) -> parquet::errors::Result<Bytes> {
        let skip = at.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        let skip = skip.filter(|skip| *skip <= self.bytes.len());
        skip.map(|skip| self.bytes.slice(skip..))
            .ok_or_else(|| ParquetError::EOF(format!("byte {at} is outside of it")))
    }
}

impl ChunkReader for Span {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        Ok(Box::new(self.from(start)?.reader()))
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let bytes = self.from(start)?;
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!("it ends before byte {}", start + length as u64)));
        }
        Ok(bytes.slice(..length))
    }
}

/// Where a row group begins and ends.
fn range(group: &RowGroupMetaData) -> std::ops::Range<u64> {
    let ranges = || group.columns().iter().map(|column| column.byte_range());
    let start = ranges().map(|(start, _)| start).min().unwrap_or_default();
    start..ranges().map(|(start, length)| start + length).max().unwrap_or(start)
}

impl Piece {
    /// Reads a row group. With `from`, rows whose value in that column is smaller are left out.
    pub(super) async fn read(
        reader: &mut FileReader,
        path: &Path,
        metadata: &ArrowReaderMetadata,
        group: usize,
        from: Option<(&str, i64)>,
    ) -> Result<Self, FileError> {
        let failed = |error| FileError::parquet(path, error);
        let range = range(metadata.metadata().row_group(group));
        let (start, file) = (range.start, range.end);
        let bytes = reader.get_bytes(range).await.map_err(failed)?;
        let span = Span { start, bytes, file };
        let mut piece = Self { path: path.clone(), metadata: metadata.clone(), group, span, keep: None };
        if let Some((column, from)) = from {
            piece.keep = Some(piece.kept(column, from)?);
        }
        Ok(piece)
    }

    /// The rows that are kept.
    pub(super) fn rows(&self) -> usize {
        self.keep.as_ref().map_or(self.all(), RowSelection::row_count)
    }

    /// The rows that it says to have.
    fn all(&self) -> usize {
        usize::try_from(self.metadata.metadata().row_group(self.group).num_rows()).unwrap_or(0)
    }

    /// What it takes in memory.
    pub(super) fn bytes(&self) -> usize {
        self.span.bytes.len()
    }

    fn kept(&self, column: &str, from: i64) -> Result<RowSelection, FileError> {
        let failed = |problem: &dyn std::fmt::Display| self.unusable(column, problem);
        let batches = self.column(column).map_err(|error| failed(&error))?;
        let batches = batches.ok_or_else(|| FileError::unusable(&self.path, format!("it has no column {column}")))?;
        let from = Scalar::new(Int64Array::from(vec![from]));
        let mut filters: Vec<BooleanArray> = Vec::new();
        for batch in batches {
            let keep = batch.and_then(|batch| cmp::gt_eq(&cast(batch.column(0), &DataType::Int64)?, &from));
            let keep = keep.map_err(|error| failed(&error))?;
            // An offset that is null is not known to be loaded, and not known to be new: it is left out, as it always was.
            filters.push(if keep.null_count() > 0 { prep_null_mask_filter(&keep) } else { keep });
        }
        self.expect(column, filters.iter().map(|filter| filter.len()).sum(), self.all())?;
        Ok(RowSelection::from_filters(&filters))
    }

    /// Gives the kept values of a column, in their order: null where the input lacks it.
    pub(super) fn each(
        &self,
        field: &Field,
        mut take: impl FnMut(&ArrayRef) -> Result<(), FileError>,
    ) -> Result<(), FileError> {
        let name = field.name();
        let failed = |problem: &dyn std::fmt::Display| self.unusable(name, problem);
        let Some(batches) = self.column(name).map_err(|error| failed(&error))? else {
            let mut left = self.rows();
            if left > 0 && !field.is_nullable() {
                return Err(FileError::unusable(&self.path, format!("it has no column {name}, which is NOT NULL")));
            }
            while left > 0 {
                let rows = left.min(BATCH);
                take(&new_null_array(field.data_type(), rows))?;
                left -= rows;
            }
            return Ok(());
        };
        let mut rows = 0;
        for batch in batches {
            let batch = batch.map_err(|error| failed(&error))?;
            let array = batch.column(0);
            let array = if array.data_type() == field.data_type() {
                Arc::clone(array)
            } else {
                cast_with_options(array, field.data_type(), &STRICT).map_err(|error| failed(&error))?
            };
            // The writer does not look: of a column that is NOT NULL it writes what stands where nothing is.
            if !field.is_nullable() && array.logical_null_count() > 0 {
                return Err(failed(&"it has nulls, and is NOT NULL"));
            }
            rows += array.len();
            take(&array)?;
        }
        self.expect(name, rows, self.rows())
    }

    /// What is read of a column alone shows nobody else that rows are missing.
    fn expect(&self, column: &str, read: usize, rows: usize) -> Result<(), FileError> {
        if read == rows {
            return Ok(());
        }
        Err(self.unusable(column, &format!("{read} rows were read of row group {}, which has {rows}", self.group)))
    }

    fn unusable(&self, column: &str, problem: &dyn std::fmt::Display) -> FileError {
        FileError::unusable(&self.path, format!("column {column}: {problem}"))
    }

    /// A column of the top level; none: there is no such.
    fn column(&self, name: &str) -> parquet::errors::Result<Option<ParquetRecordBatchReader>> {
        let Ok(root) = self.metadata.schema().index_of(name) else { return Ok(None) };
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), [root]);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(self.span.clone(), self.metadata.clone())
            .with_row_groups(vec![self.group])
            .with_projection(mask)
            .with_batch_size(BATCH);
        if let Some(keep) = &self.keep {
            builder = builder.with_row_selection(keep.clone());
        }
        builder.build().map(Some)
    }
}
