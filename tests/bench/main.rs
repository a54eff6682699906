//! What Weir costs beside what its parts cost alone, as ratios of processor time from one run: `make bench`.
//!
//! * [`door`], [`processing`]: the two measurements, in turns: every contender a slice, and all of them again
//! * [`roles`]: what runs beside the services, each a process of its own started from this executable
//! * [`role`]: how a role is started and asked
//! * [`client`], [`stock`]: Kafka's client as the bus configures it, and records in memory
//! * [`bodies`]: the deliveries that are sent; [`fill`]: raw deliveries on the log
//! * [`plan`]: how much is done; [`figures`], [`table`]: what is made of it
//!
//! docs/performance.md says what each figure means.

mod bodies;
mod client;
mod door;
mod figures;
mod fill;
mod plan;
mod processing;
mod role;
mod roles;
mod stock;
mod table;
mod turns;

use std::io::Write as _;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Parser as _;
use weir_tests::page::Table;

use crate::figures::Report;
use crate::plan::Plan;
use crate::turns::{Bench, Build};

/// Compare the cost of the door and of processing with the cost of their parts alone
#[derive(Debug, clap::Parser)]
#[command(name = "pipeline")]
struct Arguments {
    /// A smoke test of a few seconds: runs and checks everything; its figures mean nothing
    #[arg(long)]
    quick: bool,
    /// Measure only this: door-1k, door-8k or processing
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Measure the programs of another build too, in turns with these: before=target/before; can be repeated
    #[arg(long, value_name = "NAME=FOLDER")]
    beside: Vec<Build>,
    /// Write all measurements as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Renew the table of this page, between the lines `<!-- table -->` and `<!-- end of table -->`; a page that does not
    /// exist is made
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// What cargo adds
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let mut given = std::env::args().skip(1);
    if given.next().as_deref() == Some(role::ARGUMENT) {
        let name = given.next().context("the role has no name")?;
        return roles::run(&name, &given.next().unwrap_or_default());
    }
    if !std::env::args().any(|argument| argument == "--bench" || argument == "--quick" || argument == "--help") {
        // `cargo test --all-targets` runs benches too; smoke.rs is the test of this one.
        return say("nothing is measured without --bench: use `make bench`\n");
    }
    let arguments = Arguments::parse();
    let page = arguments.markdown.as_deref().map(|page| Table::find(page, "table")).transpose()?;
    let report = measure(&arguments)?;
    say(&table::text(&report))?;
    if let Some(file) = &arguments.json {
        let json = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, json + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(page) = page {
        page.renew(&table::text(&report))?;
    }
    Ok(())
}

fn measure(arguments: &Arguments) -> anyhow::Result<Report> {
    let plan = if arguments.quick { Plan::quick() } else { Plan::full() };
    let wanted = |name: &str| arguments.only.as_deref().is_none_or(|only| only == name);
    let doors: Vec<_> = plan.doors.iter().filter(|run| wanted(run.name)).collect();
    let processing = wanted(processing::NAME);
    anyhow::ensure!(!doors.is_empty() || processing, "--only matches nothing: give door-1k, door-8k or processing");
    let began = std::time::Instant::now();
    let bench = Bench::start(&plan, &arguments.beside)?;
    let mut sections = Vec::new();
    for run in doors {
        sections.push(door::measure(&bench, run)?);
    }
    if processing {
        sections.push(processing::measure(&bench)?);
    }
    Ok(Report::new(arguments.quick, began.elapsed(), sections))
}

fn say(text: &str) -> anyhow::Result<()> {
    std::io::stdout().write_all(text.as_bytes()).context("cannot print")
}
