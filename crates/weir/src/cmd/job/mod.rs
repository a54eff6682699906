//! `weir job`: periodic work, one run of it. What starts them, and in which order, is a CronJob, Airflow or a person.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::out;

mod conservation;
mod reference;
mod upkeep;

/// Run a periodic job once
///
/// Each job does its work, reports it in a line or two, and exits. Exit code: 0 done, 1 failed or something is missing,
/// 64 invalid settings. Running a job twice, or two at once, does no harm.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir job compact
  weir job vacuum --dry-run
  weir job export-reference
  weir job conservation --from 26h --to 2h

The loader also compacts and vacuums by itself. To leave that to the jobs, set
loader.compact.interval_ms = 0 and loader.vacuum.interval_ms = 0.")]
pub struct Job {
    #[command(subcommand)]
    job: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    Compact(upkeep::Compact),
    Vacuum(upkeep::Vacuum),
    Upgrade(upkeep::Upgrade),
    ExportReference(reference::ExportReference),
    Conservation(conservation::Conservation),
}

impl Job {
    pub(super) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        let job = async {
            match self.job {
                Kind::Compact(job) => job.run().await,
                Kind::Vacuum(job) => job.run().await,
                Kind::Upgrade(job) => job.run().await,
                Kind::ExportReference(job) => job.run().await,
                Kind::Conservation(job) => job.run().await,
            }
        };
        match shutdown.run_until_cancelled(job).await {
            Some(ended) => ended,
            // Each step is whole or not there; the next run goes on.
            None => anyhow::bail!("interrupted: finished work is kept"),
        }
    }
}

/// Says what a job did: in words, or as one JSON object.
fn say(json: bool, object: &Value, words: &str) {
    out::say(if json { object.to_string() } else { words.trim_end().to_owned() }.as_str());
}
