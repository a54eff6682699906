//! A file in the lake, as the Parquet library reads it.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use deltalake_core::parquet::arrow::arrow_reader::ArrowReaderOptions;
use deltalake_core::parquet::arrow::async_reader::AsyncFileReader;
use deltalake_core::parquet::errors::{ParquetError, Result};
use deltalake_core::parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

/// Read at once from the end of a file: holds the footer of all but very wide files.
const HINT: usize = 64 * 1024;

/// Reads parts of one file.
#[derive(Debug, Clone)]
pub(crate) struct FileReader {
    store: Arc<dyn ObjectStore>,
    path: Path,
    bytes: u64,
}

impl FileReader {
    pub(crate) fn new(store: &Arc<dyn ObjectStore>, path: &Path, bytes: u64) -> Self {
        Self { store: Arc::clone(store), path: path.clone(), bytes }
    }
}

fn failed(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

impl AsyncFileReader for FileReader {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        async move { self.store.get_range(&self.path, range).await.map_err(failed) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, Result<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(failed) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        options: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, Result<Arc<ParquetMetaData>>> {
        async move {
            let bytes = self.bytes;
            let reader = ParquetMetaDataReader::new().with_arrow_reader_options(options).with_prefetch_hint(Some(HINT));
            let metadata = reader.load_and_finish(self, bytes).await?;
            is_within(&metadata, bytes)?;
            Ok(Arc::new(metadata))
        }
        .boxed()
    }
}

/// Whether the columns of a file lie where it says, which is within it. The library believes it, or panics; and a store that is
/// asked for what lies behind a file says so as if it could not answer.
fn is_within(metadata: &ParquetMetaData, bytes: u64) -> Result<()> {
    for (n, group) in metadata.row_groups().iter().enumerate() {
        for column in group.columns() {
            let (start, length) = (column.data_page_offset(), column.compressed_size());
            let first = column.dictionary_page_offset().unwrap_or(start);
            let range = u64::try_from(first).ok().zip(u64::try_from(length).ok());
            let end = range.and_then(|(first, length)| first.checked_add(length));
            if start < 0 || end.is_none_or(|end| end > bytes) {
                return Err(ParquetError::General(format!(
                    "it says that column {} of row group {n} has {length} bytes from byte {first} on, and the file has {bytes}",
                    column.column_path().string()
                )));
            }
        }
    }
    Ok(())
}
