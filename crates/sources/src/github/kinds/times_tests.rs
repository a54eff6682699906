use super::*;

fn time_of(kind: &str, json: &str) -> (bool, Option<String>) {
    let time = (named(kind).unwrap().time)(&serde_json::from_str(json).unwrap());
    (time.sent, time.time.map(|time| time.to_string()))
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
    for value in ["\"soon\"", "\"\"", "1.5", "1e99", "true", "[]", "{}"] {
        assert_eq!(time_of("fork", &format!("{{\"forkee\":{{\"created_at\":{value}}}}}")), (true, None), "{value}");
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
