//! The loader as a process of its own.

use std::process::ExitCode;

const ABOUT: &str = "Makes files part of the tables of the lake, each row once";

fn main() -> ExitCode {
    service::main("loader", ABOUT, loader::DEFAULTS, loader::run)
}
