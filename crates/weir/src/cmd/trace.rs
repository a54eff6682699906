//! `weir trace`: what became of a delivery.

use std::process::ExitCode;

use prost_types::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::out;
use crate::records::Records;
use crate::trace::Trace;
use crate::trace::search::Search;

/// Follow a delivery from the door to the lake
///
/// Finds the delivery on its raw topic, determines what it must produce, and looks for it on the topics and in the
/// lake. The id is in the door's answer to the sender, in the door's log, in every typed event (context.delivery_id),
/// in dead letters, and in the lake's column delivery_id.
///
/// Exit code: 0 everything has arrived, 1 something is in flight or missing, 3 there is no such delivery.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir trace 01938c5f7e1a2b3c4d5e6f708192a3b4
  weir trace 01938c5f7e1a2b3c4d5e6f708192a3b4 --json | jq .verdict
  weir trace 5f6b… --from 2026-01-31T10:00:00Z        an id that holds no time")]
pub struct TraceCommand {
    /// The delivery's id: 32 hex digits
    #[arg(value_parser = parse_id)]
    delivery_id: String,
    /// Search from this time on [default: the time in the id]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<Timestamp>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grpc: super::Grpc,
}

fn parse_id(text: &str) -> Result<String, String> {
    let id = text.to_ascii_lowercase();
    if id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        Ok(id)
    } else {
        Err("a delivery's id has 32 hex digits, as the door answers it: {\"delivery_id\":\"…\"}".to_owned())
    }
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    common::time::from_rfc3339(text)
        .ok_or_else(|| "give a time with its offset, such as 2026-01-31T10:00:00Z".to_owned())
}

impl TraceCommand {
    pub(super) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        let Some(trace) = shutdown.run_until_cancelled(self.trace()).await else { return Ok(ExitCode::SUCCESS) };
        let Some(trace) = trace? else {
            out::complain(&format!(
                "There is no delivery {} on the raw topics{}. It was never acknowledged, or it has expired.",
                self.delivery_id,
                if self.from.is_some() { " from that time on" } else { "" }
            ));
            return Ok(ExitCode::from(3));
        };
        if self.json {
            out::line(&trace.json().to_string())
        } else {
            out::line(&trace.pretty())
        };
        Ok(if trace.is_complete() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }

    async fn trace(&self) -> anyhow::Result<Option<Trace>> {
        let settings = self.grpc.settings()?;
        let records = Records::open(&settings, self.grpc.grpc.as_deref()).await?;
        let search = Search { settings: &settings, records: &records };
        let Some(found) = search.delivery(&self.delivery_id, self.from).await? else { return Ok(None) };
        Ok(Some(search.follow(found).await?))
    }
}
