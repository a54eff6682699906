use super::*;

#[test]
fn what_belongs_together_has_one_key() {
    let subject = |kind: &str, json: &str| (named(kind)?.subject)(&serde_json::from_str(json).unwrap(), "5");
    let cases = [
        ("issues", r#"{"issue":{"number":17}}"#, "5/issue/17"),
        ("issue_comment", r#"{"issue":{"number":17},"comment":{"id":1}}"#, "5/issue/17"),
        ("pull_request_review", r#"{"pull_request":{"number":17}}"#, "5/issue/17"),
        ("workflow_run", r#"{"workflow_run":{"id":9,"run_attempt":2}}"#, "5/run/9"),
        ("workflow_job", r#"{"workflow_job":{"id":1,"run_id":"9"}}"#, "5/run/9"),
        ("push", r#"{"ref":"refs/heads/a/b"}"#, "5/ref/refs/heads/a/b"),
        ("create", r#"{"ref":"a/b","ref_type":"branch"}"#, "5/ref/refs/heads/a/b"),
        ("delete", r#"{"ref":"v1","ref_type":"tag"}"#, "5/ref/refs/tags/v1"),
        ("create", r#"{"ref":null,"ref_type":"repository"}"#, ""),
        ("check_run", r#"{"check_run":{"head_sha":"abc"}}"#, "5/commit/abc"),
        ("status", r#"{"sha":"abc"}"#, "5/commit/abc"),
        (
            "sub_issues",
            r#"{"action":"sub_issue_added","parent_issue":{"number":17},"sub_issue":{"number":2}}"#,
            "5/issue/17",
        ),
        (
            "sub_issues",
            r#"{"action":"parent_issue_added","parent_issue":{"number":2},"sub_issue":{"number":17}}"#,
            "5/issue/17",
        ),
        ("deployment_review", r#"{"workflow_run":{"id":9}}"#, "5/run/9"),
        ("deployment_protection_rule", r#"{"deployment":{"id":9}}"#, "5/deployment/9"),
        ("dependabot_alert", r#"{"alert":{"number":3}}"#, "5/dependabot_alert/3"),
        ("repository_vulnerability_alert", r#"{"alert":{"id":70,"number":3}}"#, "5/dependabot_alert/3"),
        ("secret_scanning_alert_location", r#"{"alert":{"number":3}}"#, "5/secret_scanning_alert/3"),
        ("projects_v2", r#"{"projects_v2":{"id":1,"node_id":"PVT_1"}}"#, "5/project/PVT_1"),
        ("projects_v2_item", r#"{"projects_v2_item":{"project_node_id":"PVT_1"}}"#, "5/project/PVT_1"),
        (
            "projects_v2_status_update",
            r#"{"projects_v2_status_update":{"project_node_id":"PVT_1"}}"#,
            "5/project/PVT_1",
        ),
        // Nobody's.
        ("security_advisory", r#"{"security_advisory":{"ghsa_id":"GHSA-1"}}"#, "security_advisory/GHSA-1"),
        ("issues", r#"{"issue":{"number":null}}"#, ""),
        ("issues", r#"{"issue":[]}"#, ""),
        ("star", "{}", ""),
        ("new_kind", "{}", ""),
    ];
    for (kind, json, expected) in cases {
        // Without a matter of its own it is the account's.
        assert_eq!(subject(kind, json).unwrap_or_default(), expected, "{kind} {json}");
    }
}
