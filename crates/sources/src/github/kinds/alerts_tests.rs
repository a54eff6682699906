use super::activities_tests::{activities, part};
use super::*;

const PLACE: &str = r#""repository":{"id":5,"html_url":"https://github.com/o/r"},"sender":{"login":"mia"}"#;

fn one(kind: &str, action: &str, members: &str) -> Activity {
    let mut all = activities(kind, &format!(r#"{{"action":"{action}",{members},{PLACE}}}"#));
    assert_eq!(all.len(), 1, "{kind} {action}: {all:?}");
    all.remove(0)
}

#[test]
fn an_alert_is_found_and_settled_and_may_come_back() {
    for (kind, action, verb) in [
        ("code_scanning_alert", "created", Verb::Open),
        ("code_scanning_alert", "fixed", Verb::Close),
        ("code_scanning_alert", "closed_by_user", Verb::Close),
        ("code_scanning_alert", "reopened", Verb::Reopen),
        ("code_scanning_alert", "reopened_by_user", Verb::Reopen),
        ("code_scanning_alert", "appeared_in_branch", Verb::Update),
        ("secret_scanning_alert", "created", Verb::Open),
        ("secret_scanning_alert", "resolved", Verb::Close),
        ("secret_scanning_alert", "revoked", Verb::Close),
        ("secret_scanning_alert", "reopened", Verb::Reopen),
        ("secret_scanning_alert", "validated", Verb::Update),
        ("secret_scanning_alert", "publicly_leaked", Verb::Update),
        // One place more is no alert more.
        ("secret_scanning_alert_location", "created", Verb::Update),
        ("dependabot_alert", "created", Verb::Open),
        ("dependabot_alert", "fixed", Verb::Close),
        ("dependabot_alert", "dismissed", Verb::Close),
        ("dependabot_alert", "auto_dismissed", Verb::Close),
        ("dependabot_alert", "reopened", Verb::Reopen),
        ("dependabot_alert", "auto_reopened", Verb::Reopen),
        ("dependabot_alert", "reintroduced", Verb::Reopen),
        // The same alert once more.
        ("repository_vulnerability_alert", "create", Verb::Other),
        ("repository_vulnerability_alert", "dismiss", Verb::Other),
        ("repository_vulnerability_alert", "resolve", Verb::Other),
    ] {
        let activity = one(kind, action, r#""alert":{"number":7}"#);
        assert_eq!((activity.verb(), activity.action.as_str()), (verb, action), "{kind}");
        assert_eq!(activity.object, activity.thread, "{kind}");
        assert_eq!(part(&activity.target), "repository:5", "{kind}");
    }
}

#[test]
fn an_alert_has_one_id_whatever_tells_of_it() {
    for (kind, expected, page) in [
        ("code_scanning_alert", "code_scanning_alert:5:code-scanning/7", "code-scanning/7"),
        ("secret_scanning_alert", "secret_scanning_alert:5:secret-scanning/7", "secret-scanning/7"),
        ("secret_scanning_alert_location", "secret_scanning_alert:5:secret-scanning/7", "secret-scanning/7"),
        ("dependabot_alert", "dependabot_alert:5:dependabot/7", "dependabot/7"),
        ("repository_vulnerability_alert", "dependabot_alert:5:dependabot/7", "dependabot/7"),
    ] {
        let object = |alert: &str| one(kind, "created", alert).object;
        let derived = object(r#""alert":{"id":70,"number":7}"#);
        assert_eq!(part(&derived), expected, "{kind}");
        assert_eq!(derived.as_ref().unwrap().number, Some(7));
        assert_eq!(derived.unwrap().url, format!("https://github.com/o/r/security/{page}"));
        if kind != "repository_vulnerability_alert" {
            assert_eq!(object(r#""alert":{"number":7,"html_url":"sent"}"#).unwrap().url, "sent", "{kind}");
        }
    }
    // Before alerts had numbers.
    let old = one("repository_vulnerability_alert", "create", r#""alert":{"id":70}"#).object;
    assert_eq!((part(&old).as_str(), old.unwrap().url.as_str()), ("dependabot_alert:70", ""));
}

#[test]
fn what_was_broken_and_by_which_rule() {
    let alert = r#""alert":{"number":7,"state":"open","rule":{"id":"a/b","description":"Words","help_uri":"u"},
        "tool":{"name":"Scan"},"most_recent_instance":{"message":{"text":"Here."}},"dismissed_comment":"Not so."},
        "ref":"refs/heads/a/b","commit_oid":"abc""#;
    let found = one("code_scanning_alert", "created", alert);
    let object = found.object.as_ref().unwrap();
    assert_eq!((object.title.as_str(), object.status.as_str()), ("Words", "open"));
    let rule = found.instrument.as_ref().unwrap();
    assert_eq!((part(&found.instrument).as_str(), &*rule.title, &*rule.url), ("rule:Scan:a/b", "a/b", "u"));
    assert_eq!((found.text.as_deref(), &*found.branch, &*found.commit), (Some("Here."), "a/b", "abc"));
    assert_eq!(one("code_scanning_alert", "closed_by_user", alert).text.as_deref(), Some("Not so."));
    // A pull request's own ref is no branch.
    let merge = r#""alert":{"number":7},"ref":"refs/pull/1/merge","commit_oid":"""#;
    let fixed = one("code_scanning_alert", "fixed", merge);
    assert_eq!((&*fixed.branch, &*fixed.commit, fixed.instrument), ("", "", None));
}

#[test]
fn an_alert_of_a_dependency_leads_to_its_advisory() {
    let advisory = r#""security_advisory":{"ghsa_id":"GHSA-1","summary":"Reads on",
        "references":[{"url":"https://x/1"},{"url":"https://github.com/advisories/GHSA-1"}]}"#;
    let of_advisory = one("security_advisory", "published", advisory);
    let alert = format!(r#""alert":{{"number":7,"state":"dismissed","dismissed_comment":"Fine.",{advisory}}}"#);
    let of_alert = one("dependabot_alert", "dismissed", &alert);
    assert_eq!(of_alert.instrument, of_advisory.object);
    assert_eq!(of_alert.text.as_deref(), Some("Fine."));
    assert_eq!(of_alert.object.as_ref().unwrap().title, "Reads on");
    let known = of_advisory.object.unwrap();
    assert_eq!((known.id.as_str(), known.url.as_str()), ("GHSA-1", "https://github.com/advisories/GHSA-1"));
    let older = one("repository_vulnerability_alert", "create", r#""alert":{"number":7,"ghsa_id":"GHSA-1"}"#);
    assert_eq!(part(&older.instrument), "security_advisory:GHSA-1");
}

#[test]
fn a_secret_has_a_state_a_kind_and_somebody_who_sees_to_it() {
    let alert = |more: &str| format!(r#""alert":{{"number":7,"secret_type":"gauge_key"{more}}}"#);
    let open = one("secret_scanning_alert", "created", &alert(r#","resolution":null"#));
    assert_eq!(open.object.as_ref().unwrap().status, "open");
    assert_eq!(part(&open.instrument), "secret_type:gauge_key");
    let resolved = r#","resolution":"revoked","resolution_comment":"Void.","secret_type_display_name":"Gauge key""#;
    let resolved = one("secret_scanning_alert", "resolved", &alert(resolved));
    let object = resolved.object.unwrap();
    assert_eq!((&*object.status, &*object.title, resolved.text.as_deref()), ("resolved", "Gauge key", Some("Void.")));
    let assigned = one("secret_scanning_alert", "assigned", &format!(r#"{},"assignee":{{"id":9}}"#, alert("")));
    assert_eq!(part(&assigned.instrument), "user:9");
}

#[test]
fn where_a_secret_was_found() {
    let found = |kind: &str, details: &str| {
        let members = format!(r#""alert":{{"number":7}},"location":{{"type":"{kind}","details":{details}}}"#);
        let activity = one("secret_scanning_alert_location", "created", &members);
        (part(&activity.instrument), activity.instrument.unwrap().url, activity.commit)
    };
    let said = |id: &str, url: &str, commit: &str| (id.to_owned(), url.to_owned(), commit.to_owned());
    let file = r#"{"path":"a/b.toml","start_line":3,"commit_sha":"abc"}"#;
    let page = "https://github.com/o/r/blob/abc/a/b.toml#L3";
    assert_eq!(found("commit", file), said("file:5:a/b.toml", page, "abc"));
    for (kind, details, expected) in [
        ("issue_title", r#"{"issue_title_url":"https://x/issues/17"}"#, "issue:5#17"),
        ("issue_body", r#"{"issue_body_url":"https://x/issues/17"}"#, "issue:5#17"),
        ("pull_request_title", r#"{"pull_request_title_url":"https://x/pulls/17"}"#, "pull_request:5#17"),
        ("pull_request_body", r#"{"pull_request_body_url":"https://x/pulls/17"}"#, "pull_request:5#17"),
        ("issue_comment", r#"{"issue_comment_url":"https://x/issues/comments/8"}"#, "comment:8"),
        ("pull_request_comment", r#"{"pull_request_comment_url":"https://x/issues/comments/8"}"#, "comment:8"),
        ("pull_request_review", r#"{"pull_request_review_url":"https://x/pulls/2/reviews/8"}"#, "review:8"),
        (
            "pull_request_review_comment",
            r#"{"pull_request_review_comment_url":"https://x/pulls/comments/8"}"#,
            "review_comment:8",
        ),
    ] {
        assert_eq!(found(kind, details), said(expected, "", ""), "{kind}");
    }
    let discussion = r#"{"discussion_body_url":"https://github.com/o/r/discussions/3"}"#;
    assert_eq!(
        found("discussion_body", discussion),
        said("discussion_body:", "https://github.com/o/r/discussions/3", "")
    );
    assert_eq!(found("not_yet_invented", "{}"), said("not_yet_invented:", "", ""));
}

#[test]
fn advisories_are_published_changed_and_withdrawn() {
    let known = r#""ghsa_id":"GHSA-1","description":"Words""#;
    for (kind, action, verb, text) in [
        ("security_advisory", "published", Verb::Post, Some("Words")),
        ("security_advisory", "updated", Verb::Edit, Some("Words")),
        ("security_advisory", "withdrawn", Verb::Close, None),
        ("repository_advisory", "reported", Verb::Open, Some("Words")),
        ("repository_advisory", "published", Verb::Post, Some("Words")),
    ] {
        let activity = one(kind, action, &format!(r#""{kind}":{{{known}}}"#));
        assert_eq!((activity.verb(), activity.text.as_deref()), (verb, text), "{kind} {action}");
        assert_eq!(part(&activity.object), format!("{kind}:GHSA-1"));
    }
    let withdrawn = r#""security_advisory":{"withdrawn_at":"2026-01-01T00:00:00Z"}"#;
    assert_eq!(one("security_advisory", "updated", withdrawn).object.unwrap().status, "withdrawn");
}
