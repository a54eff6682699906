//! The loader over the embedded log and a lake in a folder or in a store that speaks S3. What is in a table is told by
//! another engine.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on says so by panicking"
)]

mod beyond;
mod cost;
mod exactly_once;
mod faults;
mod files;
mod format;
mod held;
mod looks;
mod place;
mod process;
mod readers;
mod shape;
mod spark;
mod upkeep;
