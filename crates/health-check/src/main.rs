//! Health-check as a process of its own.

use std::process::ExitCode;

const ABOUT: &str = "Asks every service how it is, and says whether the whole pipeline is healthy";

fn main() -> ExitCode {
    service::main("health-check", ABOUT, health_check::DEFAULTS, health_check::run)
}
