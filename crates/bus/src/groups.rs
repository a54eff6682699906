//! Where groups stand, as an operator sees it.

/// A consumer group, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Without the prefix.
    pub name: String,
    /// Consumers that are in it now.
    pub members: usize,
    /// Each partition of which it has committed an offset, by topic and partition.
    pub places: Vec<GroupPlace>,
}

/// Where a group stands in a partition.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GroupPlace {
    /// Without the prefix.
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The next offset that it reads.
    pub committed: i64,
    /// The first offset on the log.
    pub low: i64,
    /// The offset after the last.
    pub end: i64,
}

impl GroupPlace {
    /// How many offsets are to be read. Gaps in the offsets make it fewer records.
    #[must_use]
    pub fn lag(&self) -> i64 {
        (self.end - self.committed.max(self.low)).max(0)
    }

    /// The offset is not on the log: the partition stands still until the offset is set.
    #[must_use]
    pub fn is_out_of_range(&self) -> bool {
        !(self.low..=self.end).contains(&self.committed)
    }
}
