//! Epochs: the lives of a log. A copy of the folder gives the same offsets to other records than the log that it was made
//! of, and so does a log that was put back from one. When a copy is opened a new epoch begins where each partition ends;
//! what comes from then on has the epoch in its coordinates, and what came before keeps the coordinates that it had.
//!
//! A copy is told by a file beside the folder. It is written over each time the log is opened, and the log keeps what was
//! written, the file's inode and when the file was made. A folder that was copied has another inode or an older text; one
//! that was moved within its file system has the same. Where a file system keeps no inodes each opening is an epoch: that
//! does no harm. A snapshot of the whole file system is not told from the original.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::UNIX_EPOCH;

use fjall::PersistMode;

use super::store::{Opened, Topic, failed};
use super::{Embedded, keys};
use crate::{Epoch, Error};

/// All epochs of a log, from the first that was begun. Before it the log had none.
#[derive(Debug, Default)]
pub(super) struct Epochs(Vec<Begun>);

/// An epoch, and where it begins.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Begun {
    pub(super) id: u32,
    /// Topics from this number on came into being later: all of them is of the epoch.
    pub(super) next_topic: u32,
    /// Where the partitions of the others ended.
    pub(super) ends: HashMap<(u32, u32), i64>,
}

impl Begun {
    fn first(&self, topic: u32, partition: u32) -> i64 {
        if topic >= self.next_topic { 0 } else { self.ends.get(&(topic, partition)).copied().unwrap_or(0) }
    }
}

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
    fn read(path: &Path) -> Option<Self> {
        let mut file = File::open(path).ok()?;
        let mut text = String::new();
        (&mut file).take(32).read_to_string(&mut text).ok()?;
        let mut bytes = [0; 16];
        hex::decode_to_slice(&text, &mut bytes).ok()?;
        Self::of(bytes, &file).ok()
    }

    /// In place, so that it stays the same file.
    fn write(path: &Path) -> io::Result<Self> {
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
fn beside(folder: &Path) -> PathBuf {
    folder.with_extension("opened")
}

impl Epochs {
    /// Those of a log that is being opened; begins one where its folder is a copy. Blocks.
    pub(super) fn open(opened: &Opened, folder: &Path) -> Result<Self, Error> {
        let files = &opened.files;
        let mut all = Vec::new();
        for entry in files.meta.prefix(keys::EPOCHS) {
            let (_, value) = entry.into_inner().map_err(|error| failed(&files.folder, &error))?;
            all.push(keys::read_epoch(&value).ok_or_else(|| files.broken("an epoch's entry is corrupt"))?);
        }
        let path = beside(folder);
        let known = files.get(keys::OPENED)?;
        let found = Seen::read(&path);
        let is_copy = known.is_some() && found.map(keys::opened).as_deref() != known.as_deref();
        let mut batch = files.database.batch().durability(Some(PersistMode::SyncAll));
        match Seen::write(&path) {
            Ok(seen) => batch.insert(&files.meta, keys::OPENED, keys::opened(seen)),
            // What is known stays, and so does the file.
            Err(error) if !is_copy => {
                tracing::warn!(file = %path.display(), %error, "cannot write the file that marks the log as opened: a copy of the log will not be detected");
                return Ok(Self(all));
            }
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "cannot write the file that marks the log as opened");
            }
        }
        if is_copy {
            let begun = begin(opened, &all)?;
            tracing::warn!(
                folder = %files.folder, epoch = %shown(begun.id),
                "the log is a copy, or was restored from one: new records belong to a new epoch"
            );
            let number = u32::try_from(all.len()).unwrap_or(u32::MAX);
            batch.insert(&files.meta, keys::epoch_key(number), keys::epoch(&begun));
            all.push(begun);
        }
        batch.commit().map_err(|error| failed(&files.folder, &error))?;
        Ok(Self(all))
    }

    /// The epoch of an offset; none: of before the first.
    fn at(&self, topic: u32, partition: u32, offset: i64) -> Option<u32> {
        let mut latest = self.0.iter().rev();
        latest.find(|begun| offset >= begun.first(topic, partition)).map(|begun| begun.id)
    }

    /// Each epoch of a partition with its first offset.
    fn of(&self, topic: u32, partition: u32) -> impl Iterator<Item = (Option<u32>, i64)> {
        let later = self.0.iter().map(move |begun| (Some(begun.id), begun.first(topic, partition)));
        std::iter::once((None, 0)).chain(later)
    }

    /// The log's identity in each epoch.
    pub(super) fn identities(&self, identity: &str) -> HashMap<u32, Arc<str>> {
        let named = |begun: &Begun| (begun.id, format!("{identity}.{}", shown(begun.id)).into());
        self.0.iter().map(named).collect()
    }
}

fn shown(id: u32) -> String {
    format!("{id:08x}")
}

/// An epoch that no other copy of this log has, from the present ends on.
fn begin(opened: &Opened, before: &[Begun]) -> Result<Begun, Error> {
    let mut begun = Begun { next_topic: opened.next_topic, ..Begun::default() };
    while begun.id == 0 || before.iter().any(|other| other.id == begun.id) {
        let random = getrandom::u32();
        begun.id = random.map_err(|error| {
            opened.files.broken(&format!("the operating system returned no random number: {error}"))
        })?;
    }
    for topic in opened.topics.values() {
        for (partition, part) in (0..topic.row.partitions).zip(&topic.parts) {
            begun.ends.insert((topic.row.number, partition), part.end.load(Ordering::Acquire));
        }
    }
    Ok(begun)
}

impl Embedded {
    /// The log's identity for a record.
    pub(super) fn log_at(&self, topic: &Topic, partition: i32, offset: i64) -> Arc<str> {
        let partition = u32::try_from(partition).unwrap_or_default();
        self.named(self.log.epochs.at(topic.row.number, partition, offset))
    }

    fn named(&self, epoch: Option<u32>) -> Arc<str> {
        epoch.and_then(|id| self.epochs.get(&id)).unwrap_or(&self.identity).clone()
    }

    /// The log's identity for a record of a topic by its full name.
    pub(crate) fn log_of(&self, topic: &str, partition: i32, offset: i64) -> Arc<str> {
        let topic = self.log.topic(topic);
        topic.map_or_else(|| self.identity.clone(), |topic| self.log_at(&topic, partition, offset))
    }

    /// The epochs of each partition of a topic by its name without the prefix.
    pub(crate) fn epochs_of(&self, topic: &str) -> Result<Vec<Vec<Epoch>>, Error> {
        let topic = self.topic(topic)?;
        let of = |partition| {
            let epochs = self.log.epochs.of(topic.row.number, partition);
            epochs.map(|(id, first)| Epoch { log: self.named(id), first }).collect()
        };
        Ok((0..topic.row.partitions).map(of).collect())
    }
}

#[cfg(test)]
#[path = "epochs_tests.rs"]
mod tests;
