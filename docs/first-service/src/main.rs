//! The counts as a process of their own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main_of::<first_service::ActivityCounts>()
}
