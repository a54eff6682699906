//! What people on WhatsApp want of a business, how it knows them, and its groups.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::json;
use common::whatsapp::v1::{self as whatsapp, GroupUpdate, Participant};

use super::{Entry, account, activity, bundled, group, number, person, text, thing};
use crate::kind::{Kind, Time};
use crate::members::Members as _;
use crate::meta::time;

pub(super) const PREFERENCE: Entry = bundled::<whatsapp::UserPreference>();
pub(super) const USER_ID: Entry = bundled::<whatsapp::UserIdUpdate>();
pub(super) const GROUP: Entry = bundled::<GroupUpdate>();

/// The most activities that one change of a group makes; groups have fewer people.
const MAX_PARTICIPANTS: usize = 100;

/// Message, the name of its list, the members that it is about, and the function that says what it means.
macro_rules! kinds {
    ($($message:ident: $name:literal, $about:expr, $activities:ident;)+) => {
        $(
            impl Kind for whatsapp::$message {
                const NAMES: &'static [&'static str] = &[$name];

                fn subject(sent: &json::Object, _account: &str) -> Option<String> {
                    sent.first($about)
                }

                fn time(sent: &json::Object) -> Time {
                    time::of_message(sent)
                }

                fn activities(&self) -> Vec<Activity> {
                    $activities(self)
                }
            }

            enveloped!(whatsapp::$message);
            with_beside!(whatsapp::$message);
        )+
    };
}

kinds! {
    UserPreference: "user_preferences", &["wa_id", "user_id"], preference;
    UserIdUpdate: "user_id_update", &["wa_id"], user_id;
    GroupUpdate: "groups", &["group_id"], group_update;
}

/// Somebody wants messages, or no more of them.
fn preference(preference: &whatsapp::UserPreference) -> Vec<Activity> {
    let value = text(&preference.value).unwrap_or_default();
    let id = text(&preference.wa_id).or(text(&preference.user_id));
    let title = text(&preference.category).unwrap_or_default().to_owned();
    let number = number(&preference.metadata.as_ref().and_then(|metadata| metadata.display_phone_number.clone()));
    let verb = if value == "resume" { Verb::OptIn } else { Verb::Update };
    vec![Activity {
        action: value.to_owned(),
        actor: id.map(|id| person(id, preference.contact.as_ref())),
        target: Some(number),
        text: text(&preference.detail).map(str::to_owned),
        ..activity(verb, Object { title, status: value.to_owned(), ..thing("opt_in", None) })
    }]
}

/// The platform knows a person by another id.
fn user_id(update: &whatsapp::UserIdUpdate) -> Vec<Activity> {
    let id = update.user_id.as_ref();
    let now = id.and_then(|id| text(&id.current));
    let before = id.and_then(|id| text(&id.previous));
    vec![Activity {
        instrument: now.map(|id| thing("user", Some(id))),
        text: text(&update.detail).map(str::to_owned),
        ..activity(Verb::Update, thing("user", text(&update.wa_id).or(before)))
    }]
}

/// A change of a group: one activity for each who joined or left.
fn group_update(update: &GroupUpdate) -> Vec<Activity> {
    let action = text(&update.r#type).unwrap_or_default();
    let verb = match action {
        "group_create" => Verb::Post,
        "group_delete" => Verb::Delete,
        _ => Verb::Update,
    };
    let title = text(&update.subject).unwrap_or_default().to_owned();
    let business = || {
        let id = account(&update.context).to_owned();
        Actor { id, r#type: "page".to_owned(), ..Actor::default() }
    };
    let asks = text(&update.wa_id).or(text(&update.user_id)).map(|id| {
        let handle = text(&update.username).unwrap_or_default().to_owned();
        Actor { handle, ..person(id, update.contact.as_ref()) }
    });
    let actor = asks.or_else(|| (text(&update.initiated_by) == Some("business")).then(business));
    let by_participant = text(&update.initiated_by) == Some("participant");
    let told = |participant: Option<&Participant>| {
        let instrument = participant.map(participant_object);
        let own = participant.filter(|_| by_participant).and_then(|participant| {
            let handle = text(&participant.username).unwrap_or_default().to_owned();
            Some(Actor { handle, ..person(participant_id(participant)?, None) })
        });
        let group = Object { title: title.clone(), ..group(text(&update.group_id).unwrap_or_default()) };
        Activity {
            action: action.to_owned(),
            actor: actor.clone().or(own),
            instrument,
            text: text(&update.reason).or(text(&update.description)).map(str::to_owned),
            ..activity(verb, group)
        }
    };
    let lists = [&update.added_participants, &update.removed_participants, &update.failed_participants];
    let all: Vec<_> = lists.into_iter().flatten().take(MAX_PARTICIPANTS).map(|one| told(Some(one))).collect();
    if all.is_empty() { vec![told(None)] } else { all }
}

fn participant_id(participant: &Participant) -> Option<&str> {
    text(&participant.wa_id).or(text(&participant.user_id)).or(text(&participant.input))
}

fn participant_object(participant: &Participant) -> Object {
    let title = text(&participant.username).unwrap_or_default().to_owned();
    Object { title, ..thing("user", participant_id(participant)) }
}
