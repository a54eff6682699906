//! Weir, running: all in one process or a process for each service, on the embedded log or on Kafka.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use bus::Start;
use common::topics::ACTIVITIES;
use weir::records::Records;
use weir_tests::installation::{DOOR, Installation, UP, pipeline};
use weir_tests::processes::Processes;
use weir_tests::{python, wait};

pub(crate) const WITHIN: Duration = Duration::from_secs(60);
/// Without a new row for so long, no more come.
const STALLED: Duration = Duration::from_secs(60);
const LAKE: &str = "WEIR__LAKE__ROOT";

/// A running Weir.
pub(crate) struct System {
    pub(crate) processes: Processes,
    door: String,
    grpc: String,
    /// After the processes, so that these are stopped first.
    installation: Installation,
}

impl System {
    /// `weir up` with everything embedded, in a folder of its own.
    pub(crate) async fn embedded() -> Self {
        Self::start(Installation::embedded("embedded").unwrap(), &[UP], None).await
    }

    /// The same with the log and the lake on another disk.
    pub(crate) async fn embedded_on(disk: &Path) -> Self {
        Self::start(Installation::embedded("embedded").unwrap(), &[UP], Some(disk)).await
    }

    /// `weir up` on the Kafka that all tests share.
    pub(crate) async fn on_kafka() -> Self {
        Self::start(Installation::on_kafka("up-kafka").unwrap(), &[UP], None).await
    }

    /// The same with a lake that is there already, on this disk.
    pub(crate) async fn on_kafka_over(disk: &Path) -> Self {
        Self::start(Installation::on_kafka("up-kafka-over").unwrap(), &[UP], Some(disk)).await
    }

    /// A process for each service of the catalogue, on the Kafka that all tests share.
    pub(crate) async fn in_processes() -> Self {
        Self::start(Installation::on_kafka("services").unwrap(), &pipeline(), None).await
    }

    async fn start(installation: Installation, programs: &[&str], disk: Option<&Path>) -> Self {
        let lake = disk.unwrap_or(installation.folder()).join("lake").display().to_string();
        let mut installation = installation
            .with(LAKE, lake)
            .with("WEIR__BUS__KAFKA__SESSION_TIMEOUT_MS", "6000")
            .with("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "500")
            .with("WEIR__LOADER__COMMIT_INTERVAL_MS", "500");
        if let Some(disk) = disk {
            installation = installation.with("WEIR__BUS__DATA_DIR", disk.join("data").display().to_string());
        }
        let mut processes = Processes::default();
        for program in programs {
            processes.add(*program, installation.launch(program).unwrap().start().unwrap());
        }
        processes.ready(WITHIN).await.unwrap();
        let of = |service: &str| processes.lock(UP).or_else(|_| processes.lock(service)).unwrap();
        let door = format!("http://{}", of("streaming").address(DOOR));
        let grpc = format!("http://{}", of("processing").grpc());
        Self { processes, door, grpc, installation }
    }

    /// Waits until a check of `weir` is in this state.
    pub(crate) async fn says(&self, check: &'static str, state: &'static str) {
        let says = self.processes.on(UP, move |process| {
            wait::until(&format!("{check} is {state}"), WITHIN, || {
                let digest: serde_json::Value = serde_json::from_str(&process.get("/health")?.1)?;
                let mut checks = digest["checks"].as_array().into_iter().flatten();
                Ok(checks.any(|one| one["name"] == check && one["state"] == state).then_some(()))
            })
        });
        says.await.unwrap();
    }

    /// A clean end of a program.
    pub(crate) async fn stop(&self, name: &str) {
        self.processes.on(name, |process| process.stop(WITHIN)).await.unwrap();
    }

    pub(crate) fn door(&self) -> &str {
        &self.door
    }

    pub(crate) fn grpc(&self) -> &str {
        &self.grpc
    }

    /// How often each id is on a topic.
    pub(crate) async fn on_topic(&self, topic: &str) -> HashMap<String, u64> {
        let is_embedded = self.installation.prefix().is_empty();
        let grpc = is_embedded.then_some(self.grpc.as_str());
        let records = Records::open(&self.installation.commands().unwrap(), grpc).await.unwrap();
        let mut reading = records.read(&[topic.to_owned()], Start::Beginning, false).await.unwrap();
        let mut ids = HashMap::new();
        while let Some(record) = reading.next_until_end().await.unwrap() {
            *ids.entry(record.headers.id).or_default() += 1;
        }
        ids
    }

    /// Where the table of activities is.
    pub(crate) fn table(&self) -> String {
        format!("{}/activities", self.installation.setting(LAKE))
    }

    /// Waits until all activities that there are, are in the lake, and no more have come meanwhile.
    pub(crate) async fn wait_for_all(&self) {
        let mut made = self.on_topic(ACTIVITIES.name()).await.len();
        loop {
            self.wait_for_rows(made as u64).await;
            match self.on_topic(ACTIVITIES.name()).await.len() {
                now if now == made => return,
                now => made = now,
            }
        }
    }

    /// How often each id is in the lake, as an engine says that is not Weir's.
    pub(crate) async fn in_lake(&self) -> HashMap<String, u64> {
        let table = self.table();
        let rows = tokio::task::spawn_blocking(move || {
            python::query_table(&table, "select id, count(*) as n from t group by id", &[])
        });
        let rows: Vec<BTreeMap<String, serde_json::Value>> =
            serde_json::from_str(&rows.await.unwrap().unwrap()).unwrap();
        rows.into_iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row["n"].as_u64().unwrap())).collect()
    }

    /// Waits until the lake has `wanted` rows, or no more come.
    pub(crate) async fn wait_for_rows(&self, wanted: u64) -> u64 {
        let settings = self.installation.commands().unwrap();
        let (mut rows, mut moved) = (0, Instant::now());
        while rows < wanted && moved.elapsed() < STALLED {
            // Not there before the first commit.
            let now = loader::count(&settings.lake, "activities").await.map_or(0, |count| count.rows);
            if now > rows {
                (rows, moved) = (now, Instant::now());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        rows
    }
}
