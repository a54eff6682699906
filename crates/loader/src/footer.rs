//! What a Parquet file says of itself at its end: rows, columns, statistics.

use std::sync::Arc;

use deltalake_core::arrow::datatypes::SchemaRef;
use deltalake_core::parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use deltalake_core::parquet::arrow::parquet_to_arrow_schema;
use deltalake_core::parquet::errors::ParquetError;
use deltalake_core::parquet::file::metadata::ParquetMetaData;
use deltalake_core::parquet::file::statistics::Statistics;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::reader::FileReader;

mod statistics;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there.
    #[error("file {0} does not exist")]
    Missing(Path),
    /// It is not what it should be.
    #[error("file {path} cannot be used: {problem}")]
    Unusable {
        /// Which file.
        path: Path,
        /// What is wrong.
        problem: String,
    },
    /// It is being written, and what goes in does not become a file.
    #[error("file {path} cannot be written: {problem}")]
    Unwritable {
        /// Which file.
        path: Path,
        /// What is wrong.
        problem: String,
    },
    /// The store does not answer: try again.
    #[error("{doing} file {path}: {error}")]
    Store {
        /// `reading` or `writing`.
        doing: &'static str,
        /// Which file.
        path: Path,
        /// As the store told it.
        #[source]
        error: Arc<object_store::Error>,
    },
}

impl FileError {
    pub(crate) fn unusable(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unusable { path: path.clone(), problem: problem.into() }
    }

    pub(crate) fn unwritable(path: &Path, problem: impl Into<String>) -> Self {
        Self::Unwritable { path: path.clone(), problem: problem.into() }
    }

    pub(crate) fn store(path: &Path, error: object_store::Error) -> Self {
        match error {
            object_store::Error::NotFound { .. } => Self::Missing(path.clone()),
            error => Self::Store { doing: "reading", path: path.clone(), error: error.into() },
        }
    }

    /// A failure of the store under the Parquet library is one of the store, not of the file.
    pub(crate) fn parquet(path: &Path, error: ParquetError) -> Self {
        match error {
            ParquetError::External(source) => match source.downcast::<object_store::Error>() {
                Ok(error) => Self::store(path, *error),
                Err(source) => Self::unusable(path, source.to_string()),
            },
            error => Self::unusable(path, error.to_string()),
        }
    }

    /// The store did not take what was written, or does not have it: that is no fault of a file that is read.
    pub(crate) fn not_stored(path: &Path, error: object_store::Error) -> Self {
        Self::Store { doing: "writing", path: path.clone(), error: error.into() }
    }
}

/// The end of a file.
#[derive(Debug, Clone)]
pub(crate) struct Footer {
    pub(crate) metadata: Arc<ParquetMetaData>,
    pub(crate) schema: SchemaRef,
}

/// Smallest and largest value of a column of whole numbers, and its nulls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) min: i64,
    pub(crate) max: i64,
    pub(crate) nulls: u64,
}

impl Footer {
    /// Reads the end of a file that must have this size.
    pub(crate) async fn read(store: &Arc<dyn ObjectStore>, path: &Path, bytes: u64) -> Result<Self, FileError> {
        let there = store.head(path).await.map_err(|error| FileError::store(path, error))?.size;
        if there != bytes {
            return Err(FileError::unusable(path, format!("it has {there} bytes and should have {bytes}")));
        }
        let mut reader = FileReader::new(store, path, bytes);
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let read = ArrowReaderMetadata::load_async(&mut reader, options).await;
        let read = read.map_err(|error| FileError::parquet(path, error))?;
        Ok(Self { metadata: Arc::clone(read.metadata()), schema: Arc::clone(read.schema()) })
    }

    /// The end of a file that was just written.
    pub(crate) fn written(path: &Path, metadata: ParquetMetaData) -> Result<Self, FileError> {
        let schema = parquet_to_arrow_schema(metadata.file_metadata().schema_descr(), None);
        let schema = schema.map_err(|error| FileError::parquet(path, error))?;
        Ok(Self { metadata: metadata.into(), schema: schema.into() })
    }

    pub(crate) fn rows(&self) -> u64 {
        u64::try_from(self.metadata.file_metadata().num_rows()).unwrap_or(0)
    }

    /// The column that stands at the top level under this name.
    pub(crate) fn leaf(&self, name: &str) -> Option<usize> {
        let columns = self.metadata.file_metadata().schema_descr();
        (0..columns.num_columns()).find(|n| *columns.column(*n).path().parts() == [name.to_owned()])
    }

    /// Of a column of whole numbers; none where the file does not tell it of every row group.
    pub(crate) fn bounds(&self, name: &str) -> Option<Bounds> {
        let leaf = self.leaf(name)?;
        let mut all: Option<Bounds> = None;
        let mut only_nulls = 0_u64;
        for group in self.metadata.row_groups() {
            let statistics = group.column(leaf).statistics()?;
            let nulls = statistics.null_count_opt()?;
            let values = match statistics {
                Statistics::Int32(values) => {
                    values.min_opt().zip(values.max_opt()).map(|(a, b)| ((*a).into(), (*b).into()))
                }
                Statistics::Int64(values) => values.min_opt().zip(values.max_opt()).map(|(a, b)| (*a, *b)),
                _ => return None,
            };
            let Some((min, max)) = values else {
                if i64::try_from(nulls).is_ok_and(|nulls| nulls == group.num_rows()) {
                    only_nulls = nulls.saturating_add(only_nulls);
                    continue;
                }
                return None;
            };
            all = Some(match all {
                None => Bounds { min, max, nulls },
                Some(all) => {
                    Bounds { min: all.min.min(min), max: all.max.max(max), nulls: all.nulls.saturating_add(nulls) }
                }
            });
        }
        all.map(|all| Bounds { nulls: all.nulls.saturating_add(only_nulls), ..all })
    }
}
