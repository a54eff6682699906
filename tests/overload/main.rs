//! Ten times as much as the door can do, and clients that hold connections: nothing that was thanked for is lost, the rest
//! is told to come again, memory stays small, and afterwards all is as before.
//!
//! ```sh
//! cargo test --workspace --test overload            # the short run, as `make test` does it
//! cargo test --workspace --test overload -- --full  # 60 s of overload: `make overload`
//! ```

#![allow(clippy::print_stdout, reason = "the report is what this program is for")]
#![allow(clippy::cast_precision_loss, reason = "counts for people")]

mod check;
mod client;
mod load;
mod memory;
mod report;
mod run;
mod slow;
mod stock;
mod system;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use weir_tests::page::Table;

/// Runs Weir's services on one broker, and sends them more than they can handle
#[derive(Debug, Parser)]
#[command(name = "overload")]
struct Arguments {
    /// Run 60 s of overload, and judge all figures
    #[arg(long)]
    full: bool,
    /// Page whose table is renewed, between the lines `<!-- overload -->` and `<!-- end of overload -->`; a page that does
    /// not exist is made
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Folder for the logs of the services
    #[arg(long)]
    logs: Option<PathBuf>,
    /// What cargo gives to test programs
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    test_threads: Option<u32>,
}

/// How long each part lasts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) capacity: Duration,
    pub(crate) overload: Duration,
    /// Of ordinary traffic, alone and beside slow clients.
    pub(crate) ordinary: Duration,
    pub(crate) recovered_within: Duration,
    /// Speed is judged: the machine has nothing else to do.
    pub(crate) speed: bool,
}

impl Plan {
    fn of(full: bool) -> Self {
        let seconds = Duration::from_secs;
        if full {
            Self {
                capacity: seconds(8),
                overload: seconds(60),
                ordinary: seconds(10),
                recovered_within: seconds(10),
                speed: true,
            }
        } else {
            Self {
                capacity: seconds(3),
                overload: seconds(8),
                ordinary: seconds(3),
                recovered_within: seconds(45),
                speed: false,
            }
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let began = Instant::now();
    let ran = run(&arguments);
    println!("{:.0} s", began.elapsed().as_secs_f64());
    match ran {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything holds.
fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let table = arguments.markdown.as_deref().map(|page| Table::find(page, "overload")).transpose()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let report = runtime.block_on(run::run(Plan::of(arguments.full), arguments.logs.as_deref()))?;
    if let Some(table) = table {
        table.renew(&report.table())?;
    }
    Ok(report.holds())
}
