//! What is told only after it has lasted, as the rules of Prometheus wait.

use std::path::Path;

use super::*;

fn file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

fn patient() -> Policy {
    Policy { must_last: true, ..policy() }
}

#[test]
fn a_check_must_last_as_long_as_its_rule_says() {
    let rules = file("k8s/components/monitoring/rules.yaml");
    let seconds = |name: &str| {
        let rule = rules.split("- alert: ").find(|rule| rule.split_whitespace().next() == Some(name)).unwrap();
        let time = rule.lines().find_map(|line| line.trim().strip_prefix("for: ")).unwrap();
        time.strip_suffix('m').unwrap().parse::<i64>().unwrap() * 60
    };
    for (check, class, rule) in [
        ("loader_log", Class::Page, "WeirLogUnavailable"),
        ("loader_lake", Class::Page, "WeirLakeUnavailable"),
        ("loader_progress", Class::Page, "WeirStageStalled"),
        ("consumer", Class::Page, "WeirStageLagUnknown"),
        ("lag", Class::Page, "WeirStageBehind"),
        ("ready", Class::Page, "WeirNotReady"),
        ("instances", Class::Page, "WeirInstancesMissing"),
        ("certificates", Class::Page, "WeirCertificateExpired"),
        ("new_check", Class::Page, "WeirCheckFailing"),
        ("loader_upkeep", Class::Ticket, "WeirCheckTicket"),
    ] {
        let said = Rounds::of(patient()).until(30 * MIN, &[alert("loader", check, class)]);
        // And what begins together is told together.
        let at = seconds(rule) + 30;
        let who = if class == Class::Page { "pager" } else { "chat" };
        assert_eq!(said, [format!("{at}s {who} +{check} -")], "{rule}");
    }
}

#[test]
fn what_was_done_without_a_person_has_lasted_before() {
    let said = Rounds::of(patient()).until(MIN, &[alert("loader", "healing", Class::Ticket)]);
    assert_eq!(said, ["30s chat +healing -"]);
}

#[test]
fn what_is_gone_for_a_moment_begins_anew_until_it_is_told() {
    let lag = [alert("loader", "lag", Class::Page)];
    let mut rounds = Rounds::of(patient());
    for _ in 0..20 {
        assert_eq!(rounds.until(rounds.now + 50 * S, &lag), [""; 0]);
        assert_eq!(rounds.until(rounds.now + 10 * S, &[]), [""; 0]);
    }
    // Over a restart it goes on.
    let begin = rounds.now;
    rounds.until(begin + 50 * S, &lag);
    rounds.router = serde_json::from_str(&serde_json::to_string(&rounds.router).unwrap()).unwrap();
    assert_eq!(rounds.until(begin + 2 * MIN, &lag), [format!("{}s pager +lag -", begin / S + 90)]);
    // What is told goes on, although it is gone now and then.
    for _ in 0..5 {
        assert_eq!(rounds.until(rounds.now + 50 * S, &lag), [""; 0]);
        assert_eq!(rounds.until(rounds.now + 10 * S, &[]), [""; 0]);
    }
}

#[test]
fn a_ticket_becomes_a_page_after_it_has_been_one_for_long_enough() {
    let (ticket, page) =
        (alert("loader", "loader_upkeep", Class::Ticket), alert("loader", "loader_upkeep", Class::Page));
    let mut rounds = Rounds::of(patient());
    assert_eq!(rounds.until(20 * MIN, std::slice::from_ref(&ticket)), ["930s chat +loader_upkeep -"]);
    assert_eq!(rounds.until(20 * MIN + 50 * S, std::slice::from_ref(&page)), [""; 0]);
    assert_eq!(rounds.until(25 * MIN, &[ticket]), [""; 0]);
    let said = rounds.until(30 * MIN, &[page]);
    assert!(said.contains(&"1590s pager +loader_upkeep -".to_owned()), "{said:?}");
}

/// A stage of which an instance is missing tells nothing, also before anybody is told that.
#[test]
fn nothing_is_over_while_an_instance_is_missing_for_a_moment() {
    let held = [alert("loader", "loader_held", Class::Page)];
    let mut rounds = Rounds::of(patient());
    rounds.until(3 * MIN, &held);
    assert_eq!(rounds.until(7 * MIN, &[alert("loader", "instances", Class::Page)]), [""; 0]);
    assert_eq!(rounds.until(10 * MIN, &held), [""; 0]);
}

/// For 105 s, of what mends itself.
#[test]
fn a_consumer_that_is_killed_wakes_nobody() {
    let progress = [alert("loader", "loader_progress", Class::Page)];
    let mut rounds = Rounds::of(patient());
    assert_eq!(rounds.until(105 * S, &progress), [""; 0]);
    assert_eq!(rounds.until(30 * MIN, &[]), [""; 0]);
}

/// The series of a test of the rules: the name with its labels, and a value for each 15 s.
fn series(text: &str) -> Vec<(String, Vec<Option<i64>>)> {
    let mut lines = text.lines().map(str::trim);
    let mut all = Vec::new();
    while let Some(line) = lines.next() {
        let Some(name) = line.strip_prefix("- series: ") else { continue };
        let values = lines.next().unwrap().strip_prefix("values: ").unwrap();
        let mut expanded = Vec::new();
        for value in values.split_whitespace() {
            let (value, times) = value.split_once('x').unwrap_or((value, "0"));
            // Missing ones are counted, and others come once more than they are repeated.
            let times: usize = times.parse().unwrap();
            let value = value.parse().ok();
            expanded.extend(std::iter::repeat_n(value, if value.is_none() { times.max(1) } else { times + 1 }));
        }
        all.push((name.to_owned(), expanded));
    }
    all
}

#[test]
fn a_roll_out_tells_nobody() {
    let all = series(&file("tests/tests/contract/alerts/roll_out.yaml"));
    let label = |name: &str, label: &str| {
        let (_, rest) = name.split_once(&format!("{label}=\"")).unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    };
    // As health-check finds it at one time.
    let found = |n: usize| {
        let at = |values: &[Option<i64>]| values.get(n).copied().flatten();
        let mut found = Vec::new();
        for (name, values) in &all {
            let value = at(values);
            if name.contains("weir_check_state") {
                let class = match value {
                    Some(2) => Class::Page,
                    Some(3) => Class::Ticket,
                    _ => continue,
                };
                found.push(alert(&label(name, "service"), &label(name, "check"), class));
            } else if name.contains("weir_ready") && value == Some(0) {
                found.push(alert(&label(name, "service"), "ready", Class::Page));
            } else if name.contains("weir_pipeline_hop_instances") && value == Some(0) {
                found.push(alert(&label(name, "hop"), "instances", Class::Page));
            } else if name.contains("weir_stage_consumers") && !name.contains("\"member\"") && value == Some(1) {
                found.push(alert(&label(name, "stage"), "consumer", Class::Page));
            }
        }
        found
    };
    let told = |policy: Policy| {
        let mut router = Router::default();
        let mut told = 0;
        for n in 0..90 {
            for message in router.round(&policy, found(n), n as i64 * 15 * S) {
                router.delivered(&message, n as i64 * 15 * S);
                told += 1;
            }
        }
        told
    };
    assert!((0..90).map(|n| found(n).len()).sum::<usize>() > 50, "the series were not read");
    assert!(told(policy()) > 5, "it would tell somebody at once");
    assert_eq!(told(patient()), 0);
}
