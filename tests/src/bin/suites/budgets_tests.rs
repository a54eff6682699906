use super::*;

#[test]
fn all_together_is_within_the_whole() {
    let budgets = Budgets::load().unwrap();
    let suites = budgets.suites.values().sum::<u32>() + budgets.others;
    assert!(suites <= budgets.all(), "{suites} s, and all suites may take {} s: make something faster", budgets.all());
}

#[test]
fn a_slow_machine_has_more_time_and_a_fast_one_no_less() {
    let budgets = Budgets::load().unwrap();
    let work = Duration::from_millis(u64::from(budgets.work_ms));
    let cases = [(work, work, 1.0), (work * 2, work * 2, 2.0), (work, work * 2, 1.5), (work / 2, work, 1.0)];
    for (before, after, slower) in cases {
        assert!((budgets.slower(before, after) - slower).abs() < 1e-9, "{before:?} {after:?}");
    }
}
