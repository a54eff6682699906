//! Why something becomes a dead letter, where more than one part of Weir has to know it. The codes never change: they
//! stand in dead letters and metrics. Those of the platforms' modules are theirs.

/// What came of a record is larger than its topic takes.
pub const TOO_LARGE: &str = "too_large";
/// What came of a record has a topic that does not exist.
pub const UNKNOWN_TOPIC: &str = "unknown_topic";
/// The process ended while it worked on the record.
pub const CRASH: &str = "crash";
