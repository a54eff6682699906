//! The file that is written: each row group column by column, and each column handed to the store before the next one begins. So
//! what is in memory is what one column takes, and not what seventy take.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use deltalake_core::arrow::array::new_empty_array;
use deltalake_core::arrow::datatypes::SchemaRef;
use deltalake_core::parquet::arrow::ArrowWriter;
use deltalake_core::parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use deltalake_core::parquet::errors::{ParquetError, Result};
use deltalake_core::parquet::file::metadata::ParquetMetaData;
use deltalake_core::parquet::file::properties::WriterProperties;
use deltalake_core::parquet::file::writer::SerializedFileWriter;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt as _;

use super::piece::Piece;
use crate::footer::FileError;

/// What the store gets at once of a file that is larger. An object store takes no part below 5 MiB.
const PART: usize = 6 << 20;

/// What was written and the store does not have yet.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A file that is being written.
pub(super) struct Output {
    to: Path,
    columns: SchemaRef,
    file: SerializedFileWriter<Sink>,
    factory: ArrowRowGroupWriterFactory,
    sink: Sink,
    store: BufWriter,
}

impl Output {
    pub(super) fn begin(
        store: &Arc<dyn ObjectStore>,
        to: &Path,
        columns: &SchemaRef,
        properties: WriterProperties,
    ) -> std::result::Result<Self, FileError> {
        let sink = Sink::default();
        let writer = ArrowWriter::try_new(sink.clone(), Arc::clone(columns), Some(properties));
        let (file, factory) =
            writer.and_then(ArrowWriter::into_serialized_writer).map_err(|error| FileError::parquet(to, error))?;
        let store = BufWriter::with_capacity(Arc::clone(store), to.clone(), PART).with_max_concurrency(1);
        Ok(Self { to: to.clone(), columns: Arc::clone(columns), file, factory, sink, store })
    }

    /// These rows become a row group.
    pub(super) async fn write(&mut self, pieces: &[Piece]) -> std::result::Result<(), FileError> {
        let Self { to, columns, file, factory, sink, store } = self;
        let failed = |error| FileError::parquet(to, error);
        let writers = factory.create_column_writers(file.flushed_row_groups().len()).map_err(failed)?;
        let mut writers = writers.into_iter();
        let mut group = file.next_row_group().map_err(failed)?;
        for field in columns.fields() {
            // One for each column of the file that it has within.
            let leaves = compute_leaves(field, &new_empty_array(field.data_type())).map_err(failed)?.len();
            let mut own: Vec<_> = writers.by_ref().take(leaves).collect();
            for piece in pieces {
                piece.each(field, |array| {
                    let leaves = compute_leaves(field, array)?;
                    own.iter_mut().zip(&leaves).try_for_each(|(writer, leaf)| writer.write(leaf))
                })?;
            }
            for writer in own {
                writer.close().and_then(|chunk| chunk.append_to_row_group(&mut group)).map_err(failed)?;
            }
            hand_on(sink, store).await.map_err(failed)?;
        }
        group.close().map_err(failed)?;
        hand_on(sink, store).await.map_err(failed)
    }

    /// The file is there when this has returned.
    pub(super) async fn close(self) -> std::result::Result<ParquetMetaData, FileError> {
        let Self { to, file, sink, mut store, .. } = self;
        let failed = |error| FileError::parquet(&to, error);
        let metadata = file.close().map_err(failed)?;
        hand_on(&sink, &mut store).await.map_err(failed)?;
        store.shutdown().await.map_err(|error| failed(ParquetError::External(Box::new(error))))?;
        Ok(metadata)
    }
}

async fn hand_on(sink: &Sink, store: &mut BufWriter) -> Result<()> {
    let bytes = sink.take();
    store.write_all(&bytes).await.map_err(|error| ParquetError::External(Box::new(error)))
}
