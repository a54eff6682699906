//! Writes checkpoints, and removes what a table's log has had its time with: commits and checkpoints that lie far
//! behind the newest checkpoint.
//!
//! No clock decides. What goes is counted back from the newest version; times are those that the store gave to the files,
//! and are compared with each other only. So the log stays as large as it is, however many commits there were.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore as _};

use crate::FileError;
use crate::table::{Checkpoint, Error, Table};

/// So long before the newest commit nothing is removed: whoever has just read the log reads on in it.
const READERS_MS: i64 = 3_600_000;
/// The most files that one run removes: what is left is for the next one, and nobody waits for long.
const AT_ONCE: usize = 20_000;
const NAME: usize = 20;
/// How much of a checkpoint each commit may cost. To write one, all of the last is read and written again: so a large one
/// is written after more commits, and a commit costs the same whatever the table has.
const ACTIONS_PER_COMMIT: u64 = 500;

/// A file of a table's log.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    version: u64,
    /// All of a checkpoint in one file.
    checkpoint: bool,
    commit: bool,
    modified_ms: i64,
    path: Path,
}

impl Entry {
    /// None: it is no commit, checkpoint or checksum.
    fn of(object: ObjectMeta) -> Option<Self> {
        let name = object.location.filename()?;
        let (version, kind) = (name.get(..NAME)?, name.get(NAME..)?);
        if !version.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let known = kind == ".json" || kind == ".crc" || kind.starts_with(".checkpoint.");
        known.then_some(())?;
        Some(Self {
            version: version.parse().ok()?,
            checkpoint: kind == ".checkpoint.parquet",
            commit: kind == ".json",
            modified_ms: object.last_modified.timestamp_millis(),
            path: object.location,
        })
    }
}

/// Whether a checkpoint is due at this version, `every` commits or as many more as the last one is large: but before the
/// log has so many commits that it could be cleaned.
pub(crate) fn due(version: u64, last: Option<Checkpoint>, every: u64, keep: u64) -> bool {
    let (at, actions) = last.map_or((0, 0), |last| (last.version, last.actions));
    version.saturating_sub(at) >= (actions / ACTIONS_PER_COMMIT).min(keep).max(every)
}

/// Writes a checkpoint of the state that was last read, and removes what the log no longer needs: all but `keep`
/// commits.
///
/// # Errors
/// When it cannot be written, or [`clean`] fails.
pub(crate) async fn checkpoint(table: &Table, keep: u64) -> Result<(), Error> {
    if table.checkpoint().await? {
        let removed = clean(table, keep).await?;
        tracing::debug!(table = table.name, version = table.version(), removed, "checkpoint written");
    }
    Ok(())
}

/// Removes what lies behind the last checkpoint that has at least `keep` commits after it; how many files went.
///
/// # Errors
/// When the log cannot be listed, or something not be removed. What was removed by then is gone.
async fn clean(table: &Table, keep: u64) -> Result<usize, Error> {
    let root = table.path_of("_delta_log");
    let failed = |error| Error::File { table: table.name.clone(), error: FileError::store(&root, error) };
    let listed: Vec<ObjectMeta> = table.store.list(Some(&root)).try_collect().await.map_err(failed)?;
    let gone = gone(listed.into_iter().filter_map(Entry::of).collect(), keep);
    let removed = gone.len();
    let mut removing = table.store.delete_stream(stream::iter(gone.into_iter().map(Ok)).boxed());
    while let Some(removed) = removing.next().await {
        match removed {
            // Another loader may have been faster.
            Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(removed)
}

/// Which of them go, oldest first: whatever is left can be read, wherever it stops.
fn gone(mut entries: Vec<Entry>, keep: u64) -> Vec<Path> {
    entries.sort_by(|a, b| (a.version, &a.path).cmp(&(b.version, &b.path)));
    let Some(newest) = entries.iter().rfind(|entry| entry.commit) else { return Vec::new() };
    let (newest, at) = (newest.version, newest.modified_ms);
    // From a checkpoint on, so that every version that is kept can be read.
    let last = entries.iter().rfind(|entry| entry.checkpoint && entry.version.saturating_add(keep) <= newest);
    let Some(from) = last.map(|entry| entry.version) else { return Vec::new() };
    let old = |entry: &Entry| entry.version < from && at.saturating_sub(entry.modified_ms) >= READERS_MS;
    // Up to the first that is kept: there are no holes.
    entries.into_iter().take_while(old).map(|entry| entry.path).take(AT_ONCE).collect()
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
