//! Items of a conversation: Messenger and Instagram. Both have the same parts, so a kind that both have is declared once.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::facebook::v1::{
    self as facebook, AccountLink, CheckoutUpdateContent, DeliveryReceipt, PaymentContent, PolicyAction,
};
use common::instagram::v1 as instagram;
use common::json::{self, Value};
use common::meta::v1::{
    Attachment, AttachmentPayload, MessageContent, MessageEditContent, OptInContent, Party, PostbackContent,
    ReactionContent, ReadReceipt, ReferralInfo, ThreadControl,
};

use super::{Entry, Parts, account, activity, build, entry, page_of, text, thing};
use crate::ParsedEvent;
use crate::kind::{Kind, Time};
use crate::members::Members as _;
use crate::meta::time;

/// The most activities that one receipt makes; what it names beyond is in the event only.
const MAX_RECEIPTS: usize = 100;

/// The one member of Meta's with a dash, which no field of a schema can have.
const POLICY: &str = "policy-enforcement";

macro_rules! kind {
    ($message:path, [$name:literal $(, $other:ident)?], $activities:ident($($content:ident)?)) => {
        impl Kind for $message {
            const NAMES: &'static [&'static str] = &[$name $(, $other)?];

            fn subject(sent: &json::Object, account: &str) -> Option<String> {
                subject(sent, account)
            }

            fn time(sent: &json::Object) -> Time {
                time::of_message(sent)
            }

            fn activities(&self) -> Vec<Activity> {
                let (sender, recipient) = (self.sender.as_ref(), self.recipient.as_ref());
                let item = Item { account: account(&self.context), sender, recipient };
                $activities(&item $(, &self.$content)?)
            }
        }

        enveloped!($message);
    };
}

/// Names of the member that an item is told by, what it means, and the messages.
macro_rules! kinds {
    ($($names:tt => $activities:ident $content:tt: $($message:path),+;)+) => {
        $($(kind!($message, $names, $activities $content);)+)+
    };
}

kinds! {
    ["message"] => message(message): facebook::Message, instagram::Message;
    ["message_edit"] => edit(message_edit): facebook::MessageEdit, instagram::MessageEdit;
    ["postback"] => postback(postback): facebook::Postback, instagram::Postback;
    ["read"] => read(read): facebook::MessageRead, instagram::MessageSeen;
    ["delivery"] => delivery(delivery): facebook::MessageDelivery;
    ["reaction"] => reaction(reaction): facebook::MessageReaction, instagram::MessageReaction;
    ["optin"] => opt_in(optin): facebook::OptIn, instagram::OptIn;
    ["referral"] => referral(referral): facebook::Referral, instagram::Referral;
    ["payment"] => payment(payment): facebook::Payment;
    ["checkout_update"] => checkout(checkout_update): facebook::CheckoutUpdate;
    ["app_roles"] => app_roles(): facebook::AppRoles;
    ["pass_thread_control"] => pass(pass_thread_control): facebook::PassThreadControl, instagram::PassThreadControl;
    ["take_thread_control"] => take(take_thread_control): facebook::TakeThreadControl, instagram::TakeThreadControl;
    ["request_thread_control"] => request(request_thread_control):
        facebook::RequestThreadControl, instagram::RequestThreadControl;
    ["account_linking"] => account_linking(account_linking): facebook::AccountLinking;
    ["policy_enforcement", POLICY] => policy(policy_enforcement): facebook::PolicyEnforcement;
}

/// By the member that an item has beside sender, recipient and timestamp. Where it has several, the first of this table
/// counts, and the others are in the event's unknown map.
pub(super) static MESSENGER: &[Entry] = &[
    entry::<facebook::Message>(),
    entry::<facebook::MessageEdit>(),
    entry::<facebook::Postback>(),
    entry::<facebook::MessageRead>(),
    entry::<facebook::MessageDelivery>(),
    entry::<facebook::MessageReaction>(),
    entry::<facebook::OptIn>(),
    entry::<facebook::Referral>(),
    entry::<facebook::Payment>(),
    entry::<facebook::CheckoutUpdate>(),
    entry::<facebook::AppRoles>(),
    entry::<facebook::PassThreadControl>(),
    entry::<facebook::TakeThreadControl>(),
    entry::<facebook::RequestThreadControl>(),
    entry::<facebook::AccountLinking>(),
    Entry::of::<facebook::PolicyEnforcement>(with_underscore),
];

/// The same of Instagram.
pub(super) static DIRECT: &[Entry] = &[
    entry::<instagram::Message>(),
    entry::<instagram::MessageEdit>(),
    entry::<instagram::Postback>(),
    entry::<instagram::MessageSeen>(),
    entry::<instagram::MessageReaction>(),
    entry::<instagram::OptIn>(),
    entry::<instagram::Referral>(),
    entry::<instagram::PassThreadControl>(),
    entry::<instagram::TakeThreadControl>(),
    entry::<instagram::RequestThreadControl>(),
];

fn with_underscore(mut parts: Parts<'_>) -> ParsedEvent {
    if !parts.value.get("policy_enforcement").is_some_and(Value::is_object)
        && let Some(policy) = parts.value.remove(POLICY)
    {
        parts.value.insert("policy_enforcement".to_owned(), policy);
    }
    build::<facebook::PolicyEnforcement>(parts)
}

/// Who a conversation of the account is with. Not of the message: an item of no known kind has the same key.
pub(in crate::meta) fn subject(item: &json::Object, account: &str) -> Option<String> {
    let party = |name| item.object(name).and_then(|party| party.first(&["id", "user_ref"]));
    let others = |id: &String| id != account;
    party("sender").filter(others).or_else(|| party("recipient").filter(others))
}

/// What an item says of whom, whatever its kind.
struct Item<'a> {
    account: &'a str,
    sender: Option<&'a Party>,
    recipient: Option<&'a Party>,
}

impl Item<'_> {
    /// What one side did, with the other as its target.
    fn said(&self, verb: Verb, object: Object) -> Activity {
        let r#type = |id: &str| if id == self.account { "page" } else { "user" };
        let actor = self.sender.and_then(|sender| {
            let id = id(sender)?;
            let name = text(&sender.name).unwrap_or_default().to_owned();
            let handle = text(&sender.username).unwrap_or_default().to_owned();
            Some(Actor { id: id.to_owned(), name, handle, r#type: r#type(id).to_owned() })
        });
        let target = self.recipient.and_then(id).map(|id| thing(r#type(id), Some(id)));
        Activity { actor, target, ..activity(verb, object) }
    }

    /// What an app did with the conversation, whose person is the target.
    fn of_app(&self, app: Option<&str>, verb: Verb) -> Activity {
        let others = |id: &&str| *id != self.account;
        let person = [self.sender, self.recipient].into_iter().flatten().filter_map(id).find(others);
        let actor = app.map(|id| Actor { id: id.to_owned(), r#type: "app".to_owned(), ..Actor::default() });
        let target = person.map(|id| thing("user", Some(id)));
        Activity { actor, target, ..activity(verb, thing("conversation", None)) }
    }
}

/// Who a side is: its id, or the reference of a plugin.
fn id(party: &Party) -> Option<&str> {
    text(&party.id).or(text(&party.user_ref))
}

/// A text of the content, where there is one.
fn of<'a, C>(content: &'a Option<C>, field: impl FnOnce(&'a C) -> &'a Option<String>) -> Option<&'a str> {
    content.as_ref().and_then(|content| text(field(content)))
}

fn owned(text: Option<&str>) -> String {
    text.unwrap_or_default().to_owned()
}

/// A message, of either side.
fn message(item: &Item<'_>, message: &Option<MessageContent>) -> Vec<Activity> {
    let Some(message) = message else { return Vec::new() };
    let verb = if message.is_deleted == Some(true) { Verb::Delete } else { Verb::Message };
    let mut said = item.said(verb, thing("message", text(&message.mid)));
    if let Some(actor) = said.actor.as_mut().filter(|_| message.is_echo == Some(true)) {
        actor.r#type = "page".to_owned();
    }
    said.text = text(&message.text).map(str::to_owned);
    said.instrument = message.attachments.first().map(attached);
    said.thread = message.reply_to.as_ref().and_then(|answered| {
        let story = answered.story.as_ref()?;
        Some(Object { url: text(&story.url).unwrap_or_default().to_owned(), ..thing("story", text(&story.id)) })
    });
    for attachment in &message.attachments {
        let file = attachment.payload.as_ref().and_then(|payload| text(&payload.url));
        said.links.extend(text(&attachment.url).into_iter().chain(file).map(str::to_owned));
    }
    vec![said]
}

/// A file, link or template, by what it is: image, audio, template, …
fn attached(attachment: &Attachment) -> Object {
    let payload = attachment.payload.as_ref();
    let of = |field: fn(&AttachmentPayload) -> &Option<String>| payload.and_then(|payload| text(field(payload)));
    let sent = |own: Option<&str>, below: Option<&str>| owned(own.or(below));
    Object {
        url: sent(text(&attachment.url), of(|payload| &payload.url)),
        title: sent(text(&attachment.title), of(|payload| &payload.title)),
        id: sent(text(&attachment.id), of(|payload| &payload.id).or(of(|payload| &payload.sticker_id))),
        ..thing(text(&attachment.r#type).unwrap_or("attachment"), None)
    }
}

/// A message as it is after an edit.
fn edit(item: &Item<'_>, edit: &Option<MessageEditContent>) -> Vec<Activity> {
    let object = thing("message", of(edit, |edit| &edit.mid));
    vec![Activity { text: of(edit, |edit| &edit.text).map(str::to_owned), ..item.said(Verb::Edit, object) }]
}

/// A button that was tapped: what stands on it is said.
fn postback(item: &Item<'_>, button: &Option<PostbackContent>) -> Vec<Activity> {
    let title = owned(of(button, |button| &button.payload));
    let object = Object { title, ..thing("postback", of(button, |button| &button.mid)) };
    vec![Activity { text: of(button, |button| &button.title).map(str::to_owned), ..item.said(Verb::Message, object) }]
}

/// Messages were read.
fn read(item: &Item<'_>, read: &Option<ReadReceipt>) -> Vec<Activity> {
    vec![item.said(Verb::Read, thing("message", of(read, |read| &read.mid)))]
}

/// Messages were delivered: one activity for each that is named.
fn delivery(item: &Item<'_>, delivery: &Option<DeliveryReceipt>) -> Vec<Activity> {
    let named = delivery.iter().flat_map(|delivery| &delivery.mids).filter(|mid| !mid.is_empty());
    let said = |mid: Option<&str>| item.said(Verb::Deliver, thing("message", mid));
    let all: Vec<_> = named.take(MAX_RECEIPTS).map(|mid| said(Some(mid))).collect();
    if all.is_empty() { vec![said(None)] } else { all }
}

/// A reaction to a message.
fn reaction(item: &Item<'_>, content: &Option<ReactionContent>) -> Vec<Activity> {
    let verb = if of(content, |content| &content.action) == Some("unreact") { Verb::Unreact } else { Verb::React };
    let reaction = of(content, |content| &content.reaction).or(of(content, |content| &content.emoji));
    let object = thing("message", of(content, |content| &content.mid));
    let action = owned(of(content, |content| &content.action));
    vec![Activity { action, reaction: reaction.map(str::to_owned), ..item.said(verb, object) }]
}

/// A consent.
fn opt_in(item: &Item<'_>, content: &Option<OptInContent>) -> Vec<Activity> {
    let title = content.as_ref().and_then(|content| {
        [&content.title, &content.topic, &content.r#ref, &content.payload].into_iter().find_map(text)
    });
    vec![item.said(Verb::OptIn, Object { title: owned(title), ..thing("opt_in", None) })]
}

/// A conversation opened by a link.
fn referral(item: &Item<'_>, referral: &Option<ReferralInfo>) -> Vec<Activity> {
    let title = owned(of(referral, |referral| &referral.r#ref));
    let links = of(referral, |referral| &referral.referer_uri).map(str::to_owned).into_iter().collect();
    vec![Activity { links, ..item.said(Verb::Open, Object { title, ..thing("conversation", None) }) }]
}

/// A payment.
fn payment(item: &Item<'_>, payment: &Option<PaymentContent>) -> Vec<Activity> {
    let credential = payment.as_ref().and_then(|payment| payment.payment_credential.as_ref());
    vec![item.said(Verb::Post, thing("payment", credential.and_then(|paid| text(&paid.charge_id))))]
}

/// An address chosen while buying.
fn checkout(item: &Item<'_>, update: &Option<CheckoutUpdateContent>) -> Vec<Activity> {
    let title = owned(of(update, |update| &update.payload));
    vec![item.said(Verb::Update, Object { title, ..thing("checkout", None) })]
}

/// Roles of apps.
fn app_roles(item: &Item<'_>) -> Vec<Activity> {
    vec![item.said(Verb::Update, thing("app_roles", None))]
}

/// An app gives a conversation to another one. The item's sender is the person, who has nothing to do with it.
fn pass(item: &Item<'_>, control: &Option<ThreadControl>) -> Vec<Activity> {
    let instrument = of(control, |control| &control.new_owner_app_id).map(|app| thing("app", Some(app)));
    let giver = of(control, |control| &control.previous_owner_app_id);
    vec![Activity { instrument, ..item.of_app(giver, Verb::Update) }]
}

/// An app takes a conversation from another one.
fn take(item: &Item<'_>, control: &Option<ThreadControl>) -> Vec<Activity> {
    let instrument = of(control, |control| &control.previous_owner_app_id).map(|app| thing("app", Some(app)));
    let taker = of(control, |control| &control.new_owner_app_id);
    vec![Activity { instrument, ..item.of_app(taker, Verb::Update) }]
}

/// An app asks for a conversation.
fn request(item: &Item<'_>, control: &Option<ThreadControl>) -> Vec<Activity> {
    vec![item.of_app(of(control, |control| &control.requested_owner_app_id), Verb::Update)]
}

/// A person's account at the business.
fn account_linking(item: &Item<'_>, link: &Option<AccountLink>) -> Vec<Activity> {
    let status = owned(of(link, |link| &link.status));
    let verb = if status == "linked" { Verb::OptIn } else { Verb::Update };
    vec![item.said(verb, Object { status, ..thing("account_link", None) })]
}

/// What Facebook did about the page. The sender is nobody: it is the platform that acts.
fn policy(item: &Item<'_>, policy: &Option<PolicyAction>) -> Vec<Activity> {
    let verb = match of(policy, |policy| &policy.action) {
        Some("block") => Verb::Block,
        Some("unblock") => Verb::Unblock,
        _ => Verb::Update,
    };
    let text = of(policy, |policy| &policy.reason).map(str::to_owned);
    vec![Activity { text, ..activity(verb, page_of(item.account)) }]
}
