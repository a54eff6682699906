//! The fields of an activity that a step can ask with. A closed list: what is not on it is refused at start.

use std::borrow::Cow;

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::event::v1::Context;

/// A field: its name in the settings, and how it is read. Empty where the activity has none.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// As the settings and the look-up's key name it.
    pub name: &'static str,
    read: fn(&Activity) -> &str,
}

/// All of them.
pub const FIELDS: &[Field] = &[
    Field { name: "tenant", read: |activity| context(activity, |context| &context.tenant) },
    Field { name: "endpoint", read: |activity| context(activity, |context| &context.endpoint) },
    Field { name: "source", read: |activity| context(activity, |context| &context.source) },
    Field { name: "account_id", read: |activity| context(activity, |context| &context.account_id) },
    Field { name: "event_type", read: |activity| &activity.event_type },
    Field { name: "actor_id", read: |activity| actor(activity.actor.as_ref(), |actor| &actor.id) },
    Field { name: "actor_name", read: |activity| actor(activity.actor.as_ref(), |actor| &actor.name) },
    Field { name: "actor_handle", read: |activity| actor(activity.actor.as_ref(), |actor| &actor.handle) },
    Field { name: "actor_type", read: |activity| actor(activity.actor.as_ref(), |actor| &actor.r#type) },
    Field { name: "object_type", read: |activity| object(activity.object.as_ref(), |object| &object.r#type) },
    Field { name: "object_id", read: |activity| object(activity.object.as_ref(), |object| &object.id) },
    Field { name: "object_url", read: |activity| object(activity.object.as_ref(), |object| &object.url) },
    Field { name: "object_status", read: |activity| object(activity.object.as_ref(), |object| &object.status) },
    Field {
        name: "object_author_id",
        read: |activity| actor(activity.object.as_ref().and_then(|object| object.author.as_ref()), |actor| &actor.id),
    },
    Field { name: "target_type", read: |activity| object(activity.target.as_ref(), |object| &object.r#type) },
    Field { name: "target_id", read: |activity| object(activity.target.as_ref(), |object| &object.id) },
    Field { name: "target_url", read: |activity| object(activity.target.as_ref(), |object| &object.url) },
];

/// The field of that name.
pub fn by_name(name: &str) -> Option<Field> {
    FIELDS.iter().find(|field| field.name == name).copied()
}

/// The names of all, for messages.
pub fn names() -> String {
    FIELDS.iter().map(|field| field.name).collect::<Vec<_>>().join(", ")
}

impl Field {
    /// Its value; empty where the activity has none.
    pub fn of(self, activity: &Activity) -> &str {
        (self.read)(activity)
    }
}

/// The values of these fields, in their order; none where all of them are empty: there is nothing to ask about.
pub fn key(fields: &[Field], activity: &Activity) -> Option<Vec<String>> {
    let key: Vec<String> = fields.iter().map(|field| field.of(activity).to_owned()).collect();
    key.iter().any(|value| !value.is_empty()).then_some(key)
}

/// What was done, in lowercase: `comment`, `pull_request`'s `merge`; a number where this version does not know it.
pub fn verb(activity: &Activity) -> Cow<'static, str> {
    match Verb::try_from(activity.verb) {
        Ok(verb) => verb.as_str_name().trim_start_matches("VERB_").to_ascii_lowercase().into(),
        Err(_) => activity.verb.to_string().into(),
    }
}

fn context(activity: &Activity, of: fn(&Context) -> &String) -> &str {
    activity.context.as_ref().map_or("", |context| of(context))
}

fn actor(actor: Option<&Actor>, of: fn(&Actor) -> &String) -> &str {
    actor.map_or("", |actor| of(actor))
}

fn object(object: Option<&Object>, of: fn(&Object) -> &String) -> &str {
    object.map_or("", |object| of(object))
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
