//! Makes the files that load requests name part of the tables of the lake, each row once.
//!
//! ```text
//! loads ─▶ queue of each table ─▶ decide (version of the application) ─▶ one Delta commit: files and versions ─▶ ack
//!                                   skip · commit · trim · hold                │ somebody was faster, or nobody knows
//!                                   ▲                                          │
//!                                   └──────── read the table again ◀───────────┘
//! ```
//!
//! * [`settings`]: what can be set
//! * [`decide`](mod@decide): what becomes of a request; pure
//! * [`maintain`]: compaction and vacuum, by schedule here and as functions for an operator's tool
//! * [`count()`], [`find()`]: how much a table has, and single rows of it
//! * [`Fresh`], [`compare()`]: a table that is made at once, and how it differs from another
//! * [`Ids`]: which rows were accepted in a time
//! * [`put_registrations()`]: what is known about endpoints and accounts, beside the tables
//!
//! [`Loader::new`] opens what is local and never waits; [`Loader::run`] waits for the log and the lake as long as it
//! takes, and health says so.

mod clock;
mod compare;
mod count;
pub mod decide;
mod ends;
mod files;
mod find;
mod footer;
mod fresh;
mod health;
mod ids;
mod instants;
mod load;
pub mod maintain;
mod meters;
mod outlook;
mod pipeline;
mod reader;
mod reference;
mod request;
mod rewrite;
mod schedule;
mod schema;
pub mod settings;
mod table;
#[cfg(test)]
mod unwilling;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use common::catalogue::{Description, Need, Runs, Scales, TopicUse, Use};
use common::topics::{ACTIVITIES, DEAD_LETTERS, LOADS};
use lake::Lake;
use service::{Host, Service};
use stage::{Driver, Lane, Memory, Opened};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub use crate::compare::{Comparison, Scope, compare};
pub use crate::count::{Count, count};
use crate::ends::{Found, Gone};
pub use crate::find::find;
pub use crate::footer::FileError;
pub use crate::fresh::Fresh;
use crate::health::Checks;
pub use crate::ids::Ids;
use crate::outlook::Taken;
use crate::pipeline::{Loads, Pipeline, Wanted};
pub use crate::reference::{Exported, put_registrations};
use crate::schedule::Schedule;
pub use crate::settings::{CompactSettings, DEFAULTS, LOADER_DEFAULTS, LoaderSettings, Settings, VacuumSettings};
pub use crate::table::{Error, received_on};

/// The name of the hop and of the stage.
const STAGE: &str = "loader";
/// Before what could not be asked is asked again.
const AGAIN: Duration = Duration::from_secs(1);

/// What it does.
pub const ABOUT: &str = "Loads files into the tables of the lake, each row once";

/// The second instance takes over when the first one fails.
const RUNS: Runs = Runs {
    scales: Scales::Fixed(2),
    cpu: "250m",
    memory: ["256Mi", "1Gi"],
    needs: &[Need::Lake],
    answers: &[],
    dials: &[],
};

/// What the loader is.
#[must_use]
pub fn description() -> Description {
    let topics = vec![
        TopicUse::of(&LOADS, Use::Input, "its input"),
        TopicUse::of(&ACTIVITIES, Use::Ends, "the ends of its partitions, which no version in a table may exceed"),
        TopicUse::of(&DEAD_LETTERS, Use::Output, "what it refuses"),
    ];
    Description { name: STAGE, about: ABOUT, topics, refuses: true, replays: false, runs: RUNS }
}

/// The loader, opened and not yet running.
#[derive(Debug)]
pub struct Loader {
    settings: Settings,
    opened: Opened,
    lake: Lake,
    checks: Checks,
}

impl Loader {
    /// Opens what is local; waits for nothing.
    ///
    /// # Errors
    /// When a setting does not do; the message names it.
    pub async fn new(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        let lake = Lake::open(&settings.lake).context("opening the lake")?;
        Self::with_lake(settings, host, lake).await
    }

    /// The same with another lake than the settings name: for tests of what a store may do.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub async fn with_lake(settings: &Settings, host: &Host, lake: Lake) -> anyhow::Result<Self> {
        meters::describe();
        let millis = Duration::from_millis;
        let (deadline, every) = (settings.shutdown.deadline_ms, settings.loader.health_interval_ms);
        let opened = Opened::open(STAGE, &settings.bus, host, millis(deadline), millis(every))?;
        let (hold_warn, stalled) = (settings.loader.hold_warn_ms, settings.loader.stalled_after_ms);
        let checks = Checks::new(host.health(), millis(hold_warn), millis(stalled));
        opened.counts.limit(millis(stalled));
        Ok(Self { settings: settings.clone(), opened, lake, checks })
    }

    /// Runs until the host shuts down, then leaves the group.
    ///
    /// # Errors
    /// When the consumer cannot be opened, or something that has to run all the time ended by itself.
    pub async fn run(self) -> anyhow::Result<()> {
        let (opened, mut tasks) = (self.opened.clone(), JoinSet::new());
        opened.watch_log(self.checks.log.clone(), &mut tasks);
        opened.run(Box::pin(self.load()), tasks).await
    }

    async fn load(self) -> anyhow::Result<()> {
        let opened = &self.opened;
        let shutdown = opened.host.shutdown().clone();
        if shutdown.run_until_cancelled(self.topics()).await.is_none() {
            return Ok(());
        }
        let Some(found) = shutdown.run_until_cancelled(self.compare()).await else { return Ok(()) };
        let hold_warn = Duration::from_millis(self.settings.loader.hold_warn_ms);
        self.checks.waiting(std::iter::empty(), &Taken::new(), &found, hold_warn);
        let consumer = opened.consumer_of_batches(&self.settings.loader.group, &[LOADS.name().to_owned()])?;
        let state = consumer.state();
        let queues = state.clone();
        opened.host.counts().watch_consumer(move || queues.told(STAGE));

        let (checks, seen, watched, lake) = (self.checks.clone(), opened.clone(), state.clone(), self.lake.clone());
        opened.tasks().spawn(async move {
            checks.watch(&seen.bus, &lake, &watched, seen.every, seen.after).await;
        });
        let wanted = Wanted::default();
        let schedule = Schedule {
            settings: self.settings.loader.clone(),
            lake: self.lake.clone(),
            checks: self.checks.clone(),
            wanted: wanted.clone(),
        };
        opened.tasks().spawn(schedule.run(opened.after.clone()));
        let pipeline = Pipeline {
            settings: self.settings.loader,
            bus: opened.bus.clone(),
            found,
            lake: self.lake,
            producer: opened.producer.clone(),
            checks: self.checks,
            counts: opened.counts.clone(),
            wanted,
            consumer: state,
            tables: BTreeMap::new(),
            taken: Taken::new(),
            partitions: BTreeMap::new(),
            due: Instant::now(),
        };
        let driver = Driver {
            stage: STAGE,
            shutdown: shutdown.clone(),
            stop: CancellationToken::new(),
            tasks: opened.tasks().clone(),
            memory: Memory::unlimited(),
            drain: opened.drain,
        };
        let lane = Lane { name: "loads", consumer, ahead: 1, readers: 1 };
        driver.run(Arc::new(Loads { shutdown }), pipeline, lane, []).await
    }

    /// Compares what the table has with the log, before anything is loaded. Waits for both.
    async fn compare(&self) -> Found {
        let (began, warn) = (Instant::now(), Duration::from_millis(self.settings.loader.hold_warn_ms));
        let mut told = false;
        loop {
            match ends::look(&self.opened.bus, &self.lake, self.settings.loader.commit_timeout()).await {
                Ok(mut found) => {
                    let accepted = |gone: &Gone| self.settings.loader.accept.iter().any(|id| gone.epoch() == Some(id));
                    found.gone.retain(|_, gone| !accepted(gone));
                    return found;
                }
                Err(error) => {
                    self.checks.cannot_compare(&error, began.elapsed() >= warn);
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, "the comparison of the table with the log failed, retrying");
                    }
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Waits for the topics.
    async fn topics(&self) {
        self.checks.log.prepare(&self.opened.bus, &description().needed()).await;
    }
}

impl Service for Loader {
    type Settings = Settings;
    const DEFAULTS: &'static [&'static str] = DEFAULTS;

    fn description() -> Description {
        description()
    }

    fn groups(settings: &Settings) -> BTreeMap<String, String> {
        BTreeMap::from([(LOADS.name().to_owned(), settings.loader.group.clone())])
    }

    async fn open(settings: &Settings, host: &Host) -> anyhow::Result<Self> {
        Self::new(settings, host).await
    }

    async fn run(self) -> anyhow::Result<()> {
        Self::run(self).await
    }
}
