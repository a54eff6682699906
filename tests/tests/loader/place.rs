//! A lake, a log, and loaders between them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arrow::array::ArrayRef;
use bus::{Bus, Headers, Record, TopicKind, TopicSpec};
use common::deadletter::v1::DeadLetter;
use common::load::v1::{File, LoadRequest};
use common::topics::LOADS;
use lake::Lake;
use loader::{Loader, Settings};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::Value;
use service::{Host, Settings as _};
use weir_tests::python;
pub(crate) use weir_tests::running::{LIMIT, Running};
use weir_tests::scratch::Scratch;

use crate::files::{self, Row};

pub(crate) const TABLE: &str = "activities";
const TOPIC: &str = "t.activities.enriched";
const BUCKET: &str = "lakes";

/// An installation of its own.
pub(crate) struct Place {
    pub(crate) settings: Settings,
    pub(crate) bus: Bus,
    pub(crate) lake: Lake,
    folder: PathBuf,
    scratch: Option<Scratch>,
}

impl Place {
    /// With a lake in a folder.
    pub(crate) async fn new(name: &str) -> Self {
        let scratch = Scratch::new(name).unwrap();
        let folder = scratch.path().to_owned();
        Self { scratch: Some(scratch), ..Self::open(&folder).await }
    }

    /// One that is there, or was in another process.
    pub(crate) async fn open(folder: &std::path::Path) -> Self {
        let root = folder.join("lake").display().to_string();
        Self::with(folder, &[("WEIR__LAKE__ROOT", root)]).await
    }

    /// With the lake of another, and a log of its own.
    pub(crate) async fn beside(other: &Self, name: &str) -> Self {
        let scratch = Scratch::new(name).unwrap();
        let root = other.settings.lake.root.clone();
        let folder = scratch.path().to_owned();
        Self { scratch: Some(scratch), ..Self::with(&folder, &[("WEIR__LAKE__ROOT", root)]).await }
    }

    /// Leaves it to another process; the folder stays as long as what is returned.
    pub(crate) fn leave(self) -> Option<Scratch> {
        self.scratch
    }

    /// With a lake in a bucket.
    pub(crate) async fn in_bucket(name: &str) -> Self {
        static BUCKETS: std::sync::Once = std::sync::Once::new();
        let s3 = python::shared_s3().unwrap();
        BUCKETS.call_once(|| s3.make_bucket(BUCKET).unwrap());
        let scratch = Scratch::new(name).unwrap();
        let secret = scratch.path().join("secret");
        std::fs::write(&secret, "any").unwrap();
        let env = [
            ("WEIR__LAKE__ROOT", format!("s3://{BUCKET}/{name}")),
            ("WEIR__LAKE__S3_ENDPOINT", s3.endpoint()),
            ("WEIR__LAKE__S3_ACCESS_KEY_ID", "any".to_owned()),
            ("WEIR__LAKE__S3_SECRET_ACCESS_KEY_FILE", secret.display().to_string()),
            ("WEIR__LAKE__S3_ALLOW_HTTP", "true".to_owned()),
            ("WEIR__LAKE__S3_PATH_STYLE", "true".to_owned()),
        ];
        let folder = scratch.path().to_owned();
        Self { scratch: Some(scratch), ..Self::with(&folder, &env).await }
    }

    async fn with(folder: &std::path::Path, lake: &[(&str, String)]) -> Self {
        let data = folder.join("data").display().to_string();
        let env = [
            ("WEIR__ADMIN__LISTEN", "127.0.0.1:0".to_owned()),
            ("WEIR__GRPC__LISTEN", "127.0.0.1:0".to_owned()),
            ("WEIR__SHUTDOWN__DEADLINE_MS", "10000".to_owned()),
            ("WEIR__LOADER__COMMIT_INTERVAL_MS", "50".to_owned()),
            ("WEIR__LOADER__HOLD_WARN_MS", "200".to_owned()),
            ("WEIR__LOADER__HEALTH_INTERVAL_MS", "100".to_owned()),
        ];
        let env = env.iter().chain(lake).map(|(key, value)| ((*key).to_owned(), value.clone()));
        let mut settings: Settings = service::load(loader::DEFAULTS, None, env).unwrap();
        settings.bus.kafka.brokers = Vec::new();
        settings.bus.create_topics = true;
        settings.bus.data_dir = data.into();
        let bus = Bus::open(&settings.bus).unwrap();
        let kind = TopicKind::Log { retention: Duration::from_secs(7 * 24 * 3600) };
        let topics = [TopicSpec { name: LOADS.name().to_owned(), kind }];
        bus.prepare_topics(&topics).await.unwrap();
        let lake = Lake::open(&settings.lake).unwrap();
        Self { settings, bus, lake, folder: folder.to_owned(), scratch: None }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    pub(crate) fn lake_folder(&self) -> PathBuf {
        PathBuf::from(&self.settings.lake.root)
    }

    /// A file of rows, in the lake.
    pub(crate) async fn file(&self, rows: &[Row]) -> File {
        self.file_of(files::columns(rows), rows, "2026-03-01").await
    }

    pub(crate) async fn file_of(&self, columns: Vec<(&str, ArrayRef)>, rows: &[Row], day: &str) -> File {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = format!("day={day}/{}-{number:05}.parquet", std::process::id());
        let bytes = files::parquet(columns);
        let size_bytes = bytes.len() as u64;
        self.lake.store().put(&at(&path), bytes.into()).await.unwrap();
        File {
            path,
            size_bytes,
            rows: rows.len() as u64,
            partition_values: [("day".to_owned(), day.to_owned())].into(),
            first_offset: rows.iter().map(|row| row.offset).min().unwrap_or(0),
            last_offset: rows.iter().map(|row| row.offset).max().unwrap_or(0),
        }
    }

    /// A request for all rows of a range, in one file.
    pub(crate) async fn range(&self, partition: i32, from: i64, to: i64) -> LoadRequest {
        let file = self.file(&files::rows(partition, from..to)).await;
        request(partition, from, to, vec![file])
    }

    /// Puts requests on the topic, in their order.
    pub(crate) async fn ask(&self, requests: &[&LoadRequest]) {
        let producer = self.bus.producer().unwrap();
        for request in requests {
            let record = Record::new(&LOADS, TABLE, *request, Headers::default());
            producer.try_send(record).unwrap().await.unwrap();
        }
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_as(&self.settings, None).await
    }

    pub(crate) async fn start_on(&self, store: Arc<dyn ObjectStore>) -> Running {
        self.start_as(&self.settings, Some(store)).await
    }

    /// One that reads the same requests as another and knows nothing of it.
    pub(crate) async fn start_rival(&self, group: &str, store: Option<Arc<dyn ObjectStore>>) -> Running {
        let mut settings = self.settings.clone();
        settings.loader.group = group.to_owned();
        self.start_as(&settings, store).await
    }

    pub(crate) async fn start_as(&self, settings: &Settings, store: Option<Arc<dyn ObjectStore>>) -> Running {
        let host = Host::new("loader", &settings.host());
        let loader = match store {
            Some(store) => Loader::with_lake(settings, &host, Lake::with_store(store, "the test's")).await,
            None => Loader::new(settings, &host).await,
        };
        Running::run(host, loader.unwrap()).await
    }

    /// What another engine finds: the rows that a query over `t` has.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        let endpoint = self.settings.lake.s3_endpoint.clone();
        let (location, options) = if endpoint.is_empty() {
            (self.lake_folder().join(TABLE).display().to_string(), Vec::new())
        } else {
            let options = vec![
                ("AWS_ENDPOINT_URL", endpoint.as_str()),
                ("AWS_ACCESS_KEY_ID", "any"),
                ("AWS_SECRET_ACCESS_KEY", "any"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ALLOW_HTTP", "true"),
            ];
            (format!("{}/{TABLE}", self.settings.lake.root), options)
        };
        serde_json::from_str(&python::query_table(&location, query, &options).unwrap()).unwrap()
    }

    /// The ids in the table, as often as they are there, in their order.
    pub(crate) fn ids(&self) -> Vec<String> {
        let rows = self.query("select id from t order by id");
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Whether the table has exactly these rows, each once.
    pub(crate) fn assert_has(&self, rows: &[Row]) {
        let mut expected: Vec<String> = rows.iter().map(|row| row.id()).collect();
        expected.sort();
        assert_eq!(self.ids(), expected);
        // And each row is what it was, not only its id.
        let odd = self.query(
            "select id from t where text <> concat('said at ', cast(weir_offset as varchar)) or day <> '2026-03-01' or \
             links[1] <> concat('https://example.com/', cast(weir_offset as varchar))",
        );
        assert_eq!(odd, Vec::<Value>::new());
    }

    /// The table's own count.
    pub(crate) async fn count(&self) -> loader::Count {
        loader::count(&self.settings.lake, TABLE).await.unwrap()
    }

    pub(crate) async fn dead_letters(&self) -> Vec<DeadLetter> {
        let mut reader = self.bus.reader(&["dead-letters".to_owned()], bus::Start::Beginning).await.unwrap();
        let mut found = Vec::new();
        while let Some(stored) = reader.next_until_end().await.unwrap() {
            found.push(stored.decode().unwrap());
        }
        found
    }
}

pub(crate) fn at(path: &str) -> Path {
    Path::from(format!("{TABLE}/{path}"))
}

pub(crate) fn request(partition: i32, from: i64, to: i64, files: Vec<File>) -> LoadRequest {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    LoadRequest {
        id: format!("{:016x}{number:016x}", std::process::id()),
        table: TABLE.to_owned(),
        log: "log#0".to_owned(),
        topic: TOPIC.to_owned(),
        topic_id: "topic-1".to_owned(),
        partition,
        from,
        to,
        files,
        created_at: None,
        offset_column: "weir_offset".to_owned(),
        partition_columns: vec!["day".to_owned()],
    }
}

/// What a loader is waited for.
pub(crate) trait Loading {
    /// Until it has loaded or passed over so many rows.
    async fn until_done(&self, rows: u64);

    /// Until every request on the topic is acknowledged.
    async fn until_idle(&self);
}

impl Loading for Running {
    async fn until_done(&self, rows: u64) {
        let done = |loader: &Self| {
            let balance = loader.counted();
            balance.ended() - balance.dead_lettered
        };
        self.until("the rows are done", |loader| done(loader) >= rows).await;
        assert_eq!(done(self), rows);
    }

    async fn until_idle(&self) {
        let idle = |loader: &Self| {
            let digest = loader.digest();
            !digest.queues.is_empty() && digest.queues.iter().all(|queue| queue.lag == 0 && !queue.lag_unknown)
        };
        self.until("nothing waits", idle).await;
    }
}
