//! Stores that fail, and loaders that get into each other's way.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use tokio::sync::{Notify, Semaphore};

use crate::files::rows;
use crate::place::{Loading as _, Place};

/// What happens to a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commits {
    /// It is written, and the answer is lost.
    WrittenAndLost,
    /// It is not written, and that is not known.
    LostBefore,
    /// It waits until it is let go.
    Wait,
    /// It is written, and the call never comes back.
    WrittenAndStuck,
}

/// A store that does this to the first commits.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<dyn ObjectStore>,
    what: Commits,
    left: AtomicUsize,
    pub(crate) reached: Notify,
    pub(crate) go: Semaphore,
}

impl Faulty {
    pub(crate) fn new(place: &Place, what: Commits, times: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: place.lake.store(),
            what,
            left: AtomicUsize::new(times),
            reached: Notify::new(),
            go: Semaphore::new(0),
        })
    }
}

impl fmt::Display for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} over {}", self.what, self.inner)
    }
}

fn lost() -> Error {
    Error::Generic { store: "faulty", source: "the answer was lost".into() }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let commit = location.as_ref().contains("_delta_log/0") && location.as_ref().ends_with(".json");
        let take = |left: usize| left.checked_sub(1);
        if !commit || self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_err() {
            return self.inner.put_opts(location, payload, opts).await;
        }
        match self.what {
            Commits::LostBefore => Err(lost()),
            Commits::WrittenAndLost => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(lost())
            }
            Commits::Wait => {
                self.reached.notify_one();
                self.go.acquire().await.expect("never closed").forget();
                self.inner.put_opts(location, payload, opts).await
            }
            Commits::WrittenAndStuck => {
                self.inner.put_opts(location, payload, opts).await?;
                self.reached.notify_one();
                std::future::pending().await
            }
        }
    }

    async fn put_multipart_opts(&self, at: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(at, opts).await
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.inner.get_ranges(location, ranges).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_written_without_an_answer_is_known_for_ours() {
    let place = Place::new("lost-after").await;
    let loader = place.start_on(Faulty::new(&place, Commits::WrittenAndLost, 2)).await;
    place.ask(&[&place.range(0, 0, 10).await]).await;
    loader.until_done(10).await;
    place.ask(&[&place.range(0, 10, 20).await]).await;
    loader.until_done(20).await;
    let count = loader.counted();
    loader.stop().await;
    assert_eq!((count.sent_on, count.dropped.len()), (20, 0), "known for ours, not for somebody else's");
    place.assert_has(&rows(0, 0..20));
    assert_eq!(place.count().await.version, 1, "and not written twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_was_not_written_is_tried_again() {
    let place = Place::new("lost-before").await;
    let loader = place.start_on(Faulty::new(&place, Commits::LostBefore, 3)).await;
    place.ask(&[&place.range(0, 0, 10).await, &place.range(0, 10, 20).await]).await;
    loader.until_done(20).await;
    loader.stop().await;
    place.assert_has(&rows(0, 0..20));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_not_waited_for_without_end() {
    let place = Place::new("stuck").await;
    let mut settings = place.settings.clone();
    settings.loader.commit_timeout_ms = 300;
    let store = Faulty::new(&place, Commits::WrittenAndStuck, 1);
    let loader = place.start_as(&settings, Some(store)).await;
    place.ask(&[&place.range(0, 0, 10).await]).await;
    loader.until_done(10).await;
    let count = loader.counted();
    loader.stop().await;
    assert_eq!(count.sent_on, 10);
    place.assert_has(&rows(0, 0..10));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loader_that_ends_between_commit_and_acknowledgement_loads_nothing_twice() {
    let place = Place::new("before-ack").await;
    let store = Faulty::new(&place, Commits::WrittenAndStuck, 1);
    let loader = place.start_on(store.clone()).await;
    place.ask(&[&place.range(0, 0, 10).await, &place.range(1, 5, 9).await]).await;
    store.reached.notified().await;
    loader.crash().await;
    let loader = place.start().await;
    loader.until_done(14).await;
    loader.until_idle().await;
    loader.stop().await;
    place.assert_has(&[rows(0, 0..10), rows(1, 5..9)].concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_overtaken_before_its_commit_decides_again() {
    overtaken(Place::new("overtaken").await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_overtaken_before_its_commit_decides_again_in_a_bucket() {
    overtaken(Place::in_bucket("overtaken").await).await;
}

async fn overtaken(place: Place) {
    // So that there is a table.
    let first = place.range(0, 0, 10).await;
    let loader = place.start_rival("first", None).await;
    place.ask(&[&first]).await;
    loader.until_done(10).await;
    loader.stop().await;
    let store = Faulty::new(&place, Commits::Wait, 1);
    let slow = place.start_rival("slow", Some(store.clone())).await;
    let asked = place.range(0, 10, 20).await;
    place.ask(&[&asked]).await;
    store.reached.notified().await;
    // Meanwhile another loads it, and more, some of it with other cuts.
    let quick = place.start_rival("quick", None).await;
    let more = place.range(0, 15, 30).await;
    place.ask(&[&more]).await;
    quick.until_done(10 + 10 + 15).await;
    store.go.add_permits(1);
    slow.until_done(10 + 10 + 15).await;
    let counts = (slow.counted(), quick.counted());
    slow.stop().await;
    quick.stop().await;
    assert_eq!(counts.0.sent_on + counts.1.sent_on, 20, "{counts:?}");
    place.assert_has(&rows(0, 0..30));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_loaders_that_commit_at_once_load_each_row_once() {
    Box::pin(both_at_once(Place::new("rivals").await, 30)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_loaders_that_commit_at_once_load_each_row_once_in_a_bucket() {
    Box::pin(both_at_once(Place::in_bucket("rivals").await, 10)).await;
}

async fn both_at_once(place: Place, ranges: i64) {
    let (one, two) = tokio::join!(place.start_rival("one", None), place.start_rival("two", None));
    let mut expected = Vec::new();
    for n in 0..ranges {
        // Overlapping: each begins where the one before has five more rows to come.
        let (a, b) = (place.range(0, n * 10, n * 10 + 15).await, place.range(1, n * 10, n * 10 + 10).await);
        place.ask(&[&a, &b]).await;
        expected.extend(rows(1, n * 10..n * 10 + 10));
    }
    expected.extend(rows(0, 0..ranges * 10 + 5));
    let all = u64::try_from(ranges * 25).unwrap();
    tokio::join!(one.until_done(all), two.until_done(all));
    let (one_loaded, two_loaded) = (one.counted().sent_on, two.counted().sent_on);
    tokio::join!(one.stop(), two.stop());
    assert_eq!(one_loaded + two_loaded, expected.len() as u64);
    place.assert_has(&expected);
}
