//! A running enricher, what goes in, and what comes out.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use arrow::array::AsArray as _;
use arrow::datatypes::Int64Type;
use bus::{Bus, Coordinates, Headers, Record, Stored, TopicKind, TopicSpec};
use common::activity::v1::{Activity, EnrichedActivity, Object};
use common::event::v1::Context;
use common::load::v1::LoadRequest;
use common::topics::ACTIVITIES;
use enricher::{Enricher, Settings};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use prost_types::Timestamp;
use weir_tests::installation::Installation;
pub(crate) use weir_tests::running::{LIMIT, Running};
use weir_tests::topic;

/// 2026-03-01T12:00:00Z
pub(crate) const NOON: i64 = 1_772_366_400;
const DAY: i64 = 24 * 3600;

/// An installation. Enrichers are started in it one after the other, or side by side.
pub(crate) struct Place {
    pub(crate) settings: Settings,
    pub(crate) bus: Bus,
    installation: Installation,
}

impl Place {
    /// On the embedded log.
    pub(crate) async fn new(name: &str, steps: &str) -> Self {
        Self::on(Installation::embedded(name).unwrap(), steps).await
    }

    /// On the broker that all tests share.
    pub(crate) async fn on_kafka(name: &str, steps: &str) -> Self {
        Self::on(Installation::on_kafka(name).unwrap(), steps).await
    }

    async fn on(installation: Installation, steps: &str) -> Self {
        let file = installation.folder().join("weir.toml");
        let common = "[shutdown]\ndeadline_ms = 10000\n[enricher]\nhealth_interval_ms = 100\nflush_interval_ms = 300\n\
                      [enricher.reference]\ncheck_interval_ms = 50\n";
        std::fs::write(&file, format!("{common}{steps}")).unwrap();
        let mut settings = installation.settings_with::<Enricher>(Some(&file), &[]).unwrap();
        settings.bus.partitions = 2;
        settings.bus.kafka.session_timeout_ms = 6000;
        settings.bus.consumer.revoke_drain_ms = 1000;
        settings.bus.consumer.retry_backoff_ms = 50;
        settings.bus.consumer.retry_backoff_max_ms = 500;
        let bus = Bus::open(&settings.bus).unwrap();
        let log = TopicKind::Log { retention: Duration::from_secs(7 * 24 * 3600) };
        let topics = ["activities", "activities.enriched", "loads", "dead-letters"];
        let topics = topics.map(|name| TopicSpec { name: name.to_owned(), kind: log });
        bus.prepare_topics(&topics).await.unwrap();
        Self { settings, bus, installation }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.installation.folder()
    }

    /// An activity of this account; each in its own object, so that they spread over the partitions.
    pub(crate) fn activity(n: usize) -> Activity {
        let received = Timestamp { seconds: NOON + (n % 2) as i64 * DAY, nanos: 0 };
        let context = Context {
            event_id: format!("{n:032x}"),
            tenant: "acme".into(),
            endpoint: "shop".into(),
            source: "facebook".into(),
            account_id: n.to_string(),
            received_at: Some(received),
            ..Context::default()
        };
        Activity {
            id: format!("{n:032x}-0"),
            context: Some(context),
            object: Some(Object { id: format!("7_{n}"), ..Object::default() }),
            text: Some(format!("#weir {n} for @ann at https://example.org/{n}")),
            ..Activity::default()
        }
    }

    pub(crate) async fn put(&self, activities: impl IntoIterator<Item = Activity>) -> Vec<Coordinates> {
        let record = |activity: Activity| {
            let headers = Headers { id: activity.id.clone(), ..Headers::default() };
            let key = activity.object.as_ref().map(|object| object.id.clone()).unwrap_or_default();
            Record::new(&ACTIVITIES, key, &activity, headers)
        };
        self.put_records(activities.into_iter().map(record)).await
    }

    pub(crate) async fn put_records(&self, records: impl IntoIterator<Item = Record>) -> Vec<Coordinates> {
        topic::send(&self.bus, records).await.unwrap()
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(&self.settings).await
    }

    pub(crate) async fn start_with(&self, settings: &Settings) -> Running {
        let running = Running::start::<Enricher>(settings).await;
        running.ready().await;
        running
    }

    /// All records that are on a topic now.
    pub(crate) async fn read(&self, topic: &str) -> Vec<Stored> {
        topic::read(&self.bus, topic).await.unwrap()
    }

    /// The records of a topic, once there are so many, and not one more.
    pub(crate) async fn read_exactly(&self, topic: &str, count: usize) -> Vec<Stored> {
        topic::read_exactly(&self.bus, topic, count).await.unwrap()
    }

    pub(crate) async fn enriched(&self, count: usize) -> BTreeMap<String, EnrichedActivity> {
        let stored = self.read_exactly("activities.enriched", count).await;
        stored.iter().map(|stored| (stored.headers.id.clone(), stored.decode().unwrap())).collect()
    }

    /// What a loader makes of the requests that are there: the ids of the rows, each once for each row, by partition with
    /// the offset that is loaded.
    pub(crate) async fn loaded(&self) -> Loaded {
        let mut loaded = Loaded::default();
        for stored in self.read("loads").await {
            let request: LoadRequest = stored.decode().unwrap();
            assert_eq!((request.table.as_str(), &*stored.key.unwrap()), ("activities", &b"activities"[..]));
            assert!(
                request.from < request.to && !request.topic_id.is_empty() && request.offset_column == "weir_offset"
            );
            assert_eq!(request.partition_columns, ["day"]);
            let version = loaded.versions.entry(request.partition).or_insert(0);
            assert!(request.from <= *version, "a hole before {} of partition {}", request.from, request.partition);
            loaded.requests += 1;
            let mut rows = self.rows(&request);
            if request.to <= *version {
                continue;
            }
            rows.retain(|(offset, _)| offset >= version);
            *version = request.to;
            for (offset, id) in rows {
                *loaded.rows.entry(id).or_default() += 1;
                loaded.offsets.push((request.partition, offset));
            }
        }
        loaded
    }

    /// The rows of a request's files: offset and id.
    fn rows(&self, request: &LoadRequest) -> Vec<(i64, String)> {
        let mut rows = Vec::new();
        for file in &request.files {
            let path = self.folder().join("lake/activities").join(&file.path);
            assert!(file.path.starts_with(&format!("day={}/", file.partition_values["day"])), "{}", file.path);
            assert_eq!(std::fs::metadata(&path).unwrap().len(), file.size_bytes);
            let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
            let mut of_file = Vec::new();
            for batch in reader.build().unwrap() {
                let batch = batch.unwrap();
                let offsets = batch.column_by_name("weir_offset").unwrap().as_primitive::<Int64Type>().values().clone();
                let ids = batch.column_by_name("id").unwrap().as_string::<i32>().clone();
                of_file.extend(offsets.iter().copied().zip(ids.iter().map(|id| id.unwrap().to_owned())));
            }
            assert!(of_file.is_sorted_by_key(|(offset, _)| *offset), "rows stand in the order of their offsets");
            assert_eq!((of_file.len() as u64, file.rows > 0), (file.rows, true));
            assert_eq!((of_file[0].0, of_file.last().unwrap().0), (file.first_offset, file.last_offset));
            assert!(of_file.iter().all(|(offset, _)| (request.from..request.to).contains(offset)));
            rows.extend(of_file);
        }
        rows
    }

    /// Waits until everything up to the ends of `stands` is loaded, and demands each of these ids exactly once.
    pub(crate) async fn all_loaded(&self, stands: &[Coordinates], ids: impl IntoIterator<Item = String>) -> Loaded {
        let mut ends: HashMap<i32, i64> = HashMap::new();
        for at in stands {
            let end = ends.entry(at.partition).or_default();
            *end = (*end).max(at.offset + 1);
        }
        let begun = Instant::now();
        let loaded = loop {
            let loaded = self.loaded().await;
            if ends.iter().all(|(partition, end)| loaded.versions.get(partition) >= Some(end)) {
                break loaded;
            }
            assert!(begun.elapsed() < LIMIT, "{:?} of {ends:?} after {LIMIT:?}", loaded.versions);
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let expected: BTreeMap<String, usize> = ids.into_iter().map(|id| (id, 1)).collect();
        assert_eq!(loaded.rows.len(), expected.len());
        assert!(loaded.rows == expected, "every id exactly once");
        loaded
    }
}

/// What is in the lake.
#[derive(Debug, Default)]
pub(crate) struct Loaded {
    /// How often each id.
    pub(crate) rows: BTreeMap<String, usize>,
    pub(crate) offsets: Vec<(i32, i64)>,
    pub(crate) versions: HashMap<i32, i64>,
    pub(crate) requests: usize,
}

pub(crate) fn id(n: usize) -> String {
    format!("{n:032x}-0")
}
