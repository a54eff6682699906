//! One process: its servers, its health, its tasks and its shutdown.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;

use crate::clock::{self, SetBack};
use crate::restarts::Restarts;
use crate::tls::expiry::Certificates;
use crate::tls::{Dial, ServerTls};
use crate::{Counts, Health, HostSettings, admin, bind, grpc, layers, metrics_page};

/// How often the recorder of metrics sorts what histograms took in, and series end.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);
/// How often the clock is looked at, where something waits by it: what is set ahead and back between two looks is not seen.
const CLOCK_LOOK: Duration = Duration::from_millis(100);
/// What a clock is set back by and nobody minds: sessions and time-outs are longer.
const SET_BACK: Duration = Duration::from_secs(10);

/// Where the servers of a host listen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// The admin server (HTTP).
    pub admin: SocketAddr,
    /// The gRPC server.
    pub grpc: SocketAddr,
}

/// One process, as its services see it. Cheap to clone.
///
/// Its life: [`Host::serve`] opens the ports; cancelling [`Host::shutdown`] makes it not ready, stops intake and lets
/// gRPC calls end; [`Host::close`] stops the rest. `main` does the last two.
#[derive(Clone, Debug)]
pub struct Host {
    inner: Arc<Inner>,
    shutdown: CancellationToken,
    counts: Counts,
}

#[derive(Debug)]
struct Inner {
    settings: HostSettings,
    health: Health,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    /// Stops the admin server: it goes on answering while the service drains.
    stop: CancellationToken,
    servers: TaskTracker,
    certificates: Certificates,
    /// Whether somebody looks at the clock.
    by_clock: AtomicBool,
    /// Its services, where it holds all of them.
    held: OnceLock<Vec<&'static str>>,
    restarts: Restarts,
    /// What is answered by gRPC, from when it is until the end: services hold their host, which must not hold them longer.
    answers: Mutex<Option<Routes>>,
    set_back: CancellationToken,
}

impl Host {
    /// A host that does not listen yet.
    #[must_use]
    pub fn new(name: &'static str, settings: &HostSettings) -> Host {
        metrics_page::install();
        metrics_page::describe();
        let shutdown = CancellationToken::new();
        let health = Health::new(name, shutdown.clone());
        health.counts().limit_series(settings.telemetry.endpoint_series);
        Host {
            shutdown: shutdown.clone(),
            counts: health.counts().clone(),
            inner: Arc::new(Inner {
                settings: settings.clone(),
                health,
                shutdown,
                tasks: TaskTracker::new(),
                stop: CancellationToken::new(),
                servers: TaskTracker::new(),
                certificates: Certificates::default(),
                by_clock: AtomicBool::new(false),
                held: OnceLock::new(),
                restarts: Restarts::default(),
                answers: Mutex::default(),
                set_back: CancellationToken::new(),
            }),
        }
    }

    /// The settings it was made with: limits for `routes`, the deadline of the shutdown.
    #[must_use]
    pub fn settings(&self) -> &HostSettings {
        &self.inner.settings
    }

    /// Its checks.
    #[must_use]
    pub fn health(&self) -> &Health {
        &self.inner.health
    }

    /// What goes through the hops of this process; told with the digest.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How it connects to others by gRPC, with what `[grpc.client]` says.
    #[must_use]
    pub fn dial(&self) -> Dial {
        Dial::new("grpc.client", &self.inner.settings.grpc.client)
    }

    /// Watches when a certificate of one's own ends: the check `certificates` warns seven days before and fails after.
    /// `setting` is what names the file. Those of `[admin.tls]`, `[grpc.tls]` and `[grpc.client]` are watched anyway.
    pub fn watch_certificate(&self, setting: &str, file: &Path) {
        self.inner.certificates.add(setting, file);
    }

    /// Something in this process waits by the clock that can be set, as the client of Kafka does: where that is set back, it
    /// waits for as much longer. Then the process ends at once, to be started again.
    pub fn ends_when_the_clock_is_set_back(&self) {
        if self.inner.by_clock.swap(true, Ordering::Relaxed) {
            return;
        }
        let inner = Arc::clone(&self.inner);
        self.inner.servers.spawn(self.inner.stop.clone().run_until_cancelled_owned(async move {
            let mut clock = SetBack::new(clock::now(), Instant::now());
            let mut ticks = tokio::time::interval(CLOCK_LOOK);
            loop {
                ticks.tick().await;
                let by = clock.look(clock::now(), Instant::now());
                if by >= SET_BACK {
                    tracing::error!(
                        seconds = by.as_secs(),
                        "the clock was set back, which would stall the Kafka client for as long: exiting at once for a \
                         restart"
                    );
                    return inner.set_back.cancel();
                }
            }
        }));
    }

    /// All services are in this process, and find each other here, whatever the settings say. Once; their names are in the
    /// order of the data's way.
    pub fn hold_all(&self, names: Vec<&'static str>) {
        let _ = self.inner.held.set(names);
    }

    /// The names of [all services](Self::hold_all), where they are here.
    #[must_use]
    pub fn held(&self) -> Option<&[&'static str]> {
        self.inner.held.get().map(Vec::as_slice)
    }

    /// What the services answer by gRPC, where all of them are in this process and answer already: for clients that need
    /// no connection. A call is a call of a function, without what a connection brings: no limits, and nobody is asked
    /// for a certificate.
    #[must_use]
    pub fn answers(&self) -> Option<Routes> {
        self.held()?;
        self.inner.answers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Cancelled when the [clock was set back](Self::ends_when_the_clock_is_set_back).
    pub(crate) fn set_back(&self) -> &CancellationToken {
        &self.inner.set_back
    }

    /// Cancelled when intake has to stop.
    #[must_use]
    pub fn shutdown(&self) -> &CancellationToken {
        &self.shutdown
    }

    /// The host as one of its services sees it that may end before the others. Its [`shutdown`](Self::shutdown) ends that
    /// service alone, and comes with that of the process. With `gone` the consumers of the service are told no more.
    #[must_use]
    pub fn part(&self, gone: CancellationToken) -> Host {
        let counts = self.counts.until(gone);
        Host { inner: Arc::clone(&self.inner), shutdown: self.shutdown.child_token(), counts }
    }

    /// Which services of this process can be restarted, and how.
    #[must_use]
    pub fn restarts(&self) -> &Restarts {
        &self.inner.restarts
    }

    /// The tasks that are waited for at shutdown.
    #[must_use]
    pub fn tasks(&self) -> &TaskTracker {
        &self.inner.tasks
    }

    /// Starts the admin server (`/livez` `/readyz` `/health` `/metrics`) and gRPC (`grpc.health.v1`, reflection,
    /// `weir.health.v1` and `routes`). To be called once.
    ///
    /// # Errors
    /// When a port is taken; the message names the setting.
    pub async fn serve(&self, routes: Routes) -> anyhow::Result<Addresses> {
        self.serve_with(routes, None).await
    }

    /// [`Host::serve`] with further pages on the admin server: `/` and any path that no process has. What is at `/` else,
    /// the checks of the process, is at `/checks` too.
    ///
    /// # Errors
    /// As [`Host::serve`].
    pub async fn serve_with(&self, routes: Routes, pages: Option<axum::Router>) -> anyhow::Result<Addresses> {
        let settings = &self.inner.settings;
        // Before the ports, so that nobody connects to what will not answer.
        self.dial().check()?;
        let admin_tls = ServerTls::http("admin.tls", &settings.admin.tls)?;
        let grpc_tls = ServerTls::grpc("grpc.tls", &settings.grpc.tls.server(), settings.grpc.tls.client_ca())?;
        let admin = bind("admin.listen", &settings.admin.listen).await?;
        let grpc = bind("grpc.listen", &settings.grpc.listen).await?;
        let addresses = Addresses { admin: admin.local_addr()?, grpc: grpc.local_addr()? };

        let pages = admin::router(self.inner.health.clone(), pages);
        let stop = self.inner.stop.clone();
        self.inner.servers.spawn(layers::admin::serve(admin, admin_tls, pages, settings.admin.clone(), stop));

        let routes = grpc::routes(routes, &settings.grpc, &self.inner.health).await?;
        *self.inner.answers.lock().unwrap_or_else(PoisonError::into_inner) = Some(routes.clone());
        let (limits, shutdown) = (settings.grpc.clone(), self.inner.shutdown.clone());
        self.inner.servers.spawn(async move {
            if let Err(error) = layers::grpc_server::serve(grpc, grpc_tls, routes, &limits, shutdown).await {
                tracing::error!(%error, "the gRPC server failed");
            }
        });
        self.inner.servers.spawn(upkeep(self.inner.health.counts().clone(), self.inner.stop.clone()));
        self.watch_certificate("admin.tls.certificate_file", &settings.admin.tls.certificate_file);
        self.watch_certificate("grpc.tls.certificate_file", &settings.grpc.tls.certificate_file);
        self.watch_certificate("grpc.client.certificate_file", &settings.grpc.client.certificate_file);
        let (certificates, health) = (self.inner.certificates.clone(), self.inner.health.clone());
        self.inner.servers.spawn(certificates.watch(health, self.inner.stop.clone()));
        Ok(addresses)
    }

    /// Stops what still runs: cancels the shutdown token if nobody did, stops the servers and waits for them and for
    /// [`Host::tasks`]. It has no deadline of its own.
    pub async fn close(&self) {
        self.inner.shutdown.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
        *self.inner.answers.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.inner.stop.cancel();
        self.inner.servers.close();
        self.inner.servers.wait().await;
    }
}

async fn upkeep(counts: Counts, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(METRICS_UPKEEP);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        counts.upkeep();
        if let Some(recorder) = metrics_page::install() {
            recorder.run_upkeep();
        }
    }
}

/// A host with the default settings on free ports.
#[cfg(test)]
pub(crate) fn test_host(name: &'static str) -> Host {
    #[derive(serde::Deserialize)]
    struct Sections {
        admin: crate::AdminSettings,
        grpc: crate::GrpcSettings,
        telemetry: crate::TelemetrySettings,
        shutdown: crate::ShutdownSettings,
    }
    let Sections { mut admin, mut grpc, telemetry, shutdown } = toml::from_str(crate::DEFAULTS).unwrap();
    admin.listen = "127.0.0.1:0".to_owned();
    grpc.listen = "127.0.0.1:0".to_owned();
    Host::new(name, &HostSettings { admin, grpc, telemetry, shutdown })
}
