//! `weir trace`: what became of a delivery.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use bus::{Start, Stored};
use common::raw::v1::Delivery;
use prost::Message as _;
use prost_types::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::out;
use crate::records::Records;
use crate::trace::{Found, Trace, accepted_at};

/// What is looked at first: a record has the time at which it was produced, which is nearly that of its delivery. So a
/// trace reads little, however much there is.
const NEAR: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));
/// Clocks may differ by so much. Where one was set meanwhile they differ by anything, and a repetition repeats what may be
/// days old: what is not found from a time on is looked for from the beginning.
const SLACK_SECONDS: i64 = 60;
/// More records than this take more than a moment.
const MANY: u64 = 50_000;
/// Where what is near was looked at first.
const NOT_NEAR: &str = "Not found near its time: looking";

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
        let raw: Vec<_> = topics.iter().filter(|topic| topic.starts_with("raw.")).cloned().collect();
        let Some(found) = self.find(records, &raw, prefix).await? else { return Ok(None) };
        // Whatever came of it was produced after it: by most clocks at a later time.
        let produced = common::time::from_millis(found.record.produced_at_ms);
        let mut trace = Trace::new(found.clone());
        let mut window = records.around(&trace.topics_of(&topics), &produced, NEAR.0, NEAR.1).await?;
        while !trace.is_found_on_topics()
            && let Some(record) = window.next(prefix).await?
        {
            trace.take(&record, prefix);
        }
        for start in [with_slack(&produced), Start::Beginning] {
            if !trace.is_found_on_topics() {
                trace = follow(records, &topics, Trace::new(found.clone()), start, prefix).await?;
            }
        }
        Ok(Some(trace))
    }

    /// The delivery on its raw topic.
    async fn find(&self, records: &Records, raw: &[String], prefix: &str) -> anyhow::Result<Option<Found>> {
        if raw.is_empty() {
            return Ok(None);
        }
        let accepted = accepted_at(&self.delivery_id, service::clock::now());
        let mut doing = "Looking";
        if let (None, Some(accepted)) = (self.from, accepted) {
            doing = NOT_NEAR;
            let mut window = records.around(raw, &accepted, NEAR.0, NEAR.1).await?;
            while let Some(record) = window.next(prefix).await? {
                if let Some(found) = self.is_it(record) {
                    return Ok(Some(found));
                }
            }
        }
        let starts = match (self.from, accepted) {
            (Some(from), _) => vec![with_slack(&from)],
            (None, Some(accepted)) => vec![with_slack(&accepted), Start::Beginning],
            (None, None) => vec![Start::Beginning],
        };
        for start in starts {
            say_what_is_read(doing, records, raw, &start).await?;
            let mut reading = records.read(raw, start, false).await?;
            while let Some(record) = reading.next_until_end().await? {
                if let Some(found) = self.is_it(record) {
                    return Ok(Some(found));
                }
            }
        }
        Ok(None)
    }

    /// The record, if it is the delivery.
    fn is_it(&self, record: Stored) -> Option<Found> {
        let payload = record.payload.as_ref()?;
        // The id is the first field: most records need not be decoded.
        if !payload.windows(self.delivery_id.len()).take(64).any(|bytes| bytes == self.delivery_id.as_bytes()) {
            return None;
        }
        let delivery = Delivery::decode(payload.clone()).ok()?;
        (delivery.delivery_id == self.delivery_id).then_some(Found { record, delivery })
    }
}

fn with_slack(time: &Timestamp) -> Start {
    Start::AtTime(Timestamp { seconds: time.seconds - SLACK_SECONDS, nanos: 0 })
}

/// Says how much is looked through, where that takes a while.
async fn say_what_is_read(doing: &str, records: &Records, topics: &[String], start: &Start) -> anyhow::Result<()> {
    let mut count = 0;
    for topic in topics {
        let (first, end) = (records.offsets_at(topic, start).await?, records.offsets_at(topic, &Start::End).await?);
        count += end.into_iter().zip(first).map(|(end, first)| end.saturating_sub(first).unsigned_abs()).sum::<u64>();
    }
    if count >= MANY {
        out::complain(&format!("{doing} through {} records.", out::count(count)));
    }
    Ok(())
}

/// Looks for what came of a delivery, from there on.
async fn follow(
    records: &Records,
    topics: &[String],
    mut trace: Trace,
    start: Start,
    prefix: &str,
) -> anyhow::Result<Trace> {
    let derived = trace.topics_of(topics);
    if derived.is_empty() {
        return Ok(trace);
    }
    say_what_is_read(NOT_NEAR, records, &derived, &start).await?;
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
