//! Changes of an Instagram account.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::json;

use super::{activity, thing};
use crate::meta::members::Members as _;

/// A comment, live or not.
pub(crate) fn comment(value: &json::Object, account: &str) -> Vec<Activity> {
    let target = value.text("parent_id").map(|parent| thing("comment", Some(parent))).or_else(|| media(value));
    let verb = match value.str("verb") {
        Some("edit" | "edited" | "update") => Verb::Edit,
        Some("remove" | "delete") => Verb::Delete,
        _ => Verb::Comment,
    };
    vec![Activity {
        actor: who(value, account),
        target,
        text: value.text("text"),
        ..activity(verb, thing("comment", value.first(&["id", "comment_id"])))
    }]
}

/// The account named, in a comment or in the words of a post.
pub(crate) fn mention(value: &json::Object, account: &str) -> Vec<Activity> {
    let comment = value.text("comment_id").map(|id| thing("comment", Some(id)));
    let object = comment.or_else(|| media(value)).unwrap_or_else(|| thing("media", None));
    vec![Activity {
        actor: who(value, account),
        target: Some(thing("page", Some(account.to_owned()))),
        text: value.text("text"),
        ..activity(Verb::Mention, object)
    }]
}

/// How a story went: nobody did anything, but the story's numbers are there.
pub(crate) fn insights(value: &json::Object, account: &str) -> Vec<Activity> {
    let target = Some(thing("page", Some(account.to_owned())));
    vec![Activity { target, ..activity(Verb::Update, thing("story", value.text("media_id"))) }]
}

fn media(value: &json::Object) -> Option<Object> {
    let id = value.text_in("media", "id").or_else(|| value.text("media_id"))?;
    Some(thing("media", Some(id)))
}

fn who(value: &json::Object, account: &str) -> Option<Actor> {
    let from = value.object("from")?;
    let (id, handle) = (from.text("id"), from.text("username"));
    if id.is_none() && handle.is_none() {
        return None;
    }
    // The registered account is called a page on all of Meta's platforms, so that one query finds it.
    let r#type = if id.as_deref() == Some(account) { "page" } else { "" };
    Some(Actor {
        id: id.unwrap_or_default(),
        handle: handle.unwrap_or_default(),
        name: from.text("name").unwrap_or_default(),
        r#type: r#type.to_owned(),
    })
}
