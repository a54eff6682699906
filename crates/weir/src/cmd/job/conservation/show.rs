//! What people and programs read of a count. Pure.

use std::fmt::Write as _;

use common::time::from_millis;
use serde_json::{Value, json};

use super::{Hop, Report};
use crate::cmd::dead_letters::show::columns;
use crate::out::count;

/// For people.
pub(super) fn words(report: &Report) -> String {
    let [from, until] = [report.time.0, report.time.1].map(|at| from_millis(at).to_string());
    let Report { raw, raw_examples, enrichment, lake, .. } = report;
    let accepted = format!("accepted from {from} to {until}");
    // What went wrong is told only where something did.
    let rows = [
        (true, "deliveries", raw.deliveries, accepted.as_str()),
        (true, "  events produced", raw.unchanged, ""),
        (false, "  items refused", raw.refused, "cannot be read: weir dead-letters stats"),
        (false, "  deliveries waiting", raw.waiting, "WAITING: processing has not reached them yet"),
        (false, "  events missing", raw.missing, "MISSING: weir replay raw produces them"),
        (true, "activities", enrichment.taken, ""),
        (true, "  enriched", enrichment.there, ""),
        (false, "  refused", enrichment.refused, "are dead letters: weir dead-letters stats"),
        (false, "  not enriched", enrichment.missing, "MISSING"),
        (true, "enriched activities", lake.taken, ""),
        (true, "  rows in the lake", lake.there, ""),
        (false, "  no row", lake.missing, "MISSING"),
        (false, "  rows too many", lake.repeated, "DOUBLED"),
    ];
    let told = rows.into_iter().filter(|(always, _, number, _)| *always || *number > 0);
    let rows: Vec<_> = told.map(|(_, name, number, says)| vec![name.into(), count(number), says.into()]).collect();
    let mut text = columns(&rows, &[1]);
    for (name, examples) in [
        ("Deliveries with missing events (weir trace ID shows one)", raw_examples),
        ("Activities that are not enriched", &enrichment.examples),
        ("Enriched activities without a row", &lake.examples),
    ] {
        if !examples.is_empty() {
            let _ = write!(text, "\n{name}:\n  {}\n", examples.join("\n  "));
        }
    }
    text.push_str(match report.is_whole() {
        true => "\neverything arrived exactly once\n",
        false => "\nNOT everything arrived once; records in flight may arrive later\n",
    });
    text
}

/// For programs.
pub(super) fn json(report: &Report) -> Value {
    let [from, until] = [report.time.0, report.time.1].map(|at| from_millis(at).to_string());
    let hop = |hop: &Hop| {
        json!({
            "taken": hop.taken, "there": hop.there, "refused": hop.refused, "missing": hop.missing,
            "repeated": hop.repeated, "examples": hop.examples,
        })
    };
    let raw = &report.raw;
    json!({
        "whole": report.is_whole(), "from": from, "until": until,
        "raw": {
            "deliveries": raw.deliveries, "came_out": raw.unchanged, "refused": raw.refused, "waiting": raw.waiting,
            "missing": raw.missing, "examples": report.raw_examples,
        },
        "enrichment": hop(&report.enrichment),
        "lake": hop(&report.lake),
    })
}
