use std::collections::BTreeMap;

use super::*;
use crate::github::v1::{PullRequestInfo, RepositoryInfo, UserInfo, WorkflowRunInfo};
use crate::json::{self, FromJson};

/// What a message carries of an object: the message, and the rest by its path.
fn read<T: FromJson + Default>(sent: Value) -> (T, BTreeMap<String, String>) {
    let Value::Object(object) = sent else { panic!() };
    let mut unknown = BTreeMap::new();
    (json::read(object, "", &mut unknown), unknown)
}

fn derived(message: &str, name: &str, carried: &Value) -> Option<Value> {
    of(message).unwrap().derive(name, |path| Carried::at(carried.as_object().unwrap(), path))
}

/// A repository as GitHub sends it, on any host.
fn repository(web: &str, api: &str, url: &str) -> Value {
    serde_json::json!({
        "id": 7, "full_name": "lock/gate", "url": url, "html_url": format!("{web}/lock/gate"),
        "clone_url": format!("{web}/lock/gate.git"), "ssh_url": "git@git.example:lock/gate.git",
        "git_url": format!("git:{}/lock/gate.git", web.strip_prefix("https:").unwrap()), "svn_url": format!("{web}/lock/gate"),
        "archive_url": format!("{api}/repos/lock/gate/{{archive_format}}{{/ref}}"),
        "compare_url": format!("{api}/repos/lock/gate/compare/{{base}}...{{head}}"),
        "forks_url": format!("{api}/repos/lock/gate/forks"), "keys_url": format!("{api}/repos/lock/gate/keys{{/key_id}}"),
        "notifications_url": format!("{api}/repos/lock/gate/notifications{{?since,all,participating}}"),
    })
}

const HOSTS: [(&str, &str); 3] = [
    ("https://github.com", "https://api.github.com"),
    ("https://octo.ghe.com", "https://api.octo.ghe.com"),
    ("https://git.example", "https://git.example/api/v3"),
];

#[test]
fn what_follows_is_not_carried_whatever_the_host_is() {
    for (web, api) in HOSTS {
        let sent = repository(web, api, &format!("{api}/repos/lock/gate"));
        let (message, unknown) = read::<RepositoryInfo>(sent.clone());
        assert_eq!(unknown, BTreeMap::new());
        assert_eq!(message.clone_url.unwrap(), format!("{web}/lock/gate.git"));
        let carried = serde_json::json!({
            "url": message.url, "html_url": message.html_url, "clone_url": sent["clone_url"],
        });
        for name in ["archive_url", "compare_url", "forks_url", "git_url", "keys_url", "notifications_url", "svn_url"] {
            assert_eq!(derived("weir.github.v1.RepositoryInfo", name, &carried), Some(sent[name].clone()), "{name}");
        }
    }
}

/// The `url` of a repository in a push is that of its page.
#[test]
fn one_address_of_a_push_is_carried_and_the_others_follow_from_it() {
    for (web, api) in HOSTS {
        let sent = repository(web, api, &format!("{web}/lock/gate"));
        let (_, unknown) = read::<RepositoryInfo>(sent.clone());
        let forks = format!("{api}/repos/lock/gate/forks");
        assert_eq!(unknown, BTreeMap::from([("/forks_url".to_owned(), format!("{forks:?}"))]));
        let carried = serde_json::json!({ "url": sent["url"], "forks_url": forks });
        assert_eq!(derived("weir.github.v1.RepositoryInfo", "keys_url", &carried), Some(sent["keys_url"].clone()));
    }
}

#[test]
fn what_differs_in_anything_is_carried_as_it_was_sent() {
    let url = "https://git.example/api/v3/users/ann";
    for other in [
        serde_json::json!(format!("{url}/orgs/")),
        serde_json::json!(format!("{url}/org")),
        serde_json::json!(url),
        serde_json::json!(""),
        serde_json::json!("https://git.example/api/v3/users/bob/orgs"),
        serde_json::json!(format!("{url}/orgs\u{fffd}")),
        serde_json::json!(null),
        serde_json::json!(7),
        serde_json::json!([format!("{url}/orgs")]),
    ] {
        let (message, unknown) = read::<UserInfo>(serde_json::json!({ "url": url, "organizations_url": other }));
        assert_eq!(message.url.as_deref(), Some(url));
        assert_eq!(unknown, BTreeMap::from([("/organizations_url".to_owned(), other.to_string())]));
    }
    // Without what it would follow from, too; and where that is no text, or half of a pair stood in it.
    let address = "https://git.example/api/v3/users/ann/orgs";
    let kept = BTreeMap::from([("/organizations_url".to_owned(), format!("{address:?}"))]);
    assert_eq!(read::<UserInfo>(serde_json::json!({ "organizations_url": address })).1, kept);
    let (_, unknown) = read::<UserInfo>(serde_json::json!({ "url": [url], "organizations_url": address }));
    assert_eq!(unknown["/organizations_url"], kept["/organizations_url"]);
    let half = serde_json::json!({ "url": "https://x/\u{fffd}", "organizations_url": "https://x/\u{fffd}/orgs" });
    assert_eq!(read::<UserInfo>(half).1.len(), 1);
}

#[test]
fn links_are_left_out_as_a_whole_or_not_at_all() {
    let pull = "https://api.github.com/repos/lock/gate/pulls/5";
    let sent = serde_json::json!({
        "url": pull, "html_url": "https://github.com/lock/gate/pull/5", "number": 5, "head": { "sha": "c0ffee" },
        "issue_url": "https://api.github.com/repos/lock/gate/issues/5",
        "statuses_url": "https://api.github.com/repos/lock/gate/statuses/c0ffee",
        "_links": {
            "self": { "href": pull }, "html": { "href": "https://github.com/lock/gate/pull/5" },
            "issue": { "href": "https://api.github.com/repos/lock/gate/issues/5" },
            "comments": { "href": "https://api.github.com/repos/lock/gate/issues/5/comments" },
            "review_comments": { "href": format!("{pull}/comments") },
            "review_comment": { "href": "https://api.github.com/repos/lock/gate/pulls/comments{/number}" },
            "commits": { "href": format!("{pull}/commits") },
            "statuses": { "href": "https://api.github.com/repos/lock/gate/statuses/c0ffee" },
        },
    });
    assert_eq!(read::<PullRequestInfo>(sent.clone()).1, BTreeMap::new());
    let carried = serde_json::json!({
        "url": pull, "html_url": sent["html_url"], "number": 5, "head": { "sha": "c0ffee" },
    });
    assert_eq!(derived("weir.github.v1.PullRequestInfo", "_links", &carried), Some(sent["_links"].clone()));
    let change = |change: fn(&mut Value)| {
        let mut sent = sent.clone();
        change(&mut sent["_links"]);
        assert_eq!(read::<PullRequestInfo>(sent.clone()).1["/_links"], sent["_links"].to_string());
    };
    change(|links| links["diff"] = serde_json::json!({ "href": "https://github.com/lock/gate/pull/5.diff" }));
    change(|links| links["self"]["title"] = Value::Null);
    change(|links| links["self"]["href"] = "https://api.github.com/repos/lock/gate/pulls/6".into());
    change(|links| drop(links.as_object_mut().unwrap().remove("self")));
    change(|links| *links = serde_json::json!({}));
}

/// `<head.sha>` and `<workflow_id>` are ids that platforms send as texts and as numbers.
#[test]
fn numbers_in_a_template_are_their_text() {
    for id in [serde_json::json!(289_782_451), serde_json::json!("289782451")] {
        let (run, unknown) = read::<WorkflowRunInfo>(serde_json::json!({
            "url": "https://api.github.com/repos/lock/gate/actions/runs/1", "workflow_id": id,
            "workflow_url": "https://api.github.com/repos/lock/gate/actions/workflows/289782451",
        }));
        assert_eq!((run.workflow_id.as_deref(), unknown.len()), (Some("289782451"), 0));
    }
}

#[test]
fn a_cut_takes_the_last_and_needs_to_be_there() {
    let comment = |issue: &str| {
        let carried = serde_json::json!({ "issue_url": issue, "id": 3 });
        derived("weir.github.v1.CommentInfo", "url", &carried)
    };
    assert_eq!(
        comment("https://x/repos/issues/issues/issues/1").unwrap(),
        "https://x/repos/issues/issues/issues/comments/3"
    );
    assert_eq!(comment("https://x/repos/a/b"), None);
    assert_eq!(
        derived("weir.github.v1.RepositoryInfo", "git_url", &serde_json::json!({ "clone_url": "http://x" })),
        None
    );
    assert_eq!(derived("weir.github.v1.RepositoryInfo", "no_such_member", &serde_json::json!({})), None);
    assert!(of("weir.github.v1.Push").is_none());
}

#[test]
fn an_object_with_very_many_members_is_carried_behind_them() {
    let mut object = Object::new();
    let url = "https://x/users/ann";
    object.insert("url".to_owned(), url.into());
    object.insert("repos_url".to_owned(), format!("{url}/repos").into());
    for at in 0..300 {
        object.insert(format!("many_{at:03}"), Value::Null);
    }
    let (message, unknown) = read::<UserInfo>(Value::Object(object));
    assert_eq!((message.url.as_deref(), unknown.len()), (Some(url), 301));
    assert_eq!(unknown["/repos_url"], format!("\"{url}/repos\""));
}

#[test]
fn what_has_a_field_by_now_is_carried_and_can_be_derived_for_events_of_before() {
    static USER: Addresses = Addresses {
        members: &[Member { path: "url", cut: Cut::Nothing }],
        templates: &[
            Named { name: "gists", template: Template::Text(&[Part::Member(0), Part::Text("/g")]), carried: true },
            Named { name: "repos", template: Template::Text(&[Part::Member(0), Part::Text("/r")]), carried: false },
        ],
    };
    let sent = serde_json::json!({ "gists": "x/g", "repos": "x/r", "url": "x" });
    let left_out = USER.left_out(sent.as_object().unwrap());
    assert_eq!([0, 1, 2].map(|position| left_out.has(position)), [false, true, false]);
    assert_eq!(USER.derive("gists", |_| Carried::Text("x".into())), Some("x/g".into()));
}

#[test]
fn every_table_is_found_by_its_name() {
    for (message, addresses) in TABLES {
        assert!(std::ptr::eq(of(message).unwrap(), *addresses));
        assert!(addresses.names().is_sorted() && addresses.names().next().is_some());
    }
}
