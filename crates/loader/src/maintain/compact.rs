//! Makes small files of closed days into large ones. The table has the same rows before and after.

use std::collections::BTreeMap;
use std::time::Duration;

use deltalake_core::arrow::datatypes::{Schema, SchemaRef};
use deltalake_core::kernel::{Action, Remove};
use deltalake_core::protocol::DeltaOperation;
use lake::{Lake, LakeSettings};
use object_store::ObjectStoreExt as _;
use serde_json::json;
use uuid::Uuid;

use crate::clock::now_ms;
use crate::files::add;
use crate::request::File;
use crate::rewrite::{self, Input};
use crate::table::{Commit, Error, Outcome, Table};
use crate::{CompactSettings, FileError};

const DAY_MS: i64 = 86_400_000;
/// Others commit as well: after so many in a row a group is left for the next run.
const ATTEMPTS: usize = 10;
const LIMIT: Duration = Duration::from_secs(60);

/// What a run has done.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were replaced.
    pub files_before: usize,
    /// Files that took their place.
    pub files_after: usize,
    /// The rows in them.
    pub rows: u64,
}

/// A file that may be made part of a larger one.
#[derive(Debug, Clone)]
struct Small {
    path: String,
    bytes: u64,
    rows: u64,
    partition: BTreeMap<String, String>,
    remove: Remove,
}

/// Makes small files of closed days into large ones, each group in a commit of its own.
///
/// # Errors
/// When the table, its store or one of its files cannot be read or written. What was committed by then stays.
pub async fn compact(lake: &LakeSettings, table: &str, settings: &CompactSettings) -> anyhow::Result<Compacted> {
    let lake = Lake::open(lake)?;
    Ok(run(&lake, table, settings, now_ms()).await?)
}

pub(crate) async fn run(lake: &Lake, name: &str, settings: &CompactSettings, now_ms: i64) -> Result<Compacted, Error> {
    let mut table = Table::open(lake, name).await?;
    let after_ms = i64::try_from(settings.after_ms).unwrap_or(i64::MAX);
    let mut compacted = Compacted::default();
    for group in
        groups(small_files(&table, now_ms.saturating_sub(after_ms), settings.target_bytes)?, settings.target_bytes)
    {
        if let Some(rows) = one(lake, &mut table, &group).await? {
            compacted.files_before += group.len();
            compacted.files_after += 1;
            compacted.rows += rows;
        }
    }
    Ok(compacted)
}

/// The files of days that ended before, smaller than they should be.
fn small_files(table: &Table, ended_before_ms: i64, target: u64) -> Result<Vec<Small>, Error> {
    let closed =
        prost_types::Timestamp { seconds: (ended_before_ms.saturating_sub(DAY_MS)).div_euclid(1000), nanos: 0 };
    let last_closed = closed.to_string();
    let last_closed = last_closed.get(..10).unwrap_or_default();
    let mut small = Vec::new();
    for file in table.snapshot()?.log_data().iter() {
        let mut partition = BTreeMap::new();
        for (column, value) in file.partition_values_map() {
            // A partition without a value is not one of ours.
            let Some(value) = value else { continue };
            partition.insert(column, value);
        }
        let closed = partition.get(lake::columns::DAY).is_some_and(|day| day.as_str() <= last_closed);
        let (Ok(bytes), Some(rows)) = (u64::try_from(file.size()), file.num_records()) else { continue };
        if !closed || bytes > target / 2 || file.deletion_vector_descriptor().is_some() {
            continue;
        }
        let remove = file.remove_action(false);
        small.push(Small { path: file.path().into_owned(), bytes, rows: rows as u64, partition, remove });
    }
    Ok(small)
}

/// Files of one partition each, at least two, together about as large as they should be.
fn groups(small: Vec<Small>, target: u64) -> Vec<Vec<Small>> {
    let mut partitions: BTreeMap<BTreeMap<String, String>, Vec<Small>> = BTreeMap::new();
    for file in small {
        partitions.entry(file.partition.clone()).or_default().push(file);
    }
    let mut groups = Vec::new();
    for mut files in partitions.into_values() {
        files.sort_by(|a, b| (a.bytes, &a.path).cmp(&(b.bytes, &b.path)));
        let (mut group, mut bytes) = (Vec::new(), 0);
        for file in files {
            if bytes + file.bytes > target && !group.is_empty() {
                groups.push(std::mem::take(&mut group));
                bytes = 0;
            }
            bytes += file.bytes;
            group.push(file);
        }
        groups.push(group);
    }
    groups.retain(|group| group.len() > 1);
    groups
}

/// Writes a group as one file and puts it in their place; its rows, or nothing where somebody else was faster.
async fn one(lake: &Lake, table: &mut Table, group: &[Small]) -> Result<Option<u64>, Error> {
    let store = lake.store();
    let columns = file_columns(table)?;
    let inputs: Vec<Input> =
        group.iter().map(|file| Input { path: table.path_of(&file.path), bytes: file.bytes }).collect();
    let first = &group[0];
    let folder = first.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let path = format!("{folder}{}.parquet", Uuid::new_v4());
    let to = table.path_of(&path);
    let name = table.name.clone();
    let failed = |error: FileError| Error::File { table: name.clone(), error };
    let output = match rewrite::write(&store, &inputs, &columns, &to, None).await {
        Ok(output) => output,
        Err(error) => {
            // Another compactor may have had them, and a vacuum taken them away.
            table.refresh().await?;
            return if still_there(table, group)? { Err(failed(error)) } else { Ok(None) };
        }
    };
    let rows: u64 = group.iter().map(|file| file.rows).sum();
    if output.footer.rows() != rows {
        let problem = format!("it has {} rows, but the files that it merges have {rows}", output.footer.rows());
        return Err(failed(FileError::unusable(&to, problem)));
    }
    let file = File { path, bytes: output.bytes, rows, partition: first.partition.clone() };
    let mut add = add(&file, &output.footer);
    add.data_change = false;
    let mut actions: Vec<Action> = group.iter().map(|file| Action::Remove(file.remove.clone())).collect();
    actions.push(Action::Add(add));
    let operation = DeltaOperation::Optimize { predicate: None, target_size: i64::try_from(file.bytes).unwrap_or(0) };
    let mut commit = Commit::new(actions, operation);
    commit.info.insert("weirFiles".to_owned(), json!(group.len()));
    let mut unknown = false;
    for _ in 0..ATTEMPTS {
        let (version, outcome) = table.commit(&commit, LIMIT).await?;
        unknown |= matches!(outcome, Outcome::Unknown(_));
        if matches!(outcome, Outcome::Committed) || table.is_ours(version, &commit).await? {
            table.refresh().await?;
            return Ok(Some(rows));
        }
        table.refresh().await?;
        // Rows that are no longer there must not come back.
        if !still_there(table, group)? {
            break;
        }
    }
    if !unknown && let Err(error) = store.delete(&to).await {
        tracing::debug!(%error, path = %to, "deleting an unneeded file failed, it is left to the vacuum");
    }
    Ok(None)
}

fn still_there(table: &Table, group: &[Small]) -> Result<bool, Error> {
    let files: std::collections::BTreeSet<String> =
        table.snapshot()?.log_data().iter().map(|file| file.path().into_owned()).collect();
    Ok(group.iter().all(|file| files.contains(&file.path)))
}

/// The table's columns without those of its partitions, which are not in the files.
fn file_columns(table: &Table) -> Result<SchemaRef, Error> {
    let partitions = table.partition_columns()?;
    let columns = table.snapshot()?.arrow_schema();
    let fields = columns.fields().iter().filter(|field| !partitions.contains(field.name())).cloned();
    Ok(Schema::new(fields.collect::<Vec<_>>()).into())
}

#[cfg(test)]
#[path = "compact_tests.rs"]
mod tests;
