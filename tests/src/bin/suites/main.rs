//! How long each suite of tests takes, and how long it may take: `make test` runs every test program under
//! `suites run`, and ends with `suites report`.
//!
//! * [`watch`]: runs one test program and takes the time of what it prints
//! * [`times`]: when each test began, and what one suite took
//! * [`speed`]: how much slower this machine is now than the one on which the budgets were measured
//! * [`budgets`]: the table, `tests/budgets.toml`
//! * [`report`]: what is printed at the end, and whether a suite took too long

mod budgets;
mod report;
mod speed;
mod times;
mod watch;

use std::ffi::OsString;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::budgets::Budgets;
use crate::times::Suite;

/// Times the suites of tests, and compares them with their budgets
#[derive(Debug, Parser)]
#[command(name = "suites")]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Run a test program, and write down what it and its tests took: what cargo calls a runner
    Run {
        /// Where it is written down
        folder: PathBuf,
        /// The test program
        program: PathBuf,
        /// What cargo gives to it
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Print what all suites took; fails where one took longer than it may
    Report {
        /// Where it was written down
        folder: PathBuf,
    },
    /// Print what the work takes that tells how fast a machine is: `work_ms` of the budgets, where nothing else runs
    Speed,
}

fn main() -> anyhow::Result<ExitCode> {
    match Arguments::parse().what {
        What::Run { folder, program, arguments } => run(&folder, &program, &arguments),
        What::Report { folder } => {
            let report = report::of(&Budgets::load()?, &Suite::read_all(&folder)?);
            say(&report.text)?;
            Ok(if report.holds { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        What::Speed => {
            say(&format!("{} ms\n", speed::best(20)?.as_millis()))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Ends as the test program did.
fn run(folder: &Path, program: &Path, arguments: &[OsString]) -> anyhow::Result<ExitCode> {
    let before = speed::measure()?;
    let watched = watch::run(program, arguments, std::io::stdout())?;
    let slower = Budgets::load()?.slower(before, speed::measure()?);
    watched.suite(times::name_of(program)?, slower).write(folder, program)?;
    let code = watched.status.code().and_then(|code| u8::try_from(code).ok());
    if code.is_none() {
        say(&format!("{}: {}\n", program.display(), watched.status))?;
    }
    Ok(ExitCode::from(code.unwrap_or(1)))
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("print")
}
