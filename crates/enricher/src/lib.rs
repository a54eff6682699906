//! Finds out more about activities, and writes them to a topic and, as Parquet files, to the lake.
//!
//! ```text
//! activities ─▶ steps: look-ups (gRPC), reference data, derived ─▶ claims ─┬─▶ activities.enriched
//!                                                                          ├─▶ files in the lake ─▶ loads
//!                                                                          └─▶ dead-letters
//! ```
//!
//! * [`settings`]: what can be set
//! * [`fields`], [`derive`], [`steps`]: what is asked with, what the text tells, what others tell
//! * `work`, `pipeline`, `emit`: consume, enrich, claim, produce
//! * [`range`], [`files`], `writer`, `upload`: which offsets a load request covers, its files, its way
//!
//! [`Enricher::new`] opens what is local and never waits; [`Enricher::run`] waits for the log and the claims' store as
//! long as it takes, and health says so.

pub mod derive;
mod emit;
pub mod fields;
pub mod files;
mod health;
mod pipeline;
pub mod range;
pub mod settings;
pub mod steps;
mod topics;
mod upload;
mod work;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Bus, Producer};
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED};
use lake::Lake;
use service::Host;
use stage::{Outputs, StageClaims};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::health::Checks;
use crate::pipeline::Shared;
pub use crate::settings::{DEFAULTS, ENRICHER_DEFAULTS, Settings};
use crate::steps::Steps;
pub use crate::topics::{flow, topics};
use crate::upload::Uploads;
use crate::writer::{Limits, Writer};

/// The stage's name in claims, dead letters, counts and metrics.
pub const STAGE: &str = "enricher";
/// The full protobuf name of what is claimed.
const ACTIVITY: &str = "weir.activity.v1.Activity";

/// How long to wait before what was not there is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// The enricher, opened and not yet running.
#[derive(Debug)]
pub struct Enricher {
    settings: Settings,
    host: Host,
    bus: Bus,
    producer: Producer,
    lake: Lake,
    checks: Checks,
    processing_url: String,
}

impl Enricher {
    /// Opens what is local; waits for nothing.
    ///
    /// # Errors
    /// When a setting does not do; the message names it.
    pub async fn new(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        let bus = Bus::open(&settings.bus()).context("opening the bus")?;
        if !bus.settings().is_embedded() {
            host.ends_when_the_clock_is_set_back();
        }
        host.watch_certificate("bus.kafka.certificate_file", bus.settings().kafka.certificate_file.as_ref());
        let producer = bus.producer().context("opening the producer")?;
        let lake = Lake::open(&settings.lake).context("opening the lake")?;
        let checks = Checks::new(host.health(), Duration::from_millis(settings.enricher.stalled_after_ms));
        Ok(Self {
            processing_url: settings.enricher.processing_url.clone(),
            settings: settings.clone(),
            host: host.clone(),
            bus,
            producer,
            lake,
            checks,
        })
    }

    /// Where processing answers gRPC, if that is known only now: `weir up` takes its own, whatever the settings say.
    #[must_use]
    pub fn with_processing_at(self, url: &str) -> Self {
        Self { processing_url: url.to_owned(), ..self }
    }

    /// Runs until the host shuts down, then writes what is there, flushes and leaves the group.
    ///
    /// # Errors
    /// When something that has to run all the time ended by itself.
    pub async fn run(self) -> anyhow::Result<()> {
        let shutdown = self.host.shutdown().clone();
        // Ends what serves the pipeline, after the pipeline.
        let after = CancellationToken::new();
        // Also where this future is dropped in its middle.
        let _ends = after.clone().drop_guard();
        let every = Duration::from_millis(self.settings.enricher.health_interval_ms);
        let drain = Duration::from_millis(self.settings.shutdown.deadline_ms).mul_f64(0.4);
        let mut tasks: JoinSet<()> = JoinSet::new();
        let (checks, bus, producer, lake, until) =
            (self.checks.clone(), self.bus.clone(), self.producer.clone(), self.lake.clone(), after.clone());
        tasks.spawn(async move { checks.watch_stores(&bus, &producer, &lake, every, until).await });

        let producer = self.producer.clone();
        let running = async {
            let Some(prepared) = shutdown.run_until_cancelled(self.prepare(drain)).await else { return Ok(()) };
            self.consume(prepared, drain, every, &after).await
        };
        let ended = running.await;
        // Half a service must not go on.
        shutdown.cancel();
        if let Err(error) = producer.flush(drain).await {
            tracing::warn!(%error, "not everything was acknowledged at the end: its input comes again");
        }
        after.cancel();
        while let Some(task) = tasks.join_next().await {
            if let Err(error) = task {
                tracing::error!(%error, "a task broke");
            }
        }
        ended
    }

    /// Waits for the topics and the claims' store.
    async fn prepare(&self, drain: Duration) -> (StageClaims, Arc<str>) {
        self.checks.log.prepare(&self.bus, &topics::topics()).await;
        let topic_id = loop {
            match self.bus.topic_identity(ACTIVITIES.name()).await {
                Ok(id) => break id,
                Err(error) => tracing::debug!(%error, "the topic does not say who it is, asking again"),
            }
            tokio::time::sleep(RETRY).await;
        };
        let outputs = Outputs {
            bus: self.bus.clone(),
            producer: self.producer.clone(),
            drain,
            topics: vec![ACTIVITIES_ENRICHED.name().to_owned()],
            claimed: |headers| (!headers.id.is_empty()).then(|| (ACTIVITY.into(), work::claimed(&headers.id))),
        };
        let claims = StageClaims::open(STAGE, outputs, self.checks.claims.clone()).await;
        (claims, topic_id)
    }

    async fn consume(
        self,
        (claims, topic_id): (StageClaims, Arc<str>),
        drain: Duration,
        every: Duration,
        after: &CancellationToken,
    ) -> anyhow::Result<()> {
        let settings = &self.settings.enricher;
        let millis = Duration::from_millis;
        let steps = Steps::open(settings, &self.processing_url, &self.host.dial(), self.host.health())?;
        steps.prepare().await;
        let consumer = self
            .bus
            .consumer_of_batches(&settings.group, &[ACTIVITIES.name().to_owned()])
            .with_context(|| format!("consuming {}", ACTIVITIES.name()))?
            .ends_with(self.host.shutdown().clone());
        let state = consumer.state();
        let queues = state.clone();
        self.host.counts().watch_queues(move || queues.queues(STAGE));
        let shared = Arc::new(Shared {
            bus: self.bus,
            producer: self.producer,
            claims,
            steps,
            checks: self.checks.clone(),
            counts: self.host.counts().hop(STAGE),
            pace: Shared::pace(settings.activities_per_second),
            shutdown: self.host.shutdown().clone(),
            tasks: self.host.tasks().clone(),
            drain,
        });
        let (watched, until) = (Arc::clone(&shared), after.clone());
        let (checks, watched_state) = (self.checks, state.clone());
        self.host.tasks().spawn(async move {
            checks.watch_stage(watched_state, &watched, every, until).await;
        });
        let (kept, check, until) = (Arc::clone(&shared), millis(settings.reference.check_interval_ms), after.clone());
        self.host.tasks().spawn(async move { kept.steps.keep(every, check, until).await });
        let limits = Limits {
            flush_bytes: settings.flush_bytes,
            flush_after: millis(settings.flush_interval_ms),
            buffered_bytes: settings.max_buffered_bytes,
            held_records: settings.max_held_records,
            held_bytes: settings.max_held_bytes,
        };
        let uploads = Uploads { lake: self.lake, topic_id };
        let writer = Writer::new(Arc::clone(&shared), state, uploads, limits);
        pipeline::run(consumer, writer, settings.batches_ahead, shared).await
    }
}

/// Opens, serves and runs: what a process of its own does.
///
/// # Errors
/// What went wrong, with what, and what to do.
pub async fn run(settings: Settings, host: Host) -> anyhow::Result<()> {
    let enricher = Enricher::new(&settings, &host).await?;
    host.serve(tonic::service::Routes::default()).await?;
    enricher.run().await
}
