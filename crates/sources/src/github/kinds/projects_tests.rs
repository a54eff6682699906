use super::activities_tests::{activities, part};
use super::*;

fn one(kind: &str, action: &str, members: &str) -> Activity {
    let owner = r#""organization":{"id":6,"login":"o"},"sender":{"login":"mia"}"#;
    let mut all = activities(kind, &format!(r#"{{"action":"{action}",{members},{owner}}}"#));
    assert_eq!(all.len(), 1, "{kind} {action}: {all:?}");
    all.remove(0)
}

#[test]
fn verbs_of_projects() {
    for (kind, action, verb) in [
        ("projects_v2", "created", Verb::Post),
        ("projects_v2", "edited", Verb::Edit),
        ("projects_v2", "closed", Verb::Close),
        ("projects_v2", "reopened", Verb::Reopen),
        ("projects_v2", "deleted", Verb::Delete),
        ("projects_v2_item", "created", Verb::Post),
        ("projects_v2_item", "edited", Verb::Update),
        ("projects_v2_item", "converted", Verb::Update),
        ("projects_v2_item", "archived", Verb::Update),
        ("projects_v2_item", "restored", Verb::Update),
        ("projects_v2_item", "reordered", Verb::Update),
        ("projects_v2_item", "deleted", Verb::Delete),
        ("projects_v2_status_update", "created", Verb::Post),
        ("projects_v2_status_update", "edited", Verb::Edit),
        ("projects_v2_status_update", "deleted", Verb::Delete),
    ] {
        let activity = one(kind, action, &format!(r#""{kind}":{{"id":7}}"#));
        assert_eq!((activity.verb(), activity.action.as_str()), (verb, action), "{kind}");
    }
}

#[test]
fn a_project_has_one_id_and_a_page() {
    let sent = r#""projects_v2":{"id":7,"node_id":"PVT_1","number":5,"title":"Floods","closed_at":null,
        "owner":{"login":"o","type":"Organization","html_url":"https://github.com/o"}}"#;
    let made = one("projects_v2", "created", sent);
    let object = made.object.as_ref().unwrap();
    assert_eq!((part(&made.object).as_str(), object.number, &*object.status), ("project:PVT_1", Some(5), "open"));
    assert_eq!(object.url, "https://github.com/orgs/o/projects/5");
    assert_eq!((part(&made.target).as_str(), &made.thread), ("organization:6", &made.object));
    let of_user = sent.replace("Organization", "User").replace("null", "\"2026-01-01T00:00:00Z\"");
    let object = one("projects_v2", "closed", &of_user).object.unwrap();
    assert_eq!((&*object.url, &*object.status), ("https://github.com/users/o/projects/5", "closed"));
    // What belongs to it names it by that id.
    for (kind, id) in [("projects_v2_item", "project_item:X_1"), ("projects_v2_status_update", "status_update:X_1")] {
        let of = one(kind, "created", &format!(r#""{kind}":{{"id":8,"node_id":"X_1","project_node_id":"PVT_1"}}"#));
        let parts = (part(&of.object), part(&of.target), part(&of.thread));
        assert_eq!(parts, (id.to_owned(), "project:PVT_1".to_owned(), "project:PVT_1".to_owned()));
    }
}

/// Of an item with these changes: verb, instrument, its title, words, status.
fn changed(changes: &str) -> (Verb, String, String, Option<String>, String) {
    let item = r#""projects_v2_item":{"node_id":"X_1","content_type":"Issue","content_node_id":"I_1"}"#;
    let of = one("projects_v2_item", "edited", &format!(r#"{item},"changes":{changes}"#));
    let title = of.instrument.as_ref().unwrap().title.clone();
    (of.verb(), part(&of.instrument), title, of.text.clone(), of.object.unwrap().status)
}

#[test]
fn which_field_of_an_item_has_which_value_now() {
    let field = |more: &str| format!(r#"{{"field_value":{{"field_node_id":"F_1","field_type":"text",{more}}}}}"#);
    let said = |title: &str, text: Option<&str>, status: &str| {
        (Verb::Update, "field:F_1".to_owned(), title.to_owned(), text.map(str::to_owned), status.to_owned())
    };
    let option = r#""field_name":"Status","from":null,"to":{"id":"4","name":"Done"}"#;
    assert_eq!(changed(&field(option)), said("Status", Some("Done"), "Done"));
    for (value, text) in [
        (r#""free words""#, Some("free words")),
        ("2.50", Some("2.50")),
        (r#"{"id":"1","title":"Week 7","duration":7}"#, Some("Week 7")),
        (r#"[{"name":"a"},{"name":"b"}]"#, Some("a, b")),
        ("null", None),
        ("{}", None),
        ("[]", None),
    ] {
        assert_eq!(changed(&field(&format!(r#""field_name":"Size","to":{value}"#))), said("Size", text, ""), "{value}");
    }
    // Before GitHub sent names and values.
    assert_eq!(changed(r#"{"field_value":{"field_node_id":"F_1","field_type":"text"}}"#), said("text", None, ""));
    // The words of a draft.
    let (verb, instrument, _, text, _) = changed(r#"{"body":{"from":"","to":"New words"}}"#);
    assert_eq!((verb, instrument.as_str(), text.as_deref()), (Verb::Edit, "issue:I_1", Some("New words")));
}

#[test]
fn what_an_item_stands_for() {
    for (kind, expected) in
        [("Issue", "issue:I_1"), ("PullRequest", "pull_request:I_1"), ("DraftIssue", "draft_issue:I_1")]
    {
        let item = format!(r#""projects_v2_item":{{"content_type":"{kind}","content_node_id":"I_1"}}"#);
        assert_eq!(part(&one("projects_v2_item", "created", &item).instrument), expected);
    }
    let archived = r#""projects_v2_item":{"id":1,"archived_at":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(one("projects_v2_item", "archived", archived).object.unwrap().status, "archived");
}

#[test]
fn each_of_two_issues_is_told_about_once() {
    let issues = r#""parent_issue":{"id":10,"number":1},"sub_issue":{"id":20,"number":2}"#;
    let told = |action: &str, more: &str| {
        let of = one("sub_issues", action, &format!(r#"{issues},"repository":{{"id":5}}{more}"#));
        assert_eq!((of.verb(), &of.object), (Verb::Update, &of.thread));
        (part(&of.object), part(&of.instrument))
    };
    let said = |object: &str, instrument: &str| (object.to_owned(), instrument.to_owned());
    let part_in = r#","sub_issue_repo":{"id":6}"#;
    for action in ["sub_issue_added", "sub_issue_removed"] {
        assert_eq!(told(action, part_in), said("issue:5#1", "issue:6#2"), "{action}");
    }
    let parent_in = r#","parent_issue_repo":{"id":6}"#;
    for action in ["parent_issue_added", "parent_issue_removed"] {
        assert_eq!(told(action, parent_in), said("issue:5#2", "issue:6#1"), "{action}");
    }
    // The repository of the other one is not known: no number of ours is its.
    assert_eq!(told("sub_issue_added", ""), said("issue:5#1", "issue:20"));
}
