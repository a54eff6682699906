//! Statistics of files that were added before all of them were written, or by others.
//!
//! Engines pass over files by what the table's log says of them, and some take a column of which it says nothing for one
//! without values. So a table names the columns of which every file tells its smallest and largest value, and no other is
//! passed over by. Where it does not name all of them yet, its files are told of first, without reading their rows. Some
//! cannot be: others write times in a way of which a file tells no smallest and largest. Those columns are not named.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use deltalake_core::kernel::{Action, Add, MetadataExt as _};
use deltalake_core::protocol::DeltaOperation;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::FileError;
use crate::footer::Footer;
use crate::schema;
use crate::table::{Change, Commit, Error, News, Outcome, SKIPPED_BY, Table};

/// So many files are told of in one commit, and held in memory.
const AT_ONCE: usize = 200;
/// Ends of files that are read at once.
const READS: usize = 8;
/// Others commit as well: after so many in a row it is left for the next run.
const ATTEMPTS: usize = 50;
/// Times that all files are looked through, when the table changes meanwhile.
const PASSES: usize = 3;
const LIMIT: Duration = Duration::from_secs(60);

/// The columns that the table could name.
pub(crate) fn wanted(table: &Table) -> Result<Vec<String>, Error> {
    Ok(schema::skipped_by(&table.snapshot()?.schema(), &table.partition_columns()?))
}

/// Whether the table names these columns and no others.
pub(crate) fn names(table: &Table, columns: &[String]) -> Result<bool, Error> {
    Ok(table.setting(SKIPPED_BY)? == Some(columns.join(",").as_str()))
}

/// Completes the statistics of a table's files, and names the columns of which all of them tell. False: others changed the
/// table all the time, and it is not done.
pub(crate) async fn complete(table: &mut Table) -> Result<bool, Error> {
    let mut completed = 0;
    for _ in 0..PASSES {
        let mut pass = Pass { told: wanted(table)?, gone: BTreeSet::new(), completed };
        let ended = pass.run(table).await?;
        completed = pass.completed;
        // Without any, the setting would say that engines are to decide by themselves.
        if ended && (pass.told.is_empty() || names(table, &pass.told)? || name(table, &pass.told).await?) {
            tracing::info!(table = table.name, files = completed, columns = pass.told.len(), "statistics completed");
            return Ok(true);
        }
    }
    Ok(false)
}

/// Names the columns in the table's settings. False: its settings were changed meanwhile.
async fn name(table: &mut Table, columns: &[String]) -> Result<bool, Error> {
    let names = columns.join(",");
    let metadata = table.snapshot()?.metadata().clone();
    let metadata = metadata.add_config_key(SKIPPED_BY.to_owned(), names.clone()).map_err(|error| table.error(error))?;
    let properties = HashMap::from([(SKIPPED_BY.to_owned(), names)]);
    let commit = Commit::new(vec![Action::Metadata(metadata)], DeltaOperation::SetTableProperties { properties });
    for _ in 0..ATTEMPTS {
        let (version, outcome) = table.commit(&commit, LIMIT).await?;
        let ours = matches!(outcome, Outcome::Committed) || table.is_ours(version, &commit).await?;
        let news = table.refresh().await?;
        if ours || matches!(news, News::Anew) {
            return Ok(ours);
        }
    }
    Ok(false)
}

/// One look through all files.
struct Pass {
    /// The columns of which all files tell that were looked at.
    told: Vec<String>,
    /// What was removed from the table meanwhile: it must not come back.
    gone: BTreeSet<String>,
    completed: usize,
}

impl Pass {
    /// False: the table was changed in a way that needs another look.
    async fn run(&mut self, table: &mut Table) -> Result<bool, Error> {
        let wanted = self.told.clone();
        let listing = table.listing().await?;
        let mut files = table.views(&listing);
        let mut lacking = Vec::new();
        loop {
            let file = files.try_next().await.map_err(|error| table.error(error))?;
            let ended = file.is_none();
            let file = file.filter(|file| !Statistics::read(file.stats().as_deref()).tell_of_all(&wanted));
            #[expect(deprecated, reason = "they are written to the log again, and few of them")]
            lacking.extend(file.map(|file| file.add_action()));
            if lacking.len() >= AT_ONCE || ended {
                let lacking = std::mem::take(&mut lacking);
                if !self.tell(table, lacking).await? {
                    return Ok(false);
                }
            }
            if ended {
                return Ok(true);
            }
        }
    }

    /// Tells of these files what they say of themselves.
    async fn tell(&mut self, table: &mut Table, mut lacking: Vec<Add>) -> Result<bool, Error> {
        lacking.retain(|add| !self.gone.contains(&add.path));
        let mut adds = Vec::with_capacity(lacking.len());
        for (add, more) in anew(table, lacking).await? {
            let statistics = Statistics::read(add.stats.as_deref());
            self.told.retain(|column| statistics.tell_of(column));
            if more {
                adds.push(add);
            }
        }
        self.commit(table, &adds).await
    }

    async fn commit(&mut self, table: &mut Table, adds: &[Add]) -> Result<bool, Error> {
        for _ in 0..ATTEMPTS {
            let there = adds.iter().filter(|add| !self.gone.contains(&add.path)).cloned();
            let actions: Vec<Action> = there.map(Action::Add).collect();
            let count = actions.len();
            if count == 0 {
                return Ok(true);
            }
            let mut commit = Commit::new(actions, DeltaOperation::Optimize { predicate: None, target_size: 0 });
            commit.info.insert("weirStatistics".to_owned(), json!(count));
            let (version, outcome) = table.commit(&commit, LIMIT).await?;
            let ours = matches!(outcome, Outcome::Committed) || table.is_ours(version, &commit).await?;
            let News::Since(changes) = table.refresh().await? else { return Ok(false) };
            self.gone.extend(changes.into_iter().filter_map(Change::removed));
            if ours {
                self.completed += count;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// The same files with what they say of themselves, beside what the log says of them already; whether that is more. A file
/// that cannot be used says nothing, and keeps nobody from telling of the others.
async fn anew(table: &Table, adds: Vec<Add>) -> Result<Vec<(Add, bool)>, Error> {
    let (schema, partitions) = (table.snapshot()?.schema(), table.partition_columns()?);
    let columns: Vec<&str> = schema::in_files(&schema, &partitions).collect();
    let reads: Vec<_> = adds.into_iter().map(|add| told_anew(table, &columns, add)).collect();
    stream::iter(reads).buffered(READS).try_collect().await
}

async fn told_anew(table: &Table, columns: &[&str], add: Add) -> Result<(Add, bool), Error> {
    let bytes = u64::try_from(add.size).unwrap_or(0);
    match Footer::read(&table.store, &table.path_of(&add.path), bytes).await {
        Ok(footer) => {
            let stats = merged(add.stats.as_deref(), &footer.statistics(columns.iter().copied()));
            let more = object(add.stats.as_deref()) != stats;
            let stats = Some(Value::Object(stats).to_string());
            Ok((Add { stats, data_change: false, ..add }, more))
        }
        Err(error @ FileError::Store { .. }) => Err(Error::File { table: table.name.clone(), error }),
        Err(error) => {
            tracing::warn!(table = table.name, %error, "a file of the table cannot be used");
            Ok((add, false))
        }
    }
}

fn object(statistics: Option<&str>) -> Map<String, Value> {
    statistics.and_then(|statistics| serde_json::from_str(statistics).ok()).unwrap_or_default()
}

/// What the file says of itself, and where it says nothing, what the log has said of it.
fn merged(log: Option<&str>, file: &str) -> Map<String, Value> {
    let mut merged = object(Some(file));
    for (name, said) in object(log) {
        match (merged.get_mut(&name), said) {
            (Some(Value::Object(columns)), Value::Object(said)) => {
                for (column, said) in said.into_iter().filter(|(_, said)| !said.is_null()) {
                    columns.entry(column).or_insert(said);
                }
            }
            (Some(_), _) => {}
            (None, said) => drop(merged.insert(name, said)),
        }
    }
    merged
}

/// What the log says of a file.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Statistics {
    num_records: Option<u64>,
    min_values: Map<String, Value>,
    max_values: Map<String, Value>,
    null_count: Map<String, Value>,
}

impl Statistics {
    fn read(statistics: Option<&str>) -> Self {
        statistics.and_then(|statistics| serde_json::from_str(statistics).ok()).unwrap_or_default()
    }

    fn tell_of(&self, column: &str) -> bool {
        let is_told = |values: &Map<String, Value>| values.get(column).is_some_and(|value| !value.is_null());
        match self.null_count.get(column).and_then(Value::as_u64) {
            None => false,
            nulls if nulls == self.num_records => true,
            Some(_) => is_told(&self.min_values) && is_told(&self.max_values),
        }
    }

    fn tell_of_all(&self, columns: &[String]) -> bool {
        columns.iter().all(|column| self.tell_of(column))
    }
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
