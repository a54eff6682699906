//! What the runs came to, for people.

use std::fmt::Write as _;
use std::time::Duration;

use crate::load::Load;
use crate::run::Report;
use crate::tail::Recovery;

/// Everything is to go on within this time after the end of a fault.
pub(crate) const RECOVERED_WITHIN: Duration = Duration::from_secs(10);
/// The same among other tests, on a machine that may be doing other things: that it goes on, and by itself.
pub(crate) const RECOVERED_AMONG_OTHERS: Duration = Duration::from_secs(45);

/// One case or one stretch of rounds.
#[derive(Debug)]
pub(crate) struct Line {
    name: String,
    /// The checker has to find a loss.
    control: bool,
    outcome: anyhow::Result<Report>,
    took: Duration,
    load: Option<Load>,
    recovered_within: Duration,
}

impl Line {
    pub(crate) fn new(
        name: impl Into<String>,
        control: bool,
        (outcome, load): (anyhow::Result<Report>, Option<Load>),
        took: Duration,
        recovered_within: Duration,
    ) -> Self {
        Self { name: name.into(), control, outcome, took, load, recovered_within }
    }

    pub(crate) fn passed(&self) -> bool {
        self.problems().is_empty()
    }

    fn problems(&self) -> Vec<String> {
        let report = match &self.outcome {
            Err(error) => return vec![format!("the case could not be run: {error:#}")],
            Ok(report) => report,
        };
        if self.control {
            let seen = report.verdict.lost() > 0;
            return if seen {
                Vec::new()
            } else {
                vec!["the case lost events on purpose, and the checker did not find it".into()]
            };
        }
        let mut problems = Vec::new();
        if !report.verdict.holds() {
            problems.push(format!("{} lost, {} wrong", report.verdict.lost(), report.verdict.wrong()));
        }
        let limit = self.recovered_within;
        let late = report.recoveries.iter().filter(|(_, recovery)| recovery.whole().is_none_or(|it| it > limit));
        problems.extend(late.map(|(fault, recovery)| format!("{fault}: not recovered within {limit:?}: {recovery:?}")));
        problems.extend(report.unbalanced.iter().cloned());
        problems
    }

    pub(crate) fn print(&self) {
        println!("\n{} ({:.0} s, load {})", self.name, self.took.as_secs_f64(), self.load());
        if let Ok(report) = &self.outcome {
            let ledger = &report.ledger;
            println!(
                "  {} deliveries: {} acknowledged, {} indeterminate, {} refused; {} events",
                ledger.sent(),
                ledger.acknowledged,
                ledger.indeterminate,
                ledger.refused,
                report.events
            );
            println!("{}", report.verdict);
            for (fault, Recovery { doors, events, last }) in &report.recoveries {
                let last = last.map_or(String::new(), |(partition, received)| {
                    format!(" (last partition {partition}, of a delivery after {})", seconds(Some(received)))
                });
                println!("  {fault}: recovered: doors {}, events {}{last}", seconds(*doors), seconds(*events));
            }
        }
        for problem in self.problems() {
            println!("  FAILED: {problem}");
        }
        // Of a control something is missing on purpose.
        for line in self.outcome.iter().filter(|_| !self.passed()).flat_map(|report| &report.account) {
            println!("    {line}");
        }
    }

    /// How busy the machine was, for people.
    fn load(&self) -> String {
        self.load.map_or("not known".to_owned(), |load| format!("{:.1}", load.most))
    }

    fn slowest(&self) -> Option<Duration> {
        let report = self.outcome.as_ref().ok()?;
        report.recoveries.iter().map(|(_, recovery)| recovery.whole()).collect::<Option<Vec<_>>>()?.into_iter().max()
    }
}

fn seconds(time: Option<Duration>) -> String {
    time.map_or("never".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()))
}

pub(crate) fn summary(lines: &[Line], took: Duration) {
    println!("\n{}", table(lines));
    let failed = lines.iter().filter(|line| !line.passed()).count();
    println!("{} runs in {:.0} s, {failed} failed", lines.len(), took.as_secs_f64());
}

fn table(lines: &[Line]) -> String {
    let mut text = String::from(
        "| run | faults | kills | deliveries | acknowledged | no answer | events | lost | doubled or wrong | again on topics | slowest recovery | load | verdict |\n\
         |---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|\n",
    );
    for line in lines {
        let name = &line.name;
        let _ = match &line.outcome {
            Err(_) => writeln!(text, "| {name} | | | | | | | | | | | {} | could not be run |", line.load()),
            Ok(report) => {
                let (ledger, verdict) = (&report.ledger, &report.verdict);
                let slowest = if report.recoveries.is_empty() { "–".to_owned() } else { seconds(line.slowest()) };
                let passed = match (line.control, line.passed()) {
                    (true, true) => "loss found, as it must be",
                    (false, true) => "holds",
                    (_, false) => "**failed**",
                };
                writeln!(
                    text,
                    "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {slowest} | {} | {passed} |",
                    report.faults,
                    report.kills,
                    ledger.sent(),
                    ledger.acknowledged,
                    ledger.indeterminate,
                    report.events,
                    verdict.lost(),
                    verdict.wrong(),
                    verdict.again(),
                    line.load()
                )
            }
        };
    }
    text
}

/// The table for a page, with how long it took.
pub(crate) fn markdown(lines: &[Line], took: Duration) -> String {
    format!("{}\nIn {:.0} minutes.\n", table(lines), took.as_secs_f64() / 60.0)
}
