//! What people read of a replay of raw deliveries. Pure.

use std::fmt::Write as _;

use common::deadletter::v1::{RawCounts, ReplayRawResponse};

use crate::cmd::dead_letters::show::{columns, dash, head, not_sent, time};
use crate::out::count;

/// So many lines of the table of what is missing.
const MOST: usize = 20;

/// What a replay would do.
pub(super) fn would_replay(answer: &ReplayRawResponse, rate: u32) -> String {
    let counts = answer.counts.unwrap_or_default();
    let mut text = looked_at(&counts);
    let _ = write!(
        text,
        "\n{} deliveries selected; {} would be sent, {rate} a second\n",
        count(answer.selected),
        count(answer.sent)
    );
    if !answer.missing.is_empty() {
        let mut rows = vec![head(&["endpoint", "type", "missing events"])];
        let mut missing: Vec<_> = answer.missing.iter().collect();
        missing.sort_by_key(|kind| std::cmp::Reverse(kind.count));
        let line = |kind: &&common::deadletter::v1::MissingEvents| {
            vec![dash(&kind.endpoint), kind.r#type.clone(), count(kind.count)]
        };
        rows.extend(missing.iter().take(MOST).map(line));
        let _ = write!(text, "\n{}", columns(&rows, &[2]));
        if missing.len() > MOST {
            let _ = writeln!(text, "… and {} more kinds", missing.len() - MOST);
        }
    }
    if !answer.examples.is_empty() {
        let mut rows = vec![head(&["accepted at", "endpoint", "events", "delivery"])];
        rows.extend(answer.examples.iter().map(|one| {
            let received_at = time(one.received_at.as_ref());
            vec![received_at, dash(&one.endpoint), count(one.missing), one.delivery_id.clone()]
        }));
        let _ = write!(text, "\nExamples (weir trace ID shows one):\n{}", columns(&rows, &[2]));
    }
    text.push_str(&not_sent("would not be sent", &answer.not_sent));
    text
}

/// What was found, whatever is done about it.
fn looked_at(counts: &RawCounts) -> String {
    if counts.deliveries == 0 {
        return "the log has no delivery of this period\n".to_owned();
    }
    let mut rows = vec![vec![
        "deliveries looked at".to_owned(),
        count(counts.deliveries),
        format!("accepted from {} to {}", time(counts.first.as_ref()), time(counts.last.as_ref())),
    ]];
    let mut row =
        |name: &str, number: u64, says: &str| rows.push(vec![name.to_owned(), count(number), says.to_owned()]);
    row("events unchanged", counts.unchanged, "produced before");
    row("events missing", counts.missing, "never produced");
    if counts.refused > 0 {
        row("items refused", counts.refused, "cannot be read: weir dead-letters stats");
    }
    if counts.waiting > 0 {
        row("deliveries waiting", counts.waiting, "processing has not reached them yet");
    }
    columns(&rows, &[1])
}

/// What a replay did.
pub(super) fn replayed(answer: &ReplayRawResponse) -> String {
    let counts = answer.counts.unwrap_or_default();
    let mut text = format!(
        "{} of {} deliveries sent (replay {})\n{} events produced, {} unchanged\n",
        count(answer.sent),
        count(answer.selected),
        answer.replay_id,
        count(counts.came_out),
        count(counts.unchanged)
    );
    if counts.looked_for < counts.missing {
        let _ = writeln!(
            text,
            "of {} missing events only the first {} were checked",
            count(counts.missing),
            count(counts.looked_for)
        );
    }
    let left = counts.looked_for.saturating_sub(counts.came_out);
    if left > 0 {
        let _ =
            writeln!(text, "{} not produced yet: refused again, or waiting; check later with --dry-run", count(left));
    }
    text.push_str(&not_sent("deliveries not sent", &answer.not_sent));
    text
}
