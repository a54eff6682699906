//! The enricher as a process of its own.

use std::process::ExitCode;

const ABOUT: &str = "Finds out more about activities, and writes them to a topic and to the files of the lake";

fn main() -> ExitCode {
    service::main("enricher", ABOUT, enricher::DEFAULTS, enricher::run)
}
