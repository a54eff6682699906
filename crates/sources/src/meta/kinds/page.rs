//! Changes of a Facebook page: what is posted on it and done to that, ratings, leads.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::facebook::v1::{self as facebook, PostInfo, User};
use common::json;

use super::{Entry, account, activity, entry, page_of, same, text, thing};
use crate::kind::{Kind, Time};
use crate::members::Members as _;
use crate::meta::time;

/// A change of `feed`, `mention` or `ratings`, whatever its kind. A member that the kind has no field for is absent.
#[derive(Debug, Default)]
struct Change<'a> {
    account: &'a str,
    /// The type of its object.
    name: &'static str,
    /// What `add` means.
    add: Verb,
    /// The id of its object, where the kind has a member for it.
    id: Option<&'a str>,
    item: Option<&'a str>,
    verb: Option<&'a str>,
    from: Option<&'a User>,
    sender_id: Option<&'a str>,
    sender_name: Option<&'a str>,
    user_id: Option<&'a str>,
    post_id: Option<&'a str>,
    parent_id: Option<&'a str>,
    post: Option<&'a PostInfo>,
    message: Option<&'a str>,
    title: Option<&'a str>,
    link: Option<&'a str>,
    comment_id: Option<&'a str>,
    reaction_type: Option<&'a str>,
    share_id: Option<&'a str>,
    photo_id: Option<&'a str>,
    photo: Option<&'a str>,
    photos: &'a [String],
    video_id: Option<&'a str>,
    video: Option<&'a str>,
    album_id: Option<&'a str>,
    open_graph_story_id: Option<&'a str>,
    reviewer_id: Option<&'a str>,
    reviewer_name: Option<&'a str>,
    rating: Option<i64>,
    review_text: Option<&'a str>,
    recommendation_type: Option<&'a str>,
}

/// A field of a message as a [`Change`] has it. An empty text is none.
trait Field<'a> {
    type Seen;
    fn seen(&'a self) -> Self::Seen;
}

impl<'a> Field<'a> for Option<String> {
    type Seen = Option<&'a str>;
    fn seen(&'a self) -> Self::Seen {
        text(self)
    }
}

impl<'a> Field<'a> for Vec<String> {
    type Seen = &'a [String];
    fn seen(&'a self) -> Self::Seen {
        self
    }
}

impl Field<'_> for Option<i64> {
    type Seen = Self;
    fn seen(&self) -> Self {
        *self
    }
}

/// Message, names on the wire, what `add` means; the member with the id of the object; members that not all kinds have.
macro_rules! kinds {
    ($($message:ident: $name:literal $(| $other:literal)*, $add:ident $(, of $id:ident)? $(, with $($own:ident)+)?;)+) => {
        $(
            impl Kind for facebook::$message {
                const NAMES: &'static [&'static str] = &[$name $(, $other)*];

                fn subject(sent: &json::Object, _account: &str) -> Option<String> {
                    subject(sent)
                }

                fn time(sent: &json::Object) -> Time {
                    time::of_change(sent)
                }

                fn activities(&self) -> Vec<Activity> {
                    let change = Change {
                        account: account(&self.context),
                        name: $name,
                        add: Verb::$add,
                        $(id: self.$id.seen(),)?
                        item: self.item.seen(),
                        verb: self.verb.seen(),
                        from: self.from.as_ref(),
                        sender_id: self.sender_id.seen(),
                        sender_name: self.sender_name.seen(),
                        user_id: self.user_id.seen(),
                        post_id: self.post_id.seen(),
                        parent_id: self.parent_id.seen(),
                        post: self.post.as_ref(),
                        message: self.message.seen(),
                        title: self.title.seen(),
                        link: self.link.seen(),
                        $($($own: self.$own.seen(),)+)?
                        ..Change::default()
                    };
                    vec![change.activity()]
                }
            }

            enveloped!(facebook::$message);
        )+
    };
}

kinds! {
    Address: "address", Update, of page_id;
    Album: "album", Post, of album_id, with photo photos video;
    Comment: "comment", Comment, with comment_id open_graph_story_id photo photos video;
    Connection: "connection", Update, of page_id;
    Coupon: "coupon", Post, with photo photos video;
    Event: "event", Post, of event_id, with photo photos video;
    Experience: "experience", Update, of page_id;
    Group: "group", Update, of group_id;
    GroupMessage: "group_message", Post, with photo photos video;
    Interest: "interest", Update, of page_id;
    Like: "like", React, with comment_id reaction_type share_id photo_id video_id album_id open_graph_story_id;
    Link: "link", Post, with photo photos video;
    Mention: "mention", Mention, with comment_id photo photos video;
    Milestone: "milestone", Post, with photo photos video;
    Note: "note", Post, with photo photos video;
    Page: "page", Update, of page_id;
    Photo: "photo", Post, of photo_id, with photo photos video;
    PhotoAlbum: "photo_album", Post, of album_id, with photo photos video;
    Picture: "picture", Post, of photo_id, with photo photos video;
    PlatformStory: "platform_story", Post, with photo photos video;
    Post: "post", Post, with photo photos video;
    Profile: "profile", Update, of page_id, with photo;
    Question: "question", Post;
    Reaction: "reaction", React, with comment_id reaction_type share_id photo_id video_id album_id open_graph_story_id;
    RelationshipStatus: "relationship_status", Update, of page_id;
    Share: "share", Share, of share_id, with photo photos video;
    Status: "status", Post, with photo photos video;
    Story: "story", Post, with photo photos video;
    Tag: "tag", Mention, with comment_id photo photos video;
    TimelineCover: "timeline_cover", Post, of photo_id, with photo photos video;
    Video: "video", Post, of video_id, with photo photos video;
    Rating: "rating", Rate, of open_graph_story_id,
        with reviewer_id reviewer_name rating review_text recommendation_type;
    RatingComment: "comment", Comment,
        with comment_id open_graph_story_id photo video reviewer_id reviewer_name review_text;
    RatingReaction: "reaction" | "like", React,
        with comment_id reaction_type open_graph_story_id reviewer_id reviewer_name review_text;
}

macro_rules! table {
    ($($message:ident)+) => { &[$(entry::<facebook::$message>()),+] };
}

/// By the item of a change of `feed`.
pub(super) static ITEMS: &[Entry] = table! {
    Address Album Comment Connection Coupon Event Experience Group GroupMessage Interest Like Link Mention Milestone Note
    Page Photo PhotoAlbum Picture PlatformStory Post Profile Question Rating Reaction RelationshipStatus Share Status
    Story Tag TimelineCover Video
};
/// By the item of a change of `ratings`; without item it is the first.
pub(super) static RATINGS: &[Entry] = table! { Rating RatingComment RatingReaction };
/// By the field of a change.
pub(super) static FIELDS: &[Entry] = table! { Mention Leadgen };

/// A lead that somebody sent off. Who it is stands in the lead, not in the change.
impl Kind for facebook::Leadgen {
    fn subject(sent: &json::Object, _account: &str) -> Option<String> {
        subject(sent)
    }

    fn time(sent: &json::Object) -> Time {
        time::of_change(sent)
    }

    fn activities(&self) -> Vec<Activity> {
        let form = text(&self.form_id).map(|form| thing("form", Some(form)));
        let target = form.unwrap_or_else(|| page_of(account(&self.context)));
        let ad = text(&self.ad_id).map(|ad| thing("ad", Some(ad)));
        let lead = thing("lead", text(&self.leadgen_id));
        vec![Activity { target: Some(target), instrument: ad, ..activity(Verb::Open, lead) }]
    }
}

enveloped!(facebook::Leadgen);

/// What a change is about: the post, and what has none, itself. Not of the message: what one kind has no field for
/// is its key all the same.
pub(super) fn subject(value: &json::Object) -> Option<String> {
    let of_post = value.text("post_id").or_else(|| value.text_in("post", "id"));
    of_post.or_else(|| {
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
    })
}

impl Change<'_> {
    fn activity(&self) -> Activity {
        let verb = self.verb();
        let (object, target) = match (verb, self.add) {
            (Verb::Follow | Verb::Unfollow, _) => (self.page(), None),
            (_, Verb::React) => self.reacted_to(),
            (_, Verb::Comment) => (self.comment().unwrap_or_else(|| thing("comment", None)), self.commented_on()),
            // What names the page is a post or a comment, and it is the page that is named.
            (_, Verb::Mention) => {
                let object = self.comment().or_else(|| self.post());
                (object.unwrap_or_else(|| thing(self.item.unwrap_or(self.name), None)), Some(self.page()))
            }
            _ => self.thing(),
        };
        let (words, reaction) = match self.add {
            Verb::Rate => (
                self.review_text.or(self.message),
                self.rating.map(|stars| stars.to_string()).or(self.recommendation_type.map(str::to_owned)),
            ),
            Verb::React => {
                let like = || self.item.filter(|item| same("like", item)).map(|_| "like");
                (self.message.or(self.review_text), self.reaction_type.or_else(like).map(str::to_owned))
            }
            _ => (self.message.or(self.review_text), None),
        };
        Activity {
            actor: self.actor(),
            target,
            instrument: self.id.filter(|id| *id != object.id).map(|id| thing(self.name, Some(id))),
            thread: self.root(),
            text: words.map(str::to_owned),
            reaction,
            links: self.links(),
            ..activity(verb, object)
        }
    }

    fn verb(&self) -> Verb {
        match self.verb.unwrap_or_default() {
            "add" => self.add,
            // Another reaction in place of the one before.
            "edit" | "edited" | "update" if self.add == Verb::React => Verb::React,
            "edit" | "edited" | "update" => Verb::Edit,
            "remove" | "delete" if self.add == Verb::React => Verb::Unreact,
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

    /// Who did it, by id and name; absent where there is neither.
    fn actor(&self) -> Option<Actor> {
        let (id, name) = self.from.map_or((None, None), |from| (text(&from.id), text(&from.name)));
        let id = id.or(self.sender_id).or(self.reviewer_id).or(self.user_id);
        let name = name.or(self.sender_name).or(self.reviewer_name);
        if id.is_none() && name.is_none() {
            return None;
        }
        Some(Actor {
            id: id.unwrap_or_default().to_owned(),
            name: name.unwrap_or_default().to_owned(),
            r#type: if id == Some(self.account) { "page" } else { "" }.to_owned(),
            ..Actor::default()
        })
    }

    /// The links in it, each once, in this order. Ids of photos come in the same members, as numbers.
    fn links(&self) -> Vec<String> {
        let several = self.photos.iter().map(String::as_str);
        let all = self.link.into_iter().chain(self.photo).chain(several).chain(self.video);
        let mut found: Vec<String> = Vec::new();
        for link in all.filter(|link| !link.is_empty() && link.parse::<f64>().is_err()) {
            if !found.iter().any(|known| known == link) {
                found.push(link.to_owned());
            }
        }
        found
    }

    fn page(&self) -> Object {
        page_of(self.account)
    }

    fn post(&self) -> Option<Object> {
        let id = self.post_id.or_else(|| text(&self.post?.id))?;
        let url = self.post.and_then(|post| text(&post.permalink_url)).unwrap_or_default().to_owned();
        Some(Object { url, ..thing("post", Some(id)) })
    }

    /// What others answer and react to. A rating has a post too, and is told by its own id everywhere.
    fn answered(&self) -> Option<Object> {
        self.rating().or_else(|| self.post())
    }

    /// The root of what it belongs to: what is answered, or what was posted without a post.
    fn root(&self) -> Option<Object> {
        let is_root = matches!(self.add, Verb::Post | Verb::Rate);
        let posted = || self.id.filter(|_| is_root).map(|id| thing(self.name, Some(id)));
        if self.add == Verb::Rate { posted() } else { self.answered().or_else(|| self.media()).or_else(posted) }
    }

    fn comment(&self) -> Option<Object> {
        self.comment_id.map(|id| thing("comment", Some(id)))
    }

    fn rating(&self) -> Option<Object> {
        self.open_graph_story_id.map(|id| thing("rating", Some(id)))
    }

    /// What a comment is on. One on the post names the post as its parent; a reply names a comment.
    fn commented_on(&self) -> Option<Object> {
        let post = self.post();
        let post_id = post.as_ref().map(|post| post.id.as_str());
        let parent = self.parent_id.filter(|parent| Some(*parent) != post_id);
        match (parent, self.answered()) {
            (Some(parent), Some(_)) => Some(thing("comment", Some(parent))),
            (Some(parent), None) => Some(thing("post", Some(parent))),
            (None, answered) => answered,
        }
    }

    /// What a reaction was given to, and on what that is.
    fn reacted_to(&self) -> (Object, Option<Object>) {
        match (self.comment(), self.answered()) {
            (Some(comment), answered) => (comment, answered),
            (None, Some(answered)) => (answered, Some(self.page())),
            (None, None) => match self.media() {
                Some(object) => (object, Some(self.page())),
                None => (self.page(), None),
            },
        }
    }

    /// What a reaction was given to that is neither a post nor a comment.
    fn media(&self) -> Option<Object> {
        let media =
            [("photo", self.photo_id), ("video", self.video_id), ("album", self.album_id), ("share", self.share_id)];
        media.into_iter().find_map(|(r#type, id)| Some(thing(r#type, Some(id?))))
    }

    /// What is posted is told by its post: a photo or video has an id too, which is not sent of each change.
    fn thing(&self) -> (Object, Option<Object>) {
        let post = self.post().filter(|_| self.add != Verb::Rate);
        let title = self.title.unwrap_or_default().to_owned();
        let thing = post.unwrap_or_else(|| thing("", self.id));
        (Object { r#type: self.name.to_owned(), title, ..thing }, Some(self.page()))
    }
}
