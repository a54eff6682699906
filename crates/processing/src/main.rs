//! Processing as a process of its own.

use std::process::ExitCode;

const ABOUT: &str = "Turns raw deliveries into typed events and activities, and keeps the registrations";

fn main() -> ExitCode {
    service::main("processing", ABOUT, processing::DEFAULTS, processing::run)
}
