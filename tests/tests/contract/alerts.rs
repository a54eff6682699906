//! The contract of Weir with whoever is woken: each alert fires when it should and stays silent when it should, as Prometheus
//! itself says. Each that wakes somebody has a page, whose commands there are. And no check of class `page` is silent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use regex::Regex;
use serde_yaml_ng::Value;
use tempfile::TempDir;
use weir_tests::promtool;

use crate::architecture::root;

const RULES: &str = "k8s/components/monitoring/rules.yaml";
/// Their cases name the rules as `rules.yaml`, in the same folder.
const CASES: &str = "tests/tests/contract/alerts";
const RUNBOOKS: &str = "docs/runbooks";
/// Of each runbook.
const HEADINGS: [&str; 6] =
    ["What it means", "What happens to the data", "First look", "Causes", "Do not", "It is over when"];
/// What health-check finds itself is no check of a service: the alerts about the same thing.
const OWN: [(&str, &str); 8] = [
    ("instances", "WeirInstancesMissing"),
    ("lag", "WeirStageBehind"),
    ("age", "WeirStageBehind"),
    ("canary", "WeirCanaryLate"),
    ("consumer", "WeirStageLagUnknown"),
    ("in_work", "WeirWorkStuck"),
    // It makes the door failing although no check of a service fails.
    ("volume", "WeirStageBehind"),
    ("round", "WeirHealthCheckStands"),
];

fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn list(value: &Value) -> &[Value] {
    value.as_sequence().map_or(&[][..], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The rules as Prometheus itself reads them: without what is around them for its operator.
fn groups() -> Value {
    yaml(&root().join(RULES))["spec"].clone()
}

/// By name.
fn alerts() -> BTreeMap<String, Value> {
    let groups = groups();
    let rules = list(&groups["groups"]).iter().flat_map(|group| list(&group["rules"]));
    let alerts: Vec<_> = rules.map(|rule| (text(&rule["alert"]).to_owned(), rule.clone())).collect();
    let by_name: BTreeMap<_, _> = alerts.iter().cloned().collect();
    assert!(by_name.len() == alerts.len() && by_name.len() > 20, "{:?}", by_name.keys());
    by_name
}

fn pages(alert: &Value) -> bool {
    alert["labels"]["severity"] == "page"
}

fn names(folder: &str, ending: &str) -> BTreeSet<String> {
    let files = std::fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap().file_name());
    files.filter_map(|name| name.to_str()?.strip_suffix(ending).map(str::to_owned)).collect()
}

/// A folder with the rules, for cases beside them.
fn with_rules() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("rules.yaml"), serde_yaml_ng::to_string(&groups()).unwrap()).unwrap();
    folder
}

#[test]
fn prometheus_takes_the_rules_and_tells_in_each_case_what_it_should() {
    let folder = with_rules();
    promtool::check_rules(&folder.path().join("rules.yaml")).unwrap();
    promtool::check_rules(&root().join("deploy/compose/rules.yaml")).unwrap();
    let copied = names(CASES, ".yaml").into_iter().map(|name| {
        let (name, to) = (format!("{name}.yaml"), folder.path().to_owned());
        std::fs::copy(root().join(CASES).join(&name), to.join(&name)).unwrap();
        to.join(name)
    });
    promtool::test_rules(&copied.collect::<Vec<PathBuf>>()).unwrap();
}

/// What an alert looks at first: the series that make it fire. What it says after that keeps it silent.
struct Looks {
    metric: String,
    /// Label, operator, value.
    labels: Vec<[String; 3]>,
    /// Which values make it fire, where that is said of the series itself.
    fires: Option<Comparison>,
}

/// What an expression says of a number.
enum Comparison {
    Is(f64),
    Above(f64),
    Below(f64),
    /// Of a counter: that it went up.
    Rises,
}

impl Comparison {
    /// Of the series that it looks at, else of all that is around it; none: only with a function that this does not know.
    fn new(expr: &str, beside: Option<&str>) -> Option<Self> {
        let number = |text: &str| text.split([' ', '\n']).next().unwrap_or_default().parse().ok();
        if let Some(value) = beside {
            return number(value).map(Self::Is);
        }
        if expr.contains("increase(") {
            return expr.ends_with("> 0").then_some(Self::Rises);
        }
        if expr.contains("time()") {
            return None;
        }
        let mut depth = 0;
        for (at, c) in expr.char_indices() {
            depth += i32::from("([{".contains(c)) - i32::from(")]}".contains(c));
            let rest = &expr[at..];
            let made = |operator: &str| rest.strip_prefix(operator).filter(|_| depth == 0).map(number);
            if let Some(value) = made("== ") {
                return value.map(Self::Is);
            }
            if let Some(value) = made("> ") {
                return value.map(Self::Above);
            }
            if let Some(value) = made("< ") {
                return value.map(Self::Below);
            }
        }
        None
    }

    /// Whether these samples of a series have such a value.
    fn is_in(&self, values: &str) -> bool {
        let part = Regex::new(r"^(\d+)(?:\+(\d+)x(\d+))?").unwrap();
        let ranges: Vec<[f64; 2]> = values
            .split(' ')
            .filter_map(|text| {
                let found = part.captures(text)?;
                let number = |n| found.get(n).map_or(0.0, |group| group.as_str().parse::<f64>().unwrap());
                Some([number(1), number(1) + number(2) * number(3)])
            })
            .collect();
        match *self {
            Self::Is(value) => ranges.iter().any(|[least, most]| (*least..=*most).contains(&value)),
            Self::Above(value) => ranges.iter().any(|[_, most]| *most > value),
            Self::Below(value) => ranges.iter().any(|[least, _]| *least < value),
            Self::Rises => {
                let points: Vec<f64> = ranges.into_iter().flatten().collect();
                points.windows(2).any(|pair| pair[0] < pair[1])
            }
        }
    }
}

impl Looks {
    fn new(expr: &str) -> Self {
        let selector = Regex::new(r"(weir_\w+)(?:\{([^}]*)\})?(?: == (\d))?").unwrap();
        let found = selector.captures(expr).unwrap_or_else(|| panic!("{expr} looks at nothing"));
        let group = |n| found.get(n).map(|group| group.as_str().to_owned());
        let labels = group(2).unwrap_or_default();
        let fires = Comparison::new(expr, group(3).as_deref());
        Self { metric: group(1).unwrap(), labels: matchers(&labels), fires }
    }

    /// Whether these samples of a series could make it fire.
    fn sees(&self, series: &str, values: &str) -> bool {
        let (metric, rest) = series.split_once('{').unwrap_or((series, ""));
        let labels = matchers(rest);
        let holds = |[label, operator, wanted]: &[String; 3]| {
            let is = labels.iter().find(|[name, ..]| name == label).map_or("", |[.., value]| value.as_str());
            let fits = || Regex::new(&format!("^(?:{wanted})$")).unwrap().is_match(is);
            match operator.as_str() {
                "=" => is == wanted,
                "!=" => is != wanted,
                "=~" => fits(),
                _ => !fits(),
            }
        };
        let has = |fires: &Comparison| fires.is_in(values);
        metric == self.metric && self.labels.iter().all(holds) && self.fires.as_ref().is_none_or(has)
    }
}

fn matchers(labels: &str) -> Vec<[String; 3]> {
    let matcher = Regex::new(r#"(\w+)(=~|!~|!=|=)"([^"]*)""#).unwrap();
    matcher.captures_iter(labels).map(|found| found.extract().1.map(str::to_owned)).collect()
}

/// A case is not of its own where it asks many alerts for one thing.
const FEW: usize = 4;

#[test]
fn each_alert_fires_in_a_case_and_is_silent_in_another() {
    let alerts = alerts();
    let looks: BTreeMap<_, _> = alerts.iter().map(|(name, alert)| (name, Looks::new(text(&alert["expr"])))).collect();
    let (mut fires, mut silent) = (BTreeSet::new(), BTreeSet::new());
    for file in names(CASES, ".yaml") {
        let cases = yaml(&root().join(CASES).join(format!("{file}.yaml")));
        for case in list(&cases["tests"]) {
            let (mut firing, mut asked) = (BTreeSet::new(), BTreeSet::new());
            for told in list(&case["alert_rule_test"]) {
                let name = text(&told["alertname"]);
                assert!(alerts.contains_key(name), "{file}: there is no alert {name}");
                asked.insert(name.to_owned());
                if !list(&told["exp_alerts"]).is_empty() {
                    firing.insert(name.to_owned());
                }
            }
            // Silent without what would make it fire is silent whatever the alert says.
            let series = list(&case["input_series"]);
            let sees = |name: &String| {
                series.iter().any(|series| looks[name].sees(text(&series["series"]), text(&series["values"])))
            };
            if asked.len() <= FEW {
                silent.extend(asked.iter().filter(|name| !firing.contains(*name) && sees(name)).cloned());
            }
            fires.extend(firing);
        }
    }
    let all: BTreeSet<_> = alerts.into_keys().collect();
    assert_eq!(fires, all, "each has a case in {CASES} in which it fires");
    assert_eq!(silent, all, "each has a case of its own in {CASES} in which it is silent, although it sees what fires");
}

#[test]
fn each_alert_that_wakes_somebody_has_its_page() {
    let manifest: toml::Table = std::fs::read_to_string(root().join("Cargo.toml")).unwrap().parse().unwrap();
    let repository = manifest["workspace"]["package"]["repository"].as_str().unwrap();
    let (alerts, mut waking) = (alerts(), BTreeSet::new());
    for (name, alert) in &alerts {
        let url = &alert["annotations"]["runbook_url"];
        if pages(alert) {
            assert_eq!(text(url), format!("{repository}/blob/main/{RUNBOOKS}/{name}.md"));
            waking.insert(name.clone());
        } else {
            assert!(url.is_null() && alert["labels"]["severity"] == "ticket", "{name}: {alert:?}");
        }
    }
    let mut there = names(RUNBOOKS, ".md");
    assert!(there.remove("README"), "an index");
    assert_eq!(there, waking, "the pages, and the alerts that wake somebody");
    let index = std::fs::read_to_string(root().join(RUNBOOKS).join("README.md")).unwrap();
    for name in &waking {
        assert!(index.contains(&format!("[{name}]({name}.md)")), "the index names {name}");
        let page = std::fs::read_to_string(root().join(RUNBOOKS).join(format!("{name}.md"))).unwrap();
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        let headings: Vec<_> = page.lines().filter_map(|line| line.strip_prefix("## ")).collect();
        assert_eq!(headings, HEADINGS, "{name}");
    }
    for (name, alert) in alerts.iter().filter(|(_, alert)| !pages(alert)) {
        assert!(index.contains(&format!("`{name}`")), "the index names {name}: {alert:?}");
    }
}

#[test]
fn weir_takes_what_the_pages_say_to_run() {
    let mut taken = 0;
    for page in names(RUNBOOKS, ".md") {
        let text = std::fs::read_to_string(root().join(RUNBOOKS).join(format!("{page}.md"))).unwrap();
        for arguments in commands(&text) {
            taken += 1;
            let said = weir::cmd::check_arguments(arguments.split_whitespace());
            assert_eq!(said, Ok(()), "{page}: weir {arguments}");
        }
    }
    assert!(taken > 80, "{taken}");
}

/// The arguments of each `weir` that a page says to run: in lines of code, and in its sentences.
fn commands(page: &str) -> Vec<&str> {
    let (mut found, mut is_code) = (Vec::new(), false);
    for line in page.lines() {
        is_code ^= line.starts_with("```");
        if is_code {
            // It may run in a pod. After other words it is the namespace.
            let program = line.rsplit_once("weir ").filter(|(before, _)| before.is_empty() || before.ends_with("-- /"));
            found.extend(program.map(|(_, arguments)| arguments));
        } else {
            let within = line.split('`').skip(1).step_by(2);
            found.extend(within.filter_map(|code| code.strip_prefix("weir ")));
        }
    }
    found
}

/// The checks of class `page` that the table of docs/health.md has.
fn checks() -> BTreeSet<String> {
    let page = std::fs::read_to_string(root().join("docs/health.md")).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| check | class |")).skip(2);
    let mut checks = BTreeSet::new();
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        if cells[2].contains("page") {
            let names = cells[1].split('`').skip(1).step_by(2);
            checks.extend(names.map(|name| name.replace("<name>", "any")));
        }
    }
    checks
}

/// What Prometheus says itself, because it alone knows how it reads the expressions.
#[test]
fn each_check_that_wakes_somebody_has_one_alert() {
    let (alerts, mut checks) = (alerts(), checks());
    for (own, alert) in OWN {
        assert!(checks.remove(own), "docs/health.md has {own}");
        assert!(alerts.contains_key(alert), "{alert}");
    }
    assert!(checks.len() > 25, "{checks:?}");
    // Each in an instance of its own, so that none explains another.
    let series = |(n, check): (usize, &str)| {
        let labels = format!("instance=\"{n}\",service=\"any\",check=\"{check}\",action=\"page\"");
        format!("      - {{series: 'weir_check_state{{{labels}}}', values: 2x40}}\n")
    };
    let once = |check: &str| format!("          - {{labels: '{{check=\"{check}\"}}', value: 1}}\n");
    let expected = |told: &str, checks: String| {
        let expr = format!("count by (check) (ALERTS{{alertstate=\"firing\",{told}}})");
        format!("      - expr: {expr}\n        eval_time: 5m\n        exp_samples:\n{checks}")
    };
    let unknown = "a_check_that_is_new";
    let all = || checks.iter().map(String::as_str).chain([unknown]);
    let case = [
        "rule_files: [rules.yaml]\nevaluation_interval: 15s\ntests:\n  - interval: 15s\n    input_series:\n".to_owned(),
        all().enumerate().map(series).collect(),
        "    promql_expr_test:\n".to_owned(),
        expected("check!=\"\"", all().map(once).collect()),
        expected("alertname=\"WeirCheckFailing\"", once(unknown)),
    ];
    let folder = with_rules();
    let file = folder.path().join("checks.yaml");
    std::fs::write(&file, case.concat()).unwrap();
    promtool::test_rules(&[file]).unwrap();
}
