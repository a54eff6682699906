//! A released template is finished: events on topics were written by it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

const RELEASED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto/released-addresses.json");

/// Templates by package, message and member.
fn templates(all: &Value) -> BTreeMap<String, &Value> {
    let mut found = BTreeMap::new();
    for (package, messages) in all.as_object().unwrap() {
        for (message, members) in messages.as_object().unwrap() {
            for (member, template) in members.as_object().unwrap() {
                found.insert(format!("{package}.{message}.{member}"), template);
            }
        }
    }
    found
}

fn current() -> Value {
    serde_json::from_str(common::addresses::TEMPLATES).unwrap()
}

/// What a reader of the released templates would get wrong.
fn changed(released: &Value, current: &Value) -> Vec<String> {
    let current = templates(current);
    let changed = |(name, template): (String, &Value)| match current.get(&name) {
        Some(now) if *now == template => None,
        Some(now) => Some(format!("{name}: {template} became {now}")),
        None => Some(format!("{name}: {template} is gone")),
    };
    templates(released).into_iter().filter_map(changed).collect()
}

#[test]
fn no_released_template_is_changed_or_removed() {
    let released = serde_json::from_str(&std::fs::read_to_string(RELEASED).unwrap()).unwrap();
    assert_eq!(changed(&released, &current()), [""; 0], "events on topics were written by these templates");
    let new = changed(&current(), &released);
    assert_eq!(new, [""; 0], "not released yet: run `make proto-release` and commit proto/released-addresses.json");
}

#[test]
fn a_change_is_told() {
    let mut now = current();
    let user = &mut now["weir.github.v1"]["UserInfo"];
    user["repos_url"] = json!("<url>/repositories");
    user.as_object_mut().unwrap().remove("gists_url");
    user["new_url"] = json!("<url>/new");
    assert_eq!(
        changed(&current(), &now),
        [
            r#"weir.github.v1.UserInfo.gists_url: "<url>/gists{/gist_id}" is gone"#,
            r#"weir.github.v1.UserInfo.repos_url: "<url>/repos" became "<url>/repositories""#,
        ]
    );
}
