//! What was measured beside what is demanded, for people.

use std::fmt::Write as _;

/// One figure.
#[derive(Debug)]
struct Row {
    what: String,
    found: String,
    demanded: String,
    /// None: it is told and not judged.
    holds: Option<bool>,
}

/// All figures.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// A figure that is told.
    pub(crate) fn tell(&mut self, what: impl Into<String>, found: impl Into<String>) {
        self.row(Row { what: what.into(), found: found.into(), demanded: String::new(), holds: None });
    }

    /// A figure of which something is demanded.
    pub(crate) fn judge(
        &mut self,
        what: impl Into<String>,
        found: impl Into<String>,
        demanded: impl Into<String>,
        holds: bool,
    ) {
        self.row(Row { what: what.into(), found: found.into(), demanded: demanded.into(), holds: Some(holds) });
    }

    fn row(&mut self, row: Row) {
        println!("  {:<52} {:<34} {} {}", row.what, row.found, row.demanded, word(row.holds));
        self.rows.push(row);
    }

    pub(crate) fn holds(&self) -> bool {
        self.rows.iter().all(|row| row.holds != Some(false))
    }

    /// As Markdown.
    pub(crate) fn table(&self) -> String {
        let mut text = String::from("| | measured | required | |\n|---|---|---|---|\n");
        for Row { what, found, demanded, holds } in &self.rows {
            let _ = writeln!(text, "| {what} | {found} | {demanded} | {} |", word(*holds));
        }
        text
    }
}

fn word(holds: Option<bool>) -> &'static str {
    match holds {
        Some(true) => "holds",
        Some(false) => "**MISSED**",
        None => "",
    }
}
