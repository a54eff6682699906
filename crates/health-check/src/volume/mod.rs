//! Whether as much comes in as usual: thresholds mined from what was recorded, for each hour of the week.
//!
//! ```text
//! counts of the door by endpoint and hour ─▶ watch ─▶ history ─▶ mine ─▶ findings ─▶ problems
//!                                              │         └▶ file                 (all pure but file)
//! ```
//!
//! * [`history`]: what came in, by endpoint and hour, of five weeks
//! * `candidates`: endpoints that have no place in the history
//! * [`mine`]: what is usual in an hour, and whether a count is
//! * [`watch`]: takes in what the door tells, and says what is unusual
//! * `asked`: what the platforms say of endpoints that are silent
//! * `door`: what the door tells, and what is found as problems
//! * [`file`], `keep`: the history outlives a restart
//! * [`settings`]: the section `[health_check.volume]`

mod asked;
mod candidates;
pub(crate) mod door;
pub mod file;
pub mod history;
pub(crate) mod keep;
pub mod mine;
pub mod settings;
pub mod watch;

pub use asked::Asked;
pub use history::History;
pub use mine::{Judgement, Rules, Usual};
pub use watch::{Finding, FindingKind, Summary, Watch};
