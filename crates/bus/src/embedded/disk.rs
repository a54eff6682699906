//! Whether there is room on the disk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::Error;

/// What records leave free: the store needs room of its own to put its files in order, some hundred MiB at once.
const RESERVE: u64 = 1024 * 1024 * 1024;
/// What is removed, and offsets, may use all but this part of it: else a disk that the log has filled stays full.
const CHANGES: u64 = 8;

/// The disk on which the log is.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: Arc<str>,
    reserve: AtomicU64,
}

impl Disk {
    pub(crate) fn of(folder: Arc<str>) -> Arc<Self> {
        Arc::new(Self { folder, reserve: AtomicU64::new(RESERVE) })
    }

    /// An error while it is nearly full.
    pub(crate) fn has_room(&self) -> Result<(), Error> {
        self.leaves(self.reserve.load(Ordering::Relaxed))
    }

    /// The same for what makes room, or takes next to none.
    pub(super) fn has_room_for_changes(&self) -> Result<(), Error> {
        self.leaves(self.reserve.load(Ordering::Relaxed) / CHANGES)
    }

    fn leaves(&self, reserve: u64) -> Result<(), Error> {
        // Where it cannot be asked, writing tells.
        let Ok(disk) = rustix::fs::statvfs(&*self.folder) else { return Ok(()) };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        if free >= reserve {
            return Ok(());
        }
        let mib = |bytes: u64| bytes / (1024 * 1024);
        let reason = format!(
            "its disk is nearly full: {} MiB are free, {} MiB are required; free disk space, writing then resumes by itself",
            mib(free),
            mib(reserve)
        );
        Err(Error::Log { folder: self.folder.clone(), reason: reason.into() })
    }

    /// As if it were full, or had room again.
    #[cfg(test)]
    pub(super) fn pretend(&self, full: bool) {
        self.reserve.store(if full { u64::MAX } else { RESERVE }, Ordering::Relaxed);
    }
}
