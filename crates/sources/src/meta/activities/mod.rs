//! What happened, in the one common form. Made from the platform's JSON, which is the same for a kind in
//! whatever shape it came; ids, times and context are set where the event is built.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::json;

use super::members::{Members as _, text_of};

pub(super) mod conversations;
pub(super) mod instagram;
pub(super) mod page;

/// An activity with nothing but what was done to what.
fn activity(verb: Verb, object: Object) -> Activity {
    Activity { verb: verb.into(), object: Some(object), ..Activity::default() }
}

/// A thing of that type; without id where the platform does not say one.
fn thing(r#type: &str, id: Option<String>) -> Object {
    Object { r#type: r#type.to_owned(), id: id.unwrap_or_default(), ..Object::default() }
}

/// Somebody by id and name; absent where there is neither.
fn actor(id: Option<String>, name: Option<String>, account: &str) -> Option<Actor> {
    if id.is_none() && name.is_none() {
        return None;
    }
    let r#type = if id.as_deref() == Some(account) { "page" } else { "" };
    Some(Actor {
        id: id.unwrap_or_default(),
        name: name.unwrap_or_default(),
        r#type: r#type.to_owned(),
        ..Actor::default()
    })
}

/// The links in these members, each once, in this order. A member may be a list.
fn links(value: &json::Object, names: &[&str]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for name in names {
        let one = value.get(*name).filter(|one| one.is_string()).and_then(text_of);
        let several = value.list(name).iter().filter(|one| one.is_string()).filter_map(text_of);
        for link in one.into_iter().chain(several) {
            if !found.contains(&link) {
                found.push(link);
            }
        }
    }
    found
}

#[cfg(test)]
#[path = "../activities_tests.rs"]
mod tests;
