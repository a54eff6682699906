//! The contract of Weir with everybody who reads or writes its records: `proto/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod addresses;
mod alerts;
mod architecture;
mod breaking;
mod catalogue;
mod circles;
mod commands;
mod metrics;
mod readme;
mod schemas;
mod text;
mod words;
