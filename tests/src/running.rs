//! A service of Weir that runs in the test's own process.
//!
//! What is waited for comes within [`LIMIT`], or the test fails and shows the service's checks.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "what a test relies on fails it by panicking")]

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::health::v1::{Digest, State};
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use service::{Addresses, Host, Service, Settings as _};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic::service::Routes;
use tonic::transport::Channel;

use crate::balance::Balance;

/// Longer than anything takes on a busy machine; only a failure waits for it.
pub const LIMIT: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

/// A running service.
#[derive(Debug)]
pub struct Running {
    /// Its host.
    pub host: Host,
    /// Where its admin server and gRPC are.
    pub addresses: Addresses,
    /// Where it answers to strangers, if it does.
    pub door: Option<SocketAddr>,
    name: &'static str,
    tasks: JoinSet<anyhow::Result<()>>,
}

impl Running {
    /// Opens a service and runs it. Does not wait until it is ready.
    ///
    /// # Panics
    /// It cannot be opened, or its ports cannot.
    pub async fn start<S: Service>(settings: &S::Settings) -> Self {
        let host = Host::new(S::description().name, &settings.host());
        let service = Box::pin(S::open(settings, &host)).await.unwrap();
        Self::run(host, service).await
    }

    /// Runs a service that was opened on this host.
    ///
    /// # Panics
    /// Its ports cannot be opened.
    pub async fn run<S: Service>(host: Host, service: S) -> Self {
        let (routes, pages) = (service.add_to(Routes::default()), service.pages());
        let addresses = host.serve_with(routes, pages).await.unwrap();
        let (name, door) = (S::description().name, service.door());
        let mut tasks = JoinSet::new();
        tasks.spawn(Box::pin(service.run()));
        Self { host, addresses, door, name, tasks }
    }

    /// What it says of itself.
    pub fn digest(&self) -> Digest {
        self.host.health().digest()
    }

    /// The state and the message of a check.
    ///
    /// # Panics
    /// It has no such check.
    pub fn check(&self, name: &str) -> (State, String) {
        let digest = self.digest();
        let check = digest.checks.iter().find(|check| check.name == name).expect("such a check");
        (check.state(), check.message.clone())
    }

    /// Looks until it is so.
    ///
    /// # Panics
    /// It is not so within [`LIMIT`].
    pub async fn until(&self, what: &str, look: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !look(self) {
            assert!(began.elapsed() < LIMIT, "{what}: not within {LIMIT:?}: {:#?}", self.digest());
            sleep(LOOK).await;
        }
    }

    /// Waits until it is ready.
    ///
    /// # Panics
    /// It is not ready within [`LIMIT`].
    pub async fn ready(&self) {
        self.until("ready", |running| running.host.health().is_ready()).await;
    }

    /// What it has done by now with what it took in.
    pub fn counted(&self) -> Balance {
        let mut balance = Balance::default();
        balance.add(self.name, &self.digest());
        balance
    }

    /// Waits until nothing is in work; then what became of what it took in, which adds up.
    ///
    /// # Panics
    /// More ended than was taken in, or something is in work for longer than [`LIMIT`].
    pub async fn balance(&self) -> Balance {
        self.until("nothing is in work", |running| {
            let balance = running.counted();
            assert!(balance.ended() <= balance.taken_in, "more ended than was taken in: {balance:?}");
            balance.ended() == balance.taken_in
        })
        .await;
        self.counted()
    }

    /// A channel to its gRPC.
    ///
    /// # Panics
    /// Nobody answers there.
    pub async fn grpc(&self) -> Channel {
        crate::connect::grpc(&format!("http://{}", self.addresses.grpc)).await.unwrap()
    }

    /// A client of its registrations.
    ///
    /// # Panics
    /// Nobody answers at its gRPC.
    pub async fn registrations(&self) -> RegistrationServiceClient<Channel> {
        RegistrationServiceClient::new(self.grpc().await)
    }

    /// The sum of a counter over all lines of /metrics that have these labels. What the recorder counts is of all services
    /// in this process; what comes from the counts of a service is its own.
    ///
    /// # Panics
    /// /metrics does not answer.
    pub async fn metric(&self, metric: &str, labels: &[(&str, &str)]) -> u64 {
        let admin = self.addresses.admin.to_string();
        let page = tokio::task::spawn_blocking(move || crate::process::get(&admin, "/metrics")).await.unwrap();
        let labels: Vec<_> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        let (_, text) = page.unwrap();
        let lines = text.lines().filter(|line| line.starts_with(metric) && labels.iter().all(|it| line.contains(it)));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>() as u64
    }

    /// Ends it as SIGTERM would.
    ///
    /// # Panics
    /// It ends with an error.
    pub async fn stop(mut self) {
        self.host.shutdown().cancel();
        self.tasks.join_next().await.unwrap().unwrap().unwrap();
        self.host.close().await;
    }

    /// Waits until it has ended; how it did.
    ///
    /// # Panics
    /// It goes on for longer than `limit`.
    pub async fn ended(&mut self, limit: Duration) -> anyhow::Result<()> {
        timeout(limit, self.tasks.join_next()).await.expect("it ends").unwrap().unwrap()
    }

    /// Waits until it ends by itself; why it did.
    ///
    /// # Panics
    /// It goes on for longer than [`LIMIT`], or ends without an error.
    pub async fn breaks(mut self) -> anyhow::Error {
        let ended = self.ended(LIMIT).await;
        self.host.close().await;
        ended.unwrap_err()
    }

    /// Ends it in the middle of whatever it does.
    pub async fn crash(mut self) {
        self.tasks.shutdown().await;
        self.host.close().await;
    }
}
