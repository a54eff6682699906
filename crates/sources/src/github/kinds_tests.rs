use std::collections::BTreeSet;

use super::*;

#[test]
fn every_typed_event_of_the_schema_is_a_kind() {
    let topics: BTreeSet<_> =
        common::event::EVENT_TYPES.iter().filter_map(|event| event.topic.strip_prefix("events.github.")).collect();
    assert_eq!(topics, TYPED.iter().copied().collect());
}

#[test]
fn what_belongs_together_has_one_key() {
    let subject = |kind: &str, json: &str| subject(kind, "5", &serde_json::from_str(json).unwrap());
    let cases = [
        ("issues", r#"{"issue":{"number":17}}"#, "5/issue/17"),
        ("issue_comment", r#"{"issue":{"number":17},"comment":{"id":1}}"#, "5/issue/17"),
        ("pull_request_review", r#"{"pull_request":{"number":17}}"#, "5/issue/17"),
        ("workflow_run", r#"{"workflow_run":{"id":9,"run_attempt":2}}"#, "5/run/9"),
        ("workflow_job", r#"{"workflow_job":{"id":1,"run_id":"9"}}"#, "5/run/9"),
        ("push", r#"{"ref":"refs/heads/a/b"}"#, "5/ref/refs/heads/a/b"),
        ("create", r#"{"ref":"a/b","ref_type":"branch"}"#, "5/ref/refs/heads/a/b"),
        ("delete", r#"{"ref":"v1","ref_type":"tag"}"#, "5/ref/refs/tags/v1"),
        ("create", r#"{"ref":null,"ref_type":"repository"}"#, "5"),
        ("check_run", r#"{"check_run":{"head_sha":"abc"}}"#, "5/commit/abc"),
        ("status", r#"{"sha":"abc"}"#, "5/commit/abc"),
        ("issues", r#"{"issue":{"number":null}}"#, "5"),
        ("issues", r#"{"issue":[]}"#, "5"),
        ("star", "{}", "5"),
        ("new_kind", "{}", "5"),
    ];
    for (kind, json, expected) in cases {
        assert_eq!(subject(kind, json).as_deref(), Some(expected), "{kind} {json}");
    }
    assert_eq!(super::subject("star", "", &Object::new()), None);
}
