//! The records that dead letters are about. Each is read once, however many letters it has: one delivery may have thousands,
//! and they stand side by side.

use std::collections::VecDeque;

use bus::{Bus, Error, Lookup, Stored};

/// So many are kept, and of no more than so many bytes together; one always is.
const KEPT: usize = 64;
const KEPT_BYTES: usize = 64 << 20;

/// Topic without its prefix, partition, offset.
pub(crate) type At = (String, i32, i64);

/// Reads originals, and keeps the last ones.
#[derive(Debug)]
pub(crate) struct Originals {
    lookup: Lookup,
    kept: Kept,
    read: u64,
}

impl Originals {
    pub(crate) fn new(bus: &Bus) -> Self {
        Self { lookup: bus.lookup(), kept: Kept::default(), read: 0 }
    }

    /// The record at this place; `None` where it is not there any more.
    pub(crate) async fn at(&mut self, at: &At) -> Result<Option<Stored>, Error> {
        if let Some(known) = self.kept.get(at) {
            return Ok(known);
        }
        let (topic, partition, offset) = at;
        let found = self.lookup.at(topic, *partition, *offset).await?;
        self.read += 1;
        self.kept.put(at.clone(), found.clone());
        Ok(found)
    }

    /// How many were read.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }
}

/// The last ones, the newest last.
#[derive(Debug, Default)]
struct Kept {
    originals: VecDeque<(At, Option<Stored>)>,
    bytes: usize,
}

impl Kept {
    fn get(&mut self, at: &At) -> Option<Option<Stored>> {
        let n = self.originals.iter().rposition(|(known, _)| known == at)?;
        let known = self.originals.remove(n)?;
        let found = known.1.clone();
        self.originals.push_back(known);
        Some(found)
    }

    fn put(&mut self, at: At, original: Option<Stored>) {
        self.bytes += size(original.as_ref());
        self.originals.push_back((at, original));
        while self.originals.len() > 1 && (self.originals.len() > KEPT || self.bytes > KEPT_BYTES) {
            let forgotten = self.originals.pop_front();
            self.bytes -= size(forgotten.as_ref().and_then(|(_, original)| original.as_ref()));
        }
    }
}

fn size(original: Option<&Stored>) -> usize {
    original.and_then(|stored| stored.payload.as_ref()).map_or(0, bytes::Bytes::len)
}

#[cfg(test)]
#[path = "originals_tests.rs"]
mod tests;
