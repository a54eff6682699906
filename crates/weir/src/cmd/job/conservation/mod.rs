//! Whether all that was accepted in a time came through.
//!
//! ```text
//! raw.…  ──▶ what each delivery means, and whether it is claimed           asked of processing
//! activities ──▶ activities.enriched, or a dead letter of the enricher     by id
//! activities.enriched ──▶ one row in the lake                              by id
//! ```
//!
//! What is later in the pipeline is read first as far as it may be needed, and put down in a scratch folder; then what is
//! before it is held against that. So memory does not grow with the time that is asked about.

use std::process::ExitCode;

use common::deadletter::v1::dead_letter_service_client::DeadLetterServiceClient;
use common::deadletter::v1::{CountRawRequest, RawCounts, RawSelection};
use common::time::to_millis;
use prost_types::Timestamp;

use super::say;
use crate::cmd::dead_letters::{parse_time, said};
use crate::records::Records;

mod count;
mod show;

/// Check that everything accepted in a period has reached the lake
///
/// Follows each activity from the raw delivery to its row in the lake, by its meaning and by its id. It shows what is
/// missing at which step, with examples. Exit code 1: something is missing. Records in flight count as missing: let the
/// period end some time ago.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir job conservation --from 26h --to 2h
  weir job conservation --from 2026-01-30T00:00:00Z --to 2026-01-31T00:00:00Z --json

Topics keep 7 days: older deliveries cannot be followed. weir replay raw produces missing events.")]
pub(super) struct Conservation {
    /// Accepted at or after this time: 2026-01-31T10:00:00Z, or this long ago: 30m, 12h, 3d
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Timestamp,
    /// Accepted before this time
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "15m")]
    to: Timestamp,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grpc: crate::cmd::Grpc,
}

/// For how long topics keep what was accepted.
const KEPT_MS: i64 = 7 * 24 * 3600 * 1000;

/// One step of the pipeline.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Hop {
    /// Taken in: those that are different.
    taken: u64,
    /// Of these, there behind the step.
    there: u64,
    /// Dead letters of this step, by their reason.
    refused: u64,
    /// Neither.
    missing: u64,
    /// Some that are missing.
    examples: Vec<String>,
    /// Behind the step more than once.
    repeated: u64,
}

/// What was found.
#[derive(Debug, Default, Clone, PartialEq)]
struct Report {
    /// Milliseconds since 1970, half open.
    time: (i64, i64),
    raw: RawCounts,
    /// Some deliveries of which something never came out.
    raw_examples: Vec<String>,
    enrichment: Hop,
    lake: Hop,
}

impl Report {
    fn is_whole(&self) -> bool {
        self.raw.missing == 0
            && self.raw.waiting == 0
            && self.enrichment.missing == 0
            && self.lake.missing == 0
            && self.lake.repeated == 0
    }
}

impl Conservation {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.grpc.settings()?;
        let time = (to_millis(&self.from), to_millis(&self.to));
        anyhow::ensure!(time.0 < time.1, "--to is not after --from: the period is empty");
        let oldest = to_millis(&service::clock::timestamp()) - KEPT_MS;
        anyhow::ensure!(
            time.1 > oldest,
            "--to is more than 7 days ago, and the topics keep deliveries for 7 days only"
        );
        let records = Records::open(&settings, self.grpc.grpc.as_deref()).await?;
        let (raw, raw_examples) = self.raw().await?;
        let counting = count::Counting::open(&settings, &records, time).await?;
        let (enrichment, lake) = counting.run().await?;
        let report = Report { time, raw, raw_examples, enrichment, lake };
        say(self.json, &show::json(&report), &show::words(&report));
        let code = if report.is_whole() { 0 } else { service::EXIT_FAILED };
        Ok(ExitCode::from(code))
    }

    /// What processing says of the deliveries.
    async fn raw(&self) -> anyhow::Result<(RawCounts, Vec<String>)> {
        let channel =
            crate::register::patient_channel(&self.grpc.dial()?, &self.grpc.url()?, crate::cmd::replay::PATIENCE)
                .await?;
        let selection = RawSelection { from: Some(self.from), until: Some(self.to), ..RawSelection::default() };
        let request = CountRawRequest { selection: Some(selection) };
        let mut client = DeadLetterServiceClient::new(channel);
        let mut stream = client.count_raw(request).await.map_err(said("cannot count deliveries"))?.into_inner();
        while let Some(answer) = stream.message().await.map_err(said("cannot count deliveries"))? {
            if answer.done {
                let examples = answer.examples.into_iter().map(|one| one.delivery_id).collect();
                return Ok((answer.counts.unwrap_or_default(), examples));
            }
        }
        anyhow::bail!("the connection to the service ended while it counted deliveries")
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
