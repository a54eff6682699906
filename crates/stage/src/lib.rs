//! Runs the stages that consume: what they have in common, so that each is only what it does with records.
#![doc = include_str!("../README.md")]

mod canary;
mod claims;
mod driver;
mod ends;
mod log;
mod memory;
mod meters;
mod opened;
mod outbox;
mod output;
pub mod pace;
mod progress;
mod rebuild;
mod refused;
mod retention;

pub use canary::passes;
pub use claims::{ClaimChecks, StageClaims};
pub use driver::{Driver, Lane, Part, Partition, Stage};
pub use log::LogChecks;
pub use memory::{Memory, Room, Weight};
pub use opened::Opened;
pub use outbox::{Emitted, Outbox};
pub use output::{Item, Origin, OutputEvent, Refusals, RefusedItem, Work};
pub use progress::{Partitions, Progress, of_standing};
pub use rebuild::{Claimed, Outputs};
pub use refused::RefusedRecord;
pub use retention::Retention;

use std::time::Duration;

/// Why items are dropped whose record stays on the log: it is consumed again, and they are counted again.
pub const COMES_AGAIN: &str = "comes_again";

/// Before what is away is asked again.
const RETRY: Duration = Duration::from_secs(1);
