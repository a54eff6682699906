use common::raw::v1::{Delivery, Header};
use common::registrations::Registrations;

use crate::Source as _;
use crate::github::GitHub;

use super::*;

fn activities(kind: &str, body: &str) -> Vec<Activity> {
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    let delivery = Delivery {
        headers: vec![header("x-github-event", kind), header("x-github-delivery", "guid")],
        body: body.as_bytes().to_vec().into(),
        ..Delivery::default()
    };
    let parsed = GitHub.parse(&delivery, &Registrations::default());
    let event = parsed.events().next().unwrap_or_else(|| panic!("{kind}: {parsed:?}"));
    assert_ne!(event.topic, "events.github.other");
    event.activities.clone()
}

#[test]
fn verbs_of_actions() {
    let cases = [
        ("issues", "opened", "issue", Verb::Open),
        ("issues", "closed", "issue", Verb::Close),
        ("issues", "reopened", "issue", Verb::Reopen),
        ("issues", "edited", "issue", Verb::Edit),
        ("issues", "deleted", "issue", Verb::Delete),
        ("issues", "labeled", "issue", Verb::Update),
        ("issues", "not_yet_invented", "issue", Verb::Update),
        ("pull_request", "opened", "pull_request", Verb::Open),
        ("pull_request", "closed", "pull_request", Verb::Close),
        ("pull_request", "synchronize", "pull_request", Verb::Push),
        ("pull_request", "review_requested", "pull_request", Verb::Update),
        ("pull_request_review", "submitted", "review", Verb::Review),
        ("pull_request_review", "dismissed", "review", Verb::Update),
        ("pull_request_review_comment", "created", "comment", Verb::Comment),
        ("pull_request_review_thread", "resolved", "thread", Verb::Close),
        ("pull_request_review_thread", "unresolved", "thread", Verb::Reopen),
        ("issue_comment", "created", "comment", Verb::Comment),
        ("issue_comment", "edited", "comment", Verb::Edit),
        ("issue_comment", "deleted", "comment", Verb::Delete),
        ("commit_comment", "created", "comment", Verb::Comment),
        ("discussion", "created", "discussion", Verb::Open),
        ("discussion", "answered", "discussion", Verb::Update),
        ("discussion_comment", "created", "comment", Verb::Comment),
        ("label", "created", "label", Verb::Post),
        ("milestone", "closed", "milestone", Verb::Close),
        ("milestone", "opened", "milestone", Verb::Reopen),
        ("release", "published", "release", Verb::Post),
        ("release", "released", "release", Verb::Update),
        ("repository", "created", "repository", Verb::Post),
        ("repository", "archived", "repository", Verb::Update),
        ("repository", "deleted", "repository", Verb::Delete),
        ("public", "", "repository", Verb::Update),
        ("star", "created", "repository", Verb::Follow),
        ("star", "deleted", "repository", Verb::Unfollow),
        ("watch", "started", "repository", Verb::Follow),
        ("fork", "", "repository", Verb::Share),
        ("package", "published", "package", Verb::Post),
        ("member", "removed", "member", Verb::Update),
        ("membership", "added", "member", Verb::Update),
        ("organization", "renamed", "organization", Verb::Update),
        ("team", "created", "team", Verb::Post),
        ("team_add", "", "team", Verb::Update),
        ("installation", "created", "installation", Verb::OptIn),
        ("installation", "deleted", "installation", Verb::Delete),
        ("installation_repositories", "added", "installation", Verb::Update),
        ("workflow_run", "requested", "workflow_run", Verb::Start),
        ("workflow_run", "in_progress", "workflow_run", Verb::Start),
        ("workflow_run", "completed", "workflow_run", Verb::Complete),
        ("workflow_job", "queued", "workflow_job", Verb::Start),
        ("workflow_job", "waiting", "workflow_job", Verb::Start),
        ("workflow_job", "completed", "workflow_job", Verb::Complete),
        ("workflow_dispatch", "", "workflow", Verb::Start),
        ("repository_dispatch", "deploy", "client_payload", Verb::Start),
        ("check_run", "created", "check_run", Verb::Start),
        ("check_run", "completed", "check_run", Verb::Complete),
        ("check_run", "requested_action", "check_run", Verb::Update),
        ("check_suite", "requested", "check_suite", Verb::Start),
        ("check_suite", "completed", "check_suite", Verb::Complete),
        ("deployment", "created", "deployment", Verb::Start),
        ("page_build", "", "build", Verb::Complete),
        ("merge_group", "checks_requested", "merge_group", Verb::Start),
        ("merge_group", "destroyed", "merge_group", Verb::Complete),
    ];
    for (kind, action, member, verb) in cases {
        let body = format!(r#"{{"action":"{action}","{member}":{{"id":7}},"sender":{{"login":"mia","type":"Bot"}}}}"#);
        let activities = activities(kind, &body);
        assert_eq!(activities.len(), 1, "{kind} {action}");
        assert_eq!(activities[0].verb(), verb, "{kind} {action}");
        assert_eq!(activities[0].actor.as_ref().map(|actor| (&*actor.handle, &*actor.r#type)), Some(("mia", "bot")));
    }
}

#[test]
fn a_closed_pull_request_is_merged_or_not() {
    for (about, verb, status) in [
        (r#"{"state":"closed","merged":true}"#, Verb::Merge, "merged"),
        (r#"{"state":"closed","merged_at":"2026-01-01T00:00:00Z"}"#, Verb::Merge, "merged"),
        (r#"{"state":"closed","merged":false,"merged_at":null}"#, Verb::Close, "closed"),
    ] {
        let closed = &activities("pull_request", &format!(r#"{{"action":"closed","pull_request":{about}}}"#))[0];
        assert_eq!((closed.verb(), closed.object.as_ref().unwrap().status.as_str()), (verb, status));
    }
}

#[test]
fn states_of_machines() {
    let status = |activity: &Activity| activity.object.as_ref().unwrap().status.clone();
    let run = r#"{"action":"completed","workflow_run":{"status":"completed","conclusion":"timed_out"}}"#;
    assert_eq!(status(&activities("workflow_run", run)[0]), "timed_out");
    let run = r#"{"action":"in_progress","workflow_run":{"status":"in_progress","conclusion":null}}"#;
    assert_eq!(status(&activities("workflow_run", run)[0]), "in_progress");
    let check = r#"{"action":"created","check_run":{"status":"completed","conclusion":"success"}}"#;
    assert_eq!(activities("check_run", check)[0].verb(), Verb::Complete);
    for (state, verb) in [
        ("pending", Verb::Start),
        ("in_progress", Verb::Start),
        ("success", Verb::Complete),
        ("error", Verb::Complete),
        ("inactive", Verb::Update),
    ] {
        let body = format!(r#"{{"deployment":{{"id":1}},"deployment_status":{{"state":"{state}"}}}}"#);
        assert_eq!(activities("deployment_status", &body)[0].verb(), verb, "{state}");
    }
    for (state, verb) in [("pending", Verb::Start), ("failure", Verb::Complete)] {
        let activity = &activities("status", &format!(r#"{{"state":"{state}","context":"ci/x","sha":"abc"}}"#))[0];
        assert_eq!((activity.verb(), status(activity).as_str()), (verb, state));
        let target = activity.target.as_ref().unwrap();
        assert_eq!((target.r#type.as_str(), target.id.as_str()), ("commit", "abc"));
        assert_eq!(activity.object.as_ref().unwrap().title, "ci/x");
    }
}

#[test]
fn a_comment_is_on_an_issue_or_on_a_pull_request() {
    for (issue, kind) in [(r#"{"id":1}"#, "issue"), (r#"{"id":1,"pull_request":{"url":"x"}}"#, "pull_request")] {
        let body = format!(r#"{{"action":"created","issue":{issue},"comment":{{"id":2,"body":"words"}}}}"#);
        let comment = &activities("issue_comment", &body)[0];
        let target = comment.target.as_ref().unwrap();
        assert_eq!((target.r#type.as_str(), target.id.as_str()), (kind, "1"));
        assert_eq!(comment.text.as_deref(), Some("words"));
    }
    let deleted = r#"{"action":"deleted","issue":{"id":1},"comment":{"id":2,"body":"words"}}"#;
    assert_eq!(activities("issue_comment", deleted)[0].text, None);
}

#[test]
fn pushes_of_branches_and_tags() {
    for (body, verb, kind, title) in [
        (r#"{"ref":"refs/heads/a/b","after":"abc"}"#, Verb::Push, "branch", "a/b"),
        (r#"{"ref":"refs/tags/v1","created":true}"#, Verb::Push, "tag", "v1"),
        (r#"{"ref":"refs/heads/old","deleted":true}"#, Verb::Delete, "branch", "old"),
        (r#"{"ref":"refs/notes/x"}"#, Verb::Push, "ref", "refs/notes/x"),
        (r"{}", Verb::Push, "ref", ""),
    ] {
        let push = &activities("push", body)[0];
        let object = push.object.as_ref().unwrap();
        assert_eq!((push.verb(), object.r#type.as_str(), object.title.as_str()), (verb, kind, title), "{body}");
    }
    // Where nobody is the sender, who pushed is told by name.
    let push = &activities("push", r#"{"ref":"refs/heads/a","pusher":{"name":"Mia","email":"m@x"}}"#)[0];
    assert_eq!(push.actor.as_ref().unwrap().name, "Mia");
}

#[test]
fn without_its_object_an_event_makes_no_activity() {
    for kind in KINDS.iter().map(|kind| kind.names[0]) {
        let none = activities(kind, r#"{"action":"created","sender":{"login":"mia"}}"#);
        let by_itself = ["push", "create", "delete", "status", "workflow_dispatch", "repository_dispatch"];
        assert_eq!(none.is_empty(), !by_itself.contains(&kind), "{kind}: {none:?}");
    }
}

#[test]
fn an_actor_has_what_is_known() {
    let user: UserInfo =
        json::read(serde_json::from_str(r#"{"id":1,"type":"Organization"}"#).unwrap(), "", &mut Default::default());
    let expected = Actor { id: "1".to_owned(), r#type: "organization".to_owned(), ..Actor::default() };
    assert_eq!(actor(&user), expected);
}
