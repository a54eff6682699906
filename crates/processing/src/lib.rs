//! Turns raw deliveries into typed events and activities, drops duplicates, and hosts the control plane.
//!
//! ```text
//! raw.<source>       ─▶ lane ─┐  parse (sources)    claims (bus)     ┌─▶ events.<platform>.<kind>
//! raw.<source>.bulk  ─▶ lane ─┴─▶ on all cores ──▶ duplicates? ──────┼─▶ activities
//!                                  ▲ tenants                         └─▶ dead-letters
//!                                  │
//! registrations ─▶ control plane: view     gRPC: registrations, their look-up, dead letters, replay
//! ```
//!
//! * [`settings`]: what can be set
//! * [`parse`], [`storm`]: what a raw record becomes, when to stop
//! * `canary`: what goes on and is no event
//! * `delivery`, [`weight`]: what a raw record holds, and what it takes in memory
//! * [`pipeline`]: consume, parse, claim, produce
//! * `raw`: the same reading, for what the control plane replays
//!
//! [`Processing::new`] opens what is local and never waits; [`Processing::run`] waits for the log, the claims' store
//! and the database as long as it takes, and health says so.

mod canary;
mod delivery;
mod health;
pub mod parse;
pub mod pipeline;
mod raw;
pub mod settings;
pub mod storm;
mod topics;
mod warn;
pub mod weight;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bus::Consumer;
use common::catalogue::Description;
use control::registrations::store::RegistrationStore;
use control::registrations::upkeep::View;
use control::{Control, Parts, RawStage};
use service::{Host, Service};
use stage::{Driver, Memory, Opened, Outbox, Outputs, StageClaims, pace};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::health::Checks;
use crate::pipeline::{Lane, REFUSALS, Shared};
use crate::settings::Input;
pub use crate::settings::{DEFAULTS, PROCESSING_DEFAULTS, Settings};
pub use crate::topics::{ABOUT, description};

/// The stage's name in claims, dead letters and metrics.
pub const STAGE: &str = "processing";

/// Processing, opened and not yet running.
#[derive(Debug)]
pub struct Processing {
    settings: Settings,
    opened: Opened,
    control: Control,
    checks: Checks,
}

impl Processing {
    /// Opens what is local; waits for nothing.
    ///
    /// # Errors
    /// When the key file, the password file or a setting does not do; the message names the setting.
    pub fn new(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        let (opened, parts) = open(settings, host)?;
        Self::with(settings, opened, Control::open(&settings.registrations, &settings.secrets, parts)?)
    }

    /// The same with another database behind the registrations: for tests of what a database may do.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_store(settings: &Settings, host: &Host, store: Arc<dyn RegistrationStore>) -> anyhow::Result<Self> {
        let (opened, parts) = open(settings, host)?;
        let control = Control::with_store(&settings.registrations, &settings.secrets, parts, store)?;
        Self::with(settings, opened, control)
    }

    fn with(settings: &Settings, opened: Opened, control: Control) -> anyhow::Result<Self> {
        let stalled_after = Duration::from_millis(settings.processing.stalled_after_ms);
        let checks = Checks::new(opened.host.health(), stalled_after);
        opened.counts.limit(stalled_after);
        checks.registrations_reading();
        Ok(Self { settings: settings.clone(), opened, control, checks })
    }

    /// Runs until the host shuts down, then drains, flushes and leaves the group.
    ///
    /// # Errors
    /// When something that has to run all the time ended by itself.
    pub async fn run(self) -> anyhow::Result<()> {
        let Self { settings, opened, control, checks } = self;
        let shutdown = opened.host.shutdown().clone();
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
        let (table, view) = (control.table(), control.view());
        let store = control.run(opened.after.clone(), &mut tasks);
        opened.watch_log(checks.log.clone(), &mut tasks);
        let lanes = Lanes { settings, opened: opened.clone(), view, checks };
        let running = async {
            let Some((claims, consumers)) = shutdown.run_until_cancelled(lanes.prepare(&table)).await else {
                return Ok(());
            };
            let (claims, consumers) = (claims, consumers?);
            lanes.run(claims, consumers).await?;
            // After a storm the lanes have ended, and everything else goes on.
            shutdown.cancelled().await;
            anyhow::Ok(())
        };
        let ended = opened.run(Box::pin(running), tasks).await;
        store.close().await;
        ended
    }
}

fn open(settings: &Settings, host: &Host) -> anyhow::Result<(Opened, Parts)> {
    let millis = Duration::from_millis;
    let (deadline, every) = (settings.shutdown.deadline_ms, settings.processing.health_interval_ms);
    let opened = Opened::open(STAGE, &settings.bus(), host, millis(deadline), millis(every))?;
    let Opened { bus, producer, every, .. } = opened.clone();
    Ok((opened, Parts { host: host.clone(), bus, producer, every }))
}

/// The two lanes and what they need.
struct Lanes {
    settings: Settings,
    opened: Opened,
    view: View,
    checks: Checks,
}

impl Lanes {
    /// Waits for the topics, the registrations and the claims' store, in this order.
    async fn prepare(&self, table: &bus::TableHandle) -> (StageClaims, anyhow::Result<[(&'static str, Consumer); 2]>) {
        let Opened { bus, producer, drain, .. } = self.opened.clone();
        self.checks.log.prepare(&bus, &topics::described(&self.settings.processing.sources()).needed()).await;
        table.wait_read().await;
        let (endpoints, accounts) = self.view.with(common::registrations::Registrations::len);
        self.checks.registrations_read(endpoints, accounts);
        tracing::info!(endpoints, accounts, "the registrations have been read");
        let outputs = Outputs {
            bus,
            producer,
            drain,
            topics: topics::typed(&self.settings.processing.sources()),
            claimed: |headers| Some((headers.r#type.clone().into(), headers.id.parse().ok()?)),
        };
        let claims = StageClaims::open(STAGE, outputs, self.checks.claims.clone()).await;
        (claims, self.consumers())
    }

    fn consumers(&self) -> anyhow::Result<[(&'static str, Consumer); 2]> {
        let open = |Input { lane, group, topics }: Input| anyhow::Ok((lane, self.opened.consumer(&group, &topics)?));
        let [direct, bulk] = self.settings.processing.inputs();
        Ok([open(direct)?, open(bulk)?])
    }

    /// Ends with the shutdown, or after a storm.
    async fn run(&self, claims: StageClaims, consumers: [(&'static str, Consumer); 2]) -> anyhow::Result<()> {
        let (settings, opened) = (&self.settings.processing, &self.opened);
        let driver = Driver {
            stage: STAGE,
            shutdown: opened.host.shutdown().clone(),
            stop: CancellationToken::new(),
            tasks: opened.tasks().clone(),
            memory: Memory::new(settings.memory_bytes),
            drain: opened.drain,
        };
        let shared = Arc::new(Shared {
            outbox: Outbox {
                stage: STAGE,
                producer: opened.producer.clone(),
                claims,
                pace: pace::Pace::new(settings.events_per_second, settings.endpoint_events_per_second),
                refusals: REFUSALS,
                shutdown: driver.shutdown.clone(),
                stop: driver.stop.clone(),
                tasks: driver.tasks.clone(),
            },
            view: self.view.clone(),
            storm: Mutex::new(storm::Storm::new(settings.storm.limits())),
            checks: self.checks.clone(),
            counts: opened.counts.clone(),
            started: Instant::now(),
            worked: Mutex::new(None),
            limit: settings.limit(),
        });
        let states: Vec<_> = consumers.iter().map(|(name, consumer)| (*name, consumer.state())).collect();
        for (_, state) in states.clone() {
            opened.host.counts().watch_consumer(move || state.told(STAGE));
        }
        let (watched, seen) = (Arc::clone(&shared), opened.clone());
        let watching = opened.tasks().spawn(async move {
            watched.watch(&seen.bus, &states, seen.every, seen.after).await;
        });
        let hold = Duration::from_millis(settings.storm.hold_ms);
        opened.tasks().spawn(warn::run(Arc::clone(&shared), opened.every, hold, opened.after.clone()));
        let threads = settings.parse_threads();
        let slow = (threads as f64 * settings.bulk_share).ceil().max(1.0) as usize;
        let run = |(name, consumer), share, readers| {
            let lane = Arc::new(Lane { share, shared: Arc::clone(&shared) });
            driver.run(lane, (), stage::Lane { name, consumer, ahead: settings.parse_ahead_batches, readers }, [])
        };
        let [direct, bulk] = consumers;
        let (direct, bulk) = tokio::join!(run(direct, 1.0, threads), run(bulk, settings.bulk_share, slow));
        watching.abort();
        direct.and(bulk)
    }
}

impl Service for Processing {
    type Settings = Settings;
    const DEFAULTS: &'static [&'static str] = DEFAULTS;

    fn description() -> Description {
        description()
    }

    fn groups(settings: &Settings) -> BTreeMap<String, String> {
        settings.processing.groups()
    }

    fn add_to(&self, routes: Routes) -> Routes {
        let settings = &self.settings.processing;
        let raw = RawStage {
            sources: settings.sources().iter().map(|source| source.name()).collect(),
            groups: settings.groups(),
            reader: Arc::new(raw::Reader { limit: settings.limit() }),
        };
        self.control.add_to(routes, raw, self.settings.grpc.max_message_bytes)
    }

    async fn open(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        Self::new(settings, host)
    }

    async fn run(self) -> anyhow::Result<()> {
        Self::run(self).await
    }
}
