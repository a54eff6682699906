//! Which message belongs to which field, item and member.

use std::collections::BTreeMap;

use common::activity::v1::{Activity, Verb};
use common::facebook::v1 as facebook;
use common::instagram::v1 as instagram;
use common::json::{self, Object, Value};
use common::raw::v1::Delivery;

use super::activities::{conversations, instagram as of_instagram, page};
use super::members::Members as _;
use crate::body;
use crate::{Draft, Event, Reason, Tenants};

/// What an event is built from.
pub(super) struct Parts<'a> {
    pub(super) draft: Draft,
    pub(super) delivery: &'a Delivery,
    pub(super) tenants: &'a dyn Tenants,
    pub(super) value: Object,
    pub(super) envelope: facebook::Envelope,
    /// What stood around it and has no field, by its path.
    pub(super) unknown: BTreeMap<String, String>,
    pub(super) activities: Vec<Activity>,
}

/// Builds the event with the message of its kind.
pub(super) type Build = fn(Parts<'_>) -> Event;

/// A typed event that says what stood around it.
trait Enveloped: common::event::Event {
    fn set_envelope(&mut self, envelope: facebook::Envelope);
}

fn build<E: Enveloped>(parts: Parts<'_>) -> Event {
    let mut message: E = json::read_event(parts.value, "");
    message.set_envelope(parts.envelope);
    message.unknown_mut().extend(parts.unknown);
    parts.draft.typed(parts.delivery, parts.tenants, message, |_| parts.activities)
}

fn of_facebook(envelope: facebook::Envelope) -> facebook::Envelope {
    envelope
}

fn to_instagram(envelope: facebook::Envelope) -> instagram::Envelope {
    let facebook::Envelope { object, entry_id, entry_time, list, field, standby, uid } = envelope;
    instagram::Envelope { object, entry_id, entry_time, list, field, standby, uid }
}

macro_rules! enveloped {
    ($platform:ident, $convert:path: $($message:ident)*) => {
        $(impl Enveloped for $platform::$message {
            fn set_envelope(&mut self, envelope: facebook::Envelope) {
                self.envelope = Some($convert(envelope));
            }
        })*
    };
}

enveloped!(facebook, of_facebook:
    Address Album Comment Connection Coupon Event Experience Group GroupMessage Interest Like Link Mention Milestone
    Note Page Photo PhotoAlbum Picture PlatformStory Post Profile Question Rating RatingComment RatingReaction
    Reaction RelationshipStatus Share Status Story Tag TimelineCover Video Leadgen
    Message MessageEdit MessageRead MessageDelivery MessageReaction Postback OptIn Referral Payment CheckoutUpdate
    AppRoles PassThreadControl TakeThreadControl RequestThreadControl AccountLinking PolicyEnforcement);
enveloped!(instagram, to_instagram:
    Comment LiveComment Mention StoryInsights
    Message MessageEdit MessageSeen MessageReaction Postback OptIn Referral
    PassThreadControl TakeThreadControl RequestThreadControl);

/// An item of the field `feed`, and of those like it.
#[derive(Debug)]
pub(super) struct Item {
    /// As `feed` names it, with underscores: also the type of the activity's object.
    pub(super) name: &'static str,
    build: Build,
    /// The members that may hold the id of the object, the nearest first.
    pub(super) ids: &'static [&'static str],
    /// What `add` means.
    pub(super) add: Verb,
}

const fn item<E: Enveloped>(name: &'static str, ids: &'static [&'static str], add: Verb) -> Item {
    Item { name, build: build::<E>, ids, add }
}

/// Items of `feed`.
pub(super) static FEED: &[Item] = &[
    item::<facebook::Address>("address", &["page_id"], Verb::Update),
    item::<facebook::Album>("album", &["album_id"], Verb::Post),
    item::<facebook::Comment>("comment", &["comment_id"], Verb::Comment),
    item::<facebook::Connection>("connection", &["page_id"], Verb::Update),
    item::<facebook::Coupon>("coupon", &[], Verb::Post),
    item::<facebook::Event>("event", &["event_id"], Verb::Post),
    item::<facebook::Experience>("experience", &["page_id"], Verb::Update),
    item::<facebook::Group>("group", &["group_id"], Verb::Update),
    item::<facebook::GroupMessage>("group_message", &[], Verb::Post),
    item::<facebook::Interest>("interest", &["page_id"], Verb::Update),
    item::<facebook::Like>("like", &[], Verb::React),
    item::<facebook::Link>("link", &[], Verb::Post),
    item::<facebook::Mention>("mention", &["comment_id"], Verb::Mention),
    item::<facebook::Milestone>("milestone", &[], Verb::Post),
    item::<facebook::Note>("note", &[], Verb::Post),
    item::<facebook::Page>("page", &["page_id"], Verb::Update),
    item::<facebook::Photo>("photo", &["photo_id"], Verb::Post),
    item::<facebook::PhotoAlbum>("photo_album", &["album_id"], Verb::Post),
    item::<facebook::Picture>("picture", &["photo_id"], Verb::Post),
    item::<facebook::PlatformStory>("platform_story", &[], Verb::Post),
    item::<facebook::Post>("post", &[], Verb::Post),
    item::<facebook::Profile>("profile", &["page_id"], Verb::Update),
    item::<facebook::Question>("question", &[], Verb::Post),
    item::<facebook::Rating>("rating", &["open_graph_story_id"], Verb::Rate),
    item::<facebook::Reaction>("reaction", &[], Verb::React),
    item::<facebook::RelationshipStatus>("relationship_status", &["page_id"], Verb::Update),
    item::<facebook::Share>("share", &["share_id"], Verb::Share),
    item::<facebook::Status>("status", &[], Verb::Post),
    item::<facebook::Story>("story", &[], Verb::Post),
    item::<facebook::Tag>("tag", &["comment_id"], Verb::Mention),
    item::<facebook::TimelineCover>("timeline_cover", &["photo_id"], Verb::Post),
    item::<facebook::Video>("video", &["video_id"], Verb::Post),
];

/// Items of `ratings`.
static RATINGS: &[Item] = &[
    item::<facebook::Rating>("rating", &["open_graph_story_id"], Verb::Rate),
    item::<facebook::RatingComment>("comment", &["comment_id"], Verb::Comment),
    item::<facebook::RatingReaction>("reaction", &[], Verb::React),
    item::<facebook::RatingReaction>("like", &[], Verb::React),
];

/// A kind whose activities need nothing but the value and the account.
#[derive(Debug)]
pub(super) struct Plain {
    /// The field of a change, or the member by which an item of a conversation is told.
    name: &'static str,
    build: Build,
    activities: fn(&Object, &str) -> Vec<Activity>,
}

const fn plain<E: Enveloped>(name: &'static str, activities: fn(&Object, &str) -> Vec<Activity>) -> Plain {
    Plain { name, build: build::<E>, activities }
}

static LEADGEN: Plain = plain::<facebook::Leadgen>("leadgen", page::lead);

static INSTAGRAM: &[Plain] = &[
    plain::<instagram::Comment>("comments", of_instagram::comment),
    plain::<instagram::LiveComment>("live_comments", of_instagram::comment),
    plain::<instagram::Mention>("mentions", of_instagram::mention),
    plain::<instagram::StoryInsights>("story_insights", of_instagram::insights),
];

/// By the member that an item has beside sender, recipient and timestamp. Where it has several, the first
/// of this table counts, and the others are in the event's unknown map.
static MESSENGER: &[Plain] = &[
    plain::<facebook::Message>("message", conversations::message),
    plain::<facebook::MessageEdit>("message_edit", conversations::edit),
    plain::<facebook::Postback>("postback", conversations::postback),
    plain::<facebook::MessageRead>("read", conversations::read),
    plain::<facebook::MessageDelivery>("delivery", conversations::delivery),
    plain::<facebook::MessageReaction>("reaction", conversations::reaction),
    plain::<facebook::OptIn>("optin", conversations::opt_in),
    plain::<facebook::Referral>("referral", conversations::referral),
    plain::<facebook::Payment>("payment", conversations::payment),
    plain::<facebook::CheckoutUpdate>("checkout_update", conversations::checkout),
    plain::<facebook::AppRoles>("app_roles", conversations::app_roles),
    plain::<facebook::PassThreadControl>("pass_thread_control", conversations::thread_control),
    plain::<facebook::TakeThreadControl>("take_thread_control", conversations::thread_control),
    plain::<facebook::RequestThreadControl>("request_thread_control", conversations::thread_control),
    plain::<facebook::AccountLinking>("account_linking", conversations::account_linking),
    plain::<facebook::PolicyEnforcement>("policy_enforcement", conversations::policy),
    Plain { name: POLICY, build: policy, activities: conversations::policy },
];

static DIRECT: &[Plain] = &[
    plain::<instagram::Message>("message", conversations::message),
    plain::<instagram::MessageEdit>("message_edit", conversations::edit),
    plain::<instagram::Postback>("postback", conversations::postback),
    plain::<instagram::MessageSeen>("read", conversations::read),
    plain::<instagram::MessageReaction>("reaction", conversations::reaction),
    plain::<instagram::OptIn>("optin", conversations::opt_in),
    plain::<instagram::Referral>("referral", conversations::referral),
    plain::<instagram::PassThreadControl>("pass_thread_control", conversations::thread_control),
    plain::<instagram::TakeThreadControl>("take_thread_control", conversations::thread_control),
    plain::<instagram::RequestThreadControl>("request_thread_control", conversations::thread_control),
];

/// The one member of Meta's with a dash, which no field of a schema can have.
pub(super) const POLICY: &str = "policy-enforcement";

fn policy(mut parts: Parts<'_>) -> Event {
    if let Some(value) = parts.value.remove(POLICY) {
        parts.value.insert("policy_enforcement".to_owned(), value);
    }
    build::<facebook::PolicyEnforcement>(parts)
}

/// A kind that has a message of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// By the item of its value.
    Item(&'static Item),
    /// By its field.
    Field(&'static Plain),
    /// By a member of an item of a conversation.
    Conversation(&'static Plain),
}

impl Kind {
    /// Builds the event.
    pub(super) fn build(self) -> Build {
        match self {
            Self::Item(item) => item.build,
            Self::Field(plain) | Self::Conversation(plain) => plain.build,
        }
    }

    /// The same in the one common form.
    pub(super) fn activities(self, value: &Object, account: &str) -> Vec<Activity> {
        match self {
            Self::Item(item) => page::activities(item, value, account),
            Self::Field(plain) | Self::Conversation(plain) => (plain.activities)(value, account),
        }
    }
}

/// The kind of a change. An error where its field is known and its value cannot be one of it.
pub(super) fn of_change(platform: &str, field: &str, value: Option<&Value>) -> Result<Option<Kind>, (Reason, String)> {
    let known = match platform {
        "facebook" => matches!(field, "feed" | "mention" | "leadgen" | "ratings"),
        "instagram" => INSTAGRAM.iter().any(|plain| plain.name == field),
        _ => return Ok(None),
    };
    let value = match value {
        Some(Value::Object(value)) => value,
        Some(other) if known => {
            return Err((Reason::WrongShape, format!("the value of {field} is {}, not an object", body::kind(other))));
        }
        None if known => return Err((Reason::WrongShape, format!("a change of {field} has no value"))),
        _ => return Ok(None),
    };
    let named =
        |items: &'static [Item]| items.iter().find(|item| value.str("item").is_some_and(|sent| same(item.name, sent)));
    Ok(match (platform, field) {
        ("facebook", "feed") => named(FEED).map(Kind::Item),
        ("facebook", "mention") => FEED.iter().find(|item| item.name == "mention").map(Kind::Item),
        ("facebook", "leadgen") => Some(Kind::Field(&LEADGEN)),
        ("facebook", "ratings") => match value.get("item") {
            None => RATINGS.first(),
            Some(_) => named(RATINGS),
        }
        .map(Kind::Item),
        ("instagram", field) if known => INSTAGRAM.iter().find(|plain| plain.name == field).map(Kind::Field),
        // Conversations come as changes too: messages, message_reactions, messaging_seen, standby, …
        (_, field) if field.starts_with("messag") || field == "standby" => {
            of_message(platform, value).map(Kind::Conversation)
        }
        _ => None,
    })
}

/// The kind of an item of a conversation.
pub(super) fn of_message(platform: &str, item: &Object) -> Option<&'static Plain> {
    let kinds = match platform {
        "facebook" => MESSENGER,
        "instagram" => DIRECT,
        _ => return None,
    };
    kinds.iter().find(|kind| item.get(kind.name).is_some_and(Value::is_object))
}

/// Whether an item is the one of that name. Meta writes them with dashes, spaces and underscores.
fn same(name: &str, sent: &str) -> bool {
    let folded = |c: u8| match c {
        b'-' | b' ' => b'_',
        c => c.to_ascii_lowercase(),
    };
    name.len() == sent.len() && name.bytes().zip(sent.bytes()).all(|(name, sent)| name == folded(sent))
}

/// What a change is about: the post, and what has none, itself.
pub(super) fn subject(platform: &str, value: &Object) -> Option<String> {
    match platform {
        "facebook" => value.text("post_id").or_else(|| value.text_in("post", "id")).or_else(|| {
            value.first(&[
                "comment_id",
                "video_id",
                "photo_id",
                "album_id",
                "event_id",
                "share_id",
                "open_graph_story_id",
                "leadgen_id",
            ])
        }),
        "instagram" => value.text_in("media", "id").or_else(|| value.text("media_id")),
        _ => None,
    }
}

/// Who a conversation of the account is with.
pub(super) fn other_party(item: &Object, account: &str) -> Option<String> {
    let party = |name| item.object(name).and_then(|party| party.first(&["id", "user_ref"]));
    let others = |id: &String| id != account;
    party("sender").filter(others).or_else(|| party("recipient").filter(others))
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
