use common::activity::v1::{Actor, Run};
use common::raw::v1::{Delivery, Header};
use common::registrations::Registrations;

use crate::Source as _;
use crate::github::GitHub;

use super::*;

pub(super) fn activities(kind: &str, body: &str) -> Vec<Activity> {
    let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
    let delivery = Delivery {
        headers: vec![header("x-github-event", kind), header("x-github-delivery", "guid")],
        body: body.as_bytes().to_vec().into(),
        ..Delivery::default()
    };
    let parsed = GitHub.parse(&delivery, &Registrations::default());
    let event = parsed.events().next().unwrap_or_else(|| panic!("{kind}: {parsed:?}"));
    assert_eq!(event.topic == "events.github.other", named(kind).is_none());
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
        ("watch", "started", "repository", Verb::Other),
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

/// What of one activity is asked, as `type:id`.
pub(super) fn part(part: &Option<Object>) -> String {
    part.as_ref().map_or(String::new(), |part| format!("{}:{}", part.r#type, part.id))
}

#[test]
fn what_it_was_done_with() {
    let cases = [
        ("issues", "labeled", r#""issue":{"id":1},"label":{"id":7}"#, "label:7"),
        ("issues", "unassigned", r#""issue":{"id":1},"assignee":{"id":7}"#, "user:7"),
        ("issues", "milestoned", r#""issue":{"id":1},"milestone":{"id":7}"#, "milestone:7"),
        ("issues", "typed", r#""issue":{"id":1},"type":{"id":7}"#, "issue_type:7"),
        ("issues", "locked", r#""issue":{"id":1}"#, ""),
        ("discussion", "labeled", r#""discussion":{"id":1},"label":{"id":7}"#, "label:7"),
        ("discussion", "answered", r#""discussion":{"id":1},"answer":{"id":7}"#, "comment:7"),
        ("pull_request", "labeled", r#""pull_request":{"id":1},"label":{"id":7}"#, "label:7"),
        ("pull_request", "assigned", r#""pull_request":{"id":1},"assignee":{"id":7}"#, "user:7"),
        ("pull_request", "milestoned", r#""pull_request":{"id":1},"milestone":{"id":7}"#, "milestone:7"),
        ("pull_request", "review_requested", r#""pull_request":{"id":1},"requested_reviewer":{"id":7}"#, "user:7"),
        ("pull_request", "review_requested", r#""pull_request":{"id":1},"requested_team":{"id":7}"#, "team:7"),
        ("check_run", "completed", r#""check_run":{"id":1,"app":{"id":7}}"#, "app:7"),
        ("package", "published", r#""package":{"id":1,"package_version":{"id":7}}"#, "package_version:7"),
        ("release", "published", r#""release":{"id":1,"tag_name":"v1"}"#, "tag:refs/tags/v1"),
        (
            "installation_repositories",
            "removed",
            r#""installation":{"id":1},"repositories_removed":[{"id":7}]"#,
            "repository:7",
        ),
        (
            "installation_repositories",
            "added",
            r#""installation":{"id":1},"repositories_added":[{"id":7},{"id":8}]"#,
            "",
        ),
    ];
    for (kind, action, members, instrument) in cases {
        let activity = &activities(kind, &format!(r#"{{"action":"{action}",{members}}}"#))[0];
        assert_eq!((part(&activity.instrument).as_str(), activity.action.as_str()), (instrument, action), "{kind}");
    }
}

#[test]
fn one_thing_has_one_id() {
    let object = |kind: &str, body: &str| part(&activities(kind, body)[0].object);
    let thread = |kind: &str, body: &str| part(&activities(kind, body)[0].thread);
    let pull_request = r#"{"pull_request":{"id":70,"number":7},"repository":{"id":5}"#;
    assert_eq!(object("pull_request", &format!("{pull_request}}}")), "pull_request:5#7");
    assert_eq!(thread("pull_request", &format!("{pull_request}}}")), "pull_request:5#7");
    assert_eq!(thread("pull_request_review", &format!(r#"{pull_request},"review":{{"id":1}}}}"#)), "pull_request:5#7");
    let comment = r#"{"issue":{"id":71,"number":7,"pull_request":{}},"comment":{"id":1},"repository":{"id":5}}"#;
    assert_eq!(thread("issue_comment", comment), "pull_request:5#7");
    assert_eq!(object("issues", r#"{"issue":{"id":72,"number":8},"repository":{"id":5}}"#), "issue:5#8");
    assert_eq!(object("create", r#"{"ref":"v1","ref_type":"tag","repository":{"id":5}}"#), "tag:5:refs/tags/v1");
    assert_eq!(
        object("delete", r#"{"ref":"a/b","ref_type":"branch","repository":{"id":5}}"#),
        "branch:5:refs/heads/a/b"
    );
    assert_eq!(object("push", r#"{"ref":"refs/tags/v1","repository":{"id":5}}"#), "tag:5:refs/tags/v1");
    assert_eq!(object("gollum", r#"{"pages":[{"page_name":"Home"}],"repository":{"id":5}}"#), "wiki_page:5:wiki/Home");
}

#[test]
fn a_reply_is_to_what_it_answers_and_in_the_thread_of_its_root() {
    let of = |kind: &str, body: &str| {
        let activity = activities(kind, body).remove(0);
        (part(&activity.target), part(&activity.thread))
    };
    let said = |target: &str, thread: &str| (target.to_owned(), thread.to_owned());
    let reply = r#"{"comment":{"id":3,"parent_id":2},"discussion":{"id":1}}"#;
    assert_eq!(of("discussion_comment", reply), said("comment:2", "discussion:1"));
    let reply = r#"{"comment":{"id":3,"in_reply_to_id":2},"pull_request":{"id":1}}"#;
    assert_eq!(of("pull_request_review_comment", reply), said("review_comment:2", "pull_request:1"));
    let first = r#"{"comment":{"id":2},"pull_request":{"id":1}}"#;
    assert_eq!(of("pull_request_review_comment", first), said("pull_request:1", "pull_request:1"));
}

#[test]
fn which_run_of_which_workflow_on_which_branch() {
    let place = r#""repository":{"id":5,"full_name":"o/r","html_url":"https://github.com/o/r"}"#;
    let run =
        r#""workflow_run":{"id":9,"name":"CI","run_attempt":2,"html_url":"u","head_branch":"main","head_sha":"abc"}"#;
    let of_run = activities("workflow_run", &format!(r#"{{"action":"completed",{run},{place}}}"#)).remove(0);
    let job = r#""workflow_job":{"id":8,"run_id":9,"workflow_name":"CI","run_attempt":2,"head_branch":"main","head_sha":"abc"}"#;
    let of_job = activities("workflow_job", &format!(r#"{{"action":"completed",{job},{place}}}"#)).remove(0);
    let mut run = Run { workflow: "CI".to_owned(), id: "9".to_owned(), url: "u".to_owned(), attempt: Some(2) };
    assert_eq!((of_run.branch.as_str(), of_run.commit.as_str(), of_run.run), ("main", "abc", Some(run.clone())));
    let of_workflow = |name: &str, workflow: &str| {
        let run = format!(r#""workflow_run":{{"id":9,"name":"{name}"}},"workflow":{{"name":"{workflow}"}}"#);
        let of = activities("workflow_run", &format!(r#"{{"action":"completed",{run},{place}}}"#)).remove(0);
        of.run.unwrap().workflow
    };
    assert_eq!([of_workflow("", "CI"), of_workflow("Release 1.2", "CI"), of_workflow("CI", "")], ["CI"; 3]);
    run.url = "https://github.com/o/r/actions/runs/9".to_owned();
    assert_eq!((of_job.branch.as_str(), of_job.commit.as_str(), of_job.run), ("main", "abc", Some(run)));
    let pull_request = r#"{"pull_request":{"id":1,"head":{"ref":"topic","sha":"abc"},"base":{"ref":"main"}}}"#;
    let of = &activities("pull_request", pull_request)[0];
    assert_eq!((of.branch.as_str(), of.commit.as_str()), ("topic", "abc"));
}

#[test]
fn the_branch_of_a_fork_is_not_taken_for_ours() {
    let branch = |head: &str| {
        let body = format!(
            r#"{{"action":"completed","workflow_run":{{"id":1,"head_branch":"main","head_repository":{head}}},"repository":{{"id":5}}}}"#
        );
        activities("workflow_run", &body).remove(0).branch
    };
    assert_eq!(branch(r#"{"id":5,"owner":{"login":"o"}}"#), "main");
    assert_eq!(branch("null"), "main");
    assert_eq!(branch(r#"{"id":6,"owner":{"login":"fork"}}"#), "fork:main");
    assert_eq!(branch(r#"{"id":6}"#), "");
}

#[test]
fn an_invitation_is_about_who_is_invited() {
    let invited = |members: &str| {
        let body = format!(r#"{{"action":"member_invited","organization":{{"id":6,"login":"o"}},{members}}}"#);
        let activity = activities("organization", &body).remove(0);
        (part(&activity.object), activity.object.unwrap().title, part(&activity.target))
    };
    let said = |object: &str, title: &str| (object.to_owned(), title.to_owned(), "organization:6".to_owned());
    let user = r#""invitation":{"login":"mia"},"user":{"id":7,"login":"mia"}"#;
    assert_eq!(invited(user), said("user:7", "mia"));
    assert_eq!(invited(r#""invitation":{"login":null,"email":"m@example.org"}"#), said("user:", "m@example.org"));
}

#[test]
fn whose_it_is_whatever_the_kind() {
    let sender = r#""sender":{"login":"mia","html_url":"https://github.com/mia"}"#;
    let cases = [
        (
            r#""repository":{"id":5,"full_name":"o/r","html_url":"https://github.com/o/r"},"organization":{"id":6,"login":"o"}"#,
            ("repository:5", "o/r", "https://github.com/o/r"),
        ),
        (r#""organization":{"id":6,"login":"o"}"#, ("organization:6", "o", "https://github.com/o")),
        (r#""installation":{"id":7,"account":{"login":"o"},"html_url":"u"}"#, ("installation:7", "o", "u")),
        (r#""enterprise":{"id":8,"slug":"corp","html_url":"u"}"#, ("enterprise:8", "corp", "u")),
    ];
    for (members, (account, name, url)) in cases {
        let body = format!(r#"{{"action":"created",{sender},{members}}}"#);
        let all: Vec<_> = ["star", "sponsorship"].iter().flat_map(|kind| activities(kind, &body)).collect();
        assert!(!all.is_empty());
        for activity in all {
            let found = activity.account.as_ref().unwrap();
            assert_eq!((part(&activity.account).as_str(), &*found.title, &*found.url), (account, name, url));
            assert_eq!(activity.action, "created");
        }
    }
}

#[test]
fn what_is_not_known_is_an_activity_all_the_same() {
    let body =
        r#"{"action":"created","sponsorship":{"node_id":"S_1","created_at":"x"},"sender":{"id":1,"login":"mia"}}"#;
    let all = activities("sponsorship", body);
    let [other] = &all[..] else { panic!("{all:?}") };
    assert_eq!((other.verb(), other.action.as_str()), (Verb::Other, "created"));
    assert_eq!(part(&other.object), "sponsorship:S_1");
    assert_eq!(other.actor.as_ref().unwrap().handle, "mia");
    // The only member that can be meant.
    let alert =
        r#"{"action":"dismissed","alert":{"number":4,"html_url":"u","state":"dismissed"},"repository":{"id":5}}"#;
    let other = activities("future_alert", alert).remove(0);
    let object = other.object.unwrap();
    assert_eq!((object.r#type.as_str(), object.number, object.status.as_str()), ("future_alert", Some(4), "dismissed"));
    // A kind that has no action is its own.
    assert_eq!(activities("future", "{}")[0].action, "future");
}
