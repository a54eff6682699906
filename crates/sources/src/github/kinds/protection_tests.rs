use super::activities_tests::{activities, part};
use super::*;

const PLACE: &str = r#""repository":{"id":5,"html_url":"https://github.com/o/r"},"organization":{"id":6,"login":"o"},"sender":{"login":"mia"}"#;

fn all(kind: &str, action: &str, members: &str) -> Vec<Activity> {
    activities(kind, &format!(r#"{{"action":"{action}",{members},{PLACE}}}"#))
}

fn one(kind: &str, action: &str, members: &str) -> Activity {
    let mut all = all(kind, action, members);
    assert_eq!(all.len(), 1, "{kind} {action}: {all:?}");
    all.remove(0)
}

#[test]
fn verbs_of_access_and_protection() {
    for (kind, action, member, verb, object) in [
        ("deploy_key", "created", "key", Verb::Post, "deploy_key:7"),
        ("deploy_key", "deleted", "key", Verb::Delete, "deploy_key:7"),
        ("org_block", "blocked", "blocked_user", Verb::Block, "user:7"),
        ("org_block", "unblocked", "blocked_user", Verb::Unblock, "user:7"),
        ("branch_protection_rule", "created", "rule", Verb::Post, "branch_protection_rule:7"),
        ("branch_protection_rule", "edited", "rule", Verb::Edit, "branch_protection_rule:7"),
        ("branch_protection_rule", "deleted", "rule", Verb::Delete, "branch_protection_rule:7"),
        ("deployment_review", "requested", "workflow_run", Verb::Update, "workflow_run:7"),
        ("deployment_review", "approved", "workflow_run", Verb::Review, "workflow_run:7"),
        ("deployment_review", "rejected", "workflow_run", Verb::Review, "workflow_run:7"),
        // It has begun before, and an app is asked: no second start.
        ("deployment_protection_rule", "requested", "deployment", Verb::Update, "deployment:7"),
    ] {
        let activity = one(kind, action, &format!(r#""{member}":{{"id":7}}"#));
        assert_eq!((activity.verb(), part(&activity.object).as_str()), (verb, object), "{kind} {action}");
        let target = if kind == "org_block" { "organization:6" } else { "repository:5" };
        assert_eq!(part(&activity.target), target, "{kind} {action}");
    }
}

#[test]
fn a_rule_is_for_a_branch_or_a_pattern() {
    let made = one("branch_protection_rule", "created", r#""rule":{"id":7,"name":"main"}"#);
    let object = made.object.unwrap();
    assert_eq!((&*made.branch, &*object.title), ("main", "main"));
    assert_eq!(object.url, "https://github.com/o/r/settings/branch_protection_rules/7");
    let edited = r#""rule":{"id":7,"name":"release/*"},"changes":{"admin_enforced":{"from":false}}"#;
    let edited = one("branch_protection_rule", "edited", edited);
    assert_eq!((&*edited.branch, part(&edited.instrument).as_str()), ("", "setting:admin_enforced"));
    let two = r#""rule":{"id":7},"changes":{"admin_enforced":{"from":false},"create_protected":{"from":null}}"#;
    assert_eq!(one("branch_protection_rule", "edited", two).instrument, None);
}

#[test]
fn a_run_waits_for_people() {
    let run = r#""workflow_run":{"id":7,"name":"Deploy","head_branch":"main","head_sha":"abc","run_attempt":2}"#;
    let team = r#"{"type":"Team","reviewer":{"id":9,"name":"Keepers"}}"#;
    let asked = one("deployment_review", "requested", &format!(r#"{run},"environment":"prod","reviewers":[{team}]"#));
    assert_eq!(
        (part(&asked.instrument).as_str(), part(&asked.target).as_str()),
        ("team:9", "environment:5:environment/prod")
    );
    let said = asked.run.unwrap();
    assert_eq!((&*said.workflow, &*said.id, said.attempt), ("Deploy", "7", Some(2)));
    assert_eq!((&*asked.branch, &*asked.commit), ("main", "abc"));
    // Where several are asked, none of them is the one.
    let two = format!(r#"{run},"reviewers":[{team},{{"type":"User","reviewer":{{"id":1}}}}]"#);
    assert_eq!(one("deployment_review", "requested", &two).instrument, None);
    let answer = r#""comment":"Go.","workflow_job_run":{"id":1,"environment":"prod"}"#;
    let approved = one("deployment_review", "approved", &format!(r#"{run},{answer},"reviewers":[{team}]"#));
    assert_eq!((approved.text.as_deref(), approved.instrument), (Some("Go."), None));
    assert_eq!(part(&approved.target), "environment:5:environment/prod");
    // A run may be missing.
    let bare = one("deployment_review", "requested", r#""workflow_run":null,"environment":"prod""#);
    assert_eq!((part(&bare.object).as_str(), bare.run), ("environment:5:environment/prod", None));
}

#[test]
fn an_app_is_asked_about_a_deployment() {
    let asked = r#""environment":"prod","deployment":{"id":7,"sha":"abc","ref":"main","environment":"prod"},
        "deployment_callback_url":"https://x/repos/o/r/actions/runs/9/deployment_protection_rule""#;
    let asked = one("deployment_protection_rule", "requested", asked);
    assert_eq!(
        (part(&asked.object).as_str(), part(&asked.target).as_str()),
        ("deployment:7", "environment:5:environment/prod")
    );
    let run = asked.run.unwrap();
    assert_eq!((&*run.id, &*run.url), ("9", "https://github.com/o/r/actions/runs/9"));
    assert_eq!((&*asked.branch, &*asked.commit), ("main", "abc"));
}

#[test]
fn a_property_has_one_id_where_it_is_defined_and_where_it_has_a_value() {
    for (action, verb) in [
        ("created", Verb::Post),
        ("updated", Verb::Edit),
        ("deleted", Verb::Delete),
        ("promote_to_enterprise", Verb::Update),
    ] {
        let of = one("custom_property", action, r#""definition":{"property_name":"tier"}"#);
        assert_eq!((of.verb(), part(&of.object).as_str()), (verb, "custom_property:6:property/tier"), "{action}");
        assert_eq!(part(&of.target), "organization:6");
    }
    let body = r#"{"action":"created","definition":{"property_name":"tier"},"enterprise":{"id":8,"name":"Corp"}}"#;
    let of = activities("custom_property", body).remove(0);
    assert_eq!(
        (part(&of.object).as_str(), part(&of.target).as_str()),
        ("custom_property:8:property/tier", "enterprise:8")
    );

    let values = r#""new_property_values":[{"property_name":"tier","value":"gold"},{"property_name":"team","value":"water"},
        {"property_name":"regions","value":["eu","us"]},{"property_name":"old","value":null}],
        "old_property_values":[{"property_name":"tier","value":null},{"property_name":"team","value":"water"},
        {"property_name":"old","value":"x"}]"#;
    let changed: Vec<_> = all("custom_property_values", "updated", values)
        .into_iter()
        .map(|of| (of.verb(), part(&of.object), part(&of.instrument), of.text))
        .collect();
    let said = |name: &str, text: Option<&str>| {
        let property = format!("custom_property:6:property/{name}");
        (Verb::Update, "repository:5".to_owned(), property, text.map(str::to_owned))
    };
    assert_eq!(changed, [said("tier", Some("gold")), said("regions", Some("eu, us")), said("old", None)]);
    // Nothing is said to be other: it is an update all the same.
    assert_eq!(one("custom_property_values", "updated", r#""new_property_values":[]"#).instrument, None);
}
