//! The contract of Weir with whoever reads its metrics: each is described once, and is called what Prometheus' conventions
//! say. Dashboards, alerts and queries depend on the names, so they are read where they stand in the sources.

use std::collections::{BTreeMap, BTreeSet};

use crate::architecture::{named, root, sources};
use crate::text::{code, line};

/// What the name of a gauge or a histogram ends with: its unit, or what it counts.
const UNITS: &[&str] = &[
    "bytes",
    "connections",
    "consumers",
    "endpoints",
    "errors",
    "expected",
    "instances",
    "items",
    "per_second",
    "ratio",
    "records",
    "requests",
    "seconds",
];
/// And what is no quantity, or one of any unit.
const STATES: &[&str] = &["info", "ready", "state", "value"];
/// Labels whose values are few, whatever is sent and registered.
const LABELS: &[&str] = &[
    "action",
    "cached",
    "check",
    "client",
    "failure",
    "group",
    "hop",
    "kind",
    "lane",
    "lookup",
    "membership",
    "partition",
    "reason",
    "receiver",
    "server",
    "service",
    "setting",
    "source",
    "stage",
    "status",
    "step",
    "table",
    "topic",
    "version",
    "volume",
    "what",
];
/// There may be a hundred thousand endpoints: only what has its limit there may name them.
const ENDPOINTS: &str = "crates/service/src/metrics_page/families.rs";

#[derive(Debug, Default)]
struct Found {
    /// By name: the kind, where, and the labels.
    counted: BTreeMap<String, Vec<(String, String, Vec<String>)>>,
    /// By name: the kind, where, and the text.
    described: BTreeMap<String, Vec<(String, String, String)>>,
}

/// The text of a literal.
fn literal(word: &str) -> Option<&str> {
    word.strip_prefix('"')?.strip_suffix('"')
}

/// What stands between the bracket at the beginning and the one that closes it.
fn inside<'a, 'b>(words: &'b [&'a str]) -> &'b [&'a str] {
    let mut depth = 0usize;
    let end = words.iter().position(|word| {
        match *word {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    &words[1..end.unwrap_or(words.len())]
}

/// Literals before these words: the names of labels.
fn before(words: &[&str], next: &[&str]) -> Vec<String> {
    let at = (0..words.len()).filter(|at| words[at + 1..].starts_with(next));
    at.filter_map(|at| literal(words[at])).map(str::to_owned).collect()
}

/// Literals between an opening bracket and a comma: the names of labels.
fn in_pairs(words: &[&str]) -> Vec<String> {
    let pairs = words.windows(3).filter(|pair| pair[0] == "(" && pair[2] == ",");
    pairs.filter_map(|pair| literal(pair[1])).map(str::to_owned).collect()
}

/// The labels that a macro is given, maybe as a variable that was bound before it.
fn labels(words: &[&str], at: usize, given: &[&str]) -> Vec<String> {
    if given.ends_with(&["&", "labels"]) {
        let bound = (0..at).rev().find(|at| words[*at..].starts_with(&["let", "labels", "="]));
        return in_pairs(inside(&words[bound.expect("labels are bound") + 3..]));
    }
    let mut labels = before(given, &["=", ">"]);
    labels.extend(before(given, &["=>"]));
    labels
}

impl Found {
    fn read(&mut self, file: &str, text: &str) {
        let words = code(text);
        for (at, word) in words.iter().enumerate() {
            let place = || format!("{file}:{}", line(text, word));
            let rest = &words[at + 1..];
            let called = word.strip_prefix("describe_").unwrap_or(word);
            if ["counter", "gauge", "histogram"].contains(&called) && rest.starts_with(&["!", "("]) {
                let given = inside(&rest[1..]);
                // What has a variable here is not one of these calls.
                let Some(name) = given.first().and_then(|word| literal(word)) else { continue };
                if called == *word {
                    let found = (called.to_owned(), place(), labels(&words, at, given));
                    self.counted.entry(name.to_owned()).or_default().push(found);
                } else {
                    let help = given.iter().skip(1).find_map(|word| literal(word)).unwrap_or_default();
                    self.described.entry(name.to_owned()).or_default().push((
                        called.to_owned(),
                        place(),
                        help.to_owned(),
                    ));
                }
            }
            if *word == "Family" && rest.starts_with(&["::", "new", "("]) {
                let given = inside(&rest[2..]);
                let texts: Vec<_> = given.iter().filter_map(|word| literal(word)).collect();
                let &[name, help] = texts.as_slice() else { panic!("{}: a name and a text", place()) };
                let kind = if given.contains(&"Counter") { "counter" } else { "gauge" };
                // Its samples follow it.
                let next = (0..rest.len()).find(|next| rest[*next..].starts_with(&["Family", "::", "new"]));
                let samples = &rest[3 + given.len()..next.unwrap_or(rest.len())];
                let told = (0..samples.len()).filter(|at| matches!(samples[*at..], ["sample" | "known", "(", ..]));
                let labels = told.flat_map(|at| in_pairs(inside(&samples[at + 1..]))).collect();
                self.counted.entry(name.to_owned()).or_default().push((kind.to_owned(), place(), labels));
                self.described.entry(name.to_owned()).or_default().push((kind.to_owned(), place(), help.to_owned()));
            }
        }
    }

    /// What is wrong, a line each.
    fn wrong(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        for (name, places) in &self.counted {
            let (kind, place, _) = &places[0];
            let described = self.described.get(name).map_or(&[][..], Vec::as_slice);
            match described {
                [(as_kind, ..)] if as_kind != kind => {
                    wrong.push(format!("{place}: {name} is described as a {as_kind}"))
                }
                [(_, place, help)] if help.split(' ').count() < 3 || help.contains('\n') => {
                    wrong.push(format!("{place}: {name} needs a line that says what it is, not {help:?}"));
                }
                [_] => {}
                _ => wrong.push(format!("{place}: {name} is described {} times", described.len())),
            }
            wrong.extend(misnamed(name, kind).map(|why| format!("{place}: {name} {why}")));
            for (other, place, labels) in places {
                if other != kind {
                    wrong.push(format!("{place}: {name} is a {kind} elsewhere"));
                }
                let may = |label: &str| LABELS.contains(&label) || label == "endpoint" && place.starts_with(ENDPOINTS);
                for label in labels.iter().filter(|label| !may(label)) {
                    wrong.push(format!("{place}: {name} has the label {label}, of which there may be any number"));
                }
            }
        }
        let never = self.described.iter().filter(|(name, _)| !self.counted.contains_key(*name));
        wrong.extend(never.map(|(name, places)| format!("{}: {name} is never counted", places[0].1)));
        wrong
    }
}

/// Why a name is none by the conventions.
fn misnamed(name: &str, kind: &str) -> Option<String> {
    let is_total = name.ends_with("_total");
    if !name.starts_with("weir_") {
        return Some("does not begin with weir_".to_owned());
    }
    if kind == "counter" {
        return (!is_total).then(|| "is a counter and does not end with _total".to_owned());
    }
    if is_total {
        return Some(format!("is a {kind} and ends with _total"));
    }
    let has_unit = UNITS.iter().chain(STATES).any(|unit| name.ends_with(&format!("_{unit}")));
    (!has_unit).then(|| format!("does not end with its unit: {}", UNITS.join(", ")))
}

fn found() -> Found {
    let mut found = Found::default();
    for file in sources() {
        found.read(&named(&file), &std::fs::read_to_string(&file).unwrap());
    }
    found
}

#[test]
fn every_metric_is_described_and_named_by_the_conventions() {
    let found = found();
    assert!(found.counted.len() > 60, "few are found: {:?}", found.counted.keys());
    assert_eq!(found.wrong(), [""; 0]);
}

/// The page of docs that lists them.
fn page(found: &Found) -> String {
    let mut page = "# Metrics\n\n\
        Every service has them at `/metrics` of its admin port, for Prometheus. What is not known is not there.\n\
        `telemetry.endpoint_series` in the [settings](settings.md#telemetry) says how many endpoints have series of their own.\n\n\
        A test writes this page from the sources: `METRICS=docs/metrics.md cargo test -p weir-tests --test contract metrics`.\n\n\
        | Metric | Kind | Labels | What it is |\n|---|---|---|---|\n"
        .to_owned();
    for (name, places) in &found.counted {
        let labels: BTreeSet<_> =
            places.iter().flat_map(|(_, _, labels)| labels).map(|label| format!("`{label}`")).collect();
        let labels = labels.into_iter().collect::<Vec<_>>().join(", ");
        let help = found.described.get(name).map_or("", |described| &described[0].2);
        page.push_str(&format!("| `{name}` | {} | {labels} | {help} |\n", places[0].0));
    }
    page
}

#[test]
fn the_page_of_metrics_lists_all_of_them() {
    let page = page(&found());
    let root = root();
    if let Some(file) = std::env::var_os("METRICS") {
        std::fs::write(root.join(file), &page).unwrap();
    }
    let there = std::fs::read_to_string(root.join("docs/metrics.md")).unwrap_or_default();
    assert!(there == page, "docs/metrics.md is not what the sources say; it names the command that writes it");
}

/// What alerts and dashboards ask Prometheus for.
#[test]
fn alerts_and_dashboards_ask_for_metrics_that_there_are() {
    let found = found();
    let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let (mut asked, mut wrong) = (0, Vec::new());
    for file in
        ["k8s/components/monitoring/rules.yaml", "k8s/components/monitoring/weir.json", "deploy/compose/rules.yaml"]
    {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for name in text.split(|c| !is_name(c)).filter(|word| word.starts_with("weir_")) {
            asked += 1;
            let of_histogram = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end));
            let is_there = |name: &str, kind: Option<&str>| {
                found.counted.get(name).is_some_and(|places| kind.is_none_or(|kind| places[0].0 == kind))
            };
            if !is_there(name, None) && !of_histogram.is_some_and(|name| is_there(name, Some("histogram"))) {
                wrong.push(format!("{file}: there is no {name}"));
            }
        }
    }
    assert!(asked > 20, "{asked}");
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn what_is_wrong_is_seen() {
    let wrong = |text: &str| {
        let mut found = Found::default();
        found.read("a.rs", text);
        found.wrong()
    };
    let good = "counter!(\"weir_a_total\", \"stage\" => x(\"endpoint\")).increment(1); describe_counter!(\"weir_a_total\", \"What it is.\");";
    assert_eq!(wrong(good), [""; 0]);
    for (text, expected) in [
        ("metrics::gauge!(\"weir_a_bytes\")", "a.rs:1: weir_a_bytes is described 0 times"),
        ("describe_gauge!(\"weir_a_bytes\", \"What it is.\")", "a.rs:1: weir_a_bytes is never counted"),
        (
            "gauge!(\n\"weir_a_bytes\", \"endpoint\" => e); describe_gauge!(\"weir_a_bytes\", \"What it is.\")",
            "a.rs:1: weir_a_bytes has the label endpoint, of which there may be any number",
        ),
        (
            "let labels = [(\"endpoint\", e)]; gauge!(\"weir_a_bytes\", &labels).set(1);",
            "a.rs:1: weir_a_bytes has the label endpoint, of which there may be any number",
        ),
        (
            "Family::new(page, \"weir_a_ratio\", MetricKind::Gauge, \"What it is.\").sample(&[(\"endpoint\", e)], 1.0);",
            "a.rs:1: weir_a_ratio has the label endpoint, of which there may be any number",
        ),
        (
            "gauge!(\"weir_a_bytes\"); describe_counter!(\"weir_a_bytes\", Unit::Bytes, \"What it is.\")",
            "a.rs:1: weir_a_bytes is described as a counter",
        ),
        (
            "histogram!(\"weir_a_s\"); describe_histogram!(\"weir_a_s\", Unit::Seconds, \"What it is.\")",
            "a.rs:1: weir_a_s does not end with its unit",
        ),
        (
            "counter!(\"weir_a\"); describe_counter!(\"weir_a\", \"What it is.\")",
            "a.rs:1: weir_a is a counter and does not end with _total",
        ),
        (
            "counter!(\"weir_a_total\"); describe_counter!(\"weir_a_total\", \"an a\")",
            "a.rs:1: weir_a_total needs a line that says what it is, not \"an a\"",
        ),
        (
            "Family::new(page, \"weir_a_total\", MetricKind::Gauge, \"What it is.\")",
            "a.rs:1: weir_a_total is a gauge and ends with _total",
        ),
    ] {
        let found = wrong(text);
        assert!(found.iter().any(|wrong| wrong.starts_with(expected)), "{text}: {found:?}");
    }
}
