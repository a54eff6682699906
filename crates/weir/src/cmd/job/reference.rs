//! What is known about endpoints and accounts, as a file in the lake.

use std::process::ExitCode;

use serde_json::json;

use super::say;
use crate::out::count;
use crate::register;

/// Write endpoints and accounts, with their metadata, to a file in the lake
///
/// Writes reference/registrations.parquet below lake.root, and replaces the last one. Columns: id, kind, tenant,
/// endpoint, source, account_id, revision, created_at, updated_at, and metadata as a map. The file has no secrets. Any
/// engine joins it with the table of activities by endpoint and account_id.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir job export-reference
  weir job export-reference --grpc http://processing:9090 --json")]
pub(super) struct ExportReference {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grpc: crate::cmd::Grpc,
}

impl ExportReference {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.grpc.settings()?;
        let mut client = register::connect_with(&self.grpc.dial()?, &self.grpc.url()?).await?;
        let registrations = register::list(&mut client, "", "").await?;
        let exported = loader::put_registrations(&settings.lake, registrations).await?;
        let place = format!("{}/{}", settings.lake.root, exported.path);
        let words = format!("{place}   {} rows, {} bytes", count(exported.rows), count(exported.bytes));
        say(self.json, &json!({ "path": place, "rows": exported.rows, "bytes": exported.bytes }), &words);
        Ok(ExitCode::SUCCESS)
    }
}
