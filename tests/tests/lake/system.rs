//! Weir, running: all in one process or a process for each service, on the embedded log or on Kafka.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use bus::Start;
use weir::records::Records;
use weir_tests::kafka;
use weir_tests::process::{Launch, Process};
use weir_tests::python;
use weir_tests::scratch::Scratch;

const DOOR: &str = "WEIR__STREAMING__LISTEN";
const WITHIN: Duration = Duration::from_secs(60);
/// Without a new row for so long, no more come.
const STALLED: Duration = Duration::from_secs(60);

/// A running Weir.
pub(crate) struct System {
    processes: BTreeMap<&'static str, Arc<Mutex<Process>>>,
    door: String,
    grpc: String,
    lake: PathBuf,
    /// Settings with which its Kafka is found; none: its log is embedded, and asked for over gRPC.
    kafka: Option<[(String, String); 2]>,
    /// After the processes, so that these are stopped first.
    _scratch: Scratch,
}

impl System {
    /// `weir up` with everything embedded, in a folder of its own.
    pub(crate) async fn embedded() -> Self {
        Self::start("embedded", &["weir"], None, None).await
    }

    /// The same with the log and the lake on another disk.
    pub(crate) async fn embedded_on(disk: &Path) -> Self {
        Self::start("embedded", &["weir"], None, Some(disk)).await
    }

    /// `weir up` on the Kafka that all tests share.
    pub(crate) async fn on_kafka() -> Self {
        let name = "up-kafka";
        Self::start(name, &["weir"], Some(in_kafka(name)), None).await
    }

    /// The same with a lake that is there already, on this disk.
    pub(crate) async fn on_kafka_over(disk: &Path) -> Self {
        let name = "up-kafka-over";
        Self::start(name, &["weir"], Some(in_kafka(name)), Some(disk)).await
    }

    /// A process for each service, on the Kafka that all tests share.
    pub(crate) async fn in_processes() -> Self {
        let name = "services";
        let services = ["weir-streaming", "weir-processing", "weir-enricher", "weir-loader"];
        Self::start(name, &services, Some(in_kafka(name)), None).await
    }

    async fn start(
        name: &str,
        programs: &[&'static str],
        kafka: Option<[(String, String); 2]>,
        disk: Option<&Path>,
    ) -> Self {
        let scratch = Scratch::new(name).unwrap();
        let (lake, key) = (disk.unwrap_or(scratch.path()).join("lake"), scratch.path().join("sealing-key"));
        service::seal::SealingKey::create_file(&key).unwrap();
        let launch = |program: &&'static str| {
            let mut launch = Launch::new(program)
                .env("WEIR__BUS__KAFKA__SESSION_TIMEOUT_MS", "6000")
                .env("WEIR__BUS__CREATE_TOPICS", "true");
            for (key, value) in kafka.iter().flatten() {
                launch = launch.env(key, value);
            }
            launch = match *program {
                "weir" => launch.arg("up"),
                "weir-enricher" | "weir-loader" => launch,
                _ => launch.env("WEIR__SECRETS__KEY_FILE", key.to_str().unwrap()),
            };
            if let Some(disk) = disk {
                launch = launch.env("WEIR__BUS__DATA_DIR", disk.join("data").to_str().unwrap());
            }
            if ["weir", "weir-streaming"].contains(program) {
                launch = launch.listen(DOOR);
            }
            if ["weir", "weir-enricher"].contains(program) {
                launch = launch.env("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "500");
            }
            if ["weir", "weir-loader"].contains(program) {
                launch = launch.env("WEIR__LOADER__COMMIT_INTERVAL_MS", "500");
            }
            if ["weir", "weir-enricher", "weir-loader"].contains(program) {
                launch = launch.env("WEIR__LAKE__ROOT", lake.to_str().unwrap());
            }
            (*program, Arc::new(Mutex::new(launch.start().unwrap())))
        };
        let processes: BTreeMap<_, _> = programs.iter().map(launch).collect();
        let of = |service: &str| lock(processes.get("weir").unwrap_or_else(|| &processes[service]));
        let door = of("weir-streaming").address(DOOR).to_owned();
        let grpc = format!("http://{}", of("weir-processing").grpc());
        let system = Self { processes, door: format!("http://{door}"), grpc, lake, kafka, _scratch: scratch };
        for name in programs {
            system.on_thread(name, |process| process.ready(WITHIN).unwrap()).await;
        }
        system
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Process) -> T + Send + 'static,
    ) -> T {
        let process = Arc::clone(&self.processes[name]);
        tokio::task::spawn_blocking(move || act(&mut lock(&process))).await.unwrap()
    }

    pub(crate) async fn kill_and_restart(&self, name: &str) -> Duration {
        let began = Instant::now();
        self.on_thread(name, |process| {
            process.restart().unwrap();
            process.ready(WITHIN).unwrap();
        })
        .await;
        began.elapsed()
    }

    /// Waits until a check of `weir` is in this state.
    pub(crate) async fn says(&self, check: &'static str, state: &'static str) {
        self.on_thread("weir", move |process| {
            let what = format!("{check} is {state}");
            let look = || {
                let digest: serde_json::Value = serde_json::from_str(&process.get("/health")?.1)?;
                let mut checks = digest["checks"].as_array().into_iter().flatten();
                Ok(checks.any(|one| one["name"] == check && one["state"] == state).then_some(()))
            };
            weir_tests::wait::until(&what, WITHIN, look).unwrap();
        })
        .await;
    }

    /// A clean end of a program.
    pub(crate) async fn stop(&self, name: &str) {
        self.on_thread(name, |process| process.stop(WITHIN).unwrap()).await;
    }

    pub(crate) fn door(&self) -> &str {
        &self.door
    }

    pub(crate) fn grpc(&self) -> &str {
        &self.grpc
    }

    /// How often each id is on a topic.
    pub(crate) async fn on_topic(&self, topic: &str) -> HashMap<String, u64> {
        let environment = self.kafka.clone().into_iter().flatten();
        let settings: weir::settings::Settings = service::load(weir::settings::DEFAULTS, None, environment).unwrap();
        let grpc = self.kafka.is_none().then_some(self.grpc.as_str());
        let records = Records::open(&settings, grpc).await.unwrap();
        let mut reading = records.read(&[topic.to_owned()], Start::Beginning, false).await.unwrap();
        let mut ids = HashMap::new();
        while let Some(record) = reading.next_until_end().await.unwrap() {
            *ids.entry(record.headers.id).or_default() += 1;
        }
        ids
    }

    /// How often each id is in the lake, as an engine says that is not Weir's.
    pub(crate) async fn in_lake(&self) -> HashMap<String, u64> {
        let table = self.lake.join("activities");
        let rows = tokio::task::spawn_blocking(move || {
            python::query_table(table.to_str().unwrap(), "select id, count(*) as n from t group by id", &[])
        });
        let rows: Vec<BTreeMap<String, serde_json::Value>> =
            serde_json::from_str(&rows.await.unwrap().unwrap()).unwrap();
        rows.into_iter().map(|row| (row["id"].as_str().unwrap().to_owned(), row["n"].as_u64().unwrap())).collect()
    }

    /// Waits until the lake has `wanted` rows, or no more come.
    pub(crate) async fn wait_for_rows(&self, wanted: u64) -> u64 {
        let mut settings: weir::settings::Settings = service::load(weir::settings::DEFAULTS, None, []).unwrap();
        settings.lake.root = self.lake.to_str().unwrap().to_owned();
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

fn lock(process: &Mutex<Process>) -> MutexGuard<'_, Process> {
    process.lock().unwrap()
}

fn in_kafka(name: &str) -> [(String, String); 2] {
    let kafka = kafka::shared().unwrap();
    [
        ("WEIR__BUS__KAFKA__BROKERS".to_owned(), kafka.bootstrap().to_owned()),
        ("WEIR__BUS__TOPIC_PREFIX".to_owned(), kafka::prefix(name)),
    ]
}
