use std::collections::HashSet;

use super::*;

#[test]
fn names_are_unique_and_each_is_in_the_table_of_the_readme() {
    let names: HashSet<&str> = FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names.len(), FIELDS.len());
    let readme = include_str!("../README.md");
    for name in names {
        assert!(readme.contains(&format!("| `{name}` |")), "{name} is not in README.md");
    }
    assert!(by_name("tenant").is_some() && by_name("text").is_none());
}

#[test]
fn a_key_is_made_of_what_is_there() {
    let context = Context { tenant: "acme".into(), endpoint: "shop".into(), ..Context::default() };
    let author = Actor { id: "8".into(), ..Actor::default() };
    let object = Object { id: "7_1".into(), author: Some(author), ..Object::default() };
    let activity = Activity { context: Some(context), object: Some(object), ..Activity::default() };
    let fields = |names: &[&str]| names.iter().map(|name| by_name(name).unwrap()).collect::<Vec<_>>();
    assert_eq!(
        key(&fields(&["tenant", "account_id", "object_author_id"]), &activity),
        Some(vec!["acme".into(), String::new(), "8".into()])
    );
    assert_eq!(key(&fields(&["actor_id", "target_id"]), &activity), None, "nothing to ask about");
    assert_eq!(key(&fields(&FIELDS.iter().map(|field| field.name).collect::<Vec<_>>()), &Activity::default()), None);
}

#[test]
fn verbs_are_words() {
    assert_eq!(verb_of(Verb::Comment.into()), "comment");
    assert_eq!(verb_of(Verb::OptIn.into()), "opt_in");
    assert_eq!(verb_of(999), "999");
}

fn verb_of(number: i32) -> String {
    verb(&Activity { verb: number, ..Activity::default() }).into_owned()
}
