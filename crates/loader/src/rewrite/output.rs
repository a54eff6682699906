//! The file that is written: each row group column by column, and each column handed to the store before the next one begins. So
//! what is in memory is what one column takes, and not what seventy take.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use deltalake_core::arrow::array::new_empty_array;
use deltalake_core::arrow::datatypes::{Field, SchemaRef};
use deltalake_core::parquet::arrow::ArrowWriter;
use deltalake_core::parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use deltalake_core::parquet::errors::ParquetError;
use deltalake_core::parquet::file::metadata::ParquetMetaData;
use deltalake_core::parquet::file::properties::WriterProperties;
use deltalake_core::parquet::file::writer::SerializedFileWriter;
use object_store::ObjectStore;
use object_store::path::Path;
use tokio::task::yield_now;

use super::piece::Piece;
use super::upload::Upload;
use crate::footer::FileError;

/// What is handed on at once. It must be no larger than a part, or several of them are on their way at the same time.
const BLOCK: usize = 1 << 20;

/// What was written and the store does not have yet. Each block is free again once it was handed on.
#[derive(Debug, Clone, Default)]
struct Sink(Arc<Mutex<VecDeque<Vec<u8>>>>);

impl Sink {
    fn take(&self) -> Option<Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let mut blocks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = blocks.back().map_or(0, |block| BLOCK.saturating_sub(block.len()));
        match blocks.back_mut().filter(|_| room > 0) {
            Some(block) => {
                let bytes = bytes.get(..room).unwrap_or(bytes);
                block.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            None => {
                let bytes = bytes.get(..BLOCK).unwrap_or(bytes);
                blocks.push_back(bytes.to_vec());
                Ok(bytes.len())
            }
        }
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
    store: Upload,
}

impl Output {
    pub(super) fn begin(
        store: &Arc<dyn ObjectStore>,
        to: &Path,
        columns: &SchemaRef,
        properties: WriterProperties,
    ) -> Result<Self, FileError> {
        let sink = Sink::default();
        let writer = ArrowWriter::try_new(sink.clone(), Arc::clone(columns), Some(properties));
        let (file, factory) = writer
            .and_then(ArrowWriter::into_serialized_writer)
            .map_err(|error| FileError::unwritable(to, error.to_string()))?;
        let store = Upload::begin(store, to);
        Ok(Self { to: to.clone(), columns: Arc::clone(columns), file, factory, sink, store })
    }

    /// These rows become a row group.
    pub(super) async fn write(&mut self, pieces: &[Piece]) -> Result<(), FileError> {
        let Self { to, columns, file, factory, sink, store } = self;
        let failed = |error: ParquetError| FileError::unwritable(to, error.to_string());
        let writers = factory.create_column_writers(file.flushed_row_groups().len()).map_err(failed)?;
        let mut writers = writers.into_iter();
        let mut group = file.next_row_group().map_err(failed)?;
        for field in columns.fields() {
            let failed = |error| of_column(to, field, &error);
            // One for each column of the file that it has within.
            let leaves = compute_leaves(field, &new_empty_array(field.data_type())).map_err(failed)?.len();
            let mut own: Vec<_> = writers.by_ref().take(leaves).collect();
            for piece in pieces {
                piece.each(field, |array| {
                    let leaves = compute_leaves(field, array).map_err(failed)?;
                    let mut written = own.iter_mut().zip(&leaves);
                    written.try_for_each(|(writer, leaf)| writer.write(leaf)).map_err(failed)
                })?;
                yield_now().await;
            }
            for writer in own {
                writer.close().and_then(|chunk| chunk.append_to_row_group(&mut group)).map_err(failed)?;
            }
            hand_on(to, sink, store).await?;
        }
        group.close().map_err(failed)?;
        hand_on(to, sink, store).await
    }

    /// The file is there when this has returned, with so many rows. Where it fails, the store keeps nothing of it.
    pub(super) async fn close(mut self, rows: u64) -> Result<ParquetMetaData, FileError> {
        let finished = self.finish(rows).await;
        if finished.is_err() {
            self.abort().await;
        }
        finished
    }

    async fn finish(&mut self, rows: u64) -> Result<ParquetMetaData, FileError> {
        let Self { to, file, sink, store, .. } = self;
        let written: i64 = file.flushed_row_groups().iter().map(|group| group.num_rows()).sum();
        if u64::try_from(written) != Ok(rows) {
            let problem = format!("it would have {written} rows, and what goes into it has {rows}");
            return Err(FileError::unwritable(to, problem));
        }
        let metadata = file.finish().map_err(|error| FileError::unwritable(to, error.to_string()))?;
        hand_on(to, sink, store).await?;
        store.finish().await.map_err(|error| FileError::not_stored(to, error))?;
        Ok(metadata)
    }

    /// Takes back what the store has of it.
    pub(super) async fn abort(&mut self) {
        if let Err(error) = self.store.abort().await {
            tracing::debug!(%error, path = %self.to, "the store keeps parts of a file that was given up");
        }
    }
}

fn of_column(to: &Path, field: &Field, error: &ParquetError) -> FileError {
    FileError::unwritable(to, format!("column {}: {error}", field.name()))
}

/// Hands the store what was written, and waits while a part of it is on its way.
async fn hand_on(to: &Path, sink: &Sink, store: &mut Upload) -> Result<(), FileError> {
    while let Some(block) = sink.take() {
        store.write(block.into()).await.map_err(|error| FileError::not_stored(to, error))?;
        // What is handed on without waiting does not keep others from their turn.
        yield_now().await;
    }
    Ok(())
}
