//! What commits, checkpoints and compaction take of the store, while a table grows.

use std::fmt;
use std::ops::Sub;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use deltalake_core::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use deltalake_core::kernel::{Action, Transaction};
use deltalake_core::parquet::arrow::ArrowWriter;
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};

use super::*;
use crate::files::add;
use crate::footer::Footer;
use crate::request::File;
use crate::table::{Commit, Outcome};
use crate::{CompactSettings, schema};
use std::sync::Arc;
use std::time::Duration;

/// A bucket tells so many names in one answer.
const NAMES: u64 = 1000;

#[derive(Debug, Default, Clone, Copy)]
struct Taken {
    requests: u64,
    read: u64,
    written: u64,
}

impl Sub for Taken {
    type Output = Self;

    fn sub(self, before: Self) -> Self {
        Self {
            requests: self.requests - before.requests,
            read: self.read - before.read,
            written: self.written - before.written,
        }
    }
}

/// A store that counts what is asked of it.
#[derive(Debug)]
struct Counting {
    inner: Arc<dyn ObjectStore>,
    requests: AtomicU64,
    read: AtomicU64,
    written: AtomicU64,
    names: Arc<AtomicU64>,
}

impl Counting {
    fn count(of: &AtomicU64, n: u64) {
        of.fetch_add(n, Ordering::SeqCst);
    }

    fn taken(&self) -> Taken {
        let of = |count: &AtomicU64| count.load(Ordering::SeqCst);
        Taken {
            requests: of(&self.requests) + of(&self.names) / NAMES,
            read: of(&self.read),
            written: of(&self.written),
        }
    }

    fn listed(&self, listed: BoxStream<'static, Result<ObjectMeta>>) -> BoxStream<'static, Result<ObjectMeta>> {
        Self::count(&self.requests, 1);
        let names = Arc::clone(&self.names);
        listed.inspect(move |_| Self::count(&names, 1)).boxed()
    }
}

impl fmt::Display for Counting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "counted {}", self.inner)
    }
}

#[async_trait]
impl ObjectStore for Counting {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        Self::count(&self.requests, 1);
        Self::count(&self.written, payload.content_length() as u64);
        self.inner.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        panic!("{at} is written in parts ({opts:?}), and no file here is as large as that")
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        Self::count(&self.requests, 1);
        let head = options.head;
        let answer = self.inner.get_opts(location, options).await?;
        Self::count(&self.read, if head { 0 } else { answer.range.end - answer.range.start });
        Ok(answer)
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list(prefix))
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.listed(self.inner.list_with_offset(prefix, offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        Self::count(&self.requests, 1);
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

fn rows(n: i64) -> Vec<u8> {
    let ids = StringArray::from_iter_values((0..20).map(|row| format!("{n:08}-{row:02}-of-an-activity")));
    let offsets = Int64Array::from_iter_values(n * 20..n * 20 + 20);
    let columns = [("id", Arc::new(ids) as ArrayRef), ("weir_offset", Arc::new(offsets) as ArrayRef)];
    let batch = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap()
}

/// Puts a file into the store, and into the table, as the loader does.
async fn load(store: &Arc<dyn ObjectStore>, table: &mut Table, n: i64) {
    let path = format!("day=2026-03-01/{n}.parquet");
    let bytes = rows(n);
    let size = bytes.len() as u64;
    store.put(&table.path_of(&path), bytes.into()).await.unwrap();
    let footer = Footer::read(store, &table.path_of(&path), size).await.unwrap();
    table.refresh().await.unwrap();
    let partitions = ["day".to_owned()];
    let mut actions = match table.version() {
        Some(_) => Vec::new(),
        None => table.creating(&schema::first(&partitions, [&*footer.schema]).unwrap(), &partitions).unwrap(),
    };
    let partition = [("day".to_owned(), "2026-03-01".to_owned())].into();
    actions.push(Action::Add(add(&File { path, bytes: size, rows: 20, partition }, &footer, ["id", "weir_offset"])));
    actions.push(Action::Txn(Transaction::new("weir/log/topic/1/0", n)));
    let (_, outcome) = table.commit(&Commit::append(actions, &partitions), Duration::from_secs(60)).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    table.refresh().await.unwrap();
}

/// A day that is being written, a file with each commit: the tenth minute takes as much as the second.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_takes_as_much_of_the_store_as_five_hundred_commits_before() {
    let folder = tempfile::tempdir().unwrap();
    let mut file: toml::Table = toml::from_str(lake::DEFAULTS).unwrap();
    let mut settings: LakeSettings = file.remove("lake").unwrap().try_into().unwrap();
    settings.root = folder.path().display().to_string();
    let inner = Lake::open(&settings).unwrap().store();
    let counting = Arc::new(Counting {
        inner,
        requests: AtomicU64::new(0),
        read: AtomicU64::new(0),
        written: AtomicU64::new(0),
        names: Arc::default(),
    });
    let store: Arc<dyn ObjectStore> = Arc::clone(&counting) as _;
    let lake = Lake::with_store(Arc::clone(&store), "counted");
    let mut table = Table::new(&lake, "t").unwrap();
    // The day never ends.
    let compact = CompactSettings { interval_ms: 0, after_ms: u64::MAX, target_bytes: 256 << 20 };
    let (mut compactor, mut windows) = (None, Vec::new());
    for n in 0..560 {
        if [10, 60, 500, 550].contains(&n) {
            windows.push(counting.taken());
        }
        load(&store, &mut table, n).await;
        if log::due(table.version().unwrap(), table.checkpointed(), 50, 5000) {
            log::checkpoint(&table, 5000).await.unwrap();
        }
        // As often as a minute has commits, about.
        if n % 25 == 24 {
            if compactor.is_none() {
                compactor = Some(compact::Compactor::open(&lake, "t", &compact).await.unwrap());
            }
            compactor.as_mut().unwrap().run(crate::clock::now_ms()).await.unwrap();
        }
    }
    let [early, late] = [windows[1] - windows[0], windows[3] - windows[2]];
    println!("commits 10 to 60: {early:?}\ncommits 500 to 550: {late:?}");
    assert!(late.requests <= early.requests + early.requests / 5, "{late:?} after {early:?}");
    assert!(late.read <= early.read + early.read / 2, "{late:?} after {early:?}");
    // Removed files are in each checkpoint, which pays for so many of them at most.
    assert!(late.written <= early.written + early.written * 3 / 4, "{late:?} after {early:?}");
    let table = Table::open(&lake, "t").await.unwrap();
    let files = table.files().await.unwrap();
    assert!(files.len() < 100, "{} files", files.len());
    assert_eq!(files.iter().map(|file| file.rows.unwrap()).sum::<u64>(), 560 * 20, "and all rows are there");
}
