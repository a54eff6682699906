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
    Field { name: "account_name", read: |activity| part(account(activity), |account| &account.title) },
    Field { name: "account_type", read: |activity| part(account(activity), |account| &account.r#type) },
    Field { name: "account_url", read: |activity| part(account(activity), |account| &account.url) },
    Field { name: "event_type", read: |activity| &activity.event_type },
    Field { name: "action", read: |activity| &activity.action },
    Field { name: "url", read: url },
    Field { name: "actor_id", read: |activity| of(actor(activity), |actor| &actor.id) },
    Field { name: "actor_name", read: |activity| of(actor(activity), |actor| &actor.name) },
    Field { name: "actor_handle", read: |activity| of(actor(activity), |actor| &actor.handle) },
    Field { name: "actor_type", read: |activity| of(actor(activity), |actor| &actor.r#type) },
    Field { name: "object_type", read: |activity| part(object(activity), |object| &object.r#type) },
    Field { name: "object_id", read: |activity| part(object(activity), |object| &object.id) },
    Field { name: "object_url", read: |activity| part(object(activity), |object| &object.url) },
    Field { name: "object_status", read: |activity| part(object(activity), |object| &object.status) },
    Field { name: "object_author_id", read: |activity| of(author(activity), |author| &author.id) },
    Field { name: "object_author_handle", read: |activity| of(author(activity), |author| &author.handle) },
    Field { name: "target_type", read: |activity| part(target(activity), |target| &target.r#type) },
    Field { name: "target_id", read: |activity| part(target(activity), |target| &target.id) },
    Field { name: "target_url", read: |activity| part(target(activity), |target| &target.url) },
    Field { name: "target_author_id", read: |activity| of(target_author(activity), |author| &author.id) },
    Field { name: "target_author_handle", read: |activity| of(target_author(activity), |author| &author.handle) },
    Field { name: "instrument_type", read: |activity| part(instrument(activity), |instrument| &instrument.r#type) },
    Field { name: "instrument_id", read: |activity| part(instrument(activity), |instrument| &instrument.id) },
    Field { name: "instrument_title", read: |activity| part(instrument(activity), |instrument| &instrument.title) },
    Field { name: "thread_type", read: |activity| part(thread(activity), |thread| &thread.r#type) },
    Field { name: "thread_id", read: |activity| part(thread(activity), |thread| &thread.id) },
    Field { name: "thread_url", read: |activity| part(thread(activity), |thread| &thread.url) },
    Field { name: "workflow", read: |activity| activity.run.as_ref().map_or("", |run| &run.workflow) },
    Field { name: "branch", read: |activity| &activity.branch },
    Field { name: "commit", read: |activity| &activity.commit },
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

/// Who did it.
pub fn actor(activity: &Activity) -> Option<&Actor> {
    activity.actor.as_ref()
}

/// What it was done to.
pub fn object(activity: &Activity) -> Option<&Object> {
    activity.object.as_ref()
}

/// Who made that.
pub fn author(activity: &Activity) -> Option<&Actor> {
    object(activity)?.author.as_ref()
}

/// Where it was done or whom it answers.
pub fn target(activity: &Activity) -> Option<&Object> {
    activity.target.as_ref()
}

/// Who made that.
pub fn target_author(activity: &Activity) -> Option<&Actor> {
    target(activity)?.author.as_ref()
}

/// What it was done with.
pub fn instrument(activity: &Activity) -> Option<&Object> {
    activity.instrument.as_ref()
}

/// The root of what it belongs to.
pub fn thread(activity: &Activity) -> Option<&Object> {
    activity.thread.as_ref()
}

/// Whose it is.
pub fn account(activity: &Activity) -> Option<&Object> {
    activity.account.as_ref()
}

/// Where a person can look at it, as near as the platform says: the first address of object, target, thread and account.
pub fn url(activity: &Activity) -> &str {
    let parts = [object, target, thread, account].into_iter().filter_map(|part| part(activity));
    parts.map(|part| part.url.as_str()).find(|url| !url.is_empty()).unwrap_or_default()
}

/// The number that people call it by: the thread's, else the object's.
pub fn number(activity: &Activity) -> Option<i64> {
    [thread, object].into_iter().find_map(|part| part(activity)?.number)
}

fn of(actor: Option<&Actor>, of: fn(&Actor) -> &String) -> &str {
    actor.map_or("", |actor| of(actor))
}

fn part(object: Option<&Object>, of: fn(&Object) -> &String) -> &str {
    object.map_or("", |object| of(object))
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
