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
//! * `work`, `pipeline`: what is made of an activity, and of a batch of them; `item`: what the writer gets of each; `shared`:
//!   what all lanes have in common
//! * [`range`], [`files`], `writer`, `upload`: which offsets a load request covers, its files, its way
//!
//! [`Enricher::new`] opens what is local and never waits; [`Enricher::run`] waits for the log and the claims' store as
//! long as it takes, and health says so.

pub mod derive;
pub mod fields;
pub mod files;
mod health;
mod item;
mod meters;
mod pipeline;
pub mod range;
pub mod settings;
mod shared;
pub mod steps;
mod topics;
mod upload;
mod work;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use common::catalogue::Description;
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED};
use lake::Lake;
use service::{Host, Service};
use stage::pace::Pace;
use stage::{Driver, Lane, Memory, Opened, Outbox, Outputs, Part, StageClaims};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::health::Checks;
use crate::pipeline::{Enriching, REFUSALS, State};
pub use crate::settings::{DEFAULTS, ENRICHER_DEFAULTS, Settings};
use crate::shared::Shared;
use crate::steps::{Processing, Steps};
pub use crate::topics::{ABOUT, description};
use crate::upload::Uploads;
use crate::writer::{FileLimits, Writer};

/// The stage's name in claims, dead letters, counts and metrics.
pub const STAGE: &str = "enricher";
/// The full protobuf name of what is claimed.
const ACTIVITY: &str = "weir.activity.v1.Activity";

/// The enricher, opened and not yet running.
#[derive(Debug)]
pub struct Enricher {
    settings: Settings,
    opened: Opened,
    lake: Lake,
    checks: Checks,
}

impl Enricher {
    /// Opens what is local; waits for nothing.
    ///
    /// # Errors
    /// When a setting does not do; the message names it.
    pub async fn new(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        meters::describe();
        let millis = Duration::from_millis;
        let (deadline, every) = (settings.shutdown.deadline_ms, settings.enricher.health_interval_ms);
        let opened = Opened::open(STAGE, &settings.bus(), host, millis(deadline), millis(every))?;
        let lake = Lake::open(&settings.lake).context("opening the lake")?;
        let stalled_after = millis(settings.enricher.stalled_after_ms);
        let checks = Checks::new(host.health(), stalled_after);
        opened.counts.limit(stalled_after);
        Ok(Self { settings: settings.clone(), opened, lake, checks })
    }

    /// Runs until the host shuts down, then writes what is there, flushes and leaves the group.
    ///
    /// # Errors
    /// When something that has to run all the time ended by itself.
    pub async fn run(self) -> anyhow::Result<()> {
        let opened = self.opened.clone();
        let shutdown = opened.host.shutdown().clone();
        let mut tasks = JoinSet::new();
        opened.watch_log(self.checks.log.clone(), &mut tasks);
        let (checks, lake, every, after) = (self.checks.clone(), self.lake.clone(), opened.every, opened.after.clone());
        tasks.spawn(async move {
            checks.watch_lake(&lake, every, after).await;
            Ok(())
        });
        let running = async {
            let Some(prepared) = shutdown.run_until_cancelled(self.prepare()).await else { return Ok(()) };
            self.consume(prepared).await
        };
        opened.run(Box::pin(running), tasks).await
    }

    /// Waits for the topics and the claims' store.
    async fn prepare(&self) -> (StageClaims, Arc<str>) {
        let Opened { bus, producer, drain, .. } = self.opened.clone();
        self.checks.log.prepare(&bus, &description().needed()).await;
        let topic_id = self.opened.topic_identity(ACTIVITIES.name()).await;
        let outputs = Outputs {
            bus,
            producer,
            drain,
            topics: vec![ACTIVITIES_ENRICHED.name().to_owned()],
            claimed: |headers| (!headers.id.is_empty()).then(|| (ACTIVITY.into(), work::claimed(&headers.id))),
        };
        (StageClaims::open(STAGE, outputs, self.checks.claims.clone()).await, topic_id)
    }

    async fn consume(self, (claims, topic_id): (StageClaims, Arc<str>)) -> anyhow::Result<()> {
        let (settings, opened) = (&self.settings.enricher, self.opened);
        let millis = Duration::from_millis;
        let elsewhere = || Processing::At(settings.processing_url.clone());
        let processing = opened.host.answers().map_or_else(elsewhere, Processing::Here);
        let steps = Steps::open(settings, &processing, &opened.host.dial(), opened.host.health())?;
        steps.prepare().await;
        let consumer = opened.consumer_of_batches(&settings.group, &[ACTIVITIES.name().to_owned()])?;
        let state = consumer.state();
        let queues = state.clone();
        opened.host.counts().watch_consumer(move || queues.told(STAGE));
        let driver = Driver {
            stage: STAGE,
            shutdown: opened.host.shutdown().clone(),
            stop: CancellationToken::new(),
            tasks: opened.tasks().clone(),
            memory: Memory::unlimited(),
            drain: opened.drain,
        };
        let shared = Arc::new(Shared {
            bus: opened.bus.clone(),
            outbox: Outbox {
                stage: STAGE,
                producer: opened.producer.clone(),
                claims,
                pace: Pace::of_all(settings.activities_per_second),
                refusals: REFUSALS,
                shutdown: driver.shutdown.clone(),
                stop: driver.stop.clone(),
                tasks: driver.tasks.clone(),
            },
            steps,
            checks: self.checks.clone(),
            counts: opened.counts.clone(),
        });
        let (every, after) = (opened.every, opened.after.clone());
        let (checks, watched, seen) = (self.checks, Arc::clone(&shared), state.clone());
        opened.tasks().spawn(async move {
            checks.watch_stage(seen, &watched.bus, &watched.outbox.claims, every, after).await;
        });
        let (kept, check, after) =
            (Arc::clone(&shared), millis(settings.reference.check_interval_ms), opened.after.clone());
        opened.tasks().spawn(async move { kept.steps.keep(every, check, after).await });
        let limits = FileLimits {
            flush_bytes: settings.flush_bytes,
            flush_after: millis(settings.flush_interval_ms),
            buffered_bytes: settings.max_buffered_bytes,
            held_records: settings.max_held_records,
            held_bytes: settings.max_held_bytes,
        };
        let uploads = Uploads { lake: self.lake, topic_id };
        let writer = Writer::new(Arc::clone(&shared), state, uploads, limits);
        let (to_writer, items) = mpsc::channel(1);
        let writing = Part { name: "writing", runs: Box::pin(writer.run(items)) };
        let readers = std::thread::available_parallelism().map_or(2, usize::from);
        let lane = Lane { name: "activities", consumer, ahead: settings.batches_ahead, readers };
        driver.run(Arc::new(Enriching(shared)), State::new(to_writer), lane, [writing]).await
    }
}

impl Service for Enricher {
    type Settings = Settings;
    const DEFAULTS: &'static [&'static str] = DEFAULTS;

    fn description() -> Description {
        description()
    }

    fn groups(settings: &Settings) -> BTreeMap<String, String> {
        BTreeMap::from([(ACTIVITIES.name().to_owned(), settings.enricher.group.clone())])
    }

    async fn open(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        Self::new(settings, host).await
    }

    async fn run(self) -> anyhow::Result<()> {
        Self::run(self).await
    }
}
