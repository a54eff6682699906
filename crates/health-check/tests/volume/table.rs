//! The tables in docs/volume.md.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::backtest::{Class, FAULTS, Found, Report};

pub(crate) fn of(report: &Report) -> String {
    let mut text =
        String::from("| fault | 1000 an hour and more | from 100 | from 20 | fewer |\n|---|---|---|---|---|\n");
    for (n, fault) in FAULTS.iter().enumerate() {
        let cell = |class| report.found.get(&(n, class)).map_or_else(|| "–".to_owned(), cell);
        let cells = [Class::Loud, Class::Middle, Class::Soft, Class::Quiet].map(cell);
        writeln!(text, "| {} | {} |", fault.name, cells.join(" | ")).unwrap();
    }
    let a_week = |count: usize| count as f64 / report.weeks as f64;
    let [low, high, silent] = [report.false_low, report.false_high, report.false_pages];
    write!(
        text,
        "\nFalse alarms in {} weeks of {} endpoints: {low} low ({:.2} a week), {high} high ({:.2} a week), {silent} silent.\n",
        report.weeks,
        report.endpoints,
        a_week(low),
        a_week(high),
    )
    .unwrap();
    text
}

fn cell(found: &Found) -> String {
    let mut hours = found.hours.clone();
    hours.sort_by(f64::total_cmp);
    let median = hours.get(hours.len() / 2).map_or_else(String::new, |hours| format!(", {hours:.1} h"));
    format!("{} of {}{median}", found.hours.len(), found.trials)
}

/// Whether the tables of a page are written: `TABLE` names it.
pub(crate) fn is_renewed() -> bool {
    std::env::var_os("TABLE").is_some()
}

/// Writes this table between its marks on the page that `TABLE` names.
pub(crate) fn renew(name: &str, table: &str) {
    let Some(page) = std::env::var_os("TABLE") else { return };
    // One test after another, so that none writes over what another has written.
    static PAGE: Mutex<()> = Mutex::new(());
    let _held = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let path = path(&page);
    let page = fs::read_to_string(&path).unwrap();
    let (before, _, after) = parts(&page, name);
    fs::write(&path, format!("{before}{table}{after}")).unwrap();
}

/// Writes it; without `TABLE`, docs/volume.md has to have it.
pub(crate) fn renew_or_compare(name: &str, table: &str) {
    renew(name, table);
    let page = fs::read_to_string(path("docs/volume.md".as_ref())).unwrap();
    assert!(is_renewed() || parts(&page, name).1 == table, "docs/volume.md has another table than this:\n{table}");
}

fn path(page: &OsStr) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(page)
}

/// What stands on a page before a table, the table, and what stands after it.
fn parts<'a>(page: &'a str, name: &str) -> (&'a str, &'a str, &'a str) {
    let [begin, end] = [format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->")];
    let from = page.find(&begin).unwrap() + begin.len();
    let to = from + page[from..].find(&end).unwrap();
    (&page[..from], &page[from..to], &page[to..])
}
