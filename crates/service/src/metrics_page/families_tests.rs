use std::time::Duration;

use common::health::v1::{Consumer, Queue};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{Action, CheckSpec, What};

fn page(health: &Health) -> String {
    let mut page = String::new();
    write(&mut page, health);
    page
}

fn lines<'a>(page: &'a str, of: &str) -> Vec<&'a str> {
    page.lines().filter_map(|line| line.strip_prefix(of)).collect()
}

#[test]
fn a_family_is_what_prometheus_reads() {
    let mut page = String::new();
    let mut family = Family::new(&mut page, "weir_test_seconds", MetricKind::Gauge, "A test.");
    family.known(&[], None);
    family.known(&[], Some(1.5));
    family.sample(&[("name", "an \"endpoint\" \\ of\nlines"), ("other", "é")], f64::INFINITY);
    family.sample(&[("name", "")], f64::NEG_INFINITY);
    family.sample(&[("name", "not a number")], f64::NAN);
    let expected = "\
# HELP weir_test_seconds A test.
# TYPE weir_test_seconds gauge
weir_test_seconds 1.5
weir_test_seconds{name=\"an \\\"endpoint\\\" \\\\ of\\nlines\",other=\"é\"} +Inf
weir_test_seconds{name=\"\"} -Inf
weir_test_seconds{name=\"not a number\"} NaN
";
    assert_eq!(page, expected);
    let mut page = String::new();
    Family::new(&mut page, "weir_test_total", MetricKind::Counter, "Never.").known(&[], None);
    assert_eq!(page, "", "without a sample there is nothing");
}

#[test]
fn a_value_that_is_not_known_any_more_ends() {
    let health = Health::new("test", CancellationToken::new());
    let spec = CheckSpec {
        name: "test_age",
        action: Action::Ticket,
        gates_readiness: false,
        unit: "seconds",
        threshold: Some(60.0),
    };
    let check = health.check(spec);
    assert_eq!(lines(&page(&health), "weir_check_value"), [""; 0], "nothing was measured yet");
    check.value(3.5);
    check.ok("young");
    assert_eq!(lines(&page(&health), "weir_check_value"), ["{service=\"test\",check=\"test_age\"} 3.5"]);
    check.unknown("nobody answers");
    let page = page(&health);
    assert_eq!(lines(&page, "weir_check_value"), [""; 0]);
    assert_eq!(lines(&page, "weir_check_state"), ["{service=\"test\",check=\"test_age\",action=\"ticket\"} 3"]);
}

#[test]
fn stages_and_endpoints_are_counted_and_who_is_unknown_is_not_named() {
    let health = Health::new("test", CancellationToken::new());
    let counts = health.counts();
    counts.limit_series(1);
    let hop = counts.hop("streaming");
    for endpoint in ["shop", "late", ""] {
        let mut taken = hop.take(endpoint, None, 5, "sender_gone");
        taken.end(What::SentOn, 2);
        taken.end(What::Dropped("rate_limited"), 1);
    }
    let page = page(&health);
    let expected = [
        "what=\"taken_in\",reason=\"\"} 15",
        "what=\"sent_on\",reason=\"\"} 6",
        "what=\"dead_lettered\",reason=\"\"} 0",
        "what=\"dropped\",reason=\"rate_limited\"} 3",
        "what=\"dropped\",reason=\"sender_gone\"} 6",
    ];
    assert_eq!(lines(&page, "weir_stage_items_total{stage=\"streaming\","), expected);
    let of = |endpoint: &str| {
        [
            format!("endpoint=\"{endpoint}\",what=\"taken_in\",reason=\"\"}} 5"),
            format!("endpoint=\"{endpoint}\",what=\"sent_on\",reason=\"\"}} 2"),
            format!("endpoint=\"{endpoint}\",what=\"dropped\",reason=\"rate_limited\"}} 1"),
            format!("endpoint=\"{endpoint}\",what=\"dropped\",reason=\"sender_gone\"}} 2"),
        ]
    };
    let endpoints = lines(&page, "weir_endpoint_items_total{stage=\"streaming\",");
    assert_eq!(endpoints, [of("(others)"), of("shop")].concat());
}

#[test]
fn what_waits_is_told_where_it_is_known() {
    let health = Health::new("test", CancellationToken::new());
    let consumer = |group: &str, membership: Membership, lags: Vec<Option<i64>>| {
        let consumer = Consumer {
            hop: "loader".to_owned(),
            group: group.to_owned(),
            membership: membership.into(),
            ..Consumer::default()
        };
        let queue = |(partition, lag): (i32, Option<i64>)| Queue {
            group: group.to_owned(),
            topic: "loads".to_owned(),
            partition,
            lag: lag.unwrap_or_default(),
            lag_unknown: lag.is_none(),
            ..Queue::default()
        };
        let queues: Vec<Queue> = (0..).zip(lags).map(queue).collect();
        health.counts().watch_consumer(move || (consumer.clone(), queues.clone()));
    };
    consumer("all", Membership::Member, vec![Some(2), Some(3)]);
    consumer("all", Membership::Spare, vec![]);
    consumer("some", Membership::Member, vec![Some(2), None]);
    consumer("none", Membership::Joining, vec![]);
    let page = page(&health);
    assert_eq!(lines(&page, "weir_stage_lag_records{stage=\"loader\","), ["group=\"all\"} 5"]);
    let expected = [
        "group=\"all\",topic=\"loads\",partition=\"0\"} 2",
        "group=\"all\",topic=\"loads\",partition=\"1\"} 3",
        "group=\"some\",topic=\"loads\",partition=\"0\"} 2",
    ];
    assert_eq!(lines(&page, "weir_consumer_lag_records{"), expected);
    let expected = [
        "group=\"all\",membership=\"member\"} 1",
        "group=\"all\",membership=\"spare\"} 1",
        "group=\"none\",membership=\"joining\"} 1",
        "group=\"some\",membership=\"member\"} 1",
    ];
    assert_eq!(lines(&page, "weir_stage_consumers{stage=\"loader\","), expected);
}

#[test]
fn the_checks_of_another_are_on_the_page_and_not_in_the_digest() {
    let (health, probes) = ("health-check", "probes");
    let [health, probes] = [health, probes].map(|name| Health::new(name, CancellationToken::new()));
    let spec = CheckSpec { name: "shop", action: Action::Page, gates_readiness: true, unit: "", threshold: None };
    probes.check(spec).fail("refused");
    health.show(probes);
    assert_eq!(lines(&page(&health), "weir_check_state"), ["{service=\"probes\",check=\"shop\",action=\"page\"} 2"]);
    assert!(health.is_ready() && health.digest().checks.is_empty());
}

#[test]
fn for_how_long_the_oldest_waits_is_told_where_it_is_known() {
    let now = clock::now();
    let at = |seconds| Some((now - Duration::from_secs(seconds)).into());
    let queue = |lag: Option<i64>, oldest_at| Queue {
        lag: lag.unwrap_or_default(),
        lag_unknown: lag.is_none(),
        oldest_at,
        ..Queue::default()
    };
    for (what, queue, seconds) in [
        ("it waits", queue(Some(3), at(90)), Some(90.0)),
        ("it waits, and the log does not say where it ends", queue(None, at(90)), Some(90.0)),
        ("nothing waits", queue(Some(0), None), Some(0.0)),
        ("what waits is not fetched", queue(Some(3), None), None),
        ("nobody knows", queue(None, None), None),
        ("of a clock that is ahead", queue(Some(1), Some((now + Duration::from_secs(5)).into())), Some(0.0)),
    ] {
        assert_eq!(waits_for(&queue, now), seconds, "{what}");
    }

    let health = Health::new("test", CancellationToken::new());
    let consumer = Consumer { hop: "loader".to_owned(), membership: Membership::Member.into(), ..Consumer::default() };
    let queues = [(1, queue(Some(0), None)), (2, queue(Some(3), None))].map(|(partition, queue)| Queue {
        partition,
        group: "g".to_owned(),
        topic: "loads".to_owned(),
        ..queue
    });
    health.counts().watch_consumer(move || (consumer.clone(), queues.to_vec()));
    let expected = ["{stage=\"loader\",group=\"g\",topic=\"loads\",partition=\"1\"} 0"];
    assert_eq!(lines(&page(&health), "weir_consumer_lag_seconds"), expected);
}
