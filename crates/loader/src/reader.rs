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
            Ok(Arc::new(reader.load_and_finish(self, bytes).await?))
        }
        .boxed()
    }
}
