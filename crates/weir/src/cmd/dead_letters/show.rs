//! What people read of dead letters. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use common::deadletter::v1::{
    Found, GetResponse, KindCount, NotSent, RawSelection, Replay, ReplayResponse, Selection, StatsResponse,
};
use prost::Message as _;
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::decode::{self, Decoder};
use crate::out::count;

/// So many lines of each table of counts.
const MOST: usize = 20;
/// So many hours.
const HOURS: usize = 48;
const BAR: u64 = 40;

/// A table: words to the left, numbers, whose columns are named, to the right.
pub(in crate::cmd) fn columns(rows: &[Vec<String>], numbers: &[usize]) -> String {
    // A name with a line feed would look like another row.
    let rows: Vec<Vec<_>> =
        rows.iter().map(|row| row.iter().map(|cell| service::escape::word(cell)).collect()).collect();
    let width = |column: usize| rows.iter().filter_map(|row| Some(row.get(column)?.chars().count())).max().unwrap_or(0);
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = width(column);
            // Writing to a String does not fail.
            let _ = if numbers.contains(&column) {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

pub(in crate::cmd) fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// To the second.
pub(in crate::cmd) fn time(time: Option<&Timestamp>) -> String {
    time.map_or_else(|| "-".to_owned(), |time| Timestamp { nanos: 0, ..*time }.to_string())
}

pub(in crate::cmd) fn dash(text: &str) -> String {
    if text.is_empty() { "-".to_owned() } else { text.to_owned() }
}

/// A line for each.
pub(super) fn table(found: &[Found]) -> String {
    let mut rows = vec![head(&["refused at", "stage", "reason", "source", "endpoint", "tries", "bytes", "id"])];
    for found in found {
        let Some(letter) = &found.dead_letter else { continue };
        rows.push(vec![
            time(letter.failed_at.as_ref()),
            dash(&letter.stage),
            dash(&letter.reason),
            dash(&letter.source),
            dash(&letter.endpoint),
            letter.attempts.to_string(),
            count(found.payload_bytes),
            letter.id.clone(),
        ]);
    }
    columns(&rows, &[5, 6])
}

/// One as JSON, without its payload.
pub(super) fn json(decoder: &Decoder, found: &Found) -> Result<Value, decode::Error> {
    let letter = found.dead_letter.clone().unwrap_or_default();
    let mut value = decoder.value("weir.deadletter.v1.DeadLetter", &letter.encode_to_vec())?;
    if let Value::Object(object) = &mut value {
        object.remove("payload");
        object.insert("payload_bytes".to_owned(), json!(found.payload_bytes));
        object.insert("at".to_owned(), json!(stands(found)));
    }
    Ok(value)
}

fn stands(found: &Found) -> String {
    let at = found.at.clone().unwrap_or_default();
    format!("{}/{}/{}/{}", at.log, at.topic, at.partition, at.offset)
}

/// One with everything.
pub(super) fn one(decoder: &Decoder, answer: &GetResponse) -> Result<String, decode::Error> {
    let found = answer.found.clone().unwrap_or_default();
    let letter = found.dead_letter.clone().unwrap_or_default();
    let value = decoder.value("weir.deadletter.v1.DeadLetter", &letter.encode_to_vec())?;
    let replay = if answer.not_replayable.is_empty() {
        format!("replay      {}", answer.replay)
    } else {
        format!("replay      not possible ({}): {}", answer.not_replayable, answer.replay)
    };
    Ok(format!("{value:#}\n\nstored at   {}\n{replay}", stands(&found)))
}

/// Counts by each, then by hour.
pub(super) fn stats(answer: &StatsResponse) -> String {
    let mut text = format!("{} dead letters\n", count(answer.count));
    if answer.count > 0 {
        let by: [(&str, Name); 4] = [
            ("stage", |kind| &kind.stage),
            ("reason", |kind| &kind.reason),
            ("source", |kind| &kind.source),
            ("endpoint", |kind| &kind.endpoint),
        ];
        for (name, of) in by {
            let mut sums: BTreeMap<&str, Sum> = BTreeMap::new();
            for kind in &answer.kinds {
                let sum = sums.entry(of(kind)).or_default();
                sum.count += kind.count;
                sum.last = sum.last.max(kind.last.map(|last| (last.seconds, last.nanos)));
            }
            text.push('\n');
            text.push_str(&sums_table(name, sums));
        }
        text.push_str(&by_hour(answer));
    }
    let again: u64 = answer.kinds.iter().map(|kind| kind.refused_again).sum();
    if again > 0 {
        let _ = write!(text, "\n{} of them had been replayed before and were refused again\n", count(again));
    }
    let _ = write!(
        text,
        "\n{} replays so far sent {} (weir dead-letters replays)\n",
        count(answer.replays),
        count(answer.replayed)
    );
    text
}

/// A name of a kind, by which counts are added up.
type Name = fn(&KindCount) -> &str;

/// Counts of several kinds together.
#[derive(Default)]
struct Sum {
    count: u64,
    /// Seconds and nanoseconds of the last refusal.
    last: Option<(i64, i32)>,
}

fn sums_table(name: &str, sums: BTreeMap<&str, Sum>) -> String {
    let mut sums: Vec<_> = sums.into_iter().collect();
    sums.sort_by_key(|(_, sum)| std::cmp::Reverse(sum.count));
    let rest = sums.len().saturating_sub(MOST);
    let mut rows = vec![head(&[name, "letters", "last refused at"])];
    for (value, sum) in sums.into_iter().take(MOST) {
        let last = sum.last.map(|(seconds, nanos)| Timestamp { seconds, nanos });
        rows.push(vec![dash(value), count(sum.count), time(last.as_ref())]);
    }
    let mut text = columns(&rows, &[1]);
    if rest > 0 {
        let _ = writeln!(text, "… and {rest} more: --json has all");
    }
    text
}

fn by_hour(answer: &StatsResponse) -> String {
    let hours = answer.hours.get(answer.hours.len().saturating_sub(HOURS)..).unwrap_or_default();
    let most = hours.iter().map(|hour| hour.count).max().unwrap_or(0).max(1);
    let mut rows = vec![head(&["hour (UTC)", "letters"])];
    for hour in hours {
        let bar = "#".repeat(usize::try_from((hour.count * BAR).div_ceil(most)).unwrap_or(0));
        rows.push(vec![time(hour.hour.as_ref()), count(hour.count), bar]);
    }
    format!("\n{}", columns(&rows, &[1]))
}

/// What a replay would do.
pub(super) fn would_replay(answer: &ReplayResponse, rate: u32) -> String {
    let mut text = format!(
        "{} selected; {} would be sent, in {} records, {rate} a second\n",
        count(answer.selected),
        count(answer.sent),
        count(answer.records)
    );
    if !answer.to_send.is_empty() {
        let mut rows = vec![head(&["to", "refused for", "letters"])];
        rows.extend(answer.to_send.iter().map(|kind| vec![kind.stage.clone(), kind.reason.clone(), count(kind.count)]));
        let _ = write!(text, "\n{}", columns(&rows, &[2]));
    }
    if !answer.examples.is_empty() {
        let _ = write!(text, "\nExamples:\n{}", table(&answer.examples));
    }
    text.push_str(&not_sent("would not be sent", &answer.not_sent));
    text
}

/// What a replay did.
pub(super) fn replayed(answer: &ReplayResponse) -> String {
    let mut text = format!("{} of {} sent (replay {})\n", count(answer.sent), count(answer.selected), answer.replay_id);
    text.push_str(&not_sent("not sent", &answer.not_sent));
    text
}

pub(in crate::cmd) fn not_sent(what: &str, kinds: &[NotSent]) -> String {
    let mut text = String::new();
    for kind in kinds {
        let _ = write!(
            text,
            "\n{} {what} ({}): {}\n  {}{}\n",
            count(kind.count),
            kind.reason,
            kind.message,
            kind.ids.join("\n  "),
            if kind.count > kind.ids.len() as u64 { "\n  …" } else { "" }
        );
    }
    text
}

/// A line for each replay.
pub(super) fn replays(replays: &[Replay]) -> String {
    let mut rows = vec![head(&["began at", "by", "selected", "sent", "not sent", "ended", "selection"])];
    for replay in replays {
        let ended = match (&replay.ended_at, replay.interrupted.as_str()) {
            (None, _) => "no end is known".to_owned(),
            (Some(ended), "") => time(Some(ended)),
            (Some(_), why) => format!("early: {why}"),
        };
        let not_sent: u64 = replay.not_sent.iter().map(|kind| kind.count).sum();
        rows.push(vec![
            time(replay.started_at.as_ref()),
            replay.requested_by.clone(),
            count(replay.selected),
            count(replay.sent),
            count(not_sent),
            ended,
            selection(replay),
        ]);
    }
    columns(&rows, &[2, 3, 4])
}

/// As it would be given on the command line.
fn selection(replay: &Replay) -> String {
    let Selection { ids, stage, source, endpoint, reason, from, until } = replay.selection.clone().unwrap_or_default();
    let mut parts = Vec::new();
    if let Some(RawSelection { from, until, endpoints, source }) = &replay.raw {
        parts.push("raw".to_owned());
        parts.extend([("from", from), ("to", until)].map(|(name, at)| format!("--{name} {}", time(at.as_ref()))));
        parts.extend(endpoints.iter().map(|endpoint| format!("--endpoint {endpoint}")));
        parts.extend((!source.is_empty()).then(|| format!("--source {source}")));
    }
    if replay.all {
        parts.push("--all".to_owned());
    }
    match ids.as_slice() {
        [] => {}
        [id] => parts.push(format!("--id {id}")),
        ids => parts.push(format!("{} ids", ids.len())),
    }
    for (name, text) in [("stage", stage), ("source", source), ("endpoint", endpoint), ("reason", reason)] {
        if !text.is_empty() {
            parts.push(format!("--{name} {text}"));
        }
    }
    for (name, at) in [("since", from), ("until", until)] {
        if at.is_some() {
            parts.push(format!("--{name} {}", time(at.as_ref())));
        }
    }
    if replay.limit > 0 {
        parts.push(format!("--limit {}", replay.limit));
    }
    parts.join(" ")
}
