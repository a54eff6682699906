//! What holds for every activity of a delivery, read from what was sent: whatever the kind, known or not.

use common::activity::v1::{Actor, Object};
use common::json;

use crate::draft::Frame;
use crate::members::Members as _;

/// Members that stand beside what an event is about.
const AROUND: &[&str] = &["sender", "repository", "organization", "installation", "enterprise", "changes"];

/// The frame of an event. `name` is what GitHub calls its kind; `known`, whether its kind says who did what.
pub(super) fn frame(sent: &json::Object, name: &str, known: bool) -> Frame {
    Frame {
        action: sent.text("action").unwrap_or_else(|| name.to_owned()),
        account: account(sent),
        actor: if known { None } else { sent.object("sender").map(actor) },
        object: if known { None } else { Some(object(sent, name)) },
    }
}

/// The account, as [`account_of`](super::delivery::account_of) finds it.
fn account(sent: &json::Object) -> Option<Object> {
    let of =
        |name: &'static str| sent.object(name).filter(|owner| owner.text("id").is_some()).map(|owner| (name, owner));
    let (r#type, owner) = super::delivery::OWNERS.into_iter().find_map(of)?;
    let title = match r#type {
        "repository" => owner.first(&["full_name", "name"]),
        "installation" => owner.text_in("account", "login").or_else(|| owner.text("app_slug")),
        _ => owner.first(&["login", "slug", "name"]),
    };
    let url = owner.text("html_url").or_else(|| {
        // Organizations are sent without the address of their page, which is beside the sender's.
        let sender = sent.object("sender")?;
        let beside = sender.text("html_url")?;
        Some(format!("{}{}", beside.strip_suffix(&sender.text("login")?)?, owner.text("login")?))
    });
    Some(Object { url: url.unwrap_or_default(), title: title.unwrap_or_default(), ..thing(r#type, owner.text("id")) })
}

fn actor(user: &json::Object) -> Actor {
    let text = |name: &str| user.text(name).unwrap_or_default();
    Actor { id: text("id"), name: text("name"), handle: text("login"), r#type: text("type").to_lowercase() }
}

/// What an event of no known kind is about: the member that is called like it, else the only one that can be meant.
fn object(sent: &json::Object, name: &str) -> Object {
    let mut others = sent.iter().filter(|(key, _)| !AROUND.contains(&key.as_str()));
    let only =
        || match (others.find_map(|(_, value)| value.as_object()), others.find_map(|(_, value)| value.as_object())) {
            (Some(only), None) => Some(only),
            _ => None,
        };
    let Some(about) = sent.object(name).or_else(only) else { return thing(name, None) };
    Object {
        url: about.text("html_url").unwrap_or_default(),
        title: about.first(&["title", "name", "login", "summary"]).unwrap_or_default(),
        status: about.first(&["state", "status"]).unwrap_or_default(),
        author: about.object("user").or_else(|| about.object("creator")).map(actor),
        number: about.text("number").and_then(|number| number.parse().ok()),
        ..thing(name, about.first(&["id", "node_id", "ghsa_id"]))
    }
}

fn thing(r#type: &str, id: Option<String>) -> Object {
    Object { r#type: r#type.to_owned(), id: id.unwrap_or_default(), ..Object::default() }
}
