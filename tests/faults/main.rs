//! The promise under faults: what was acknowledged is in the lake once, whatever is killed, cut or emptied meanwhile.
//!
//! ```sh
//! cargo test --workspace --test faults                        # the quick cases, as `make test` runs them
//! cargo test --workspace --test faults -- --all               # each case once: `make faults`
//! cargo test --workspace --test faults -- brokers-away        # cases by name
//! cargo test --workspace --test faults -- --rounds 50 --seed 7
//! cargo test --workspace --test faults -- --alerts            # who is told: `make alert-faults`
//! cargo test --workspace --test faults -- --quiet 60          # that nobody is: `make quiet-hour`
//! ```

#![allow(clippy::print_stdout, reason = "the report is what this program is for")]

mod account;
mod alerts;
mod cases;
mod certificates;
mod check;
mod clock;
mod control;
mod failover;
mod fault;
mod health;
mod installation;
mod lasting;
mod ledger;
mod load;
mod memory;
mod observe;
mod put_back;
mod quiet;
mod receiver;
mod replaced;
mod report;
mod retention;
mod rounds;
mod run;
mod store;
mod storms;
mod surroundings;
mod system;
mod tail;
mod traffic;
mod trouble;
mod unread;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use weir_tests::environment::workspace;
use weir_tests::page::Table;

use crate::cases::Case;
use crate::report::Line;
use crate::run::Run;
use crate::surroundings::Surroundings;

/// Runs Weir on a cluster of three brokers, causes faults, and compares acknowledged deliveries with their results
#[derive(Debug, Parser)]
#[command(name = "faults")]
struct Arguments {
    /// Run the cases whose names contain one of these words [default: the quick cases]
    names: Vec<String>,
    /// Run every case once
    #[arg(long)]
    all: bool,
    /// Run this many rounds of random faults instead of cases
    #[arg(long)]
    rounds: Option<u32>,
    /// Cause faults that last for minutes instead, and say who is told: about two and a half hours for all
    #[arg(long, conflicts_with = "rounds")]
    alerts: bool,
    /// Send load that changes for this many minutes instead, with nothing wrong: nobody may be told
    #[arg(long, conflicts_with_all = ["rounds", "alerts"])]
    quiet: Option<f64>,
    /// Skip this many rounds: repeats a later stretch, with the same seed
    #[arg(long, requires = "rounds", default_value_t = 0)]
    skip: u32,
    /// Seed of the random faults
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// List the cases
    #[arg(long)]
    list: bool,
    /// Page whose table is renewed, between the lines `<!-- cases -->` and `<!-- end of cases -->`, or of `rounds`; a page
    /// that does not exist is made
    #[arg(long)]
    markdown: Option<PathBuf>,
    /// Folder for the logs of the services, and after a loss also for the logs of the brokers and the raw topics.
    /// Without it the logs of failed runs are in target/faults
    #[arg(long)]
    logs: Option<PathBuf>,
    /// Folder with the programs of another version: adds the case two-versions
    #[arg(long)]
    old: Option<PathBuf>,
    /// Log filter of the services, as in `telemetry.log`: info,bus=debug
    #[arg(long)]
    log: Option<String>,
    /// What cargo gives to test programs
    #[arg(long, hide = true)]
    nocapture: bool,
    #[arg(long, hide = true)]
    test_threads: Option<u32>,
}

impl Arguments {
    /// Where the logs of a run are kept.
    fn logs_of(&self, name: &str) -> PathBuf {
        let of_failed = || workspace().join("target/faults").join(name.replace(' ', "-"));
        self.logs.clone().unwrap_or_else(of_failed)
    }

    /// Unless they were asked for, only logs of runs that failed are kept.
    fn tidy(&self, logs: &Path, line: &Line) {
        if self.logs.is_some() {
            return;
        }
        if line.passed() {
            drop(std::fs::remove_dir_all(logs));
        } else {
            println!("  its logs are in {}", logs.display());
        }
    }

    /// The quick cases, as `make test` runs them.
    fn is_quick(&self) -> bool {
        !self.all && self.names.is_empty() && self.rounds.is_none()
    }

    /// Who asks for more than the quick cases has the machine for it.
    fn recovered_within(&self) -> Duration {
        if self.is_quick() { report::RECOVERED_AMONG_OTHERS } else { report::RECOVERED_WITHIN }
    }

    fn wants(&self, case: &Case) -> bool {
        if self.names.is_empty() {
            self.all || case.quick
        } else {
            self.names.iter().any(|name| case.name.contains(name))
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.list {
        for case in cases::all(arguments.old.as_deref()) {
            println!("{:<28} {}{}", case.name, if case.quick { "* " } else { "  " }, case.about);
        }
        println!("* part of make test");
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            println!("cannot start the runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(&arguments)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all was as it must be.
async fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let began = Instant::now();
    let name = match arguments.rounds {
        Some(_) => "rounds",
        None if arguments.alerts => "told",
        None => "cases",
    };
    let table = arguments.markdown.as_deref().map(|page| Table::find(page, name)).transpose()?;
    let around = Surroundings::start(arguments.log.clone()).await?;
    println!("three brokers, redis and postgresql started in {:.1} s", began.elapsed().as_secs_f64());
    if let Some(minutes) = arguments.quiet {
        return quiet::run(&around, minutes, &arguments.logs_of("quiet")).await.map(|()| true);
    }
    if arguments.alerts {
        let (text, passed) = alerts::run(&around, arguments).await?;
        table.map_or(Ok(()), |table| table.renew(&text))?;
        return Ok(passed);
    }
    let mut lines = Vec::new();
    if let Some(rounds) = arguments.rounds {
        rounds::run(&around, rounds, arguments, &mut lines).await?;
    } else {
        let wanted: Vec<_> =
            cases::all(arguments.old.as_deref()).into_iter().filter(|case| arguments.wants(case)).collect();
        anyhow::ensure!(!wanted.is_empty(), "no case has such a name: --list shows all cases");
        for case in wanted {
            let line = one(&case, &around, arguments).await;
            line.print();
            lines.push(line);
        }
    }
    anyhow::ensure!(!lines.is_empty(), "nothing was run: give --rounds at least 1");
    if arguments.is_quick() {
        quiet::run(&around, quiet::SHORT, &arguments.logs_of("quiet")).await?;
    }
    report::summary(&lines, began.elapsed());
    if let Some(table) = table {
        table.renew(&report::markdown(&lines, began.elapsed()))?;
    }
    Ok(lines.iter().all(Line::passed))
}

/// One case. A case that cannot be run has failed, and the others go on.
async fn one(case: &Case, around: &Surroundings, arguments: &Arguments) -> Line {
    let (began, logs) = (Instant::now(), arguments.logs_of(case.name));
    let keep = Some(logs.as_path());
    let run = async {
        let mut run = Run::start(case.name, around, case.options.clone(), case.plan).await?;
        let broken = async {
            cases::act(case, &mut run).await?;
            for fault in &case.faults {
                run.fault(fault).await?;
            }
            anyhow::Ok(())
        };
        if let Err(error) = broken.await {
            run.keep_logs(keep).await?;
            return Err(error);
        }
        run.finish(if case.is_control() { run::SHORT_PATIENCE } else { run::PATIENCE }, keep).await
    };
    let outcome = load::during(run).await;
    let line = Line::new(case.name, case.is_control(), outcome, began.elapsed(), arguments.recovered_within());
    arguments.tidy(&logs, &line);
    line
}
