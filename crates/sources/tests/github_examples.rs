//! Real deliveries of GitHub: every one is understood, and no value of any is lost.

#![allow(clippy::unwrap_used, reason = "a test says by it what it expects")]

mod leaves;

use std::collections::BTreeMap;
use std::path::PathBuf;

use common::raw::v1::{Delivery, Header};
use common::registrations::Registrations;
use serde_json::Value;
use sources::{Item, Source as _};

/// Kinds of the examples that have no message of their own, on purpose.
const UNTYPED: &[&str] = &[
    "branch_protection_rule",
    "cache_sync",
    "code_scanning_alert",
    "dependabot_alert",
    "deployment_review",
    "marketplace_purchase",
    "meta",
    "org_block",
    "project",
    "project_card",
    "project_column",
    "projects_v2_item",
    "repository_import",
    "repository_vulnerability_alert",
    "secret_scanning_alert_location",
    "security_advisory",
    "sponsorship",
    "user",
];

#[allow(clippy::disallowed_methods, reason = "a test is told where its data is by the environment")]
#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
fn test_data() -> Option<PathBuf> {
    let folder = std::env::var("WEIR_TEST_DATA").ok().map(PathBuf::from);
    if folder.is_none() {
        println!("skipped: WEIR_TEST_DATA is not set");
    }
    folder
}

#[test]
fn no_value_of_any_example_is_lost() {
    let Some(folder) = test_data() else { return };
    let file = folder.join("github_webhooks/octokit_examples.jsonl");
    let lines = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut ids = std::collections::BTreeSet::new();
    for (number, line) in lines.lines().enumerate() {
        let example: Value = serde_json::from_str(line).unwrap();
        let kind = example["event"].as_str().unwrap();
        let name = format!("line {}: {kind} {}", number + 1, example["action"]);
        let delivery = delivery(kind, number, &example["payload"]);

        let parsed = sources::github::GitHub.parse(&delivery, &Registrations::default());
        let [Item::Event(event)] = &parsed.items[..] else { panic!("{name}: {parsed:?}") };
        assert_eq!(leaves::missing_paths(&example["payload"], event), [], "{name}");
        assert_eq!(leaves::missing(&example["payload"], [event]), [""; 0], "{name}");

        let typed = !UNTYPED.contains(&kind);
        let topic = if typed { format!("events.github.{kind}") } else { "events.github.other".to_owned() };
        assert_eq!(event.topic, topic, "{name}");
        let silent = !typed || kind == "ping";
        assert_eq!(event.activities.is_empty(), silent, "{name}: {:?}", event.activities);
        for activity in &event.activities {
            assert_ne!(activity.verb, 0, "{name}");
            let object = activity.object.as_ref().unwrap();
            assert!(
                !(object.r#type.is_empty() || object.id.is_empty() && object.title.is_empty()),
                "{name}: {object:?}"
            );
        }
        let key = sources::github::GitHub.ordering_key(&http::HeaderMap::new(), &delivery.body);
        assert_eq!(key.unwrap_or_default(), event.account_id, "{name}");
        assert!(ids.insert(event.id), "{name}: the id of another example");
        *counts.entry(event.topic.to_string()).or_default() += 1;
    }
    assert_eq!(counts.values().sum::<usize>(), 258, "{counts:#?}");
}

#[test]
fn no_value_is_lost_of_older_deliveries_whatever_kind_they_are_taken_for() {
    let Some(folder) = test_data() else { return };
    let folder = folder.join("scm_webhooks/github");
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut taken = 0;
    for file in files.map(|entry| entry.unwrap().path()) {
        let sent: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        let own = file.file_stem().unwrap().to_str().unwrap().replace('-', "_");
        for kind in
            [own.as_str(), "push", "issues", "check_run", "status", "workflow_job", "pull_request_review_thread"]
        {
            let parsed = sources::github::GitHub.parse(&delivery(kind, taken, &sent), &Registrations::default());
            let [Item::Event(event)] = &parsed.items[..] else { panic!("{}: {parsed:?}", file.display()) };
            assert_eq!(leaves::missing_paths(&sent, event), [], "{} as {kind}", file.display());
        }
        taken += 1;
    }
    assert_eq!(taken, 25);
}

fn delivery(kind: &str, number: usize, payload: &Value) -> Delivery {
    let header = |name: &str, value: String| Header { name: name.to_owned(), value };
    Delivery {
        delivery_id: format!("{number:032x}"),
        source: "github".to_owned(),
        endpoint: "gh".to_owned(),
        tenant: "acme".to_owned(),
        scheme: "hub-sha256".to_owned(),
        received_at: Some("2026-01-02T03:04:05Z".parse().unwrap()),
        headers: vec![
            header("x-github-event", kind.to_owned()),
            header("x-github-delivery", format!("00000000-0000-0000-0000-{number:012}")),
        ],
        body: payload.to_string().into(),
    }
}
