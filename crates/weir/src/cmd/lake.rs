//! `weir lake`: what is in the lake.

use std::process::ExitCode;

use clap::Subcommand;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::out;

/// Inspect the lake
///
/// Reads the Delta log of the table, as any engine does: no service needs to run, and nothing is changed.
#[derive(Debug, clap::Args)]
pub struct LakeCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Count(Count),
}

/// Count the rows of a table, by day
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir lake count
  weir lake count --json | jq .rows
  WEIR__LAKE__ROOT=s3://bucket/lake weir lake count")]
struct Count {
    /// The table
    #[arg(default_value = ::lake::columns::ACTIVITIES)]
    table: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    config: super::ConfigFile,
}

impl LakeCommand {
    pub(super) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        let Action::Count(count) = self.action;
        shutdown.run_until_cancelled(count.run()).await.unwrap_or(Ok(ExitCode::SUCCESS))
    }
}

impl Count {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.config.load()?;
        let count = loader::count(&settings.lake, &self.table).await?;
        if self.json {
            let days: serde_json::Map<_, _> = count.days.iter().map(|(day, rows)| (day.clone(), json!(rows))).collect();
            let object = json!({
                "table": self.table, "rows": count.rows, "files": count.files, "version": count.version, "days": days,
            });
            let _ = out::line(&object.to_string());
            return Ok(ExitCode::SUCCESS);
        }
        let _ = out::line(&format!(
            "{}   {} rows in {} files, version {}   {}",
            self.table,
            out::count(count.rows),
            out::count(count.files),
            count.version,
            settings.lake.root
        ));
        for (day, rows) in &count.days {
            let _ = out::line(&format!("  {day}   {:>12}", out::count(*rows)));
        }
        Ok(ExitCode::SUCCESS)
    }
}
