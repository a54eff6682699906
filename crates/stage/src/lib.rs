//! What the stages that consume have in common: the bus as their health sees it, and their claims.
#![doc = include_str!("../README.md")]

mod claims;
mod log;
mod progress;
mod rebuild;
mod retention;

pub use claims::{ClaimChecks, StageClaims};
pub use log::LogChecks;
pub use progress::{Partitions, Progress};
pub use rebuild::{Claimed, Outputs};
pub use retention::Retention;

use std::time::Duration;

/// Before what is away is asked again.
const RETRY: Duration = Duration::from_secs(1);
