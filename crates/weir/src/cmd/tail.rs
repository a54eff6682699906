//! `weir tail`: decoded records of any topic.

use std::collections::VecDeque;
use std::process::ExitCode;

use anyhow::Context as _;
use bus::{Start, Stored};
use tokio_util::sync::CancellationToken;

use crate::decode::Decoder;
use crate::out;
use crate::records::{Reading, Records};

const DEFAULT_COUNT: usize = 10;

/// Print decoded records of a topic
///
/// Decodes each record by its type with the built-in schemas. Without --follow it prints the last records and exits.
/// Topics can be named with or without the prefix of the installation.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir tail events.facebook.comment -n 3         the last three comments
  weir tail activities --follow                  activities of all platforms, as they arrive
  weir tail dead-letters --from beginning        all dead letters, with the reason and the bytes
  weir tail raw.meta --from 2026-01-31T10:00:00Z -n 5 --json | jq .value.body")]
pub struct Tail {
    /// The topic, for example events.facebook.comment
    topic: String,
    /// How many records: the last ones, or with --from the first ones from that place on [default: 10; with --from:
    /// all]
    #[arg(short = 'n', long = "count", value_name = "N")]
    count: Option<usize>,
    /// Where to begin: beginning, end, or a time such as 2026-01-31T10:00:00Z
    #[arg(long, value_name = "beginning|end|TIME", value_parser = parse_from)]
    from: Option<From>,
    /// Keep printing new records, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Also print canaries, which are no events
    #[arg(long)]
    canaries: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    grpc: super::Grpc,
}

/// Where to begin, as it can be said on a command line.
#[derive(Debug, Clone, PartialEq)]
enum From {
    Beginning,
    End,
    Time(prost_types::Timestamp),
}

fn parse_from(text: &str) -> Result<From, String> {
    match text {
        "beginning" => Ok(From::Beginning),
        "end" => Ok(From::End),
        time => common::time::from_rfc3339(time)
            .map(From::Time)
            .ok_or_else(|| "give beginning, end, or a time with its offset, such as 2026-01-31T10:00:00Z".to_owned()),
    }
}

impl Tail {
    pub(super) async fn run(self, shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
        let decoder = Decoder::new()?;
        let Some(reading) = shutdown.run_until_cancelled(self.open()).await else { return Ok(ExitCode::SUCCESS) };
        let (topic, mut reading) = reading?;
        let printed = shutdown.run_until_cancelled(self.print(&mut reading, &decoder)).await;
        match printed {
            Some(Err(error)) => Err(error),
            Some(Ok(0)) if self.from.is_none() => {
                out::complain(&format!("{topic} is empty"));
                Ok(ExitCode::SUCCESS)
            }
            _ => Ok(ExitCode::SUCCESS),
        }
    }

    /// Finds the topic, and where to begin.
    async fn open(&self) -> anyhow::Result<(String, Reading)> {
        let settings = self.grpc.settings()?;
        let records = Records::open(&settings, self.grpc.grpc.as_deref()).await?;
        let topic = find(&self.topic, &settings.bus.topic_prefix, records.topics().await?, &records.place())?;
        let start = match (&self.from, self.count) {
            (None, count) => Start::LastN(count.unwrap_or(DEFAULT_COUNT) as u64),
            (Some(From::Beginning), _) => Start::Beginning,
            (Some(From::End), _) => Start::End,
            (Some(From::Time(time)), _) => Start::AtTime(*time),
        };
        let reading = records.read(std::slice::from_ref(&topic), start, self.follow).await;
        Ok((topic.clone(), reading.with_context(|| format!("cannot read {topic}"))?))
    }

    /// Prints what is to be printed, and says how much there was.
    async fn print(&self, reader: &mut Reading, decoder: &Decoder) -> anyhow::Result<usize> {
        let mut printed = 0;
        let mut limit = if self.from.is_some() { self.count } else { None };
        if self.from.is_none() {
            let (last, canaries) = self.last(reader).await?;
            printed += last.len() + canaries;
            for record in last {
                if !self.show(&record, decoder) {
                    return Ok(printed);
                }
            }
        } else {
            while limit != Some(0) {
                let Some(record) = reader.next_until_end().await? else { break };
                if !self.means(&record) {
                    continue;
                }
                printed += 1;
                if !self.show(&record, decoder) {
                    return Ok(printed);
                }
                limit = limit.map(|limit| limit - 1);
            }
        }
        while self.follow && limit != Some(0) {
            let record = reader.next().await?;
            if !self.means(&record) {
                continue;
            }
            printed += 1;
            if !self.show(&record, decoder) {
                return Ok(printed);
            }
            limit = limit.map(|limit| limit - 1);
        }
        Ok(printed)
    }

    /// The last ones, and how many canaries stand among them: then there are fewer than were asked for, and that is told.
    async fn last(&self, reader: &mut Reading) -> anyhow::Result<(Vec<Stored>, usize)> {
        let mut last = last(reader, self.count.unwrap_or(DEFAULT_COUNT)).await?;
        let all = last.len();
        last.retain(|record| self.means(record));
        let canaries = all - last.len();
        if canaries > 0 {
            out::complain(&format!("{canaries} of the last {all} records are canaries: --canaries shows them"));
        }
        Ok((last, canaries))
    }

    fn means(&self, record: &Stored) -> bool {
        self.canaries || record.canary().is_none()
    }

    /// Prints one; `false` where nobody reads any more.
    fn show(&self, record: &Stored, decoder: &Decoder) -> bool {
        if self.json { out::line(&decoder.record(record).to_string()) } else { out::line(&decoder.pretty(record)) }
    }
}

/// The last records of all partitions together, by the time they were produced.
async fn last(reader: &mut Reading, count: usize) -> anyhow::Result<Vec<Stored>> {
    // Each partition gives its own last ones, in its order: of each no more than `count` are kept.
    let mut partitions: std::collections::BTreeMap<i32, VecDeque<Stored>> = std::collections::BTreeMap::new();
    while let Some(record) = reader.next_until_end().await? {
        let kept = partitions.entry(record.coordinates.partition).or_default();
        kept.push_back(record);
        if kept.len() > count {
            kept.pop_front();
        }
    }
    let mut records: Vec<_> = partitions.into_values().flatten().collect();
    // Stable: records of one partition stay in their order.
    records.sort_by_key(|record| record.produced_at_ms);
    let surplus = records.len().saturating_sub(count);
    records.drain(..surplus);
    Ok(records)
}

fn find(asked: &str, prefix: &str, mut topics: Vec<String>, place: &str) -> anyhow::Result<String> {
    let without = asked.strip_prefix(prefix).unwrap_or(asked);
    if let Some(found) = topics.iter().find(|topic| *topic == asked || *topic == without) {
        return Ok(found.clone());
    }
    topics.retain(|topic| !topic.starts_with("__"));
    topics.sort();
    if topics.is_empty() {
        anyhow::bail!("{place} has no topics yet, and so no topic {asked}: start weir up, which creates them");
    }
    // Of some hundred those that begin in the same way are the ones that were meant.
    let family = without.rsplit_once('.').map_or(without, |(family, _)| family);
    if topics.iter().any(|topic| topic.starts_with(family)) {
        topics.retain(|topic| topic.starts_with(family));
    }
    anyhow::bail!("{place} has no topic {asked}. There are:\n  {}", topics.join("\n  "))
}

#[cfg(test)]
#[path = "tail_tests.rs"]
mod tests;
