//! Changes of an Instagram account.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::instagram::v1::{self as instagram, Media, User};
use common::json;

use super::{Entry, account, activity, entry, page_of, text, thing};
use crate::kind::{Kind, Time};
use crate::members::Members as _;
use crate::meta::time;

/// Message, field, and the function that says what it means.
macro_rules! kinds {
    ($($message:ident: $field:literal, $activity:expr;)+) => {
        $(
            impl Kind for instagram::$message {
                const NAMES: &'static [&'static str] = &[$field];

                fn subject(sent: &json::Object, _account: &str) -> Option<String> {
                    subject(sent)
                }

                fn time(sent: &json::Object) -> Time {
                    time::of_change(sent)
                }

                fn activities(&self) -> Vec<Activity> {
                    let made: fn(&Self, &str) -> Activity = $activity;
                    vec![made(self, account(&self.context))]
                }
            }

            enveloped!(instagram::$message);
        )+

        /// By the field of a change.
        pub(super) static FIELDS: &[Entry] = &[$(entry::<instagram::$message>()),+];
    };
}

/// A comment: two messages that have the same members.
macro_rules! comment {
    () => {
        |comment, account| {
            let parent = text(&comment.parent_id).map(|parent| thing("comment", Some(parent)));
            let verb = match text(&comment.verb) {
                Some("edit" | "edited" | "update") => Verb::Edit,
                Some("remove" | "delete") => Verb::Delete,
                _ => Verb::Comment,
            };
            Activity {
                actor: comment.from.as_ref().and_then(|from| actor(from, account)),
                target: parent.or_else(|| media(&comment.media, &comment.media_id)),
                thread: media(&comment.media, &comment.media_id),
                text: text(&comment.text).map(str::to_owned),
                ..activity(verb, thing("comment", text(&comment.id).or(text(&comment.comment_id))))
            }
        }
    };
}

kinds! {
    Comment: "comments", comment!();
    LiveComment: "live_comments", comment!();
    Mention: "mentions", mention;
    StoryInsights: "story_insights", insights;
}

/// What a change is about: the post. Not of the message: a change of another kind has the same key.
pub(super) fn subject(value: &json::Object) -> Option<String> {
    value.text_in("media", "id").or_else(|| value.text("media_id"))
}

/// The account named, in a comment or in the words of a post.
fn mention(mention: &instagram::Mention, account: &str) -> Activity {
    let comment = text(&mention.comment_id).map(|id| thing("comment", Some(id)));
    let object = comment.or_else(|| media(&None, &mention.media_id)).unwrap_or_else(|| thing("media", None));
    Activity {
        actor: mention.from.as_ref().and_then(|from| actor(from, account)),
        target: Some(page_of(account)),
        thread: media(&None, &mention.media_id),
        text: text(&mention.text).map(str::to_owned),
        ..activity(Verb::Mention, object)
    }
}

/// How a story went: nobody did anything, but the story's numbers are there.
fn insights(insights: &instagram::StoryInsights, account: &str) -> Activity {
    let story = thing("story", text(&insights.media_id));
    let thread = media(&None, &insights.media_id);
    Activity { target: Some(page_of(account)), thread, ..activity(Verb::Update, story) }
}

fn media(media: &Option<Media>, id: &Option<String>) -> Option<Object> {
    let id = media.as_ref().and_then(|media| text(&media.id)).or(text(id))?;
    Some(thing("media", Some(id)))
}

/// Who did it, by id and handle; absent where there is neither.
fn actor(user: &User, account: &str) -> Option<Actor> {
    let (id, handle) = (text(&user.id), text(&user.username));
    if id.is_none() && handle.is_none() {
        return None;
    }
    Some(Actor {
        id: id.unwrap_or_default().to_owned(),
        handle: handle.unwrap_or_default().to_owned(),
        name: text(&user.name).unwrap_or_default().to_owned(),
        r#type: if id == Some(account) { "page" } else { "" }.to_owned(),
    })
}
