//! A log belongs to one process, and to all buses of that process together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, PoisonError, Weak};

use super::Log;
use crate::Error;
use crate::threads::lock;

/// The file that says which process has the log.
const PROCESS: &str = "process";

/// Logs that are open in this process, by their folders. The lock of the files is one for the whole process.
static OPEN: Mutex<BTreeMap<PathBuf, Entry>> = Mutex::new(BTreeMap::new());

struct Entry {
    log: Weak<Log>,
    closed: Arc<Closed>,
}

/// Whether a log has been closed to the last.
#[derive(Debug, Default)]
pub(super) struct Closed {
    closed: Mutex<bool>,
    changed: Condvar,
}

/// Says so when it is dropped: after everything that was declared before it.
#[derive(Debug)]
pub(super) struct Closing(Arc<Closed>);

impl Drop for Closing {
    fn drop(&mut self) {
        *lock(&self.0.closed) = true;
        self.0.changed.notify_all();
    }
}

/// The log in this folder, opened once for all of this process. Blocks.
pub(super) fn share(
    folder: &Path,
    open: impl FnOnce(&Path, Closing) -> Result<Arc<Log>, Error>,
) -> Result<Arc<Log>, Error> {
    let failed = |error: std::io::Error| {
        let reason = format!("the folder cannot be created: {error}; check data.dir and bus.data_dir");
        Error::Log { folder: folder.display().to_string().into(), reason: reason.into() }
    };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let folder = folder.canonicalize().map_err(failed)?;
    // What is acknowledged is in a folder that may be new: it must be found after a loss of power.
    for above in folder.ancestors().skip(1).take(2) {
        if let Err(error) = std::fs::File::open(above).and_then(|above| above.sync_all()) {
            tracing::debug!(folder = %above.display(), %error, "a folder cannot be synced");
        }
    }
    let mut all = lock(&OPEN);
    if let Some(entry) = all.get(&folder) {
        if let Some(log) = entry.log.upgrade() {
            return Ok(log);
        }
        // Its last owner is just letting go of it.
        let mut closed = lock(&entry.closed.closed);
        while !*closed {
            closed = entry.closed.changed.wait(closed).unwrap_or_else(PoisonError::into_inner);
        }
    }
    all.retain(|_, entry| entry.log.strong_count() > 0);
    let closed = Arc::<Closed>::default();
    let log = open(&folder, Closing(closed.clone()))?;
    // For people only: the lock is what counts.
    if let Err(error) = std::fs::write(folder.join(PROCESS), std::process::id().to_string()) {
        tracing::warn!(folder = %folder.display(), %error, "cannot write the file that names the process that owns the log");
    }
    all.insert(folder, Entry { log: Arc::downgrade(&log), closed });
    Ok(log)
}

/// Another process has the log.
pub(super) fn held(folder: &Path) -> Error {
    let process = std::fs::read_to_string(folder.join(PROCESS)).unwrap_or_default();
    let process = if process.is_empty() { String::new() } else { format!(" (process {})", process.trim()) };
    let reason = format!(
        "another process has it open{process}: stop that process, or give this one another data folder (data.dir, or \
         bus.data_dir for the log alone)"
    );
    Error::Log { folder: folder.display().to_string().into(), reason: reason.into() }
}
