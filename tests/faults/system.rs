//! Weir as it runs in production: services as processes, two of those that must go on when one is gone.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use bus::Bus;
use simulate::Endpoints;
use weir_tests::cluster::BROKERS;
use weir_tests::disk::Disk;
use weir_tests::installation::{DOOR, Installation};
use weir_tests::process::{Launch, Process};
use weir_tests::processes::Processes;
use weir_tests::proxy::Proxy;
use weir_tests::{clock, ports};

use crate::store::{Store, Table};
use crate::surroundings::Surroundings;
use crate::traffic::PAGES;

const READY: Duration = Duration::from_secs(120);
/// Of each topic; there are about a hundred topics, three times on two processors.
pub(crate) const PARTITIONS: i32 = 3;

/// What a case has of services.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) enrichers: usize,
    pub(crate) loaders: usize,
    pub(crate) session_timeout_ms: u64,
    pub(crate) delivery_timeout_ms: u64,
    /// The lake is on a disk of its own of so many MiB.
    pub(crate) lake_mebibytes: Option<u32>,
    /// The lake is in an object store, and this decides which requests have its troubles.
    pub(crate) store: Option<u64>,
    /// Where the programs of another version are; the second of each service is of that.
    pub(crate) old: Option<PathBuf>,
    /// Each service has a clock of its own, which can be set.
    pub(crate) clocks: bool,
    /// What the services log, where nothing else is asked for.
    pub(crate) log: Option<&'static str>,
    /// Further settings of processing.
    pub(crate) processing: &'static [(&'static str, &'static str)],
    /// The enricher asks processing, through a proxy.
    pub(crate) look_ups: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            enrichers: 1,
            loaders: 1,
            session_timeout_ms: 6000,
            delivery_timeout_ms: 8000,
            lake_mebibytes: None,
            store: None,
            old: None,
            clocks: false,
            log: None,
            processing: &[],
            look_ups: false,
        }
    }
}

impl Options {
    pub(crate) fn two_of_each() -> Self {
        Self { enrichers: 2, loaders: 2, ..Self::default() }
    }

    pub(crate) fn session(&self) -> Duration {
        Duration::from_millis(self.session_timeout_ms)
    }
}

/// A running Weir.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) options: Options,
    processes: Processes,
    pub(crate) doors: Vec<String>,
    pub(crate) prefix: String,
    bootstrap: String,
    log: Option<String>,
    lake: PathBuf,
    pub(crate) disk: Option<Disk>,
    pub(crate) store: Option<Store>,
    installation: Installation,
    to_look_ups: Option<Proxy>,
}

impl System {
    /// Starts the services, waits until they are ready, and registers what is sent to.
    pub(crate) async fn start(
        name: &str,
        around: &Surroundings,
        endpoints: &Endpoints,
        options: Options,
    ) -> anyhow::Result<Self> {
        let installation = Installation::on(&around.brokers_behind_proxies(), name)?;
        let disk = match options.lake_mebibytes {
            Some(size) => Some(Disk::mount(size)?.context("only root can mount a small disk")?),
            None => None,
        };
        let store = match options.store {
            Some(seed) => Some(Store::start(installation.folder(), seed).await?),
            None => None,
        };
        let lake = disk.as_ref().map_or(installation.folder(), Disk::path).join("lake");
        let installation = installation
            .with("WEIR__BUS__KAFKA__SESSION_TIMEOUT_MS", options.session_timeout_ms.to_string())
            .with("WEIR__BUS__KAFKA__DELIVERY_TIMEOUT_MS", options.delivery_timeout_ms.to_string())
            .with("WEIR__BUS__REPLICATION_FACTOR", BROKERS.to_string())
            .with("WEIR__BUS__PARTITIONS", PARTITIONS.to_string())
            .with("WEIR__BUS__CLAIMS__STORE", "redis")
            .with("WEIR__BUS__CLAIMS__URL", format!("redis://127.0.0.1:{}/", around.to_redis.port()))
            .with("WEIR__REGISTRATIONS__DATABASE", around.database()?)
            .with("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "500")
            .with("WEIR__LOADER__COMMIT_INTERVAL_MS", "1000")
            .with("WEIR__LAKE__ROOT", lake.display().to_string());
        let mut system = Self {
            options,
            processes: Processes::default(),
            doors: Vec::new(),
            prefix: installation.prefix().to_owned(),
            bootstrap: around.bootstrap.clone(),
            log: around.log.clone(),
            lake,
            disk,
            store,
            installation,
            to_look_ups: None,
        };
        let (enrichers, loaders) = (system.options.enrichers, system.options.loaders);
        for (service, count) in [("streaming", 2), ("processing", 2), ("enricher", enrichers), ("loader", loaders)] {
            if service == "enricher" && system.options.look_ups {
                let asked: SocketAddr = system.on("processing-0", |process| Ok(process.grpc().parse()?)).await?;
                system.to_look_ups = Some(Proxy::start(ports::free()?, asked.port()).await?);
            }
            for number in 0..count {
                let name = format!("{service}-{number}");
                let process = system.launch(&name)?;
                if service == "streaming" {
                    system.doors.push(format!("http://{}", process.address(DOOR)));
                }
                system.processes.add(name, process);
            }
        }
        system.processes.ready(READY).await?;
        let grpc = system.on("processing-0", |process| Ok(format!("http://{}", process.grpc()))).await?;
        let mut client = weir::register::connect(&grpc).await?;
        weir::register::reconcile(&mut client, endpoints.registrations(PAGES)).await?;
        Ok(system)
    }

    /// What is between the enricher and processing.
    pub(crate) fn to_look_ups(&self) -> anyhow::Result<&Proxy> {
        self.to_look_ups.as_ref().context("the enricher asks nobody")
    }

    /// Starts a service that is no part of the pipeline, and has it among the others.
    pub(crate) fn add(&mut self, name: &str, change: impl FnOnce(Launch) -> Launch) -> anyhow::Result<()> {
        let service = name.rsplit_once('-').map_or(name, |(service, _)| service);
        let launch = change(self.installation.launch(service)?);
        self.processes.add(name, launch.start()?);
        Ok(())
    }

    /// Starts one more process of a service.
    pub(crate) fn launch(&self, name: &str) -> anyhow::Result<Process> {
        let service = name.split('-').next().unwrap_or_default();
        let mut launch = self.installation.launch(service)?.piped();
        if let Some(old) = self.options.old.as_deref().filter(|_| name.ends_with("-1")) {
            launch = launch.built_in(old);
        }
        if let Some(log) = self.log.as_deref().or(self.options.log) {
            launch = launch.env("WEIR__TELEMETRY__LOG", log);
        }
        if self.options.clocks {
            self.set_clock(name, clock::RIGHT)?;
            for (name, value) in clock::preload(&self.clock(name))? {
                launch = launch.env(name, value);
            }
        }
        if let Some(store) = self.store.as_ref().filter(|_| ["enricher", "loader"].contains(&service)) {
            launch = store.tell(launch);
        }
        if let Some(proxy) = self.to_look_ups.as_ref().filter(|_| service == "enricher") {
            launch = launch.env("WEIR__ENRICHER__PROCESSING_URL", format!("http://127.0.0.1:{}", proxy.port()));
        }
        if service == "processing" {
            launch = self.options.processing.iter().fold(launch, |launch, (name, value)| launch.env(name, *value));
        }
        launch.start()
    }

    fn clock(&self, name: &str) -> PathBuf {
        self.installation.folder().join(format!("clock-{name}"))
    }

    /// Sets the clock of a service, as "+2h".
    pub(crate) fn set_clock(&self, name: &str, to: &str) -> anyhow::Result<()> {
        clock::set(&self.clock(name), to)
    }

    /// Waits until the services say of a check what is wanted.
    pub(crate) async fn until_check(
        &self,
        name: &str,
        check: &str,
        wanted: impl Fn(&str) -> bool,
        within: Duration,
    ) -> anyhow::Result<()> {
        let (began, mut last) = (Instant::now(), serde_json::Value::Null);
        while began.elapsed() < within {
            for (_, digest) in self.digests().await?.into_iter().filter(|(of, _)| of == name) {
                let checks = digest["checks"].as_array().into_iter().flatten();
                last = checks.clone().find(|found| found["name"] == check).cloned().unwrap_or_default();
            }
            if last["state"].as_str().is_some_and(&wanted) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("check {check} of {name} is still as follows after {within:?}: {last}")
    }

    /// Waits until a service has logged this.
    pub(crate) async fn until_logged(&self, name: &str, what: &str, within: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < within {
            if self.on(name, |process| process.logged()).await?.contains(what) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        bail!("{name} has not logged {what:?} after {within:?}")
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.processes.names()
    }

    /// Acts on a process, on a thread that may block.
    pub(crate) async fn on<T: Send + 'static>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Process) -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        self.processes.on(name, act).await
    }

    /// How long the others wait for a member that was killed. The door is in no group.
    pub(crate) fn session_of(&self, name: &str) -> Duration {
        if name.starts_with("streaming") { Duration::ZERO } else { self.options.session() }
    }

    /// The group in which a service's processes share their work.
    pub(crate) fn group(&self, name: &str) -> String {
        format!("{}weir-{}", self.prefix, name.split('-').next().unwrap_or_default())
    }

    /// The digests of all processes that run.
    pub(crate) async fn digests(&self) -> anyhow::Result<Vec<(String, serde_json::Value)>> {
        self.processes.digests().await
    }

    /// Copies what the services have logged into a folder, as `case-service.log`, and the ledger.
    pub(crate) async fn keep_logs(&self, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        std::fs::copy(self.ledger(), folder.join(format!("{}ledger.jsonl", self.prefix)))?;
        for name in self.names() {
            let log = self.on(&name, |process| Ok(process.log().to_owned())).await?;
            std::fs::copy(log, folder.join(format!("{}{name}.log", self.prefix)))?;
        }
        Ok(())
    }

    /// A connection of the test's own to the brokers, past the proxies.
    pub(crate) fn bus(&self) -> anyhow::Result<Bus> {
        let mut settings = self.installation.commands()?;
        settings.bus.kafka.brokers = self.bootstrap.split(',').map(str::to_owned).collect();
        Ok(Bus::open(&settings.bus)?)
    }

    pub(crate) async fn grpc(&self, name: &str) -> anyhow::Result<String> {
        self.on(name, |process| Ok(format!("http://{}", process.grpc()))).await
    }

    /// The table in the lake.
    pub(crate) fn table(&self) -> anyhow::Result<Table> {
        match &self.store {
            Some(store) => Table::stored(store, "activities"),
            None => Ok(Table::Folder(self.lake.join("activities"))),
        }
    }

    /// Where the senders write down what they know.
    pub(crate) fn ledger(&self) -> PathBuf {
        self.installation.folder().join("ledger.jsonl")
    }

    pub(crate) fn folder(&self) -> &Path {
        self.installation.folder()
    }
}
