//! Deletes files that the table does not need: replaced ones, and those that were written and never loaded.

use std::collections::BTreeSet;
use std::time::{Duration, UNIX_EPOCH};

use futures_util::TryStreamExt as _;
use lake::{Lake, LakeSettings};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStoreExt as _};

use crate::FileError;
use crate::clock::now_ms;
use crate::table::{Error, Table};

/// A load request may name a file for the 7 days that its topic keeps it, and some.
pub const SHORTEST_RETENTION: Duration = Duration::from_secs(8 * 24 * 3600);
/// How long the table remembers which files it has removed. After that they cannot be told from those that were written
/// and never loaded.
pub const LONGEST_RETENTION: Duration = Duration::from_secs(30 * 24 * 3600);

/// So many commits before the last, the table's time is believed.
const COMMITS_BACK: u64 = 100;

/// What a run has deleted, or would.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Vacuumed {
    /// The files, as paths below the lake's root.
    pub files: Vec<String>,
    /// Their size together.
    pub bytes: u64,
}

/// Deletes the files of a table that it does not need and that are older than `retention`, which counts as at least
/// [`SHORTEST_RETENTION`]. With `dry_run` it only tells which.
///
/// # Errors
/// When the table or its store cannot be read or written. What was deleted by then is gone.
pub async fn vacuum(lake: &LakeSettings, table: &str, retention: Duration, dry_run: bool) -> anyhow::Result<Vacuumed> {
    let lake = Lake::open(lake)?;
    Ok(run(&lake, table, retention, &BTreeSet::new(), now_ms(), dry_run).await?)
}

/// `wanted`: files that load requests name which are not done yet.
pub(crate) async fn run(
    lake: &Lake,
    name: &str,
    retention: Duration,
    wanted: &BTreeSet<Path>,
    now_ms: i64,
    dry_run: bool,
) -> Result<Vacuumed, Error> {
    let store = lake.store();
    let failed = |path: &Path, error| Error::File { table: name.to_owned(), error: FileError::store(path, error) };
    let root = lake.table_path(name);
    // Listed before the table is read: what gets into the table meanwhile is found in it.
    let listed: Vec<ObjectMeta> = store.list(Some(&root)).try_collect().await.map_err(|error| failed(&root, error))?;
    let table = Table::open(lake, name).await?;
    let retention_ms = i64::try_from(retention.max(SHORTEST_RETENTION).as_millis()).unwrap_or(i64::MAX);
    let before_ms = believed(&table, now_ms).await?.saturating_sub(retention_ms);
    let kept = kept(&table, before_ms).await?;
    let mut vacuumed = Vacuumed::default();
    for object in listed {
        let old = millis(&object).is_some_and(|modified| modified < before_ms);
        if !old
            || !is_data(&root, &object.location)
            || kept.contains(&object.location)
            || wanted.contains(&object.location)
        {
            continue;
        }
        if !dry_run && let Err(error) = store.delete(&object.location).await {
            return Err(failed(&object.location, error));
        }
        vacuumed.bytes += object.size;
        vacuumed.files.push(object.location.to_string());
    }
    Ok(vacuumed)
}

/// What time it is, for deciding what is old: the clock's, and never later than one of the table's last commits, to which
/// its store gave a time. Not the very last: while a clock is ahead for a moment commits are, too. So it makes nothing old.
async fn believed(table: &Table, now_ms: i64) -> Result<i64, Error> {
    let Some(version) = table.version() else { return Ok(i64::MIN) };
    let committed_ms = match table.committed_at_ms(version.saturating_sub(COMMITS_BACK)).await? {
        Some(committed_ms) => Some(committed_ms),
        // Another engine keeps fewer.
        None => table.committed_at_ms(version).await?,
    };
    Ok(committed_ms.map_or(i64::MIN, |committed_ms| now_ms.min(committed_ms)))
}

/// The files that the table has, and those that it had so short a time ago that somebody may still read them.
async fn kept(table: &Table, before_ms: i64) -> Result<BTreeSet<Path>, Error> {
    let mut kept: BTreeSet<Path> = table.files().await?.iter().map(|file| table.path_of(&file.path)).collect();
    for (path, at_ms) in table.removed().await? {
        if at_ms.is_none_or(|at_ms| at_ms >= before_ms) {
            kept.insert(table.path_of(&path));
        }
    }
    Ok(kept)
}

fn millis(object: &ObjectMeta) -> Option<i64> {
    let modified = std::time::SystemTime::from(object.last_modified);
    i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// Whether it is a data file, and not of the log or of something that engines hide.
fn is_data(root: &Path, path: &Path) -> bool {
    let Some(mut parts) = path.prefix_match(root) else { return false };
    let hidden = parts.any(|part| part.as_ref().starts_with(['_', '.']));
    !hidden && path.as_ref().ends_with(".parquet")
}

#[cfg(test)]
#[path = "vacuum_tests.rs"]
mod tests;
