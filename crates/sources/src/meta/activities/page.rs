//! Changes of a Facebook page.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::json;

use super::{activity, actor, links, thing};
use crate::meta::kinds::Item;
use crate::meta::members::Members as _;

/// What a change of `feed`, `mention` or `ratings` says.
pub(crate) fn activities(item: &Item, value: &json::Object, account: &str) -> Vec<Activity> {
    let verb = verb(item, value.str("verb").unwrap_or_default());
    let (object, target) = match verb {
        Verb::Follow | Verb::Unfollow => (page(account), None),
        _ => object_and_target(item, value, account),
    };
    let is_rating = item.name == "rating";
    let is_reaction = matches!(item.name, "like" | "reaction");
    let reaction = match item.name {
        "like" => value.text("reaction_type").or_else(|| Some("like".to_owned())),
        "rating" => value.first(&["rating", "recommendation_type"]),
        _ => value.text("reaction_type"),
    };
    vec![Activity {
        actor: who(value, account),
        target,
        text: value.first(if is_rating { &["review_text", "message"] } else { &["message", "review_text"] }),
        reaction: reaction.filter(|_| is_rating || is_reaction),
        links: links(value, &["link", "photo", "photos", "video"]),
        ..activity(verb, object)
    }]
}

/// A lead that somebody sent off. Who it is stands in the lead, not in the change.
pub(crate) fn lead(value: &json::Object, account: &str) -> Vec<Activity> {
    let target = match value.text("form_id") {
        Some(form) => thing("form", Some(form)),
        None => page(account),
    };
    vec![Activity { target: Some(target), ..activity(Verb::Open, thing("lead", value.text("leadgen_id"))) }]
}

fn verb(item: &Item, sent: &str) -> Verb {
    match sent {
        "add" => item.add,
        "edit" | "edited" | "update" => Verb::Edit,
        "remove" | "delete" if item.add == Verb::React => Verb::Unreact,
        "remove" | "delete" => Verb::Delete,
        // Who is muted is not blocked, only out of sight.
        "hide" | "mute" => Verb::Hide,
        "unhide" | "unmute" => Verb::Unhide,
        "block" => Verb::Block,
        "unblock" => Verb::Unblock,
        "follow" => Verb::Follow,
        "unfollow" => Verb::Unfollow,
        // A verb that Meta has not told us of: something about the object has changed, and the event says what.
        _ => Verb::Update,
    }
}

fn who(value: &json::Object, account: &str) -> Option<Actor> {
    let from = value.object("from");
    let id = from.and_then(|from| from.text("id")).or_else(|| value.first(&["sender_id", "reviewer_id", "user_id"]));
    let name = from.and_then(|from| from.text("name")).or_else(|| value.first(&["sender_name", "reviewer_name"]));
    actor(id, name, account)
}

fn page(account: &str) -> Object {
    thing("page", Some(account.to_owned()))
}

fn post(value: &json::Object) -> Option<Object> {
    let id = value.text("post_id").or_else(|| value.text_in("post", "id"))?;
    let url = value.text_in("post", "permalink_url").unwrap_or_default();
    Some(Object { url, ..thing("post", Some(id)) })
}

fn object_and_target(item: &Item, value: &json::Object, account: &str) -> (Object, Option<Object>) {
    let post = post(value);
    let rating = || value.text("open_graph_story_id").map(|id| thing("rating", Some(id)));
    let comment = || value.text("comment_id").map(|id| thing("comment", Some(id)));
    match item.name {
        "like" | "reaction" => match (comment(), post) {
            (Some(comment), post) => (comment, post.or_else(rating)),
            (None, Some(post)) => (post, Some(page(account))),
            (None, None) => match on_media(value).or_else(rating) {
                Some(object) => (object, Some(page(account))),
                None => (page(account), None),
            },
        },
        "comment" => {
            let post_id = post.as_ref().map(|post| post.id.as_str());
            // A comment on the post names the post as its parent; a reply names a comment.
            let parent = value.text("parent_id").filter(|parent| Some(parent.as_str()) != post_id);
            let target = match (parent, post) {
                (Some(parent), Some(_)) => Some(thing("comment", Some(parent))),
                (Some(parent), None) => Some(thing("post", Some(parent))),
                (None, post) => post.or_else(rating),
            };
            (comment().unwrap_or_else(|| thing("comment", None)), target)
        }
        // What names the page is a post or a comment, and it is the page that is named.
        "mention" | "tag" => {
            let object = comment().or(post).unwrap_or_else(|| thing(value.str("item").unwrap_or(item.name), None));
            (object, Some(page(account)))
        }
        name => {
            let title = value.text("title").unwrap_or_default();
            match (value.first(item.ids), post) {
                (Some(id), post) => (Object { title, ..thing(name, Some(id)) }, post.or_else(|| Some(page(account)))),
                (None, Some(post)) => (Object { r#type: name.to_owned(), title, ..post }, Some(page(account))),
                (None, None) => (Object { title, ..thing(name, None) }, Some(page(account))),
            }
        }
    }
}

/// What a reaction was given to that is neither a post nor a comment.
fn on_media(value: &json::Object) -> Option<Object> {
    let of = |(r#type, name): (&str, &str)| value.text(name).map(|id| thing(r#type, Some(id)));
    [("photo", "photo_id"), ("video", "video_id"), ("album", "album_id"), ("share", "share_id")]
        .into_iter()
        .find_map(of)
}
