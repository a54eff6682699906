//! Fields of a Facebook page and of a person who uses the app; the page's videos and inbox.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::facebook::v1 as facebook;
use common::json::{self, Value};

use super::{Entry, account, activity, entry, page, page_of, text, thing};
use crate::kind::{Kind, Time};
use crate::meta::time;

/// Message, the name by which it is found, and the function that says what it means.
macro_rules! kinds {
    ($($message:ident: $name:literal, $activity:ident;)+) => {
        $(
            impl Kind for facebook::$message {
                const NAMES: &'static [&'static str] = &[$name];

                fn subject(sent: &json::Object, _account: &str) -> Option<String> {
                    page::subject(sent)
                }

                fn time(sent: &json::Object) -> Time {
                    time::of_change(sent)
                }

                fn activities(&self) -> Vec<Activity> {
                    vec![$activity(self, account(&self.context))]
                }
            }

            enveloped!(facebook::$message);
        )+
    };
}

kinds! {
    PageChange: "page", of_page_itself;
    UserChange: "user", of_user;
    PermissionChange: "permissions", permission;
    LiveVideo: "live_videos", broadcast;
    VideoStatus: "videos", progress;
    Conversation: "conversations", conversation;
    InboxLabel: "inbox_labels", label;
}

/// By the object of a delivery: the event is of the whole change, whose value can be anything, or missing.
pub(super) static CHANGES: &[Entry] =
    &[entry::<facebook::PageChange>(), entry::<facebook::UserChange>(), entry::<facebook::PermissionChange>()];

/// By the field of a change of a page, where it has a value that is an object.
pub(super) static VALUES: &[Entry] = &[
    entry::<facebook::LiveVideo>(),
    entry::<facebook::VideoStatus>(),
    entry::<facebook::Conversation>(),
    entry::<facebook::InboxLabel>(),
];

/// Fields of a page that are not events of people.
const OF_PAGE: &[&str] = &[
    "about",
    "affiliation",
    "attire",
    "awards",
    "band_interests",
    "band_members",
    "best_page",
    "bio",
    "birthday",
    "booking_agent",
    "built",
    "category",
    "category_list",
    "checkins",
    "company_overview",
    "contact_address",
    "cover",
    "culinary_team",
    "current_location",
    "description",
    "directed_by",
    "email",
    "emails",
    "features",
    "founded",
    "general_info",
    "general_manager",
    "genre",
    "hometown",
    "hours",
    "impressum",
    "influences",
    "is_permanently_closed",
    "is_published",
    "is_verified",
    "link",
    "location",
    "members",
    "mission",
    "mpg",
    "name",
    "network",
    "parking",
    "payment_options",
    "permissions",
    "personal_info",
    "personal_interests",
    "pharma_safety_info",
    "phone",
    "picture",
    "plot_outline",
    "press_contact",
    "price_range",
    "produced_by",
    "products",
    "public_transit",
    "record_label",
    "release_date",
    "restaurant_services",
    "restaurant_specialties",
    "schedule",
    "screenplay_by",
    "season",
    "single_line_address",
    "starring",
    "start_info",
    "studio",
    "username",
    "website",
    "written_by",
];

/// Whether it is a field of a page, or one of those above without its value.
pub(super) fn of_page(field: &str) -> bool {
    OF_PAGE.contains(&field) || VALUES.iter().any(|kind| kind.names.contains(&field))
}

/// The field and what it says now.
fn field(envelope: &Option<common::meta::v1::Envelope>, value: &Option<String>) -> Object {
    let field = envelope.as_ref().and_then(|envelope| text(&envelope.field)).unwrap_or("field");
    let value = value.as_deref().and_then(|json| json::parse(json).ok());
    let (mut id, mut title) = (String::new(), String::new());
    match value {
        Some(Value::String(words)) => title = words,
        // What a person likes and where the person lives are pages.
        Some(Value::Object(object)) => id = object.get("page").and_then(crate::body::text_of).unwrap_or_default(),
        _ => {}
    }
    Object { id, title, ..thing(field, None) }
}

fn of_page_itself(change: &facebook::PageChange, account: &str) -> Activity {
    let instrument = field(&change.envelope, &change.value);
    let mut page = page_of(account);
    if instrument.r#type == "name" {
        page.title.clone_from(&instrument.title);
    }
    Activity { action: instrument.r#type.clone(), instrument: Some(instrument), ..activity(Verb::Update, page) }
}

fn of_user(change: &facebook::UserChange, account: &str) -> Activity {
    let instrument = field(&change.envelope, &change.value);
    Activity {
        actor: Some(user(account)),
        action: text(&change.verb).unwrap_or(&instrument.r#type).to_owned(),
        instrument: Some(instrument),
        ..activity(Verb::Update, thing("user", Some(account)))
    }
}

fn permission(change: &facebook::PermissionChange, account: &str) -> Activity {
    let status = text(&change.verb).unwrap_or_default();
    let verb = if status == "granted" { Verb::OptIn } else { Verb::Update };
    let title = field(&change.envelope, &None).r#type;
    let permission = Object { title, status: status.to_owned(), ..thing("permission", None) };
    Activity { actor: Some(user(account)), action: status.to_owned(), ..activity(verb, permission) }
}

fn user(id: &str) -> Actor {
    Actor { id: id.to_owned(), r#type: "user".to_owned(), ..Actor::default() }
}

/// A broadcast begins, ends, and can be seen again.
fn broadcast(video: &facebook::LiveVideo, account: &str) -> Activity {
    let status = text(&video.status).unwrap_or_default();
    let verb = match status.to_ascii_lowercase().as_str() {
        "live" => Verb::Start,
        "live_stopped" => Verb::Complete,
        _ => Verb::Update,
    };
    let object = Object {
        status: status.to_owned(),
        title: text(&video.title).unwrap_or_default().to_owned(),
        url: text(&video.permalink_url).unwrap_or_default().to_owned(),
        ..thing("live_video", text(&video.id))
    };
    Activity {
        action: status.to_owned(),
        target: Some(page_of(account)),
        instrument: text(&video.video_id).map(|id| thing("video", Some(id))),
        text: text(&video.description).map(str::to_owned),
        ..activity(verb, object)
    }
}

/// The platform has done something with a video.
fn progress(video: &facebook::VideoStatus, account: &str) -> Activity {
    let status = video.status.as_ref().and_then(|progress| text(&progress.video_status)).unwrap_or_default();
    let verb = match status {
        "processing" => Verb::Start,
        "ready" | "error" => Verb::Complete,
        _ => Verb::Update,
    };
    let object = Object {
        status: status.to_owned(),
        title: text(&video.title).unwrap_or_default().to_owned(),
        url: text(&video.permalink_url).unwrap_or_default().to_owned(),
        ..thing("video", text(&video.id))
    };
    Activity { action: status.to_owned(), target: Some(page_of(account)), ..activity(verb, object) }
}

fn conversation(conversation: &facebook::Conversation, account: &str) -> Activity {
    let thread = thing("conversation", text(&conversation.thread_id).or(text(&conversation.thread_key)));
    Activity { target: Some(page_of(account)), ..activity(Verb::Update, thread) }
}

fn label(change: &facebook::InboxLabel, account: &str) -> Activity {
    let user = change.user.as_ref();
    let title = user.and_then(|user| text(&user.name)).unwrap_or_default().to_owned();
    let person = Object { title, ..thing("user", user.and_then(|user| text(&user.id))) };
    let label = change.label.as_ref().map(|label| {
        let title = text(&label.name).or(text(&label.page_label_name)).unwrap_or_default().to_owned();
        Object { title, ..thing("label", text(&label.id)) }
    });
    Activity {
        action: text(&change.action).unwrap_or_default().to_owned(),
        target: Some(page_of(account)),
        instrument: label,
        ..activity(Verb::Update, person)
    }
}
