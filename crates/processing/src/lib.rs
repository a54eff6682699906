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
mod emit;
pub mod enrichment;
mod health;
mod open;
pub mod pace;
pub mod parse;
pub mod pipeline;
pub mod registrations;
pub mod replay;
pub mod settings;
pub mod storm;
mod tally;
mod topics;
mod warn;
pub mod weight;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bus::{Bus, Consumer, Producer, Table};
use common::deadletter::v1::dead_letter_service_server::DeadLetterServiceServer;
use common::enrichment::v1::enrichment_service_server::EnrichmentServiceServer;
use common::registration::v1::Registration;
use common::registration::v1::registration_service_server::RegistrationServiceServer;
use common::topics::REGISTRATIONS;
use service::Host;
use stage::{Outputs, StageClaims};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::dead_letters::service::{self as letters, DeadLetters};
use crate::enrichment::Enrichment;
use crate::health::Checks;
use crate::pipeline::{Lane, Shared};
use crate::registrations::publish::Publisher;
use crate::registrations::service::Registrations;
use crate::registrations::store::RegistrationStore;
use crate::registrations::upkeep::{self, Upkeep, View};
use crate::settings::Input;
pub use crate::settings::{DEFAULTS, PROCESSING_DEFAULTS, Settings};
pub use crate::topics::{flow, topics};

/// Processing, opened and not yet running.
#[derive(Debug)]
pub struct Processing {
    settings: Settings,
    host: Host,
    bus: Bus,
    producer: Producer,
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
        let bus = Bus::open(&settings.bus()).context("opening the bus")?;
        if !bus.settings().is_embedded() {
            host.ends_when_the_clock_is_set_back();
        }
        host.watch_certificate("bus.kafka.certificate_file", bus.settings().kafka.certificate_file.as_ref());
        let producer = bus.producer().context("opening the producer")?;
        let limit = Duration::from_millis(settings.registrations.publish_timeout_ms);
        let publisher = Publisher::new(producer.clone(), limit);
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
            table: bus.table(&REGISTRATIONS),
            upkeep: upkeep::Checks::new(host.health()),
            settings: settings.clone(),
            host: host.clone(),
            bus,
            producer,
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
    pub fn routes(&self) -> tonic::service::Routes {
        let largest = self.settings.grpc.max_message_bytes;
        let (bus, producer, store) = (self.bus.clone(), self.producer.clone(), Arc::clone(&self.store));
        // An answer may hold the largest record there is, and a page of what is said of many.
        let dead_letters = self.settings.bus.producer.max_record_bytes.saturating_mul(2).max(largest);
        let stage = letters::Stage {
            sources: self.settings.processing.sources().iter().map(|source| source.name()).collect(),
            groups: self.settings.processing.groups(),
            memory: self.settings.processing.limit(),
            view: self.view.clone(),
            table: self.table.handle(),
        };
        tonic::service::Routes::new(
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
            DeadLetterServiceServer::new(DeadLetters::new(bus, producer, store, self.host.clone(), stage))
                .max_decoding_message_size(largest)
                .max_encoding_message_size(dead_letters),
        )
    }

    /// Runs until the host shuts down, then drains, flushes and leaves the group.
    ///
    /// # Errors
    /// When something that has to run all the time ended by itself.
    pub async fn run(self) -> anyhow::Result<()> {
        let shutdown = self.host.shutdown().clone();
        // Ends what serves the lanes, after the lanes.
        let after = CancellationToken::new();
        // Also where this future is dropped in its middle.
        let _ends = after.clone().drop_guard();
        let every = Duration::from_millis(self.settings.processing.health_interval_ms);
        let drain = Duration::from_millis(self.settings.shutdown.deadline_ms).mul_f64(0.4);
        let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();

        let table = self.table.handle();
        let (view, until) = (self.view.clone(), after.clone());
        tasks.spawn(async move {
            let apply = move |id: &str, registration| view.apply(id, registration);
            self.table.follow(apply, until).await.context("following the registrations topic")
        });
        let upkeep = Upkeep {
            store: Arc::clone(&self.store),
            bus: self.bus.clone(),
            publisher: self.publisher.clone(),
            view: self.view.clone(),
            table: table.clone(),
            differs: Arc::clone(&self.differs),
            compare: Duration::from_millis(self.settings.registrations.compare_interval_ms),
            look: every,
            allow_removals: self.settings.registrations.allow_removals,
            compared: self.compared.clone(),
        };
        let (checks, until) = (self.upkeep, shutdown.clone());
        tasks.spawn(async move {
            upkeep.run(checks, until).await;
            Ok(())
        });
        let (checks, bus, producer, until) =
            (self.checks.clone(), self.bus.clone(), self.producer.clone(), after.clone());
        tasks.spawn(async move {
            until.run_until_cancelled(checks.log.watch(&bus, &producer, pipeline::STAGE, every)).await;
            Ok(())
        });
        let stage = Stage {
            settings: self.settings,
            bus: self.bus,
            producer: self.producer.clone(),
            view: self.view,
            checks: self.checks,
            host: self.host,
            drain,
        };
        let lanes = async {
            let Some((claims, consumers)) = shutdown.run_until_cancelled(stage.prepare(&table)).await else {
                return Ok(());
            };
            let (claims, consumers) = (claims, consumers?);
            stage.run(claims, consumers, &after).await?;
            // After a storm the lanes have ended, and everything else goes on.
            shutdown.cancelled().await;
            anyhow::Ok(())
        };
        let mut ended = tokio::select! {
            ended = lanes => ended,
            Some(ended) = unexpected(&mut tasks, &shutdown) => ended,
        };
        // What waits for the shutdown ends as well when one of them broke: half a service must not go on.
        shutdown.cancel();
        if let Err(error) = self.producer.flush(drain).await {
            tracing::warn!(%error, "not everything was acknowledged at the end: its input comes again");
        }
        after.cancel();
        while let Some(task) = tasks.join_next().await {
            let task = task.context("a task broke").flatten();
            // The first error is the cause.
            ended = ended.and(task);
        }
        self.store.close().await;
        ended
    }
}

/// The end of a task that has to run until the shutdown; never, if all run until then.
async fn unexpected(
    tasks: &mut JoinSet<anyhow::Result<()>>,
    shutdown: &CancellationToken,
) -> Option<anyhow::Result<()>> {
    while let Some(task) = tasks.join_next().await {
        if shutdown.is_cancelled() {
            continue;
        }
        return Some(match task {
            Ok(Ok(())) => Err(anyhow::anyhow!("a task that has to run all the time ended")),
            Ok(Err(error)) => Err(error),
            Err(error) => Err(error).context("a task broke"),
        });
    }
    std::future::pending().await
}

/// The two lanes and what they need.
struct Stage {
    settings: Settings,
    bus: Bus,
    producer: Producer,
    view: View,
    checks: Checks,
    host: Host,
    drain: Duration,
}

impl Stage {
    /// Waits for the topics, the registrations and the claims' store, in this order.
    async fn prepare(&self, table: &bus::TableHandle) -> (StageClaims, anyhow::Result<[(&'static str, Consumer); 2]>) {
        self.checks.log.prepare(&self.bus, &topics::wanted(&self.settings.processing.sources())).await;
        table.wait_read().await;
        let (endpoints, accounts) = self.view.with(common::registrations::Registrations::len);
        self.checks.registrations_read(endpoints, accounts);
        tracing::info!(endpoints, accounts, "the registrations have been read");
        let outputs = Outputs {
            bus: self.bus.clone(),
            producer: self.producer.clone(),
            drain: self.drain,
            topics: topics::typed(&self.settings.processing.sources()),
            claimed: |headers| Some((headers.r#type.clone().into(), headers.id.parse().ok()?)),
        };
        let claims = StageClaims::open(pipeline::STAGE, outputs, self.checks.claims.clone()).await;
        (claims, self.consumers())
    }

    fn consumers(&self) -> anyhow::Result<[(&'static str, Consumer); 2]> {
        let open = |Input { lane, group, topics }: Input| {
            let consumer = self.bus.consumer(&group, &topics);
            let consumer = consumer.with_context(|| format!("consuming {}", topics.join(", ")))?;
            anyhow::Ok((lane, consumer.ends_with(self.host.shutdown().clone())))
        };
        let [direct, bulk] = self.settings.processing.inputs();
        Ok([open(direct)?, open(bulk)?])
    }

    /// Ends with the shutdown, or after a storm.
    async fn run(
        &self,
        claims: StageClaims,
        consumers: [(&'static str, Consumer); 2],
        after: &CancellationToken,
    ) -> anyhow::Result<()> {
        let settings = &self.settings.processing;
        let shared = Arc::new(Shared {
            producer: self.producer.clone(),
            claims,
            view: self.view.clone(),
            pace: pace::Pace::new(settings.events_per_second, settings.endpoint_events_per_second),
            storm: Mutex::new(storm::Storm::new(settings.storm.limits())),
            checks: self.checks.clone(),
            counts: self.host.counts().hop(pipeline::STAGE),
            shutdown: self.host.shutdown().clone(),
            stop: CancellationToken::new(),
            tasks: self.host.tasks().clone(),
            started: Instant::now(),
            worked: Mutex::new(None),
            ahead: settings.parse_ahead_batches,
            drain: self.drain,
            limit: settings.limit(),
            memory: weight::Memory::new(settings.memory_bytes),
        });
        let states: Vec<_> = consumers.iter().map(|(name, consumer)| (*name, consumer.state())).collect();
        let queues = states.clone();
        let queues = move || queues.iter().flat_map(|(_, state)| state.queues(pipeline::STAGE)).collect();
        self.host.counts().watch_queues(queues);
        let every = Duration::from_millis(settings.health_interval_ms);
        let (checks, watched, until) = (self.checks.clone(), Arc::clone(&shared), after.clone());
        let bus = self.bus.clone();
        let watching =
            self.host.tasks().spawn(async move { checks.watch_stage(&bus, &states, &watched, every, until).await });
        let hold = Duration::from_millis(settings.storm.hold_ms);
        self.host.tasks().spawn(warn::run(Arc::clone(&shared), every, hold, after.clone()));
        let threads = settings.parse_threads();
        let [(direct, direct_consumer), (bulk, bulk_consumer)] = consumers;
        let lane = |name, share, threads| Lane { name, share, parsers: Arc::new(Semaphore::new(threads)) };
        let slow = (threads as f64 * settings.bulk_share).ceil().max(1.0) as usize;
        let (direct, bulk) = tokio::join!(
            pipeline::run(lane(direct, 1.0, threads), direct_consumer, Arc::clone(&shared)),
            pipeline::run(lane(bulk, settings.bulk_share, slow), bulk_consumer, shared),
        );
        watching.abort();
        direct.and(bulk)
    }
}

/// Opens, serves and runs: what a process of its own does.
///
/// # Errors
/// What went wrong, with what, and what to do.
pub async fn run(settings: Settings, host: Host) -> anyhow::Result<()> {
    let processing = Processing::new(&settings, &host).await?;
    host.serve(processing.routes()).await?;
    processing.run().await
}
