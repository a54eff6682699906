//! The file beside the log's folder, by which a copy of the folder is told.
//!
//! It is written over each time the log is opened, and the log keeps what was written, the file's inode and when the file
//! was made. A folder that was copied has another inode or an older text; one that was moved within its file system has
//! the same. Where a file system keeps no inodes each opening counts as that of a copy: that does no harm. A snapshot of
//! the whole file system is not told from the original.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// What stands in the file beside the log's folder, and which file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) text: [u8; 16],
    pub(super) inode: u64,
    /// In nanoseconds since 1970; 0 where the file system does not say.
    pub(super) made: i64,
}

impl Seen {
    fn of(text: [u8; 16], file: &File) -> io::Result<Self> {
        let about = file.metadata()?;
        let made = about.created().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let made = made.and_then(|since| i64::try_from(since.as_nanos()).ok()).unwrap_or(0);
        Ok(Self { text, inode: about.ino(), made })
    }

    /// None: there is no such file, or another one.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let mut text = String::new();
        (&mut file).take(32).read_to_string(&mut text).ok()?;
        let mut bytes = [0; 16];
        hex::decode_to_slice(&text, &mut bytes).ok()?;
        Self::of(bytes, &file).ok()
    }

    /// In place, so that it stays the same file.
    pub(super) fn write(path: &Path) -> io::Result<Self> {
        let mut text = [0; 16];
        getrandom::fill(&mut text).map_err(io::Error::other)?;
        let mut file = File::options().write(true).create(true).truncate(true).open(path)?;
        writeln!(
            file,
            "{}\nWith this file weir detects whether the log beside it was copied: leave it here.",
            hex::encode(text)
        )?;
        file.sync_all()?;
        Self::of(text, &file)
    }
}

/// The file beside a log's folder.
pub(super) fn beside(folder: &Path) -> PathBuf {
    folder.with_extension("opened")
}
