//! Checks of programs that know nothing of Weir: each asks one of them again and again, and says what it found.
//!
//! * [`settings`]: what can be set
//! * `net`: a TCP server, an HTTP server, a service with `grpc.health.v1`
//! * `lines`: the lines of a log, which `log` reads from files, `kubernetes` from the API of a cluster, and `loki` from Loki
//! * `api`: requests to both
//! * `nagios`: a plugin, which is run and read
//! * [`pattern`]: what has to be in an answer
//!
//! They are a stage of their own: the checks of a digest that is told beside those of the services.

pub(crate) mod api;
mod kubernetes;
mod lines;
mod log;
mod loki;
mod nagios;
mod net;
pub mod pattern;
#[cfg(test)]
#[path = "peer_tests.rs"]
pub(crate) mod peer;
pub mod settings;

use std::sync::{Arc, Mutex, TryLockError};
use std::time::{Duration, Instant};

use common::health::v1::{Digest, State};
use futures_util::future::join_all;
use service::tls::Dial;
use service::{CheckHandle, CheckSpec, Health, Host, clock};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::settings::HealthCheckSettings;
use crate::stage::PROBES;
use kubernetes::Kubernetes;
use log::Log;
use loki::Loki;
use settings::{
    GrpcSettings, HttpSettings, LogSettings, NagiosSettings, ProbeSettings, ProbingSettings, TcpSettings, What,
};

/// Where the instance is, among addresses.
pub(crate) const HERE: &str = "probes of health-check";

/// What came of asking once.
#[derive(Debug, Clone, PartialEq)]
struct Found {
    state: State,
    message: String,
    /// What was measured; none: how long it took.
    value: Option<f64>,
}

impl Found {
    fn ok(message: impl Into<String>) -> Self {
        Self { state: State::Ok, message: message.into(), value: None }
    }

    fn failing(message: impl Into<String>) -> Self {
        Self { state: State::Failing, message: message.into(), value: None }
    }
}

/// What went well, and what did not: both are told.
impl From<Result<String, String>> for Found {
    fn from(found: Result<String, String>) -> Self {
        found.map_or_else(Self::failing, Self::ok)
    }
}

/// All probes of the settings.
pub(crate) struct Probes {
    health: Health,
    dial: Dial,
    list: Vec<Probe>,
}

struct Probe {
    asks: Asks,
    every: Duration,
    limit: Duration,
    check: CheckHandle,
}

/// What is asked, with what is remembered of it.
enum Asks {
    Tcp(TcpSettings),
    Http(HttpSettings),
    Grpc(GrpcSettings),
    Nagios(NagiosSettings),
    Log(Arc<Mutex<Log>>),
    Kubernetes(Box<Kubernetes>),
    Loki(Box<Loki>),
}

impl Asks {
    fn new(what: What, probing: &ProbingSettings) -> Self {
        match what {
            What::Tcp(tcp) => Self::Tcp(tcp),
            What::Http(http) => Self::Http(http),
            What::Grpc(grpc) => Self::Grpc(grpc),
            What::Nagios(plugin) => Self::Nagios(plugin),
            What::Log(log) => {
                let within = Duration::from_millis(log.within_ms.unwrap_or(probing.within_ms));
                Self::log(*log, within)
            }
        }
    }

    fn log(log: LogSettings, within: Duration) -> Self {
        match (&log.kubernetes, &log.loki) {
            (Some(pods), _) => Self::Kubernetes(Box::new(Kubernetes::new(pods, &log, within))),
            (None, Some(loki)) => Self::Loki(Box::new(Loki::new(loki, &log, within))),
            (None, None) => Self::Log(Arc::new(Mutex::new(Log::new(log, within)))),
        }
    }

    /// Whether the time until the answer is the value: a server's is.
    fn is_timed(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Http(_) | Self::Grpc(_))
    }
}

impl Probes {
    /// Nobody is asked yet. None where there are none.
    pub(crate) fn open(settings: &HealthCheckSettings, host: &Host) -> Option<Self> {
        let HealthCheckSettings { probes, probing, .. } = settings;
        if probes.is_empty() {
            return None;
        }
        let health = Health::new(PROBES, host.shutdown().clone());
        let probe = |one: &ProbeSettings| {
            let what = one.what()?;
            // Names of checks live as long as the process, and probes are opened once in it.
            let name: &'static str = one.name.clone().leak();
            let asks = Asks::new(what, probing);
            let unit = if asks.is_timed() { "seconds" } else { "" };
            let action = one.action.into();
            let check = health.check(CheckSpec { name, action, gates_readiness: false, unit, threshold: None });
            let every = Duration::from_millis(one.interval_ms.unwrap_or(probing.interval_ms));
            let limit = Duration::from_millis(one.timeout_ms.unwrap_or(probing.timeout_ms));
            Some(Probe { asks, every, limit, check })
        };
        let list = probes.iter().filter_map(probe).collect();
        Some(Self { health, dial: host.dial(), list })
    }

    /// What they have found so far, as an instance of a service tells it.
    pub(crate) fn told(health: &Health) -> Digest {
        let digest = health.digest();
        // Another instance than the process, of which there may be a digest too, with its errors.
        Digest { instance: format!("{} {PROBES}", digest.instance), errors: Vec::new(), ..digest }
    }

    /// Where they tell it.
    pub(crate) fn health(&self) -> Health {
        self.health.clone()
    }

    /// Asks until the future is dropped.
    pub(crate) async fn run(mut self) {
        join_all(self.list.iter_mut().map(|probe| probe.keep(&self.dial))).await;
    }
}

impl Probe {
    async fn keep(&mut self, dial: &Dial) {
        let mut ticks = interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.check.every(self.period());
        loop {
            ticks.tick().await;
            self.look(dial).await;
        }
    }

    /// Between two answers, at most: one that takes longer than its interval is not asked before it has answered.
    fn period(&self) -> Duration {
        self.every.max(self.limit)
    }

    /// Asks once. No answer in time is an answer too: what is watched may hang, and so may what watches.
    async fn look(&mut self, dial: &Dial) {
        let begun = Instant::now();
        let asking = async {
            match &mut self.asks {
                Asks::Tcp(tcp) => net::tcp(tcp).await.into(),
                Asks::Http(http) => net::http(http).await.into(),
                Asks::Grpc(grpc) => net::grpc(grpc, dial, self.limit).await.into(),
                Asks::Nagios(plugin) => nagios::run(plugin).await,
                Asks::Log(log) => follow(log, self.limit / 2).await,
                Asks::Kubernetes(pods) => pods.look(begun, self.limit / 2).await,
                Asks::Loki(loki) => loki.look(clock::now()).await,
            }
        };
        let no_answer = |_| Found::failing(format!("no answer within {:?}", self.limit));
        let Found { state, message, value } = timeout(self.limit, asking).await.unwrap_or_else(no_answer);
        if let Some(value) = value.or_else(|| self.asks.is_timed().then(|| begun.elapsed().as_secs_f64())) {
            self.check.value(value);
        }
        self.check.set(state, message);
    }
}

/// Reads where that may block. A look that still hangs when the next one comes is not waited for.
async fn follow(log: &Arc<Mutex<Log>>, takes: Duration) -> Found {
    let log = Arc::clone(log);
    let looking = tokio::task::spawn_blocking(move || {
        let mut log = match log.try_lock() {
            Ok(log) => log,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Found::failing("the look before still reads"),
        };
        log.look(Instant::now(), takes)
    });
    looking.await.unwrap_or_else(|error| Found::failing(format!("the log cannot be followed: {error}")))
}

#[cfg(test)]
#[path = "probes_tests.rs"]
mod tests;
