//! What holds for every activity of an item, read from what was sent: whatever the kind, known or not.

use common::activity::v1::{Actor, Object};
use common::json;

use crate::draft::Frame;
use crate::members::Members as _;

/// The frame of an item. `action` is what the platform calls what was done, `value` what was sent about it.
pub(super) fn frame(platform: &str, account: &str, action: &str, value: Option<&json::Object>) -> Frame {
    let actor = value.and_then(|value| actor(value, account));
    // The account is called by its name only where it did something itself, and WhatsApp's by its telephone number.
    let own = actor.as_ref().filter(|actor| actor.id == account);
    let own = own.map(|own| if own.name.is_empty() { own.handle.clone() } else { own.name.clone() });
    let number = || value?.text_in("metadata", "display_phone_number");
    let page = Object {
        r#type: "page".to_owned(),
        id: account.to_owned(),
        title: own.or_else(number).unwrap_or_default(),
        url: if platform == "facebook" { format!("https://www.facebook.com/{account}") } else { String::new() },
        ..Object::default()
    };
    Frame { action: action.to_owned(), account: Some(page), actor, object: None }
}

/// Who did it, in any of the forms that Meta has for it.
fn actor(value: &json::Object, account: &str) -> Option<Actor> {
    let from = value.object("from").or_else(|| value.object("sender"));
    let of = |names: &[&str]| from.and_then(|from| from.first(names));
    let id = of(&["id", "user_ref"]).or_else(|| value.first(&["sender_id", "reviewer_id", "user_id"]));
    let name = of(&["name"]).or_else(|| value.first(&["sender_name", "reviewer_name"]));
    let handle = of(&["username"]);
    if id.is_none() && name.is_none() && handle.is_none() {
        return None;
    }
    Some(Actor {
        r#type: if id.as_deref() == Some(account) { "page" } else { "" }.to_owned(),
        id: id.unwrap_or_default(),
        name: name.unwrap_or_default(),
        handle: handle.unwrap_or_default(),
    })
}
