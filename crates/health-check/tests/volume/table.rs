//! The tables in docs/volume.md.

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

/// The page has this table between its marks; where `TABLE` names the page, it is written there.
#[track_caller]
pub(crate) fn hold(name: &str, table: &str) {
    // One test after another, so that none writes over what another has written.
    static PAGE: Mutex<()> = Mutex::new(());
    let _held = PAGE.lock().unwrap_or_else(PoisonError::into_inner);
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let written = std::env::var("TABLE").ok();
    let path = workspace.join(written.as_deref().unwrap_or("docs/volume.md"));
    let page = fs::read_to_string(&path).unwrap();
    let [begin, end] = [format!("<!-- {name}: begin -->\n"), format!("<!-- {name}: end -->")];
    let (before, rest) = page.split_once(&begin).unwrap();
    let (is, after) = rest.split_once(&end).unwrap();
    if written.is_some() {
        fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(is, table, "renew it: TABLE=docs/volume.md cargo test -p health-check --test volume");
    }
}
