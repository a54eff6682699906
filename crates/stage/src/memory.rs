//! What records take in memory while they are worked on, and how much of it there is.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What a record takes beside its value: headers, claims, the records that come of it.
const RECORD: u64 = 4096;
/// A value that is not read is kept and copied into a dead letter.
const UNREAD: u64 = 4;
/// Memory is handed out in pieces of this size.
const PIECE: u64 = 1024;

/// What a record takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    /// In bytes, at the most.
    pub bytes: u64,
    /// Why it must not be read: what it would take is beyond a limit.
    pub too_much: Option<String>,
}

impl Weight {
    /// That of a value that is not read, only kept.
    #[must_use]
    pub fn unread(payload: Option<&Bytes>) -> Self {
        let size = payload.map_or(0, Bytes::len) as u64;
        Self { bytes: size.saturating_mul(UNREAD).saturating_add(RECORD), too_much: None }
    }

    /// The same record, of whose value so much is made: never less than an unread one takes.
    #[must_use]
    pub fn taking(self, bytes: u64) -> Self {
        Self { bytes: self.bytes.max(bytes.saturating_add(RECORD)), ..self }
    }
}

/// The memory that all records in flight share. Clones are one.
#[derive(Debug, Clone)]
pub struct Memory {
    pieces: Arc<Semaphore>,
    all: u32,
}

impl Memory {
    /// So many bytes.
    #[must_use]
    pub fn new(bytes: u64) -> Self {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let all = u32::try_from(bytes / PIECE).unwrap_or(u32::MAX).clamp(1, most);
        Self { pieces: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// As much as there is: the bus limits what is in flight by its bytes.
    #[must_use]
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// A record that takes more than there is takes all of it: one may always be worked on.
    fn pieces(&self, weight: &Weight) -> u32 {
        u32::try_from(weight.bytes.div_ceil(PIECE)).unwrap_or(u32::MAX).min(self.all)
    }

    /// Its part, if there is so much.
    pub(crate) fn try_take(&self, weight: &Weight) -> Option<Room> {
        Arc::clone(&self.pieces).try_acquire_many_owned(self.pieces(weight)).ok().map(Room::of)
    }

    /// Its part, when there is so much. `None`: never.
    pub(crate) async fn take(&self, weight: &Weight) -> Option<Room> {
        Arc::clone(&self.pieces).acquire_many_owned(self.pieces(weight)).await.ok().map(Room::of)
    }
}

/// A record's part of the memory, until it is dropped.
#[derive(Debug, Default)]
pub struct Room {
    _pieces: Option<OwnedSemaphorePermit>,
}

impl Room {
    fn of(pieces: OwnedSemaphorePermit) -> Self {
        Self { _pieces: Some(pieces) }
    }
}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
