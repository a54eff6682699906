//! Real deliveries of GitHub: every one is understood, and no value of any is lost.

#![allow(clippy::unwrap_used, reason = "a test says by it what it expects")]

mod leaves;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use common::activity::v1::{Activity, Verb};
use common::raw::v1::{Delivery, Header};
use common::registrations::Registrations;
use prost::Message as _;
use serde_json::Value;
use sources::{Item, Source as _};

/// What GitHub tells twice to those that ask for both: the second time it has a verb that nobody counts.
const TOLD_TWICE: &[&str] = &["repository_vulnerability_alert", "watch"];

/// Kinds of the examples that have no message of their own, on purpose.
const UNTYPED: &[&str] = &[
    "cache_sync",
    "marketplace_purchase",
    "meta",
    "project",
    "project_card",
    "project_column",
    "repository_import",
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
#[allow(clippy::print_stdout, reason = "the figures of what was measured")]
fn no_value_of_any_example_is_lost() {
    let Some(folder) = test_data() else { return };
    let file = folder.join("github_webhooks/octokit_examples.jsonl");
    let lines = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    let (mut bytes, mut unknown) = (0, 0);
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
        assert_eq!(event.activities.is_empty(), kind == "ping", "{name}: {:?}", event.activities);
        for activity in &event.activities {
            assert_ne!(activity.verb, 0, "{name}");
            assert_eq!(activity.verb() == Verb::Other, !typed || TOLD_TWICE.contains(&kind), "{name}");
            let object = activity.object.as_ref().unwrap();
            let named = !(object.id.is_empty() && object.title.is_empty());
            assert!(!object.r#type.is_empty() && (named || !typed), "{name}: {object:?}");
            says_what_and_where(&name, kind, &example["payload"], activity);
        }
        if typed {
            bytes += event.payload.len();
            unknown += size_of_unknown(event);
        }
        let key = sources::github::GitHub.ordering_key(&http::HeaderMap::new(), &delivery.body);
        assert_eq!(key.unwrap_or_default(), event.account_id, "{name}");
        assert!(ids.insert(event.id), "{name}: the id of another example");
        *counts.entry(event.topic.to_string()).or_default() += 1;
    }
    assert_eq!(counts.values().sum::<usize>(), 258, "{counts:#?}");
    println!("{bytes} bytes of typed events, {unknown} of them what has no field");
    assert!(unknown * 5 < bytes, "{unknown} of {bytes} bytes of the typed events are what has no field");
}

/// The bytes of an event that its unknown map takes.
fn size_of_unknown(event: &sources::ParsedEvent) -> usize {
    let mut rest = leaves::decode(event);
    rest.clear_field_by_name("unknown");
    event.payload.len() - rest.encoded_len()
}

/// The platform's word, the account with its name and page, and what it was done with.
fn says_what_and_where(name: &str, kind: &str, sent: &Value, activity: &Activity) {
    let action = sent["action"].as_str().unwrap_or(kind);
    assert!(activity.action == action || kind == "gollum", "{name}: {}", activity.action);
    // Purchases, advisories and new users are nobody's that has a webhook.
    let owned =
        ["repository", "organization", "installation", "enterprise"].iter().any(|owner| !sent[*owner]["id"].is_null());
    assert_eq!(activity.account.is_some(), owned, "{name}");
    if let Some(account) = &activity.account {
        let bare = account.r#type == "installation" && sent["installation"]["account"].is_null();
        assert!(bare || !(account.title.is_empty() || account.url.is_empty()), "{name}: {account:?}");
        assert_eq!(account.title, sent["repository"]["full_name"].as_str().unwrap_or(&account.title), "{name}");
    }
    let with =
        ["label", "assignee", "requested_reviewer", "milestone"].iter().find(|member| sent[**member].is_object());
    if let Some(member) = with.filter(|_| ["issues", "pull_request", "discussion"].contains(&kind)) {
        let title = ["name", "login", "title"].iter().find_map(|of| sent[*member][*of].as_str()).unwrap();
        assert_eq!(activity.instrument.as_ref().map(|with| with.title.as_str()), Some(title), "{name}");
    }
    if let Some(run) = sent["workflow_run"].as_object().filter(|_| kind == "workflow_run") {
        let said = activity.run.as_ref().unwrap();
        let workflow = text(&sent["workflow"]["name"]);
        assert_eq!((said.workflow.as_str(), said.url.as_str()), (workflow, text(&run["html_url"])), "{name}");
        assert_eq!(activity.branch, text(&run["head_branch"]), "{name}");
    }
    let is_comment = kind.ends_with("comment");
    assert!(!is_comment || activity.thread.is_some(), "{name}");
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The address of a thing's page is the oracle: what has one page has one id.
#[test]
fn a_thing_has_one_id_in_all_examples() {
    /// What has a page of its own. The examples call several repositories and users by one name.
    const PAGES: &[&str] = &[
        "issue",
        "pull_request",
        "discussion",
        "milestone",
        "release",
        "review",
        "commit",
        "comment",
        "code_scanning_alert",
        "secret_scanning_alert",
        "dependabot_alert",
        "security_advisory",
        "workflow_run",
    ];
    let Some(folder) = test_data() else { return };
    let lines = std::fs::read_to_string(folder.join("github_webhooks/octokit_examples.jsonl")).unwrap();
    let mut ids: BTreeMap<[String; 3], BTreeSet<String>> = BTreeMap::new();
    for (number, line) in lines.lines().enumerate() {
        let example: Value = serde_json::from_str(line).unwrap();
        let delivery = delivery(example["event"].as_str().unwrap(), number, &example["payload"]);
        let parsed = sources::github::GitHub.parse(&delivery, &Registrations::default());
        for event in parsed.events() {
            let parts = event.activities.iter().flat_map(|of| [&of.object, &of.target, &of.instrument, &of.thread]);
            for part in parts.flatten().filter(|part| !part.url.is_empty() && PAGES.contains(&part.r#type.as_str())) {
                let page = [event.account_id.clone(), part.r#type.clone(), part.url.clone()];
                ids.entry(page).or_default().insert(part.id.clone());
            }
        }
    }
    assert!(ids.len() > 20, "{}", ids.len());
    ids.retain(|_, ids| ids.len() > 1);
    assert!(ids.is_empty(), "{ids:#?}");
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
