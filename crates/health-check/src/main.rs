//! Health-check as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main_of::<health_check::HealthCheck>()
}
