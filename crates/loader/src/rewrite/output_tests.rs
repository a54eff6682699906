//! What a store has to take at once, and what becomes of a file that it does not take.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use deltalake_core::arrow::array::{ArrayRef, BinaryArray, RecordBatch};
use deltalake_core::parquet::arrow::ArrowWriter;
use futures_util::FutureExt as _;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result, UploadPart,
};
use tokio::task::yield_now;

use super::tests::{put, rows};
use super::upload::PART;
use super::*;
use crate::unwilling::Unwilling;

/// What a store was given.
#[derive(Debug, Default)]
struct Taken {
    /// Bytes of parts on their way, now and at most.
    held: AtomicUsize,
    most: AtomicUsize,
    parts: AtomicUsize,
    /// From this part on it refuses; 0: never.
    refuses: usize,
    given_up: AtomicUsize,
}

/// A store that is slow to take a part of a file.
#[derive(Debug)]
struct Slow {
    inner: InMemory,
    taken: Arc<Taken>,
}

impl fmt::Display for Slow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("slow")
    }
}

#[derive(Debug)]
struct Upload {
    inner: Box<dyn MultipartUpload>,
    taken: Arc<Taken>,
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (bytes, taken) = (data.content_length(), Arc::clone(&self.taken));
        let held = taken.held.fetch_add(bytes, Ordering::SeqCst) + bytes;
        taken.most.fetch_max(held, Ordering::SeqCst);
        let n = taken.parts.fetch_add(1, Ordering::SeqCst) + 1;
        let part = self.inner.put_part(data);
        async move {
            for _ in 0..1000 {
                yield_now().await;
            }
            taken.held.fetch_sub(bytes, Ordering::SeqCst);
            match (1..=n).contains(&taken.refuses) {
                true => Err(object_store::Error::Generic { store: "slow", source: "the disk is full".into() }),
                false => part.await,
            }
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.taken.given_up.fetch_add(1, Ordering::SeqCst);
        self.inner.abort().await
    }
}

#[async_trait]
impl ObjectStore for Slow {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(at, opts).await?;
        Ok(Box::new(Upload { inner, taken: Arc::clone(&self.taken) }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// A store with a file of one column, one row group, and so many bytes at least, which cannot be compressed.
async fn with_large_column(bytes: usize, refuses: usize) -> (Arc<dyn ObjectStore>, Arc<Taken>, Input, SchemaRef) {
    let taken = Arc::new(Taken { refuses, ..Taken::default() });
    let store: Arc<dyn ObjectStore> = Arc::new(Slow { inner: InMemory::new(), taken: Arc::clone(&taken) });
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let rows: Vec<Vec<u8>> = (0..bytes.div_ceil(4096)).map(|_| (0..512).flat_map(|_| noise()).collect()).collect();
    let column: ArrayRef = Arc::new(BinaryArray::from_iter_values(rows));
    let batch = RecordBatch::try_from_iter([("raw", column)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    let content = writer.into_inner().unwrap();
    let input = Input { path: Path::from("0.parquet"), bytes: content.len() as u64 };
    store.put(&input.path, content.into()).await.unwrap();
    (store, taken, input, batch.schema())
}

#[tokio::test]
async fn a_slow_store_has_one_part_on_its_way_at_most() {
    let (store, taken, input, columns) = with_large_column(4 * PART, 0).await;
    let to = Path::from("written.parquet");
    let written = write(&store, &[input], &columns, &to, None).await.unwrap();
    assert!(written.bytes > 4 * PART as u64);
    assert_eq!(taken.parts.load(Ordering::SeqCst), 5);
    assert_eq!(taken.most.load(Ordering::SeqCst), PART, "of a column with four of them");
}

#[tokio::test]
async fn a_store_that_refuses_a_part_is_named_and_keeps_none() {
    let (store, taken, input, columns) = with_large_column(4 * PART, 2).await;
    let to = Path::from("written.parquet");
    let error = write(&store, &[input], &columns, &to, None).await.unwrap_err();
    let text = error.to_string();
    assert!(matches!(&error, FileError::Store { path, .. } if *path == to), "{text}");
    assert!(text.contains("writing file written.parquet: ") && text.contains("the disk is full"), "{text}");
    assert_eq!(taken.given_up.load(Ordering::SeqCst), 1);
    assert_eq!(taken.parts.load(Ordering::SeqCst), 2, "it goes on after a part was refused");
}

#[tokio::test]
async fn a_store_that_refuses_the_last_part_keeps_none() {
    let (store, taken, input, columns) = with_large_column(4 * PART, 5).await;
    let to = Path::from("written.parquet");
    let error = write(&store, &[input], &columns, &to, None).await.unwrap_err();
    assert!(matches!(&error, FileError::Store { path, .. } if *path == to), "{error}");
    assert_eq!(taken.parts.load(Ordering::SeqCst), 5, "it is the last");
    assert_eq!(taken.given_up.load(Ordering::SeqCst), 1);
    assert!(store.head(&to).await.is_err());
}

#[tokio::test]
async fn a_file_that_the_store_does_not_have_after_all_is_no_fault_of_what_was_read() {
    let unwilling = Arc::new(Unwilling::default());
    let store: Arc<dyn ObjectStore> = Arc::clone(&unwilling) as _;
    let batch = rows(0, 10, false);
    let input = put(&store, "0.parquet", std::slice::from_ref(&batch), 100).await;
    unwilling.loses_files.store(true, Ordering::SeqCst);
    let to = Path::from("written.parquet");
    let error = write(&store, &[input], &batch.schema(), &to, None).await.unwrap_err();
    assert!(matches!(&error, FileError::Store { doing: "writing", path, .. } if *path == to), "{error}");
}

#[test]
fn filters_are_made_for_a_row_group() {
    use deltalake_core::arrow::datatypes::{DataType, Field, Schema};
    let columns: SchemaRef = Arc::new(Schema::new(vec![Field::new(lake::columns::ID, DataType::Utf8, true)]));
    let properties = properties(&columns);
    let filter = properties.bloom_filter_properties(&ColumnPath::from(lake::columns::ID)).unwrap();
    assert_eq!(filter.ndv(), ROW_GROUP_ROWS as u64);
}
