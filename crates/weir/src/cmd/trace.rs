//! `weir trace`: what became of a delivery.

use std::process::ExitCode;

use anyhow::Context as _;
use bus::Start;
use common::raw::v1::Delivery;
use prost::Message as _;
use prost_types::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::out;
use crate::records::{Reading, Records};
use crate::trace::{Found, Trace, accepted_at};

/// The log's clock and the door's may differ by so much. Where one was set meanwhile they differ by anything: what is not
/// found from a time on is looked for from the beginning.
const SLACK_SECONDS: i64 = 60;

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
        let prefix = &settings.bus.topic_prefix;
        let Some(mut trace) = self.on_topics(&records, prefix).await? else { return Ok(None) };
        let ids = trace.activity_ids();
        if !ids.is_empty() {
            let day = trace.day();
            for id in ids {
                let rows =
                    loader::find(&settings.lake, lake::columns::ACTIVITIES, lake::columns::ID, &id, day.as_deref())
                        .await;
                match rows.with_context(|| format!("cannot read the lake at {}", settings.lake.root)) {
                    Ok(rows) => trace.in_lake(&id, rows.len()),
                    Err(error) => trace.lake_failed(&format!("{error:#}")),
                }
            }
        }
        Ok(Some(trace))
    }

    /// The delivery, and what came of it as far as topics have it.
    async fn on_topics(&self, records: &Records, prefix: &str) -> anyhow::Result<Option<Trace>> {
        let topics = records.topics().await?;
        let start = match self.from.or_else(|| accepted_at(&self.delivery_id, service::clock::now())) {
            Some(time) => Start::AtTime(Timestamp { seconds: time.seconds - SLACK_SECONDS, nanos: 0 }),
            None => Start::Beginning,
        };
        let mut found = self.find(records, &topics, start.clone()).await?;
        if found.is_none() && self.from.is_none() && start != Start::Beginning {
            found = self.find(records, &topics, Start::Beginning).await?;
        }
        let Some(found) = found else { return Ok(None) };
        // Whatever came of it was produced after it: by most clocks at a later time.
        let since = (found.record.produced_at_ms / 1000).saturating_sub(SLACK_SECONDS);
        let since = Start::AtTime(Timestamp { seconds: since, nanos: 0 });
        let mut trace = follow(records, &topics, Trace::new(found.clone()), since, prefix).await?;
        if !trace.is_found_on_topics() {
            trace = follow(records, &topics, Trace::new(found), Start::Beginning, prefix).await?;
        }
        Ok(Some(trace))
    }

    async fn find(&self, records: &Records, topics: &[String], start: Start) -> anyhow::Result<Option<Found>> {
        let raw: Vec<_> = topics.iter().filter(|topic| topic.starts_with("raw.")).cloned().collect();
        if raw.is_empty() {
            return Ok(None);
        }
        let mut reading: Reading = records.read(&raw, start, false).await?;
        while let Some(record) = reading.next_until_end().await? {
            let Some(payload) = &record.payload else { continue };
            // The id is the first field: most records need not be decoded.
            if !payload.windows(self.delivery_id.len()).take(64).any(|bytes| bytes == self.delivery_id.as_bytes()) {
                continue;
            }
            if let Ok(delivery) = Delivery::decode(payload.clone())
                && delivery.delivery_id == self.delivery_id
            {
                return Ok(Some(Found { record, delivery }));
            }
        }
        Ok(None)
    }
}

/// Looks for what came of a delivery, from there on.
async fn follow(
    records: &Records,
    topics: &[String],
    mut trace: Trace,
    start: Start,
    prefix: &str,
) -> anyhow::Result<Trace> {
    let derived: Vec<_> = trace.topics().into_iter().filter(|topic| topics.contains(topic)).collect();
    if derived.is_empty() {
        return Ok(trace);
    }
    let mut reading = records.read(&derived, start, false).await?;
    while !trace.is_found_on_topics()
        && let Some(record) = reading.next_until_end().await?
    {
        trace.take(&record, prefix);
    }
    Ok(trace)
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
