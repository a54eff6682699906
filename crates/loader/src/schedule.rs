//! When tables are compacted and vacuumed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::PoisonError;
use std::time::Duration;

use lake::Lake;
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

use crate::LoaderSettings;
use crate::clock::now_ms;
use crate::health::Checks;
use crate::maintain::compact::Compactor;
use crate::maintain::{Compacted, folders, vacuum};
use crate::pipeline::Wanted;
use crate::table::Error;

/// After the start, so that a process that starts again and again does not begin with it each time.
const FIRST: Duration = Duration::from_secs(300);
/// A run that is due never: longer than any process lives.
const NEVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// What the schedule works with.
pub(crate) struct Schedule {
    pub(crate) settings: LoaderSettings,
    pub(crate) lake: Lake,
    pub(crate) checks: Checks,
    pub(crate) wanted: Wanted,
}

impl Schedule {
    /// Compacts and vacuums when it is time, until it is cancelled.
    pub(crate) async fn run(self, until: CancellationToken) {
        let _ = until.run_until_cancelled(self.work()).await;
    }

    async fn work(&self) {
        let ticks = |every_ms: u64| {
            let every = if every_ms == 0 { NEVER } else { Duration::from_millis(every_ms) };
            let mut ticks = interval_at(Instant::now() + every.min(if every_ms == 0 { NEVER } else { FIRST }), every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        };
        let mut compact = ticks(self.settings.compact.interval_ms);
        let mut vacuum = ticks(self.settings.vacuum.interval_ms);
        let mut compactors = BTreeMap::new();
        loop {
            let (what, outcome) = tokio::select! {
                _ = compact.tick() => ("compaction", self.compact(&mut compactors).await),
                _ = vacuum.tick() => ("vacuum", self.vacuum().await),
            };
            self.checks.upkeep(what, outcome);
        }
    }

    /// Compacts every table. What is known of them stays from one run to the next.
    async fn compact(&self, known: &mut BTreeMap<String, Compactor>) -> Result<String, String> {
        let (mut before, mut after, mut told, mut failed) = (0, 0, String::new(), Vec::new());
        let names = folders(&self.lake).await.map_err(|error| format!("{error:#}"))?;
        known.retain(|name, _| names.contains(name));
        for name in names {
            match self.compact_one(&name, known).await {
                Ok((done, of_table)) => {
                    (before, after) = (before + done.files_before, after + done.files_after);
                    told.extend(of_table.map(|of_table| format!("; {of_table}")));
                    failed.extend(known.get(&name).and_then(Compactor::refused));
                }
                // A folder of something else.
                Err(Error::NoTable { .. }) => drop(known.remove(&name)),
                // The others go on.
                Err(error) => failed.push(error.to_string()),
            }
        }
        if before > 0 {
            tracing::info!(before, after, "compacted");
        }
        outcome("compaction", &failed, format!("compaction merged {before} files into {after}{told}"))
    }

    /// What was merged, and what an operator has to know of the table.
    async fn compact_one(
        &self,
        name: &str,
        known: &mut BTreeMap<String, Compactor>,
    ) -> Result<(Compacted, Option<String>), Error> {
        let compactor = match known.entry(name.to_owned()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let compactor = Compactor::open(&self.lake, name, &self.settings.compact).await?;
                if let Some(told) = compactor.told()? {
                    tracing::warn!("{told}");
                }
                entry.insert(compactor)
            }
        };
        let done = compactor.run(now_ms()).await?;
        Ok((done, compactor.told()?))
    }

    async fn vacuum(&self) -> Result<String, String> {
        let retention = Duration::from_millis(self.settings.vacuum.retention_ms);
        let (mut files, mut bytes, mut failed) = (0, 0, Vec::new());
        for name in folders(&self.lake).await.map_err(|error| format!("{error:#}"))? {
            let wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).clone();
            match vacuum::run(&self.lake, &name, retention, &wanted, now_ms(), false).await {
                Ok(done) => (files, bytes) = (files + done.files.len(), bytes + done.bytes),
                // A folder of something else.
                Err(Error::NoTable { .. }) => {}
                // The others go on.
                Err(error) => failed.push(error.to_string()),
            }
        }
        tracing::info!(files, bytes, "vacuumed");
        outcome("vacuum", &failed, format!("vacuum deleted {files} files with {bytes} bytes"))
    }
}

/// What is told of a run over all tables.
fn outcome(run: &str, failed: &[String], done: String) -> Result<String, String> {
    match failed {
        [] => Ok(done),
        [first] => Err(format!("{run} failed: {first}")),
        [first, others @ ..] => Err(format!("{run} failed: {first}; and of {} more tables", others.len())),
    }
}
