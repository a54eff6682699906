//! Items of a conversation: Messenger and Instagram.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::json;

use super::{activity, thing};
use crate::meta::kinds::POLICY;
use crate::meta::members::Members as _;

/// The most activities that one receipt makes; what it names beyond is in the event only.
const MAX_RECEIPTS: usize = 100;

/// A message, of either side.
pub(crate) fn message(item: &json::Object, account: &str) -> Vec<Activity> {
    let Some(message) = item.object("message") else {
        return Vec::new();
    };
    let is_deleted = message.get("is_deleted").and_then(json::Value::as_bool) == Some(true);
    let verb = if is_deleted { Verb::Delete } else { Verb::Message };
    let is_echo = message.get("is_echo").and_then(json::Value::as_bool) == Some(true);
    let mut said = said(item, account, verb, thing("message", message.text("mid")));
    if let Some(actor) = said.actor.as_mut().filter(|_| is_echo) {
        actor.r#type = "page".to_owned();
    }
    said.text = message.text("text");
    let mut add = |link: Option<String>| said.links.extend(link);
    for attachment in message.list("attachments").iter().filter_map(json::Value::as_object) {
        add(attachment.text("url"));
        add(attachment.text_in("payload", "url"));
    }
    vec![said]
}

/// A message as it is after an edit.
pub(crate) fn edit(item: &json::Object, account: &str) -> Vec<Activity> {
    let text = item.text_in("message_edit", "text");
    let object = thing("message", item.text_in("message_edit", "mid"));
    vec![Activity { text, ..said(item, account, Verb::Edit, object) }]
}

/// A button that was tapped: what stands on it is said.
pub(crate) fn postback(item: &json::Object, account: &str) -> Vec<Activity> {
    let text = item.text_in("postback", "title");
    let title = item.text_in("postback", "payload").unwrap_or_default();
    let object = Object { title, ..thing("postback", item.text_in("postback", "mid")) };
    vec![Activity { text, ..said(item, account, Verb::Message, object) }]
}

/// Messages were read.
pub(crate) fn read(item: &json::Object, account: &str) -> Vec<Activity> {
    vec![said(item, account, Verb::Read, thing("message", item.text_in("read", "mid")))]
}

/// Messages were delivered: one activity for each that is named.
pub(crate) fn delivery(item: &json::Object, account: &str) -> Vec<Activity> {
    let named = item.object("delivery").map_or(&[][..], |delivery| delivery.list("mids"));
    let mids: Vec<_> = named.iter().filter_map(super::text_of).take(MAX_RECEIPTS).collect();
    if mids.is_empty() {
        return vec![said(item, account, Verb::Deliver, thing("message", None))];
    }
    mids.into_iter().map(|mid| said(item, account, Verb::Deliver, thing("message", Some(mid)))).collect()
}

/// A reaction to a message.
pub(crate) fn reaction(item: &json::Object, account: &str) -> Vec<Activity> {
    let verb = match item.object("reaction").and_then(|reaction| reaction.str("action")) {
        Some("unreact") => Verb::Unreact,
        _ => Verb::React,
    };
    let reaction = item.text_in("reaction", "reaction").or_else(|| item.text_in("reaction", "emoji"));
    let object = thing("message", item.text_in("reaction", "mid"));
    vec![Activity { reaction, ..said(item, account, verb, object) }]
}

/// A consent.
pub(crate) fn opt_in(item: &json::Object, account: &str) -> Vec<Activity> {
    let title = item.object("optin").and_then(|optin| optin.first(&["title", "topic", "ref", "payload"]));
    let object = Object { title: title.unwrap_or_default(), ..thing("opt_in", None) };
    vec![said(item, account, Verb::OptIn, object)]
}

/// A conversation opened by a link.
pub(crate) fn referral(item: &json::Object, account: &str) -> Vec<Activity> {
    let title = item.text_in("referral", "ref").unwrap_or_default();
    let links = item.text_in("referral", "referer_uri").into_iter().collect();
    vec![Activity { links, ..said(item, account, Verb::Open, Object { title, ..thing("conversation", None) }) }]
}

/// A payment.
pub(crate) fn payment(item: &json::Object, account: &str) -> Vec<Activity> {
    let charge = item.object("payment").and_then(|payment| payment.text_in("payment_credential", "charge_id"));
    vec![said(item, account, Verb::Post, thing("payment", charge))]
}

/// An address chosen while buying.
pub(crate) fn checkout(item: &json::Object, account: &str) -> Vec<Activity> {
    let title = item.text_in("checkout_update", "payload").unwrap_or_default();
    vec![said(item, account, Verb::Update, Object { title, ..thing("checkout", None) })]
}

/// Roles of apps.
pub(crate) fn app_roles(item: &json::Object, account: &str) -> Vec<Activity> {
    vec![said(item, account, Verb::Update, thing("app_roles", None))]
}

/// A conversation that changes from one app to another. It is the app that acts, for the account.
pub(crate) fn thread_control(item: &json::Object, account: &str) -> Vec<Activity> {
    let kinds = ["pass_thread_control", "take_thread_control", "request_thread_control"];
    let status = kinds.into_iter().find(|kind| item.contains_key(*kind)).unwrap_or_default();
    let object = Object { status: status.to_owned(), ..thing("conversation", None) };
    vec![said(item, account, Verb::Update, object)]
}

/// A person's account at the business.
pub(crate) fn account_linking(item: &json::Object, account: &str) -> Vec<Activity> {
    let status = item.text_in("account_linking", "status").unwrap_or_default();
    let verb = if status == "linked" { Verb::OptIn } else { Verb::Update };
    vec![said(item, account, verb, Object { status, ..thing("account_link", None) })]
}

/// What Facebook did about the page.
pub(crate) fn policy(item: &json::Object, account: &str) -> Vec<Activity> {
    let policy = item.object(POLICY).or_else(|| item.object("policy_enforcement"));
    let verb = match policy.and_then(|policy| policy.str("action")) {
        Some("block") => Verb::Block,
        Some("unblock") => Verb::Unblock,
        _ => Verb::Update,
    };
    let text = policy.and_then(|policy| policy.text("reason"));
    let object = thing("page", Some(account.to_owned()));
    // The sender is nobody: it is the platform that acts.
    vec![Activity { text, ..activity(verb, object) }]
}

/// What one side did, with the other as its target.
fn said(item: &json::Object, account: &str, verb: Verb, object: Object) -> Activity {
    let actor = item.object("sender").and_then(|sender| {
        let id = sender.first(&["id", "user_ref"])?;
        let r#type = if id == account { "page" } else { "user" };
        let (name, handle) = (sender.text("name").unwrap_or_default(), sender.text("username").unwrap_or_default());
        Some(Actor { id, name, handle, r#type: r#type.to_owned() })
    });
    let target = item.object("recipient").and_then(|recipient| {
        let id = recipient.first(&["id", "user_ref"])?;
        Some(thing(if id == account { "page" } else { "user" }, Some(id)))
    });
    Activity { actor, target, ..activity(verb, object) }
}
