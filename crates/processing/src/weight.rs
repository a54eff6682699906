//! What a raw record takes in memory while it is worked on, told before it is read. Pure.
//!
//! A small body can become a large tree: 14 MB of tiny objects took 2.3 GB. So its values are counted first, and what is
//! in flight is counted in what it takes and not in the bytes that it has.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use stage::Weight;

use crate::delivery::decode;

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

/// Weighs the value of a raw record.
pub fn of(payload: Option<&Bytes>, limit: Limit) -> Weight {
    let unread = Weight::unread(payload);
    let Some(Ok(delivery)) = payload.map(decode) else { return unread };
    let Some(source) = sources::by_name(&delivery.source) else { return unread };
    // What breaks here breaks again where it is read, and is told there.
    let Ok(scan) = catch_unwind(AssertUnwindSafe(|| source.scan(&delivery.body))) else { return unread };
    let body = delivery.body.len() as u64;
    let (takes, may) = (scan.memory(), body.saturating_mul(limit.factor).max(limit.least));
    if takes <= may {
        return unread.taking(takes);
    }
    let too_much = format!(
        "the body of {body} bytes has {} values, {} of them objects: reading them could take {takes} bytes of memory, \
         and {may} are allowed (processing.body_memory_factor, processing.body_memory_least_bytes)",
        scan.values, scan.objects
    );
    Weight { too_much: Some(too_much), ..unread }
}

#[cfg(test)]
#[path = "weight_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "memory_tests.rs"]
mod memory;
