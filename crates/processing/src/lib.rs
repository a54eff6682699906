//! Turns raw deliveries into typed events and activities, drops duplicates, and keeps the registrations.
//!
//! ```text
//! raw.<source>       ─▶ lane ─┐  parse (sources)    claims (bus)     ┌─▶ events.<platform>.<kind>
//! raw.<source>.bulk  ─▶ lane ─┴─▶ on all cores ──▶ duplicates? ──────┼─▶ activities
//!                                  ▲ tenants                         └─▶ dead-letters
//! registrations ─▶ table ──────────┘
//!      ▲
//!      ├── gRPC RegistrationService ─ SQLite or PostgreSQL
//!      └── gRPC EnrichmentService: their metadata
//! dead-letters, raw.… ── gRPC DeadLetterService ─▶ raw.…, activities, loads: what was refused, or never came out
//! ```
//!
//! * [`settings`]: what can be set
//! * [`parse`], [`storm`], [`pace`]: what a raw record becomes, when to stop, how fast to go
//! * [`pipeline`]: consume, parse, claim, produce
//! * [`registrations`]: the gRPC service, its databases and its topic
//! * [`enrichment`]: what the registrations say about activities
//! * [`dead_letters`]: looking at what any stage refused, and sending it again
//! * [`replay`]: what all that is sent again has in common, and raw deliveries of which something never came out
//!
//! [`Processing::new`] opens what is local and never waits; [`Processing::run`] waits for the log, the claims' store
//! and the database as long as it takes, and health says so.

pub mod dead_letters;
pub mod enrichment;
mod health;
mod open;
pub mod parse;
pub mod pipeline;
pub mod registrations;
pub mod replay;
pub mod settings;
pub mod storm;
mod topics;
mod warn;
pub mod weight;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bus::{Consumer, Table};
use common::catalogue::Description;
use common::deadletter::v1::dead_letter_service_server::DeadLetterServiceServer;
use common::enrichment::v1::enrichment_service_server::EnrichmentServiceServer;
use common::registration::v1::Registration;
use common::registration::v1::registration_service_server::RegistrationServiceServer;
use common::topics::REGISTRATIONS;
use service::{Host, Service};
use stage::{Driver, Memory, Opened, Outbox, Outputs, StageClaims, pace};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::dead_letters::service::{self as letters, DeadLetters};
use crate::enrichment::Enrichment;
use crate::health::Checks;
use crate::pipeline::{Lane, REFUSALS, STAGE, Shared};
use crate::registrations::publish::Publisher;
use crate::registrations::service::Registrations;
use crate::registrations::store::RegistrationStore;
use crate::registrations::upkeep::{self, Upkeep, View};
use crate::settings::Input;
pub use crate::settings::{DEFAULTS, PROCESSING_DEFAULTS, Settings};
pub use crate::topics::{ABOUT, description};

/// Processing, opened and not yet running.
#[derive(Debug)]
pub struct Processing {
    settings: Settings,
    opened: Opened,
    store: Arc<dyn RegistrationStore>,
    publisher: Publisher,
    registrations: Registrations,
    differs: Arc<Notify>,
    compared: CancellationToken,
    view: View,
    table: Table<Registration>,
    checks: Checks,
    upkeep: upkeep::Checks,
}

impl Processing {
    /// Opens what is local; waits for nothing.
    ///
    /// # Errors
    /// When the key file, the password file or a setting does not do; the message names the setting.
    pub async fn new(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        let delivery = Duration::from_millis(settings.bus.kafka.delivery_timeout_ms.into());
        Self::with_store(settings, host, open::store(&settings.registrations, delivery)?).await
    }

    /// The same with another database behind the registrations: for tests of what a database may do.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn with_store(
        settings: &Settings,
        host: &Host,
        store: Arc<dyn RegistrationStore>,
    ) -> anyhow::Result<Self> {
        let key = open::sealing_key(settings)?;
        let millis = Duration::from_millis;
        let (deadline, every) = (settings.shutdown.deadline_ms, settings.processing.health_interval_ms);
        let opened = Opened::open(STAGE, &settings.bus(), host, millis(deadline), millis(every))?;
        let limit = Duration::from_millis(settings.registrations.publish_timeout_ms);
        let publisher = Publisher::new(opened.producer.clone(), limit);
        let differs = Arc::new(Notify::new());
        let compared = CancellationToken::new();
        let registrations = Registrations::new(
            Arc::clone(&store),
            publisher.clone(),
            key,
            settings.registrations.limits(),
            host.tasks().clone(),
            Arc::clone(&differs),
            registrations::service::Moments { compared: compared.clone(), ends: host.shutdown().clone() },
        );
        let stalled_after = Duration::from_millis(settings.processing.stalled_after_ms);
        let checks = Checks::new(host.health(), stalled_after);
        checks.registrations_reading();
        Ok(Self {
            table: opened.bus.table(&REGISTRATIONS),
            upkeep: upkeep::Checks::new(host.health()),
            settings: settings.clone(),
            opened,
            store,
            publisher,
            registrations,
            differs,
            compared,
            view: View::default(),
            checks,
        })
    }

    /// The gRPC services.
    fn answer(&self, routes: Routes) -> Routes {
        let largest = self.settings.grpc.max_message_bytes;
        let Opened { host, bus, producer, .. } = self.opened.clone();
        // An answer may hold the largest record there is, and a page of what is said of many.
        let dead_letters = self.settings.bus.producer.max_record_bytes.saturating_mul(2).max(largest);
        let stage = letters::Stage {
            sources: self.settings.processing.sources().iter().map(|source| source.name()).collect(),
            groups: self.settings.processing.groups(),
            memory: self.settings.processing.limit(),
            view: self.view.clone(),
            table: self.table.handle(),
        };
        routes
            .add_service(
                RegistrationServiceServer::new(self.registrations.clone())
                    .max_decoding_message_size(largest)
                    .max_encoding_message_size(largest),
            )
            .add_service(
                EnrichmentServiceServer::new(Enrichment::new(self.view.clone(), self.table.handle()))
                    .max_decoding_message_size(largest)
                    .max_encoding_message_size(largest),
            )
            .add_service(
                DeadLetterServiceServer::new(DeadLetters::new(bus, producer, Arc::clone(&self.store), host, stage))
                    .max_decoding_message_size(largest)
                    .max_encoding_message_size(dead_letters),
            )
    }

    /// Runs until the host shuts down, then drains, flushes and leaves the group.
    ///
    /// # Errors
    /// When something that has to run all the time ended by itself.
    pub async fn run(self) -> anyhow::Result<()> {
        let opened = self.opened;
        let shutdown = opened.host.shutdown().clone();
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();

        let table = self.table.handle();
        let (view, until) = (self.view.clone(), opened.after.clone());
        tasks.spawn(async move {
            let apply = move |id: &str, registration| view.apply(id, registration);
            self.table.follow(apply, until).await.context("following the registrations topic")
        });
        let upkeep = Upkeep {
            store: Arc::clone(&self.store),
            bus: opened.bus.clone(),
            publisher: self.publisher.clone(),
            view: self.view.clone(),
            table: table.clone(),
            differs: Arc::clone(&self.differs),
            compare: Duration::from_millis(self.settings.registrations.compare_interval_ms),
            look: opened.every,
            allow_removals: self.settings.registrations.allow_removals,
            compared: self.compared.clone(),
        };
        let (checks, until) = (self.upkeep, shutdown.clone());
        tasks.spawn(async move {
            upkeep.run(checks, until).await;
            Ok(())
        });
        opened.watch_log(self.checks.log.clone(), &mut tasks);
        let lanes = Lanes { settings: self.settings, opened: opened.clone(), view: self.view, checks: self.checks };
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
        let ended = opened.run(running, tasks).await;
        self.store.close().await;
        ended
    }
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
            counts: opened.host.counts().hop(STAGE),
            started: Instant::now(),
            worked: Mutex::new(None),
            limit: settings.limit(),
        });
        let states: Vec<_> = consumers.iter().map(|(name, consumer)| (*name, consumer.state())).collect();
        let queues = states.clone();
        let queues = move || queues.iter().flat_map(|(_, state)| state.queues(STAGE)).collect();
        opened.host.counts().watch_queues(queues);
        let (checks, watched, seen) = (self.checks.clone(), Arc::clone(&shared), opened.clone());
        let watching = opened.tasks().spawn(async move {
            checks.watch_stage(&seen.bus, &states, &watched, seen.every, seen.after).await;
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

    fn groups(settings: &Settings) -> Vec<String> {
        settings.processing.inputs().map(|input| input.group).to_vec()
    }

    fn add_to(&self, routes: Routes) -> Routes {
        self.answer(routes)
    }

    async fn open(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        Self::new(settings, host).await
    }

    async fn run(self) -> anyhow::Result<()> {
        Self::run(self).await
    }
}
