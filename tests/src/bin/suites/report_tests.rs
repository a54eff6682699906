use super::*;
use crate::times::Timed;

fn budgets() -> Budgets {
    toml::from_str("whole = 100\nwork_ms = 100\nothers = 5\nbeside = {}\n[suites]\n\"p/slow\" = 10\n").unwrap()
}

fn suite(name: &str, seconds: f64, slower: f64, tests: &[(&str, f64)]) -> Suite {
    let tests = tests.iter().map(|(name, seconds)| Timed { name: (*name).to_owned(), seconds: *seconds }).collect();
    Suite { name: name.to_owned(), seconds, slower, tests }
}

#[test]
fn within_their_budgets_they_are_printed_with_the_slowest_tests() {
    let suites = [suite("p/slow", 9.5, 1.0, &[("a", 9.0), ("b", 0.5)]), suite("p/own", 3.0, 1.0, &[])];
    let report = of(&budgets(), &suites);
    assert!(report.holds, "{}", report.text);
    let slowest: Vec<_> = report.text.lines().skip_while(|line| *line != "the slowest tests").skip(1).collect();
    assert_eq!(slowest, ["     9.0 s  p/slow a", "     3.0 s  p/own ", "     0.5 s  p/slow b"]);
    assert!(
        report.text.lines().any(|line| line.starts_with("all ") && line.ends_with(" 12.5    100.0")),
        "{}",
        report.text
    );
}

#[test]
fn one_that_takes_too_long_is_told() {
    let report = of(&budgets(), &[suite("p/slow", 20.6, 1.0, &[])]);
    assert!(!report.holds);
    assert!(report.text.contains("error: p/slow took 21 s and may take 10 s"), "{}", report.text);
    assert!(of(&budgets(), &[suite("p/slow", 20.6, 1.2, &[])]).holds, "on a slower machine it may");
    let report = of(&budgets(), &[suite("p/slow", 10.6, 1.0, &[])]);
    assert!(report.holds && report.text.contains(" 1.00  over\n"), "{}", report.text);
}

#[test]
fn what_is_not_named_shares_a_budget() {
    let suites = |second| [suite("p/slow", 1.0, 1.0, &[]), suite("q/a", 3.0, 1.0, &[]), suite("q/b", second, 1.0, &[])];
    assert!(of(&budgets(), &suites(1.5)).holds);
    let report = of(&budgets(), &suites(7.5));
    assert!(!report.holds && report.text.contains("error: 2 others took"), "{}", report.text);
}

#[test]
fn a_budget_of_a_suite_that_is_gone_is_told() {
    let report = of(&budgets(), &[suite("q/a", 1.0, 1.0, &[])]);
    assert!(!report.holds && report.text.contains("a budget for p/slow, which was not run"), "{}", report.text);
}
