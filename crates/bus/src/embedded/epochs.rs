//! Epochs: the lives of a log. A copy of the folder gives the same offsets to other records than the log that it was made
//! of, and so does a log that was put back from one. When a copy is opened a new epoch begins where each partition ends;
//! what comes from then on has the epoch in its coordinates, and what came before keeps the coordinates that it had.
//!
//! Whether the folder is a copy is told by the file [beside](super::beside) it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use fjall::PersistMode;

use super::Embedded;
use super::beside::{Seen, beside};
use super::keys::{self, Begun};
use super::store::{Opened, Topic, failed};
use crate::{Epoch, Error};

/// All epochs of a log, from the first that was begun. Before it the log had none.
#[derive(Debug, Default)]
pub(super) struct Epochs(Vec<Begun>);

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
