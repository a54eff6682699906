//! A store for tests, which counts what it is asked for and refuses what it is told to refuse.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt as _, StreamExt as _, stream};
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

#[derive(Debug, Default)]
pub(crate) struct Unwilling {
    inner: InMemory,
    /// Files whose content was asked for.
    pub(crate) reads: AtomicUsize,
    pub(crate) refuses_files: AtomicBool,
    pub(crate) refuses_lists: AtomicBool,
    /// It says that it has taken files, and has not.
    pub(crate) loses_files: AtomicBool,
}

fn refused() -> Error {
    Error::Generic { store: "unwilling", source: "refused for a test".into() }
}

impl fmt::Display for Unwilling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unwilling")
    }
}

impl Unwilling {
    fn takes(&self, file: &Path) -> Result<()> {
        let refuses = self.refuses_files.load(Ordering::SeqCst) && file.extension() == Some("parquet");
        if refuses { Err(refused()) } else { Ok(()) }
    }
}

#[async_trait]
impl ObjectStore for Unwilling {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.takes(location)?;
        if self.loses_files.load(Ordering::SeqCst) {
            return Ok(PutResult { e_tag: None, version: None });
        }
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.takes(at)?;
        self.inner.put_multipart_opts(at, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let reads = !options.head && location.extension() == Some("parquet");
        self.reads.fetch_add(usize::from(reads), Ordering::SeqCst);
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        if self.refuses_lists.load(Ordering::SeqCst) {
            return stream::once(async { Err(refused()) }.boxed()).boxed();
        }
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        if self.refuses_lists.load(Ordering::SeqCst) {
            return Err(refused());
        }
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}
