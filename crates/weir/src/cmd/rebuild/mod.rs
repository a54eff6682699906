//! `weir rebuild`: a fresh table from the raw deliveries, as today's parser and enrichment make it.
//!
//! ```text
//! raw.… ─▶ parse ─▶ activities ─▶ seen before? ─▶ enrich ─▶ files ─▶ one commit ─▶ compared with the table that is there
//!            ▲ registrations        scratch folder      ▲ look-ups, as configured
//! ```

use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::slice::from_ref;

use anyhow::Context as _;
use common::time::{from_millis, to_millis};
use indicatif::{ProgressBar, ProgressStyle};
use lake::columns;
use loader::{Fresh, Scope};
use prost_types::Timestamp;
use tokio_util::sync::CancellationToken;

use super::dead_letters::parse_time;
use crate::out;
use crate::records::Records;

mod make;
mod show;

/// Columns that say how a row came to be and not what it is.
const LEAVE_OUT: &[&str] = &[
    columns::ENRICHED_AT,
    columns::TRACE_ID,
    columns::WEIR_LOG,
    columns::WEIR_TOPIC,
    columns::WEIR_PARTITION,
    columns::WEIR_OFFSET,
];

/// Build a new table from the raw deliveries, and compare it with the existing one
///
/// Reads the deliveries that the raw topics still have (7 days), with the current parser, registrations and enrichment.
/// It writes a separate table with each activity once. Then it compares that table with the table of activities for the
/// same period. Nothing is switched: existing tables stay as they are.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir rebuild --into activities_2026_01
  weir rebuild --into activities_new --from 2026-01-30T00:00:00Z --to 2026-01-31T00:00:00Z")]
pub struct Rebuild {
    /// The name of the new table; no table of this name may exist
    #[arg(long, value_name = "TABLE")]
    into: String,
    /// Accepted at or after this time: 2026-01-31T10:00:00Z, or this long ago: 12h, 3d [default: the oldest delivery]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<Timestamp>,
    /// Accepted before this time [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<Timestamp>,
    #[command(flatten)]
    grpc: super::Grpc,
}

impl Rebuild {
    pub(super) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        match shutdown.run_until_cancelled(self.make()).await {
            Some(ended) => ended,
            None => anyhow::bail!(
                "interrupted: table {} was not created, but its folder has files; remove them before the next attempt",
                self.into
            ),
        }
    }

    async fn make(&self) -> anyhow::Result<ExitCode> {
        let settings = self.grpc.settings()?;
        let until = self.to.unwrap_or_else(service::clock::timestamp);
        let (from, until) = (self.from.as_ref().map(to_millis), to_millis(&until));
        anyhow::ensure!(from.is_none_or(|from| from < until), "--to is not after --from: the period is empty");
        let mut fresh = Fresh::begin(&settings.lake, &self.into).await?;
        let records = Records::open(&settings, self.grpc.grpc.as_deref()).await?;
        let bar = bar()?;
        // In `weir up` that is itself, whatever the settings say.
        let processing = match settings.bus.kafka.brokers.is_empty() {
            true => self.grpc.url()?,
            false => settings.enricher.processing_url.clone(),
        };
        let made = make::Make { settings: &settings, records: &records, from, until, processing };
        let made = made.run(&mut fresh, &bar).await;
        bar.finish_and_clear();
        let made = made?;
        let Some(first) = made.first else {
            out::complain("weir: the raw topics have no delivery of this period: no table was created");
            return Ok(ExitCode::from(service::EXIT_FAILED));
        };
        fresh.commit().await.context("cannot create the table")?;
        out::say(show::made(&made, &self.into, &settings.lake.root).trim_end());
        let begins = from.unwrap_or(first);
        let scope = Scope { received: (begins * 1000, until * 1000), leave_out: LEAVE_OUT };
        if loader::count(&settings.lake, columns::ACTIVITIES).await.is_err() {
            out::say(&format!("\nThere is no table {} to compare it with.", columns::ACTIVITIES));
            return Ok(ExitCode::SUCCESS);
        }
        let found = loader::compare(&settings.lake, columns::ACTIVITIES, &self.into, scope).await?;
        let examples = self.examples(&settings.lake, &found).await?;
        let times = [begins, until].map(|at| from_millis(at).to_string());
        out::say(show::compared(&found, &examples, &self.into, &times).trim_end());
        Ok(ExitCode::SUCCESS)
    }

    /// What both tables have in the first column that differs, of some rows.
    async fn examples(
        &self,
        lake: &lake::LakeSettings,
        found: &loader::Comparison,
    ) -> anyhow::Result<Vec<show::Example>> {
        let mut examples = Vec::new();
        for (day, id, column) in &found.examples {
            let (mut values, received) = (Vec::new(), loader::received_on(day));
            for table in [columns::ACTIVITIES, self.into.as_str()] {
                let rows = loader::find(lake, table, columns::ID, from_ref(id), received.as_ref()).await?;
                values.push(rows.first().map_or_else(String::new, |row| row[column.as_str()].to_string()));
            }
            let [old, new] = values.try_into().unwrap_or_default();
            examples.push(show::Example { id: id.clone(), column: column.clone(), old, new });
        }
        Ok(examples)
    }
}

/// Drawn at a terminal only.
fn bar() -> anyhow::Result<ProgressBar> {
    if !std::io::stderr().is_terminal() {
        return Ok(ProgressBar::hidden());
    }
    let style = ProgressStyle::with_template("{spinner} {pos} deliveries, {per_sec} {msg}")
        .context("cannot draw the progress bar")?;
    Ok(ProgressBar::new_spinner().with_style(style))
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
