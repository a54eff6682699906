//! What is printed at the end of all tests.

use std::fmt::Write as _;

use crate::budgets::Budgets;
use crate::times::Suite;

/// How many of the slowest tests are named.
const SLOWEST: usize = 10;
/// So many times its budget a suite takes only where it has become slower, and not because others were at work.
const TOO_LONG: f64 = 2.0;

/// What all suites took.
#[derive(Debug)]
pub(crate) struct Report {
    /// For people.
    pub(crate) text: String,
    /// No suite took far longer than it may.
    pub(crate) holds: bool,
}

/// A line of the table.
struct Line<'a> {
    name: &'a str,
    seconds: f64,
    budget: u32,
    slower: f64,
}

impl Line<'_> {
    fn most(&self) -> f64 {
        f64::from(self.budget) * self.slower
    }

    fn is_too_long(&self) -> bool {
        self.seconds > self.most() * TOO_LONG
    }

    fn mark(&self) -> &'static str {
        match () {
            () if self.is_too_long() => "  too long",
            () if self.seconds > self.most() => "  over",
            () => "",
        }
    }
}

/// Compares what was written down with what it may take.
pub(crate) fn of(budgets: &Budgets, suites: &[Suite]) -> Report {
    let (named, others): (Vec<_>, Vec<_>) = suites.iter().partition(|suite| budgets.suites.contains_key(&suite.name));
    let line = |suite: &&Suite| (suite.name.clone(), suite.seconds, budgets.suites[&suite.name], suite.slower);
    let mut lines: Vec<_> = named.iter().map(line).collect();
    let seconds = others.iter().map(|suite| suite.seconds).sum();
    let slower = others.iter().map(|suite| suite.slower).fold(1.0, f64::max);
    lines.push((format!("{} others", others.len()), seconds, budgets.others, slower));
    let mut lines: Vec<_> = lines
        .iter()
        .map(|(name, seconds, budget, slower)| Line { name, seconds: *seconds, budget: *budget, slower: *slower })
        .collect();
    lines.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));

    let mut text = format!("\n{:<32} {:>8} {:>8} {:>8}\n", "suite", "seconds", "at most", "slower");
    for line in &lines {
        let mark = line.mark();
        let Line { name, seconds, slower, .. } = line;
        let _ = writeln!(text, "{name:<32} {seconds:>8.1} {:>8.1} {slower:>8.2}{mark}", line.most());
    }
    let all: f64 = suites.iter().map(|suite| suite.seconds).sum();
    let _ = writeln!(text, "{:<32} {all:>8.1} {:>8.1}", "all", f64::from(budgets.all()));
    slowest(suites, &mut text);

    let over: Vec<_> = lines.iter().filter(|line| line.is_too_long()).collect();
    for Line { name, seconds, budget, slower } in &over {
        let _ = writeln!(
            text,
            "error: {name} took {seconds:.0} s and may take {budget} s, on this machine {slower:.2} times as much: make it \
             faster, or change tests/budgets.toml"
        );
    }
    let gone: Vec<_> = budgets.suites.keys().filter(|name| !suites.iter().any(|suite| suite.name == **name)).collect();
    for name in &gone {
        let _ = writeln!(text, "error: tests/budgets.toml has a budget for {name}, which was not run");
    }
    Report { text, holds: over.is_empty() && gone.is_empty() }
}

/// A program with a harness of its own is one test.
fn slowest(suites: &[Suite], text: &mut String) {
    let mut tests = Vec::new();
    for suite in suites {
        if suite.tests.is_empty() {
            tests.push((suite.seconds, suite.name.as_str(), ""));
        }
        tests.extend(suite.tests.iter().map(|test| (test.seconds, suite.name.as_str(), test.name.as_str())));
    }
    tests.sort_by(|a, b| b.0.total_cmp(&a.0));
    text.push_str("\nthe slowest tests\n");
    for (seconds, suite, test) in tests.into_iter().take(SLOWEST) {
        let _ = writeln!(text, "{seconds:>8.1} s  {suite} {test}");
    }
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
