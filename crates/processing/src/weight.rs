//! What a raw record takes in memory while it is worked on, told before it is read. Pure.
//!
//! A small body can become a large tree: 14 MB of tiny objects took 2.3 GB. So its values are counted first, and what is
//! in flight is counted in what it takes and not in the bytes that it has.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::parse;

/// What a record takes beside its delivery: headers, claims, the records that come of it.
const RECORD: u64 = 4096;
/// A body that is not read is kept and copied into a dead letter.
const UNREAD: u64 = 4;
/// Memory is handed out in pieces of this size.
const PIECE: u64 = 1024;

/// What a delivery may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// So many times its body.
    pub factor: u64,
    /// So much at the least, however small it is.
    pub least: u64,
}

impl Default for Limit {
    /// As in `settings.default.toml`.
    fn default() -> Self {
        Self { factor: 20, least: 16 << 20 }
    }
}

/// What a record takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weight {
    /// In bytes, at the most.
    pub bytes: u64,
    /// Why it is not read: what it would take is beyond the limit.
    pub too_much: Option<String>,
}

impl Weight {
    /// Weighs the value of a raw record.
    pub fn of(payload: Option<&Bytes>, limit: Limit) -> Self {
        let size = payload.map_or(0, Bytes::len) as u64;
        let unread = Self { bytes: size.saturating_mul(UNREAD) + RECORD, too_much: None };
        let Some(Ok(delivery)) = payload.map(parse::decode) else { return unread };
        let Some(source) = sources::by_name(&delivery.source) else { return unread };
        // What breaks here breaks again where it is read, and is told there.
        let Ok(scan) = catch_unwind(AssertUnwindSafe(|| source.scan(&delivery.body))) else { return unread };
        let body = delivery.body.len() as u64;
        let (takes, may) = (scan.memory(), body.saturating_mul(limit.factor).max(limit.least));
        if takes <= may {
            return Self { bytes: takes.max(unread.bytes) + RECORD, too_much: None };
        }
        let too_much = format!(
            "the body of {body} bytes has {} values, {} of them objects: to read them could take {takes} bytes of memory, \
             and {may} are allowed (processing.body_memory_factor, processing.body_memory_least_bytes)",
            scan.values, scan.objects
        );
        Self { too_much: Some(too_much), ..unread }
    }
}

/// The memory that all records in flight share. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pieces: Arc<Semaphore>,
    all: u32,
}

impl Memory {
    pub(crate) fn new(bytes: u64) -> Self {
        let most = u32::try_from(Semaphore::MAX_PERMITS).unwrap_or(u32::MAX);
        let all = u32::try_from(bytes / PIECE).unwrap_or(u32::MAX).clamp(1, most);
        Self { pieces: Arc::new(Semaphore::new(all as usize)), all }
    }

    /// A record that takes more than there is takes all of it: one may always be worked on.
    fn pieces(&self, weight: &Weight) -> u32 {
        u32::try_from(weight.bytes.div_ceil(PIECE)).unwrap_or(u32::MAX).min(self.all)
    }

    /// Its part, if there is so much.
    pub(crate) fn try_take(&self, weight: &Weight) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.pieces).try_acquire_many_owned(self.pieces(weight)).ok()
    }

    /// Its part, when there is so much. `None`: never.
    pub(crate) async fn take(&self, weight: &Weight) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.pieces).acquire_many_owned(self.pieces(weight)).await.ok()
    }
}

#[cfg(test)]
#[path = "weight_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "memory_tests.rs"]
mod memory;
