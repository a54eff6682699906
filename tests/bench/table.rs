//! What was measured, for people.

use std::fmt::Write as _;

use crate::figures::{Contender, Figured, Report};

/// The aim of each ratio.
const AIM: f64 = 1.3;

/// As Markdown, which is also what the terminal shows.
pub(crate) fn markdown(report: &Report) -> String {
    let mut text = String::new();
    let minutes = report.took.as_secs_f64() / 60.0;
    // Writing to a string does not fail.
    let _ = writeln!(text, "{}. One run of {minutes:.1} minutes.", report.machine);
    if report.quick {
        let _ = writeln!(text, "\nA smoke test: these figures mean nothing.");
    }
    for figured in &report.sections {
        section(&mut text, figured);
    }
    text
}

pub(crate) fn text(report: &Report) -> String {
    format!("\n{}\n", markdown(report))
}

fn section(text: &mut String, figured: &Figured) {
    let section = &figured.section;
    let sum: f64 = section.parts.iter().map(Contender::cost).sum();
    let _ = write!(
        text,
        "\n### {}\n\n\
         | | CPU s per million | of the sum | per second | p50 ms | p99 ms | peak MiB | {} CPU s per million |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|\n",
        section.title, section.server
    );
    row(text, &section.whole, sum, "**");
    for part in &section.parts {
        row(text, part, sum, "");
    }
    for other in &section.beside {
        row(text, other, sum, "*");
    }
    let ratio = figured.ratio;
    let verdict = if ratio.overall <= AIM { "met" } else { "missed" };
    let names = ["a", "a + b", "a + b + c"];
    let parts = names.get(section.parts.len() - 1).copied().unwrap_or("the parts");
    let _ = writeln!(
        text,
        "\n**{:.2} × ({parts})**, by round from {:.2} to {:.2}. Aim: at most {AIM}: {verdict}. \
         A record is a {}; {} rounds of {}.",
        ratio.overall,
        ratio.lowest,
        ratio.highest,
        section.record,
        section.whole.slices.len(),
        section.whole.slices.first().map_or(0, |slice| slice.done.records),
    );
}

fn row(text: &mut String, contender: &Contender, sum: f64, mark: &str) {
    let cost = contender.cost();
    let latency = contender.latency();
    let millis = |us: Option<u64>| us.map_or("–".to_owned(), |us| format!("{:.1}", us as f64 / 1000.0));
    let _ = writeln!(
        text,
        "| {mark}{}{mark} | {cost:.1} | {:.0}% | {:.0} | {} | {} | {} | {} |",
        contender.name,
        cost / sum * 100.0,
        contender.rate(),
        millis(latency.map(|latency| latency.p50_us)),
        millis(latency.map(|latency| latency.p99_us)),
        contender.peak_memory.map_or("–".to_owned(), |bytes| (bytes >> 20).to_string()),
        contender.server_cost().map_or("–".to_owned(), |cost| format!("{cost:.1}")),
    );
}
