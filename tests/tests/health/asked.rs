//! What dashboards and alerts ask Prometheus for is there: each expression is one that it takes, and each metric and each
//! label in it is on the pages of services that run.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;
use weir_tests::prometheus::Prometheus;

use crate::monitored::root;

/// Metrics that are there only after something that has not happened to those that run, and what that is.
const LATER: &[(&str, &str)] = &[
    ("weir_certificate_expires_seconds", "a service has a certificate of its own"),
    ("weir_pipeline_hop_canary_state", "canaries are sent"),
    ("weir_claims_evicted_total", "the claims' store has thrown a claim away before its time"),
];
const VARIABLES: [&str; 3] = ["$namespace", "$service", "$stage"];

/// Where it stands, and what is asked.
fn asked() -> Vec<(String, String)> {
    let mut asked = Vec::new();
    let file = "k8s/components/monitoring/weir.json";
    let board: Value = serde_json::from_str(&std::fs::read_to_string(root().join(file)).unwrap()).unwrap();
    let substituted =
        |text: &str| VARIABLES.iter().fold(text.to_owned(), |text, variable| text.replace(variable, ".*"));
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    for panel in list(&board["panels"]) {
        for target in list(&panel["targets"]) {
            let title = format!("{file}: {}", panel["title"]);
            asked.push((title, substituted(target["expr"].as_str().unwrap())));
        }
    }
    let values = Regex::new(r"^label_values\((.+), (\w+)\)$").unwrap();
    let mut variables = BTreeSet::new();
    for variable in list(&board["templating"]["list"]).iter().filter(|variable| variable["type"] == "query") {
        let query = substituted(variable["query"]["query"].as_str().unwrap());
        let found = values.captures(&query).unwrap_or_else(|| panic!("{query}"));
        variables.insert(variable["name"].as_str().unwrap().to_owned());
        asked.push((format!("{file}: {}", variable["name"]), format!("count by ({}) ({})", &found[2], &found[1])));
    }
    assert!(variables.contains("namespace") && variables.contains("service"), "{variables:?}");
    for (file, place) in
        [("deploy/compose/rules.yaml", "/groups"), ("k8s/components/monitoring/rules.yaml", "/spec/groups")]
    {
        let rules: Value = serde_yaml_ng::from_str(&std::fs::read_to_string(root().join(file)).unwrap()).unwrap();
        for group in list(rules.pointer(place).unwrap()) {
            for rule in list(&group["rules"]) {
                asked.push((format!("{file}: {}", rule["alert"]), rule["expr"].as_str().unwrap().to_owned()));
            }
        }
    }
    asked
}

/// What Prometheus does not take, or has never seen.
pub(crate) fn wrong(prometheus: &Prometheus) -> Vec<String> {
    let asked = asked();
    assert!(asked.len() > 70, "{asked:?}");
    let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (place, expr) in &asked {
        if let Err(error) = prometheus.query(expr) {
            wrong.push(format!("{place}: {error:#}"));
        }
        wrong.extend(unknown(prometheus, &mut known, expr).into_iter().map(|what| format!("{place}: {what}")));
    }
    for (metric, event) in LATER {
        assert!(known.contains_key(*metric), "nobody asks for {metric}, which is there when {event}");
    }
    wrong
}

/// Metrics and labels of an expression that are on no page. `known`: the labels of each metric.
fn unknown(prometheus: &Prometheus, known: &mut BTreeMap<String, BTreeSet<String>>, expr: &str) -> Vec<String> {
    let selector = Regex::new(r"\b(weir_\w+)(?:\{([^}]*)\})?").unwrap();
    let matcher = Regex::new(r#"(\w+)\s*(?:=~|!~|!=|=)\s*""#).unwrap();
    let grouping = Regex::new(r"\b(?:by|on|without|ignoring) \(([^)]*)\)").unwrap();
    let made = Regex::new(r#""(\w+)", "\$1""#).unwrap();
    let is_later = |metric: &str| LATER.iter().any(|(later, _)| *later == metric);
    let mut unknown = Vec::new();
    let mut labels: BTreeSet<String> = made.captures_iter(expr).map(|found| found[1].to_owned()).collect();
    let mut is_whole = true;
    for found in selector.captures_iter(expr) {
        let metric = &found[1];
        let has = known.entry(metric.to_owned()).or_insert_with(|| {
            let series = prometheus.series(metric).unwrap();
            series.iter().filter_map(Value::as_object).flat_map(|labels| labels.keys().cloned()).collect()
        });
        if has.is_empty() {
            is_whole = false;
            if !is_later(metric) {
                unknown.push(format!("{metric} is on no page"));
            }
            continue;
        }
        for label in matcher.captures_iter(found.get(2).map_or("", |labels| labels.as_str())) {
            if !has.contains(&label[1]) {
                unknown.push(format!("{metric} has no label {}", &label[1]));
            }
        }
        labels.extend(has.iter().cloned());
    }
    for found in grouping.captures_iter(expr) {
        for label in found[1].split(',').map(str::trim).filter(|label| !label.is_empty()) {
            // Of a metric that is not there yet nobody knows the labels.
            if is_whole && !labels.contains(label) {
                unknown.push(format!("none of its metrics has the label {label}"));
            }
        }
    }
    unknown
}

/// Else what is above could not find anything.
pub(crate) fn what_is_not_there_is_found(prometheus: &Prometheus) {
    for (expr, expected) in [
        ("sum(weir_no_such_total)", vec!["weir_no_such_total is on no page"]),
        ("weir_ready{pod=\"a\"}", vec!["weir_ready has no label pod"]),
        ("max by (namespace, pod) (weir_ready)", vec!["none of its metrics has the label pod"]),
        ("max by (namespace, stage) (label_replace(weir_ready, \"stage\", \"$1\", \"service\", \"(.+)\"))", vec![]),
    ] {
        assert_eq!(unknown(prometheus, &mut BTreeMap::new(), expr), expected, "{expr}");
    }
    assert!(prometheus.query("max by (weir_ready").unwrap_err().to_string().contains("parse error"));
}
