//! The errors of all workers within a sliding window. Pure, but for the store that several share.
//!
//! * `entry`: what a digest tells of errors, each entry under an id that it keeps
//! * `memory`: the window, in memory
//! * `group`: the same error of several workers
//! * `rate`: whether there are too many of a worker, a stage or an endpoint

pub(crate) mod entry;
pub(crate) mod group;
pub(crate) mod memory;
pub(crate) mod rate;
pub mod settings;
#[cfg(test)]
mod window_tests;
