//! The counts as people read them. Pure.

use std::fmt::Write as _;
use std::time::Duration;

use super::counts::Totals;
use crate::out;
use simulate::latency::Latencies;

/// The table, for a terminal of so many columns. `end_to_end`: of all, or of what came out lately.
pub fn table(totals: &Totals, end_to_end: &Latencies, running: Duration, state: &str, width: usize) -> String {
    let Totals { sent, activities, enriched, files, rows, dead_letters, .. } = totals;
    let seconds = running.as_secs();
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{:02}:{:02}:{:02}  {state}", seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut row = |name: &str, count: u64, note: &str| {
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
    row(
        "dead letters",
        *dead_letters,
        if *dead_letters > 0 { "broken on purpose: weir tail dead-letters" } else { "" },
    );

    let entries: Vec<_> =
        totals.typed.iter().map(|(topic, count)| format!("{topic:<36}{:>9}", out::count(*count))).collect();
    // In columns, read downwards, as many as fit.
    let columns = (width.saturating_sub(2) / 48).clamp(1, 3);
    let rows = entries.len().div_ceil(columns);
    for at in 0..rows {
        let line: Vec<_> = entries.iter().skip(at).step_by(rows.max(1)).map(String::as_str).collect();
        let _ = writeln!(text, "  {}", line.join("   "));
    }
    text
}

/// The same in one line, for logs and pipes.
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

fn quantile(latencies: &Latencies, share: f64) -> String {
    out::duration(latencies.quantile(share))
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
