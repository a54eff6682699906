//! What is said on WhatsApp, what became of it, and calls.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::json;
use common::whatsapp::v1::{self as whatsapp, Contact, ErrorInfo, Media, Message, MessageStatus, Metadata};

use super::{Entry, account, activity, bundled, group, number, page_of, person, text, thing};
use crate::kind::{Kind, Time};
use crate::members::Members as _;
use crate::meta::time;

pub(super) const MESSAGE: Entry = bundled::<Message>();
pub(super) const STATUS: Entry = bundled::<MessageStatus>();
pub(super) const ERROR: Entry = bundled::<whatsapp::Error>();
pub(super) const CALL: Entry = bundled::<whatsapp::Call>();

/// Message, the names of its lists, the members that say with whom it is, and the function that says what it means.
macro_rules! kinds {
    ($($message:ident: $($name:literal)|+, $with:expr, $activity:ident;)+) => {
        $(
            impl Kind for whatsapp::$message {
                const NAMES: &'static [&'static str] = &[$($name),+];

                fn subject(sent: &json::Object, _account: &str) -> Option<String> {
                    let with: fn(&json::Object) -> Option<String> = $with;
                    with(sent)
                }

                fn time(sent: &json::Object) -> Time {
                    time::of_message(sent)
                }

                fn activities(&self) -> Vec<Activity> {
                    vec![$activity(self)]
                }
            }

            enveloped!(whatsapp::$message);
            with_beside!(whatsapp::$message);
        )+
    };
}

kinds! {
    Message: "messages" | "message_echoes",
        |sent| sent.first(&["group_id", "to", "to_user_id", "from", "from_user_id"]), message;
    MessageStatus: "statuses", |sent| sent.first(&["recipient_id", "recipient_user_id"]), status;
    Error: "errors", |_| None, error;
    Call: "calls", |sent| match sent.str("direction") {
        Some("BUSINESS_INITIATED") => sent.first(&["to", "to_user_id"]),
        _ => sent.first(&["from", "from_user_id"]),
    }, call;
}

/// The business's number that a change is about.
fn own(metadata: &Option<Metadata>) -> Object {
    number(&metadata.as_ref().and_then(|metadata| metadata.display_phone_number.clone()))
}

/// The business as who does something.
fn business(account: &str, metadata: &Option<Metadata>) -> Actor {
    let handle = metadata.as_ref().and_then(|metadata| text(&metadata.display_phone_number)).unwrap_or_default();
    Actor { id: account.to_owned(), handle: handle.to_owned(), r#type: "page".to_owned(), ..Actor::default() }
}

/// A person by the id on WhatsApp, else by that which only the business knows, with the name of the contact.
fn somebody(wa_id: &Option<String>, user_id: &Option<String>, contact: &Option<Contact>) -> Option<Actor> {
    let known = contact.as_ref();
    let id = text(wa_id).or(known.and_then(|contact| text(&contact.wa_id))).or(text(user_id))?;
    Some(person(id, known))
}

fn as_object(person: Actor) -> Object {
    Object { title: person.name, ..thing(&person.r#type, Some(&person.id)) }
}

fn of<'a, C>(content: &'a Option<C>, field: impl FnOnce(&'a C) -> &'a Option<String>) -> Option<&'a str> {
    content.as_ref().and_then(|content| text(field(content)))
}

/// What went wrong, in the platform's words.
fn problem(errors: &[ErrorInfo]) -> Option<String> {
    let error = errors.first()?;
    let details = of(&error.error_data, |data| &data.details).or(text(&error.details));
    details.or(text(&error.message)).or(text(&error.title)).map(str::to_owned)
}

/// A message of either side. An echo is the business's own.
fn message(message: &Message) -> Activity {
    let is_echo = message.to.is_some() || message.to_user_id.is_some();
    let account = account(&message.context);
    let other = if is_echo {
        somebody(&message.to, &message.to_user_id, &message.contact)
    } else {
        somebody(&message.from, &message.from_user_id, &message.contact)
    };
    let group = text(&message.group_id).map(group);
    let (actor, target) = if is_echo {
        (Some(business(account, &message.metadata)), group.or(other.map(as_object)))
    } else {
        (other, group.or_else(|| Some(own(&message.metadata))))
    };
    let action = text(&message.r#type).unwrap_or_default().to_owned();
    let told = Activity { action, actor, target, ..activity(Verb::Message, thing("message", text(&message.id))) };
    match (&message.reaction, &message.edit, &message.revoke, &message.system) {
        (Some(reaction), ..) => {
            let emoji = text(&reaction.emoji).map(str::to_owned);
            let verb = if emoji.is_some() { Verb::React } else { Verb::Unreact };
            let object = Some(thing("message", text(&reaction.message_id)));
            Activity { verb: verb.into(), object, reaction: emoji, ..told }
        }
        (_, Some(edit), ..) => {
            let now = edit.message.as_ref();
            let media = now.into_iter().flat_map(|now| [&now.image, &now.video, &now.document]).flatten().next();
            let words =
                now.and_then(|now| of(&now.text, |text| &text.body)).or(media.and_then(|file| text(&file.caption)));
            let object = Some(thing("message", text(&edit.original_message_id)));
            Activity { verb: Verb::Edit.into(), object, text: words.map(str::to_owned), ..told }
        }
        (_, _, Some(revoke), _) => {
            let object = Some(thing("message", text(&revoke.original_message_id)));
            Activity { verb: Verb::Delete.into(), object, ..told }
        }
        (.., Some(system)) => {
            // It is the platform that says so, of a person.
            let id = text(&message.from).or(text(&system.customer)).or(text(&message.from_user_id));
            let now = text(&system.wa_id).or(text(&system.new_wa_id)).or(text(&system.user_id));
            Activity {
                verb: Verb::Update.into(),
                action: text(&system.r#type).map_or(told.action, str::to_owned),
                actor: None,
                object: Some(thing("user", id.or(now))),
                instrument: now.map(|id| thing("user", Some(id))),
                text: text(&system.body).map(str::to_owned),
                ..told
            }
        }
        _ => content(message, told),
    }
}

/// What a message says and has with it.
fn content(message: &Message, told: Activity) -> Activity {
    let files = [&message.image, &message.audio, &message.video, &message.document, &message.sticker];
    let captions = files.into_iter().flatten().find_map(|file| text(&file.caption));
    let tapped = message.interactive.as_ref();
    let reply = tapped.and_then(|tapped| tapped.button_reply.as_ref().or(tapped.list_reply.as_ref()));
    let form = tapped.and_then(|tapped| tapped.nfm_reply.as_ref());
    let words = of(&message.text, |words| &words.body)
        .or(captions)
        .or(of(&message.button, |button| &button.text))
        .or(reply.and_then(|reply| text(&reply.title)))
        .or(form.and_then(|form| text(&form.body)))
        .or(of(&message.order, |order| &order.text));
    let status = if message.errors.is_empty() { "" } else { "unsupported" }.to_owned();
    let answered = message.message_context.as_ref().and_then(|context| text(&context.id));
    let links = of(&message.referral, |referral| &referral.source_url);
    Activity {
        object: told.object.map(|object| Object { status, ..object }),
        instrument: instrument(message),
        thread: answered.map(|id| thing("message", Some(id))),
        text: words.map(str::to_owned),
        links: links.map(str::to_owned).into_iter().collect(),
        ..told
    }
}

/// What came with the words: a file, a place, a card, what was tapped or ordered, the advertisement.
fn instrument(message: &Message) -> Option<Object> {
    let files: [(&str, &Option<Media>); 5] = [
        ("image", &message.image),
        ("audio", &message.audio),
        ("video", &message.video),
        ("document", &message.document),
        ("sticker", &message.sticker),
    ];
    let titled = |r#type: &str, id: Option<&str>, title: Option<&str>, url: Option<&str>| {
        let (title, url) = (title.unwrap_or_default().to_owned(), url.unwrap_or_default().to_owned());
        Object { title, url, ..thing(r#type, id) }
    };
    let mut files = files.into_iter().filter_map(|(name, file)| Some((name, file.as_ref()?)));
    let file = files.next().map(|(name, file)| titled(name, text(&file.id), text(&file.filename), text(&file.url)));
    let place = || {
        let place = message.location.as_ref()?;
        Some(titled("location", None, text(&place.name).or(text(&place.address)), text(&place.url)))
    };
    let card = || {
        let card = message.contacts.first()?;
        Some(titled("contact", None, of(&card.name, |name| &name.formatted_name), None))
    };
    let tapped = || {
        let tapped = message.interactive.as_ref()?;
        let reply = tapped.button_reply.as_ref().or(tapped.list_reply.as_ref());
        let kind = text(&tapped.r#type).unwrap_or("interactive");
        Some(titled(kind, None, reply.and_then(|reply| text(&reply.id)), None))
    };
    let button = || Some(titled("button", None, text(&message.button.as_ref()?.payload), None));
    let order = || Some(titled("catalog", text(&message.order.as_ref()?.catalog_id), None, None));
    let product = || {
        let product = message.message_context.as_ref()?.referred_product.as_ref()?;
        Some(titled("product", None, text(&product.product_retailer_id), None))
    };
    let referral = || {
        let from = message.referral.as_ref()?;
        let kind = text(&from.source_type).unwrap_or("ad");
        Some(titled(kind, text(&from.source_id), text(&from.headline), text(&from.source_url)))
    };
    let unsupported = || Some(titled(text(&message.unsupported.as_ref()?.r#type)?, None, None, None));
    file.or_else(place)
        .or_else(card)
        .or_else(tapped)
        .or_else(button)
        .or_else(order)
        .or_else(product)
        .or_else(referral)
        .or_else(unsupported)
}

/// What became of a message, or of a call, that the business began.
fn status(status: &MessageStatus) -> Activity {
    let word = text(&status.status).unwrap_or_default();
    let wa_id = [&status.recipient_participant_id, &status.recipient_id];
    let user_id = [&status.recipient_participant_user_id, &status.recipient_user_id];
    let is_group = text(&status.recipient_type) == Some("group");
    let group = text(&status.recipient_id).filter(|_| is_group).map(group);
    // The recipient of a group's message is the group.
    let among = |ids: [&Option<String>; 2]| {
        let mut ids = ids.into_iter().take(if is_group { 1 } else { 2 });
        ids.find_map(|id| text(id)).map(str::to_owned)
    };
    let recipient = somebody(&among(wa_id), &among(user_id), &status.contact);
    let business = || Some(business(account(&status.context), &status.metadata));
    let to = || group.clone().or_else(|| recipient.clone().map(as_object));
    let (verb, actor, target) = match word {
        "delivered" => (Verb::Deliver, recipient, group.or_else(|| Some(own(&status.metadata)))),
        "read" | "played" => (Verb::Read, recipient, group.or_else(|| Some(own(&status.metadata)))),
        "sent" => (Verb::Message, business(), to()),
        "deleted" => (Verb::Delete, business(), to()),
        _ => (Verb::Update, None, to()),
    };
    let object =
        Object { status: word.to_owned(), ..thing(text(&status.r#type).unwrap_or("message"), text(&status.id)) };
    Activity { action: word.to_owned(), actor, target, text: problem(&status.errors), ..activity(verb, object) }
}

/// Something went wrong that is of no message.
fn error(error: &whatsapp::Error) -> Activity {
    let details = of(&error.error_data, |data| &data.details).or(text(&error.details));
    let code = error.code.map(|code| code.to_string());
    let object = Object { title: text(&error.title).unwrap_or_default().to_owned(), ..thing("error", code.as_deref()) };
    Activity {
        target: Some(own(&error.metadata)),
        text: details.or(text(&error.message)).map(str::to_owned),
        ..activity(Verb::Update, object)
    }
}

/// A call begins or ends.
fn call(call: &whatsapp::Call) -> Activity {
    let by_business = text(&call.direction) == Some("BUSINESS_INITIATED");
    let verb = match text(&call.event) {
        Some("connect") => Verb::Start,
        Some("terminate") => Verb::Complete,
        _ => Verb::Update,
    };
    let (actor, target) = if by_business {
        let business = business(account(&call.context), &call.metadata);
        (Some(business), somebody(&call.to, &None, &call.contact).map(as_object))
    } else {
        (somebody(&call.from, &call.from_user_id, &call.contact), Some(own(&call.metadata)))
    };
    let status = text(&call.status).unwrap_or_default().to_lowercase();
    Activity {
        action: text(&call.event).unwrap_or_default().to_owned(),
        actor,
        target: target.or_else(|| Some(page_of(account(&call.context)))),
        text: problem(&call.errors),
        ..activity(verb, Object { status, ..thing("call", text(&call.id)) })
    }
}
