//! Where reading begins.

use prost_types::Timestamp;

/// Where to begin.
#[derive(Debug, Clone, PartialEq)]
pub enum Start {
    /// At the first record there is.
    Beginning,
    /// After the last.
    End,
    /// So many offsets before the end of each partition. Gaps in the offsets make it fewer records.
    LastN(u64),
    /// At the first record that was produced at this time or later, by the clock of its producer; at the end, where none
    /// was. Clocks are set, and those of several producers differ: what stands before may have been produced later than
    /// what stands after it, and a record that came of another one may say an earlier time.
    AtTime(Timestamp),
}
