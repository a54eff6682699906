//! The lake in a store that speaks S3, behind a proxy that has troubles.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use fastrand::Rng;
use futures_util::TryStreamExt as _;
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::{ObjectStore as _, ObjectStoreExt as _, path::Path as Key};
use weir_tests::process::Launch;
use weir_tests::python::{self, S3};

use crate::cases::Case;
use crate::fault::Fault;
use crate::system::Options;
use crate::tail::Moment;
use crate::trouble::{Met, Trouble, Troubled};

const BUCKET: &str = "lakes";
const REGION: &str = "us-east-1";
const SECOND: Duration = Duration::from_secs(1);

/// A store of a system's own.
#[derive(Debug)]
pub(crate) struct Store {
    s3: S3,
    proxy: Troubled,
    secret: PathBuf,
}

impl Store {
    /// The seed decides which requests have troubles. `folder`: for its secret.
    pub(crate) async fn start(folder: &Path, seed: u64) -> anyhow::Result<Self> {
        let secret = folder.join("store-secret");
        std::fs::write(&secret, "any")?;
        let s3 = tokio::task::spawn_blocking(|| {
            let s3 = S3::start()?;
            s3.make_bucket(BUCKET)?;
            anyhow::Ok(s3)
        })
        .await??;
        let proxy = Troubled::start(s3.port(), seed).await?;
        Ok(Self { s3, proxy, secret })
    }

    /// What a service is told of it.
    pub(crate) fn tell(&self, launch: Launch) -> Launch {
        launch
            .env("WEIR__LAKE__ROOT", format!("s3://{BUCKET}/lake"))
            .env("WEIR__LAKE__S3_ENDPOINT", format!("http://127.0.0.1:{}", self.proxy.port()))
            .env("WEIR__LAKE__S3_ACCESS_KEY_ID", "any")
            .env("WEIR__LAKE__S3_SECRET_ACCESS_KEY_FILE", self.secret.display().to_string())
            .env("WEIR__LAKE__S3_ALLOW_HTTP", "true")
            .env("WEIR__LAKE__S3_PATH_STYLE", "true")
            // In proportion to the other time-outs of these cases.
            .env("WEIR__LAKE__S3_REQUEST_TIMEOUT_MS", "6000")
    }

    /// Troubles for a time. They must have met somebody, and a `commit` of the loader where that is asked for: at a random
    /// moment the loader may be reading its table all that time, which takes many requests.
    pub(crate) async fn trouble(&self, trouble: Trouble, time: Duration, commit: bool) -> anyhow::Result<Moment> {
        self.proxy.set(trouble);
        tokio::time::sleep(time).await;
        // On a busy machine a commit may take longer than the troubles were meant to.
        let enough = |met: Met| met.troubled() > 0 && (met.commits_unanswered > 0 || !commit);
        let began = Instant::now();
        while !enough(self.proxy.met()) && began.elapsed() < 30 * SECOND {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let met = self.proxy.set(Trouble::None);
        println!("  {met:?}");
        ensure!(enough(met), "{trouble:?} hit no request, or no commit of the loader");
        Ok(Moment::now())
    }
}

/// The table of a lake, as it is read past all proxies.
#[derive(Debug)]
pub(crate) enum Table {
    Folder(PathBuf),
    Stored { store: Box<AmazonS3>, at: Key, endpoint: String },
}

impl Table {
    pub(crate) fn stored(store: &Store, name: &str) -> anyhow::Result<Self> {
        let endpoint = store.s3.endpoint();
        let bucket = AmazonS3Builder::new()
            .with_endpoint(&endpoint)
            .with_allow_http(true)
            .with_bucket_name(BUCKET)
            .with_region(REGION)
            .with_access_key_id("any")
            .with_secret_access_key("any")
            .build()?;
        Ok(Self::Stored { store: Box::new(bucket), at: Key::from(format!("lake/{name}")), endpoint })
    }

    /// Waits until something was loaded: before that there is nothing that goes on.
    pub(crate) async fn begins(&self, within: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while self.files().await?.is_none() {
            ensure!(began.elapsed() < within, "nothing was loaded within {within:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Ok(())
    }

    /// The names of its files of data; none: there is no table yet. The loader removes what it has written anew or does
    /// not need; so it is the folder that says which files there are.
    pub(crate) async fn files(&self) -> anyhow::Result<Option<Vec<String>>> {
        let is_data = |name: &str| name.starts_with("day=") && name.ends_with(".parquet");
        let mut names = Vec::new();
        match self {
            Self::Folder(table) => {
                if !table.join("_delta_log").exists() {
                    return Ok(None);
                }
                for day in std::fs::read_dir(table)? {
                    let day = day?.file_name().to_string_lossy().into_owned();
                    if !day.starts_with("day=") {
                        continue;
                    }
                    for file in std::fs::read_dir(table.join(&day))? {
                        names.push(format!("{day}/{}", file?.file_name().to_string_lossy()));
                    }
                }
            }
            Self::Stored { store, at, .. } => {
                let found: Vec<_> = store.list(Some(at)).try_collect().await.context("cannot list the table")?;
                let beyond = format!("{at}/");
                names.extend(
                    found.iter().filter_map(|found| found.location.as_ref().strip_prefix(&beyond)).map(str::to_owned),
                );
                if !names.iter().any(|name| name.starts_with("_delta_log/")) {
                    return Ok(None);
                }
            }
        }
        names.retain(|name| is_data(name));
        Ok(Some(names))
    }

    pub(crate) async fn read(&self, file: &str) -> anyhow::Result<Bytes> {
        match self {
            Self::Folder(table) => Ok(std::fs::read(table.join(file))?.into()),
            Self::Stored { store, at, .. } => {
                let key = Key::parse(format!("{at}/{file}"))?;
                Ok(store.get(&key).await?.bytes().await?)
            }
        }
    }

    /// As an engine reads it that is not Weir's.
    pub(crate) async fn query(&self, query: &'static str) -> anyhow::Result<String> {
        let (location, endpoint) = match self {
            Self::Folder(table) => (table.display().to_string(), None),
            Self::Stored { at, endpoint, .. } => (format!("s3://{BUCKET}/{at}"), Some(endpoint.clone())),
        };
        let ask = move || {
            let of_store = |endpoint| {
                [
                    ("AWS_ENDPOINT_URL", endpoint),
                    ("AWS_ACCESS_KEY_ID", "any"),
                    ("AWS_SECRET_ACCESS_KEY", "any"),
                    ("AWS_REGION", REGION),
                    ("AWS_ALLOW_HTTP", "true"),
                ]
            };
            let options: Vec<_> = endpoint.as_deref().into_iter().flat_map(of_store).collect();
            python::query_table(&location, query, &options)
        };
        tokio::task::spawn_blocking(ask).await?
    }
}

pub(crate) fn cases() -> [Case; 3] {
    let case = |name, about, trouble| {
        let commit = trouble == Trouble::Torn;
        Case::new(name, about, vec![Fault::Store { trouble, time: 10 * SECOND, commit }])
            .with(Options { store: Some(1), ..Options::default() })
    };
    [
        case(
            "store-errors",
            "the lake's store refuses two of five requests, some of them after doing the work",
            Trouble::Errors,
        ),
        case("store-slow", "each request to the lake's store takes up to 3 s more", Trouble::Slow(3 * SECOND)),
        case("store-torn", "uploads and downloads are cut, and replies to finished requests are lost", Trouble::Torn),
    ]
}

/// What may happen to a stretch of random rounds that has its lake in a store.
pub(crate) fn any(rng: &mut Rng) -> Fault {
    let time = Duration::from_millis(rng.u64(2000..8000));
    let trouble = match rng.u32(0..3) {
        0 => Trouble::Errors,
        1 => Trouble::Slow(Duration::from_millis(rng.u64(100..3000))),
        _ => Trouble::Torn,
    };
    Fault::Store { trouble, time, commit: false }
}
