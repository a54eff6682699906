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
