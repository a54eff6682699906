//! A part of a topic: offsets of one partition, and what is read of them at once.

use crate::Stored;

/// What is read at once. One record it always may be.
pub(crate) const AT_ONCE: (usize, usize) = (1024, 1024 * 1024);

/// The offsets of a partition: of the first record there is, and after the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OffsetRange {
    /// The partition.
    pub partition: i32,
    /// Of the first record. What was before it has had its time.
    pub low: i64,
    /// Of the next record.
    pub end: i64,
}

/// Records of a partition in their order.
#[derive(Debug)]
pub struct Span {
    /// Those that were found. Offsets may have gaps.
    pub records: Vec<Stored>,
    /// Where to read on; what was asked for is read when it is there.
    pub next: i64,
}
