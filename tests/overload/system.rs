//! Weir as it runs in production, each service a process, on one broker.

use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use bus::Bus;
use simulate::Endpoints;
use weir_tests::installation::{DOOR, Installation, pipeline};
use weir_tests::kafka::{self, Kafka};
use weir_tests::process::{Launch, Process};

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
    installation: Installation,
    _kafka: Kafka,
}

impl System {
    /// Starts everything, waits until it is ready, and registers what is sent to. Blocks.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let kafka = Kafka::start(kafka::Options::default())?;
        let installation = Installation::on(kafka.bootstrap(), "overload")?.with("WEIR__BUS__PARTITIONS", "3");
        let mut services = Vec::new();
        for name in pipeline() {
            let launch = installation.launch(name)?;
            let launch = if name == "streaming" { door(launch) } else { launch };
            services.push((name, launch.start()?));
        }
        for (name, process) in &services {
            process.ready(READY).with_context(|| (*name).to_owned())?;
        }
        Ok(Self { services, installation, _kafka: kafka })
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
        self.installation.bus()
    }

    pub(crate) fn prefix(&self) -> &str {
        self.installation.prefix()
    }
}

fn door(launch: Launch) -> Launch {
    let millis = |time: Duration| time.as_millis().to_string();
    launch
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
