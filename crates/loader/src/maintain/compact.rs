//! Makes small files into large ones. The table has the same rows before and after.
//!
//! The day that is being written is merged as it grows: as soon as many files are of about the same size, they become one of
//! the next size. So each row is written anew a few times and not with every run, and a day has a few dozen files at any
//! time. A day that has ended is merged as a whole.

mod groups;
mod refused;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use deltalake_core::arrow::datatypes::{Schema, SchemaRef};
use deltalake_core::kernel::{Action, Remove};
use deltalake_core::protocol::DeltaOperation;
use lake::{Lake, LakeSettings};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use serde_json::json;
use uuid::Uuid;

use crate::clock::now_ms;
use crate::files::add;
use crate::maintain::{format, statistics};
use crate::request::File;
use crate::rewrite::{self, Input};
use crate::table::{Change, Commit, Error, News, Outcome, Table};
use crate::{CompactSettings, FileError};

use groups::{Small, groups};
use refused::Refused;

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

/// Makes small files into large ones, each group in a commit of its own: all of days that ended long enough ago, and many
/// alike of days that did not.
///
/// A table that Weir has not made is left as it is.
///
/// # Errors
/// When the table, its store or one of its files cannot be read or written. What was committed by then stays. Because of a
/// file that cannot be used, only the files beside it stay as they are.
pub async fn compact(lake: &LakeSettings, table: &str, settings: &CompactSettings) -> anyhow::Result<Compacted> {
    let lake = Lake::open(lake)?;
    let mut compactor = Compactor::open(&lake, table, settings).await?;
    let compacted = compactor.run(now_ms()).await?;
    compactor.refused().map_or(Ok(compacted), |refused| Err(anyhow::Error::msg(refused)))
}

/// A table and its small files. It is told of new ones by the commits that add them: to look for work takes no longer, the
/// more files the table has. After an error it reads the table as a whole.
pub(crate) struct Compactor {
    table: Table,
    small: BTreeMap<String, Small>,
    target: u64,
    after_ms: i64,
    /// The columns of which all files were asked: what they cannot tell, they are not asked again and again.
    asked: Option<Vec<String>>,
    /// What is not merged, until it changes.
    refused: Vec<Refused>,
}

impl Compactor {
    /// Of a table that has to be there.
    pub(crate) async fn open(lake: &Lake, name: &str, settings: &CompactSettings) -> Result<Self, Error> {
        let table = Table::open(lake, name).await?;
        let after_ms = i64::try_from(settings.after_ms).unwrap_or(i64::MAX);
        let (small, target) = (BTreeMap::new(), settings.target_bytes);
        let mut compactor = Self { table, small, target, after_ms, asked: None, refused: Vec::new() };
        compactor.learn(News::Anew).await?;
        Ok(compactor)
    }

    /// Merges what there is to merge. What cannot be merged is [refused](Self::refused) from then on.
    pub(crate) async fn run(&mut self, now_ms: i64) -> Result<Compacted, Error> {
        let done = self.merge_all(now_ms).await;
        if done.is_err() {
            self.table.forget();
            self.asked = None;
        }
        done
    }

    async fn merge_all(&mut self, now_ms: i64) -> Result<Compacted, Error> {
        self.refresh().await?;
        if !format::is_ours(&self.table)? {
            return Ok(Compacted::default());
        }
        // Before files are written for nothing.
        self.table.writable()?;
        self.reconsider().await;
        let last_closed = last_closed(now_ms.saturating_sub(self.after_ms));
        let mut compacted = Compacted::default();
        let small = self.small.values().filter(|file| !self.refused.iter().any(|refused| refused.has(&file.path)));
        for group in groups(small, self.target, &last_closed) {
            match self.merge(&group).await {
                Ok(None) => {}
                Ok(Some(rows)) => {
                    compacted.files_before += group.len();
                    compacted.files_after += 1;
                    compacted.rows += rows;
                }
                // The other groups go on.
                Err(Error::File { error, .. }) if !matches!(error, FileError::Store { .. }) => {
                    self.refuse(&group, error).await;
                }
                Err(error) => return Err(error),
            }
        }
        // After that, since what was merged tells all.
        self.complete_statistics().await?;
        Ok(compacted)
    }

    async fn complete_statistics(&mut self) -> Result<(), Error> {
        let wanted = statistics::wanted(&self.table)?;
        let asked = self.asked.as_ref() == Some(&wanted);
        if asked || statistics::names(&self.table, &wanted)? {
            return Ok(());
        }
        let completed = statistics::complete(&mut self.table).await;
        self.learn(News::Anew).await?;
        self.asked = completed?.then_some(wanted);
        Ok(())
    }

    /// What an operator has to know of the table.
    pub(crate) fn told(&self) -> Result<Option<String>, Error> {
        format::told(&self.table)
    }

    async fn refresh(&mut self) -> Result<(), Error> {
        let news = self.table.refresh().await?;
        self.learn(news).await
    }

    async fn learn(&mut self, news: News) -> Result<(), Error> {
        if matches!(news, News::Anew) {
            self.small.clear();
        }
        if !format::is_ours(&self.table)? {
            return Ok(());
        }
        let changes = match news {
            News::Since(changes) => changes,
            News::Anew => self.table.files().await?.into_iter().map(Change::Added).collect(),
        };
        for change in changes {
            match change {
                Change::Added(file) => {
                    // It may be another file than before, under the same path.
                    self.small.remove(&file.path);
                    if let Some(small) = Small::of(file, self.target) {
                        self.small.insert(small.path.clone(), small);
                    }
                }
                Change::Removed(path) => drop(self.small.remove(&path)),
            }
        }
        Ok(())
    }

    /// Whether the table still has all of them.
    fn has(&self, group: &[Small]) -> bool {
        group.iter().all(|file| self.small.contains_key(&file.path))
    }

    /// Writes a group as one file and puts it in their place; its rows, or nothing where somebody else was faster.
    async fn merge(&mut self, group: &[Small]) -> Result<Option<u64>, Error> {
        let Some(first) = group.first().filter(|_| self.has(group)) else { return Ok(None) };
        let store = self.table.store.clone();
        let columns = file_columns(&self.table)?;
        let inputs: Vec<Input> =
            group.iter().map(|file| Input { path: self.table.path_of(&file.path), bytes: file.bytes }).collect();
        let folder = first.path.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
        let path = format!("{folder}{}.parquet", Uuid::new_v4());
        let to = self.table.path_of(&path);
        let name = self.table.name.clone();
        let failed = |error: FileError| Error::File { table: name.clone(), error };
        let output = match rewrite::write(&store, &inputs, &columns, &to, None).await {
            Ok(output) => output,
            Err(error) => {
                // Another compactor may have had them, and a vacuum taken them away.
                self.refresh().await?;
                return if self.has(group) { Err(failed(error)) } else { Ok(None) };
            }
        };
        let rows: u64 = group.iter().map(|file| file.rows).sum();
        if output.footer.rows() != rows {
            let problem = format!(
                "the files that it merges have {} rows, and the table has {rows} of them",
                output.footer.rows()
            );
            delete(&store, &to).await;
            return Err(failed(FileError::unwritable(&to, problem)));
        }
        let file = File { path, bytes: output.bytes, rows, partition: first.partition.clone() };
        // It has all columns of the table.
        let mut add = add(&file, &output.footer, []);
        add.data_change = false;
        let mut actions: Vec<Action> = group.iter().map(|file| Action::Remove(remove(file))).collect();
        actions.push(Action::Add(add));
        let target_size = i64::try_from(self.target).unwrap_or(i64::MAX);
        let mut commit = Commit::new(actions, DeltaOperation::Optimize { predicate: None, target_size });
        commit.info.insert("weirFiles".to_owned(), json!(group.len()));
        let mut unknown = false;
        for _ in 0..ATTEMPTS {
            let (version, outcome) = self.table.commit(&commit, LIMIT).await?;
            unknown |= matches!(outcome, Outcome::Unknown(_));
            let committed = matches!(outcome, Outcome::Committed) || self.table.is_ours(version, &commit).await?;
            self.refresh().await?;
            if committed {
                return Ok(Some(rows));
            }
            // Rows that are no longer there must not come back.
            if !self.has(group) {
                break;
            }
        }
        if !unknown {
            delete(&store, &to).await;
        }
        Ok(None)
    }
}

async fn delete(store: &Arc<dyn ObjectStore>, path: &Path) {
    if let Err(error) = store.delete(path).await {
        tracing::debug!(%error, %path, "deleting an unneeded file failed, it is left to the vacuum");
    }
}

fn remove(file: &Small) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change: false,
        deletion_timestamp: Some(now_ms()),
        extended_file_metadata: Some(true),
        partition_values: Some(
            file.partition.iter().map(|(column, value)| (column.clone(), Some(value.clone()))).collect(),
        ),
        size: i64::try_from(file.bytes).ok(),
        ..Remove::default()
    }
}

/// The last day that ended before a time, as `2026-03-01`.
fn last_closed(before_ms: i64) -> String {
    let at = prost_types::Timestamp { seconds: before_ms.saturating_sub(DAY_MS).div_euclid(1000), nanos: 0 };
    at.to_string().chars().take(10).collect()
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
