//! The counts as people read them. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use super::counts::Totals;
use crate::out;
use simulate::latency::Latencies;

/// More would be hard to read across.
const COLUMNS: usize = 4;
/// Between two columns.
const GAP: usize = 3;
/// Of a count of events.
const DIGITS: usize = 11;

/// A terminal, or what is left of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Characters in a line.
    pub width: usize,
    /// Lines.
    pub height: usize,
}

/// How long it has been running, and how it is.
pub fn state(running: Duration, state: &str) -> String {
    let seconds = running.as_secs();
    format!("{:02}:{:02}:{:02}  {state}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// A line for each count. `end_to_end`: of all, or of what came out lately. `ended`: nothing more comes.
pub fn counts(totals: &Totals, end_to_end: &Latencies, running: Duration, ended: bool) -> String {
    let Totals { sent, activities, enriched, files, rows, dead_letters, .. } = totals;
    let mut text = String::new();
    let mut row = |name: &str, count: u64, note: &str| {
        // Writing to a string cannot fail.
        let _ =
            writeln!(text, "  {name:<16}{:>12}{}{note}", out::count(count), if note.is_empty() { "" } else { "   " });
    };
    let rate = sent.sent() as f64 / running.as_secs_f64().max(1.0);
    row("delivered", sent.sent(), &format!("{rate:.1}/s"));
    let answered = format!("p50 {}, p99 {}", quantile(&sent.latencies, 0.5), quantile(&sent.latencies, 0.99));
    row("acknowledged", sent.acknowledged, &answered);
    row("refused", sent.refused, "on purpose: wrong signatures, unknown endpoints");
    if sent.indeterminate > 0 {
        row("not answered", sent.indeterminate, "given up: 503 or no answer");
    }
    let whole = format!("end to end p50 {}, p99 {}", quantile(end_to_end, 0.5), quantile(end_to_end, 0.99));
    row("typed events", totals.events(), &whole);
    row("activities", *activities, "");
    row("enriched", *enriched, "");
    row("rows in the lake", *rows, &format!("in {} files: weir lake count", out::count(*files)));
    let left = enriched.saturating_sub(*rows);
    if ended && left > 0 {
        row("not loaded yet", left, "on the log: the next start loads them");
    }
    row(
        "dead letters",
        *dead_letters,
        if *dead_letters > 0 { "broken on purpose: weir tail dead-letters" } else { "" },
    );
    text
}

/// The typed events of each topic, in columns read downwards: all of them by name where they fit into so many lines, else
/// those with the most events, and how many others there are.
pub fn topics(totals: &Totals, size: Size) -> String {
    let named = |(topic, count): (&String, &u64)| (topic.strip_prefix("events.").unwrap_or(topic).to_owned(), *count);
    let mut entries: Vec<(String, u64)> = totals.typed.iter().map(named).collect();
    let widest = entries.iter().map(|(topic, _)| topic.chars().count()).max().unwrap_or(0);
    let columns = ((size.width.saturating_sub(2) + GAP) / (widest + DIGITS + GAP)).clamp(1, COLUMNS);
    let mut rest = None;
    if entries.len().div_ceil(columns) > size.height {
        entries.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let others = entries.split_off((size.height.saturating_sub(1) * columns).min(entries.len()));
        rest = Some((others.len(), others.iter().map(|(_, count)| count).sum::<u64>()));
    }
    let rows = entries.len().div_ceil(columns).max(1);
    let cells: Vec<String> =
        entries.iter().map(|(topic, count)| format!("{topic:<widest$}{:>DIGITS$}", out::count(*count))).collect();
    let mut text = String::new();
    for at in 0..rows.min(cells.len()) {
        let line: Vec<_> = cells.iter().skip(at).step_by(rows).map(String::as_str).collect();
        let _ = writeln!(text, "  {}", line.join(&" ".repeat(GAP)));
    }
    if let Some((others, events)) = rest
        && size.height > 0
    {
        let _ = writeln!(text, "  and {others} more topics with {} events", out::count(events));
    }
    text
}

/// The counts in one line, for logs and pipes.
pub fn line(totals: &Totals) -> String {
    let recent = totals.recent();
    format!(
        "delivered {}, acknowledged {}, refused {}, typed {}, activities {}, enriched {}, files {}, rows in the lake {}, dead letters {}, end to end p50 {}, p99 {}",
        totals.sent.sent(),
        totals.sent.acknowledged,
        totals.sent.refused,
        totals.events(),
        totals.activities,
        totals.enriched,
        totals.files,
        totals.rows,
        totals.dead_letters,
        quantile(&recent, 0.5),
        quantile(&recent, 0.99)
    )
}

/// Lines that a terminal of this width does not break.
pub fn clipped(text: &str, width: usize) -> String {
    let clip = |line: &str| {
        let longer = line.chars().count() > width;
        let kept: String = line.chars().take(if longer { width.saturating_sub(1) } else { width }).collect();
        format!("{kept}{}\n", if longer { "…" } else { "" })
    };
    text.lines().map(clip).collect()
}

fn quantile(latencies: &Latencies, share: f64) -> String {
    out::duration(latencies.quantile(share))
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
