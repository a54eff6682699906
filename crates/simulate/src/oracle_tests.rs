use std::time::Duration;

use super::*;
use crate::{Config, Endpoints, Generator};

#[test]
fn every_delivery_is_one_line() {
    let config = Config::new(Arc::new(Endpoints::for_tests()), 1, 1_780_000_000_000);
    let mut oracle = Oracle::new(Vec::new());
    let mut events = 0;
    for (delivery, outcome) in Generator::new(config)
        .unwrap()
        .zip([SendOutcome::Acknowledged, SendOutcome::Indeterminate, SendOutcome::Refused].into_iter().cycle())
        .take(30)
    {
        events += delivery.meaning.events.len();
        let sent = Sent { delivery, outcome, status: Some(200), attempts: 1, took: Duration::ZERO };
        oracle.record(&sent).unwrap();
    }
    let text = String::from_utf8(oracle.finish().unwrap()).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 30);
    assert_eq!(lines.iter().map(|line| line["events"].as_array().unwrap().len()).sum::<usize>(), events);
    assert_eq!(lines[1]["outcome"], "indeterminate");
    insta::assert_snapshot!(text.lines().next().unwrap());
}
