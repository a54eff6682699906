//! From where to where the partitions of a topic go.

/// From where to where a partition goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// The first offset.
    pub first: i64,
    /// The offset after the last: no record stands there, and none ever stood beyond.
    pub end: i64,
}
