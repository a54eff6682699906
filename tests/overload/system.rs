//! Weir as it runs in production, each service a process, on one broker.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::Bus;
use simulate::Endpoints;
use weir_tests::kafka::{self, Kafka};
use weir_tests::process::{Launch, Process};
use weir_tests::scratch::Scratch;

const DOOR: &str = "WEIR__STREAMING__LISTEN";
const READY: Duration = Duration::from_secs(120);
pub(crate) const PAGES: u32 = 60;

/// Deliveries that the door has in hand at one time. It is what makes the door's capacity small enough for ten times as
/// much to be offered from the same machine.
pub(crate) const MAX_IN_FLIGHT: usize = 8;
/// How long records wait for company: most of the time of an acknowledgement, and none of it processor time.
const LINGER_MS: u32 = 20;
/// Connections that the door has at one time.
pub(crate) const MAX_CONNECTIONS: usize = 256;
/// For the head of a request, for its body, and between two requests.
pub(crate) const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(3);
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// A running Weir.
#[derive(Debug)]
pub(crate) struct System {
    services: Vec<(&'static str, Process)>,
    kafka: Kafka,
    prefix: String,
    _scratch: Scratch,
}

impl System {
    /// Starts everything, waits until it is ready, and registers what is sent to. Blocks.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let scratch = Scratch::new("overload")?;
        service::seal::SealingKey::create_file(scratch.path().join("sealing-key"))?;
        let (kafka, prefix) = (Kafka::start(kafka::Options::default())?, kafka::prefix("overload"));
        let mut services = Vec::new();
        for name in ["streaming", "processing", "enricher", "loader"] {
            let path = |name: &str| scratch.path().join(name).display().to_string();
            let mut launch = Launch::new(&format!("weir-{name}"))
                .env("WEIR__BUS__KAFKA__BROKERS", kafka.bootstrap())
                .env("WEIR__BUS__TOPIC_PREFIX", &prefix)
                .env("WEIR__BUS__CREATE_TOPICS", "true")
                .env("WEIR__BUS__DATA_DIR", path(name))
                .env("WEIR__BUS__PARTITIONS", "3");
            if ["streaming", "processing"].contains(&name) {
                launch = launch.env("WEIR__SECRETS__KEY_FILE", path("sealing-key"));
            }
            if ["enricher", "loader"].contains(&name) {
                launch = launch.env("WEIR__LAKE__ROOT", path("lake"));
            }
            if name == "streaming" {
                launch = door(launch);
            }
            services.push((name, launch.start()?));
        }
        for (name, process) in &services {
            process.ready(READY).with_context(|| (*name).to_owned())?;
        }
        Ok(Self { services, kafka, prefix, _scratch: scratch })
    }

    fn process(&self, name: &str) -> anyhow::Result<&Process> {
        let found = self.services.iter().find(|(service, _)| *service == name);
        found.map(|(_, process)| process).with_context(|| format!("there is no {name}"))
    }

    pub(crate) async fn register(&self, endpoints: &Endpoints) -> anyhow::Result<()> {
        let mut client = weir::register::connect(&format!("http://{}", self.process("processing")?.grpc())).await?;
        weir::register::reconcile(&mut client, endpoints.registrations(PAGES)).await?;
        Ok(())
    }

    pub(crate) fn door(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.process("streaming")?.address(DOOR).parse()?)
    }

    pub(crate) fn pid(&self, name: &str) -> anyhow::Result<u32> {
        Ok(self.process(name)?.pid())
    }

    pub(crate) fn pids(&self) -> Vec<(&'static str, u32)> {
        self.services.iter().map(|(name, process)| (*name, process.pid())).collect()
    }

    /// Services that have ended, though nobody told them to.
    pub(crate) fn ended(&self) -> anyhow::Result<Vec<&'static str>> {
        let mut ended = Vec::new();
        for (name, process) in &self.services {
            if process.exited()?.is_some() {
                ended.push(*name);
            }
        }
        Ok(ended)
    }

    pub(crate) fn keep_logs(&self, folder: &std::path::Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder)?;
        for (name, process) in &self.services {
            std::fs::copy(process.log(), folder.join(format!("{name}.log")))?;
        }
        Ok(())
    }

    /// A connection of the test's own to the broker.
    pub(crate) fn bus(&self) -> anyhow::Result<Bus> {
        let environment = [
            ("WEIR__BUS__KAFKA__BROKERS".to_owned(), self.kafka.bootstrap().to_owned()),
            ("WEIR__BUS__TOPIC_PREFIX".to_owned(), self.prefix.clone()),
        ];
        let settings: weir::settings::Settings = service::load(weir::settings::DEFAULTS, None, environment)?;
        Ok(Bus::open(&settings.bus)?)
    }

    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }
}

fn door(launch: Launch) -> Launch {
    let millis = |time: Duration| time.as_millis().to_string();
    launch
        .listen(DOOR)
        .env("WEIR__STREAMING__MAX_IN_FLIGHT", MAX_IN_FLIGHT.to_string())
        .env("WEIR__STREAMING__MAX_CONNECTIONS", MAX_CONNECTIONS.to_string())
        .env("WEIR__STREAMING__HEADER_TIMEOUT_MS", millis(HEADER_TIMEOUT))
        .env("WEIR__STREAMING__BODY_TIMEOUT_MS", millis(BODY_TIMEOUT))
        .env("WEIR__STREAMING__IDLE_TIMEOUT_MS", millis(IDLE_TIMEOUT))
        .env("WEIR__BUS__PRODUCER__LINGER_MS", LINGER_MS.to_string())
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
