//! Whether as much comes in as usual: thresholds mined from what was recorded, for each hour of the week.
//!
//! ```text
//! counts by endpoint and hour ─▶ watch ─▶ history ─▶ mine ─▶ findings
//!                                           └▶ file           (all pure but file)
//! ```
//!
//! * [`history`]: what came in, by endpoint and hour, of five weeks
//! * [`mine`]: what is usual in an hour, and whether a count is
//! * [`watch`]: takes in what the door tells, and says what is unusual
//! * [`file`]: the history outlives a restart

pub mod file;
pub mod history;
pub mod mine;
pub mod watch;

pub use history::History;
pub use mine::{Judgement, Rules, Usual};
pub use watch::{Finding, Kind, Watch};
