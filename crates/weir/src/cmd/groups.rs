//! `weir groups`: where consumer groups stand, and setting it.

use std::process::ExitCode;

use bus::{Group, Start};
use serde_json::json;

use super::dead_letters::parse_time;
use super::dead_letters::show::{columns, head};
use crate::out;
use crate::records::groups::Groups;

/// List the offsets of consumer groups, and set those of a group
///
/// Stages read the log as consumer groups: weir-processing, weir-processing-bulk, weir-enricher and weir-loader. Other
/// readers of topics have groups too. A group continues at its committed offset. If that offset is no longer on the
/// log, the partition is stalled and a check fails. Weir does not reset the offset: records are lost, and an operator
/// must decide whether to give them up. The embedded log keeps records until every group has read them, so an unused
/// group holds records until it is deleted.
///
/// Works with Kafka, with a running `weir up` (over gRPC), and with the folder of the embedded log while nothing runs.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir groups list
  weir groups set weir-processing raw.github --partition 3 --to earliest    read all that is left
  weir groups set weir-processing raw.github --to 2026-01-31T10:00:00Z      all partitions, from that time
  weir groups delete my-old-consumer")]
pub struct GroupsCommand {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    grpc: super::Grpc,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    List(ListArgs),
    Set(SetArgs),
    Delete(DeleteArgs),
}

/// List groups: of each partition the committed offset, the offsets on the log, and the lag
///
/// Exit code 1: a committed offset is not on the log.
#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only this group
    group: Option<String>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Set the offset at which a group continues
///
/// The group never reads records before the new offset. It reads all records after it, also those that it has read
/// before. Events of these are produced again only if their claims have expired. The command is refused while the group
/// has members: stop weir up, or all instances of the service, set the offset, then start them again.
#[derive(Debug, clap::Args)]
struct SetArgs {
    /// The group, as `weir groups list` names it
    group: String,
    /// The topic, as `weir groups list` names it
    topic: String,
    /// Only this partition [default: all; required with an OFFSET]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// earliest: the first record on the log. latest: the end of the log, giving up the waiting records. OFFSET: this
    /// offset. TIME: the first record produced at or after this time, such as 2026-01-31T10:00:00Z or 12h ago
    #[arg(long, value_name = "earliest|latest|OFFSET|TIME", value_parser = parse_to)]
    to: To,
}

/// Delete a group with its offsets
///
/// For a group that is no longer used. If it is used again, it starts at the first record on the log. The command is
/// refused while the group has members.
#[derive(Debug, clap::Args)]
struct DeleteArgs {
    /// The group, as `weir groups list` names it
    group: String,
}

#[derive(Debug, Clone, PartialEq)]
enum To {
    At(Start),
    Offset(i64),
}

fn parse_to(text: &str) -> Result<To, String> {
    match text {
        "earliest" => Ok(To::At(Start::Beginning)),
        "latest" => Ok(To::At(Start::End)),
        number if number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty() => {
            number.parse().map(To::Offset).map_err(|_| "the offset is too large".to_owned())
        }
        time => parse_time(time.trim_end_matches(" ago"))
            .map(|time| To::At(Start::AtTime(time)))
            .map_err(|problem| format!("give earliest, latest, an offset, or a time: {problem}")),
    }
}

impl GroupsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let settings = self.grpc.settings()?;
        let groups = Groups::open(&settings, self.grpc.grpc.as_deref()).await?;
        // Messages of the log name groups and topics with their prefix.
        let prefix = &settings.bus.topic_prefix;
        let plain = |name: &str| name.strip_prefix(prefix.as_str()).unwrap_or(name).to_owned();
        match self.command {
            Command::List(args) => list(&groups, args.group.as_deref().map(plain), args.json).await,
            Command::Set(args) => set(&groups, &plain(&args.group), &plain(&args.topic), &args).await,
            Command::Delete(args) => {
                let group = plain(&args.group);
                groups.delete(&group).await?;
                out::say(&format!("{group} is deleted: the log keeps no records for it"));
                Ok(ExitCode::SUCCESS)
            }
        }
    }
}

async fn list(groups: &Groups, only: Option<String>, json: bool) -> anyhow::Result<ExitCode> {
    let mut all = groups.list().await?;
    if let Some(only) = only {
        all.retain(|group| group.name == only);
        anyhow::ensure!(
            !all.is_empty(),
            "group {only} has committed no offset: `weir groups list` shows the groups that have"
        );
    }
    if json {
        out::say(&as_json(&all))
    } else {
        out::say(table(&all).trim_end())
    }
    let is_out = all.iter().flat_map(|group| &group.places).any(bus::GroupPlace::is_out_of_range);
    Ok(if is_out { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn as_json(all: &[Group]) -> String {
    let group = |group: &Group| {
        let places = group.places.iter().map(|place| {
            json!({
                "topic": place.topic, "partition": place.partition, "committed": place.committed,
                "low": place.low, "end": place.end, "lag": place.lag(), "out_of_range": place.is_out_of_range(),
            })
        });
        json!({ "group": group.name, "members": group.members, "partitions": places.collect::<Vec<_>>() })
    };
    format!("{:#}", serde_json::Value::from(all.iter().map(group).collect::<Vec<_>>()))
}

fn table(all: &[Group]) -> String {
    if all.is_empty() {
        return "no group has committed an offset yet".to_owned();
    }
    let mut rows = vec![head(&["group", "members", "topic", "committed", "low", "end", "lag", ""])];
    for group in all {
        for place in &group.places {
            let state = if place.is_out_of_range() { "OUT OF RANGE: stalled until an offset is set" } else { "" };
            rows.push(vec![
                group.name.clone(),
                group.members.to_string(),
                format!("{}/{}", place.topic, place.partition),
                place.committed.to_string(),
                place.low.to_string(),
                place.end.to_string(),
                place.lag().to_string(),
                state.to_owned(),
            ]);
        }
    }
    columns(&rows, &[1, 3, 4, 5, 6])
}

async fn set(groups: &Groups, group: &str, topic: &str, args: &SetArgs) -> anyhow::Result<ExitCode> {
    let known = groups.list().await?.into_iter().find(|known| known.name == group);
    if let Some(known) = known.as_ref().filter(|known| known.members > 0) {
        anyhow::bail!(
            "{group} has {} members: stop weir up, or all instances of the service, set the offset, then start them again",
            known.members
        );
    }
    let low = groups.offsets_at(topic, &Start::Beginning).await?;
    let end = groups.offsets_at(topic, &Start::End).await?;
    let targets = match &args.to {
        To::At(start) => groups.offsets_at(topic, start).await?,
        To::Offset(offset) => {
            anyhow::ensure!(args.partition.is_some(), "an offset needs one partition: name it with --partition N");
            vec![*offset; end.len()]
        }
    };
    let partitions = i32::try_from(end.len()).unwrap_or(i32::MAX);
    if let Some(partition) = args.partition.filter(|partition| *partition >= partitions) {
        anyhow::bail!("{topic} has no partition {partition}: it has {partitions} partitions, numbered from 0");
    }
    for (partition, ((target, low), end)) in (0..).zip(targets.into_iter().zip(low).zip(end)) {
        if args.partition.is_some_and(|only| only != partition) {
            continue;
        }
        anyhow::ensure!(
            (low..=end).contains(&target),
            "offset {target} of {topic}/{partition} is not on the log, which has {low} to {end}"
        );
        groups.set(group, topic, partition, target).await?;
        let place = known.iter().flat_map(|known| &known.places);
        let before = place.clone().find(|place| place.topic == topic && place.partition == partition);
        let before = before.map_or("nothing".to_owned(), |place| place.committed.to_string());
        out::say(&format!("{group} {topic}/{partition}: {before} -> {target}, {} to read", end - target));
    }
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
