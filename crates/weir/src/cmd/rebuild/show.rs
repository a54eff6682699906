//! What people read of a rebuild. Pure.

use std::fmt::Write as _;

use lake::columns::ACTIVITIES;
use loader::Comparison;

use super::make::Made;
use crate::cmd::dead_letters::show::{columns, head};
use crate::out::count;

/// A row that differs: what both tables have in one column.
#[derive(Debug, Clone)]
pub(super) struct Example {
    pub(super) id: String,
    pub(super) column: String,
    pub(super) old: String,
    pub(super) new: String,
}

/// What was made.
pub(super) fn made(made: &Made, into: &str, root: &str) -> String {
    let mut rows = vec![
        vec!["deliveries read".to_owned(), count(made.deliveries), String::new()],
        vec!["rows".to_owned(), count(made.rows), format!("in {} files", count(made.files))],
    ];
    let mut row = |name: &str, number: u64, says: &str| {
        if number > 0 {
            rows.push(vec![name.to_owned(), count(number), says.to_owned()]);
        }
    };
    row("repeated", made.repeated, "delivered more than once, with one row");
    row("refused", made.refused, "items that cannot be read: dead letters without a row");
    row("partial", made.partial, "a step of the enrichment had no result");
    format!("table {into}   {root}/{into}\n{}", columns(&rows, &[1]))
}

/// How it differs from the table there is.
pub(super) fn compared(found: &Comparison, examples: &[Example], into: &str, times: &[String; 2]) -> String {
    let [from, until] = times;
    let mut text = format!("\nCompared with {ACTIVITIES}, accepted from {from} to {until}:\n");
    let both = found.new_rows - found.only_new;
    let rows = vec![
        vec!["the same".to_owned(), count(both - found.differ)],
        vec![format!("only in {ACTIVITIES}"), count(found.only_old)],
        vec![format!("only in {into}"), count(found.only_new)],
        vec!["different".to_owned(), count(found.differ)],
    ];
    text.push_str(&columns(&rows, &[1]));
    if !found.columns.is_empty() {
        let mut rows = vec![head(&["column", "rows that differ"])];
        rows.extend(found.columns.iter().map(|(name, rows)| vec![name.clone(), count(*rows)]));
        let _ = write!(text, "\n{}", columns(&rows, &[1]));
    }
    for Example { id, column, old, new } in examples {
        let _ = write!(text, "\n{id}  {column}\n  {ACTIVITIES}: {}\n  {into}: {}\n", short(old), short(new));
    }
    for (name, ids) in [(ACTIVITIES, &found.only_old_ids), (into, &found.only_new_ids)] {
        if !ids.is_empty() {
            let _ = write!(text, "\nExamples only in {name}:\n  {}\n", ids.join("\n  "));
        }
    }
    let _ = write!(
        text,
        "\nNothing was switched: the loader continues with {ACTIVITIES}, and nothing writes to {into}. To read the\n\
         rebuilt rows, use this query:\n  \
         select * from {into} union all\n  \
         select * from {ACTIVITIES} where received_at < '{from}' or received_at >= '{until}'\n"
    );
    text
}

/// The beginning of a long value.
fn short(value: &str) -> String {
    const MOST: usize = 100;
    if value.chars().count() <= MOST { value.to_owned() } else { value.chars().take(MOST).collect::<String>() + "…" }
}
