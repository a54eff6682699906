//! The errors of all workers within a sliding window. Pure, but for the store that several share.
//!
//! * `entry`: what a digest tells of errors, each entry under an id that it keeps
//! * `memory`: the window, in memory
//! * `group`: the same error of several workers
//! * [`redis`]: the window in Redis, for several
//! * `rate`: whether there are too many of a worker, a stage or an endpoint

pub mod entry;
pub(crate) mod group;
pub mod memory;
pub(crate) mod rate;
pub mod redis;
pub mod settings;
#[cfg(test)]
mod window_tests;
