use super::*;

use common::event::v1::TimeQuality;

/// Of an event that is delivered in 2026.
fn judged(kind: &str, json: &str) -> (Option<String>, TimeQuality) {
    let time = (named(kind).unwrap().time)(&serde_json::from_str(json).unwrap());
    let (time, quality) = common::time::judge(&time.sent, time.reported, &common::time::from_seconds(1_790_000_000));
    (time.map(|time| time.to_string()), quality)
}

/// Whether anything was sent as the time, and what could be read of it.
fn time_of(kind: &str, json: &str) -> (bool, Option<String>) {
    let (time, quality) = judged(kind, json);
    (quality != TimeQuality::Missing, time)
}

#[test]
fn the_time_is_that_of_what_was_done() {
    let issue = r#""issue":{"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-02T00:00:00Z","closed_at":"2026-01-03T00:00:00Z"}"#;
    for (action, day) in [("opened", 1), ("labeled", 2), ("closed", 3)] {
        let json = format!("{{\"action\":\"{action}\",{issue}}}");
        assert_eq!(time_of("issues", &json), (true, Some(format!("2026-01-0{day}T00:00:00Z"))), "{action}");
    }
    assert_eq!(time_of("issues", &format!("{{\"action\":\"deleted\",{issue}}}")), (false, None));
}

#[test]
fn numbers_are_seconds_and_the_second_best_is_taken_where_the_best_is_null() {
    let push = r#"{"repository":{"pushed_at":1767600002},"head_commit":{"timestamp":"2025-01-01T00:00:00+01:00"}}"#;
    assert_eq!(time_of("push", push), (true, Some("2026-01-05T08:00:02Z".to_owned())));
    let push = r#"{"repository":{"pushed_at":null},"head_commit":{"timestamp":"2025-01-01T00:00:00+01:00"}}"#;
    assert_eq!(time_of("push", push), (true, Some("2024-12-31T23:00:00Z".to_owned())));
    assert_eq!(time_of("push", r#"{"repository":{},"head_commit":null}"#), (false, None));
}

#[test]
fn what_is_not_a_time_is_sent_but_unreadable() {
    for (value, quality) in [
        ("\"soon\"", TimeQuality::Unreadable),
        ("\"\"", TimeQuality::Unreadable),
        ("1e99", TimeQuality::Unreadable),
        ("true", TimeQuality::Unreadable),
        ("[]", TimeQuality::Unreadable),
        ("{}", TimeQuality::Unreadable),
        ("1.5", TimeQuality::Absurd),
        ("\"0001-01-01T00:00:00Z\"", TimeQuality::Absurd),
        ("null", TimeQuality::Missing),
    ] {
        let json = format!("{{\"forkee\":{{\"created_at\":{value}}}}}");
        assert_eq!(judged("fork", &json), (None, quality), "{value}");
    }
}

#[test]
fn an_absurd_time_does_not_hide_a_good_one() {
    for (kind, what, action, best) in [
        ("issues", "issue", "opened", "created_at"),
        ("issues", "issue", "closed", "closed_at"),
        ("pull_request", "pull_request", "closed", "merged_at"),
        ("issue_comment", "comment", "created", "created_at"),
        ("workflow_run", "workflow_run", "requested", "run_started_at"),
        ("discussion", "discussion", "answered", "answer_chosen_at"),
        ("installation", "installation", "suspend", "suspended_at"),
    ] {
        for bad in ["\"0001-01-01T00:00:00Z\"", "0", "\"soon\"", "\"9999-12-31T23:59:59Z\""] {
            let times = format!("\"{best}\":{bad},\"updated_at\":\"2026-01-02T00:00:00Z\"");
            let json = format!("{{\"action\":\"{action}\",\"{what}\":{{{times}}}}}");
            let good = (Some("2026-01-02T00:00:00Z".to_owned()), TimeQuality::Sent);
            assert_eq!(judged(kind, &json), good, "{kind} {action} {bad}");
        }
    }
}

#[test]
fn runs_and_jobs_have_the_time_of_their_step() {
    let job = |action: &str| {
        format!(
            r#"{{"action":"{action}","workflow_job":{{"created_at":"2026-01-01T00:00:01Z","started_at":"2026-01-01T00:00:02Z","completed_at":"2026-01-01T00:00:03Z"}}}}"#
        )
    };
    for (action, second) in [("queued", 1), ("waiting", 1), ("in_progress", 2), ("completed", 3)] {
        let expected = Some(format!("2026-01-01T00:00:0{second}Z"));
        assert_eq!(time_of("workflow_job", &job(action)), (true, expected), "{action}");
    }
    // The second attempt of a run is requested when it starts, not when the run was made.
    let run = r#"{"action":"requested","workflow_run":{"run_attempt":2,"created_at":"2026-01-01T00:00:01Z","run_started_at":"2026-01-02T00:00:01Z"}}"#;
    assert_eq!(time_of("workflow_run", run), (true, Some("2026-01-02T00:00:01Z".to_owned())));
}

#[test]
fn alerts_have_the_time_of_what_was_done_to_them() {
    let alert = |action: &str| {
        let names = ["created_at", "updated_at", "fixed_at", "dismissed_at", "auto_dismissed_at", "resolved_at"];
        let times: Vec<_> =
            (1..).zip(names).map(|(day, name)| format!("\"{name}\":\"2026-01-0{day}T00:00:00Z\"")).collect();
        format!(r#"{{"action":"{action}","alert":{{{}}}}}"#, times.join(","))
    };
    let cases = [
        ("code_scanning_alert", "created", 1),
        ("code_scanning_alert", "appeared_in_branch", 2),
        ("code_scanning_alert", "fixed", 3),
        ("code_scanning_alert", "closed_by_user", 4),
        ("secret_scanning_alert", "created", 1),
        ("secret_scanning_alert", "resolved", 6),
        ("secret_scanning_alert", "reopened", 2),
        ("dependabot_alert", "created", 1),
        ("dependabot_alert", "fixed", 3),
        ("dependabot_alert", "dismissed", 4),
        ("dependabot_alert", "auto_dismissed", 5),
        ("dependabot_alert", "reintroduced", 2),
        ("repository_vulnerability_alert", "create", 1),
        ("repository_vulnerability_alert", "dismiss", 4),
        ("repository_vulnerability_alert", "resolve", 3),
    ];
    for (kind, action, day) in cases {
        assert_eq!(time_of(kind, &alert(action)), (true, Some(format!("2026-01-0{day}T00:00:00Z"))), "{kind} {action}");
    }
    // Nothing says when another place was found, or when it was found again.
    assert_eq!(time_of("secret_scanning_alert_location", &alert("created")), (false, None));
    assert_eq!(time_of("repository_vulnerability_alert", &alert("reopen")), (false, None));
}

#[test]
fn what_is_planned_and_protected_has_the_time_of_what_was_done() {
    let times = r#""created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-02T00:00:00Z","closed_at":"2026-01-03T00:00:00Z","archived_at":"2026-01-04T00:00:00Z","published_at":"2026-01-05T00:00:00Z","withdrawn_at":"2026-01-06T00:00:00Z""#;
    let cases = [
        ("projects_v2", "created", "projects_v2", 1),
        ("projects_v2", "closed", "projects_v2", 3),
        ("projects_v2", "edited", "projects_v2", 2),
        ("projects_v2_item", "created", "projects_v2_item", 1),
        ("projects_v2_item", "archived", "projects_v2_item", 4),
        ("projects_v2_item", "edited", "projects_v2_item", 2),
        ("projects_v2_status_update", "created", "projects_v2_status_update", 1),
        ("projects_v2_status_update", "edited", "projects_v2_status_update", 2),
        ("branch_protection_rule", "created", "rule", 1),
        ("branch_protection_rule", "edited", "rule", 2),
        ("deploy_key", "created", "key", 1),
        ("security_advisory", "published", "security_advisory", 5),
        ("security_advisory", "updated", "security_advisory", 2),
        ("security_advisory", "withdrawn", "security_advisory", 6),
        ("repository_advisory", "published", "repository_advisory", 5),
        ("repository_advisory", "reported", "repository_advisory", 1),
        ("sub_issues", "sub_issue_added", "parent_issue", 2),
        ("sub_issues", "parent_issue_removed", "sub_issue", 2),
        ("deployment_review", "approved", "workflow_run", 2),
        ("deployment_protection_rule", "requested", "deployment", 2),
    ];
    for (kind, action, member, day) in cases {
        let json = format!(r#"{{"action":"{action}","{member}":{{{times}}}}}"#);
        assert_eq!(time_of(kind, &json), (true, Some(format!("2026-01-0{day}T00:00:00Z"))), "{kind} {action}");
    }
    for (kind, action, member) in [
        ("deploy_key", "deleted", "key"),
        ("branch_protection_rule", "deleted", "rule"),
        ("projects_v2_item", "deleted", "projects_v2_item"),
        ("org_block", "blocked", "blocked_user"),
        ("custom_property", "updated", "definition"),
        ("custom_property_values", "updated", "repository"),
    ] {
        let json = format!(r#"{{"action":"{action}","{member}":{{{times}}}}}"#);
        assert_eq!(time_of(kind, &json), (false, None), "{kind} {action}");
    }
    let asked =
        r#"{"action":"requested","since":"2026-01-07T00:00:00Z","workflow_run":{"updated_at":"2026-01-02T00:00:00Z"}}"#;
    assert_eq!(time_of("deployment_review", asked), (true, Some("2026-01-07T00:00:00Z".to_owned())));
}
