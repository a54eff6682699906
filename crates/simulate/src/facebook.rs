//! What people do on Facebook Pages.

use common::activity::v1::Verb;
use fastrand::Rng;

use crate::item::{Form, Item, activity, expected};
use crate::text::{PHRASES, POSTS, Person, push_json, put};
use crate::world::{Account, Comment, Counter, Message, Post, Reaction};

const REACTIONS: &[&str] = &["like", "like", "like", "love", "haha", "wow", "sorry", "anger", "care"];

/// Where and when the next thing happens.
pub(super) struct Scene<'a> {
    pub(super) account: &'a mut Account,
    pub(super) counter: &'a mut Counter,
    pub(super) rng: &'a mut Rng,
    pub(super) now_ms: i64,
}

impl Scene<'_> {
    pub(super) fn seconds(&self) -> i64 {
        self.now_ms.div_euclid(1000)
    }

    pub(super) fn person(&mut self) -> Person {
        Person::for_act(self.counter.next())
    }

    pub(super) fn phrase(&mut self) -> &'static str {
        PHRASES[self.rng.usize(..PHRASES.len())]
    }

    /// The next thing in a page's feed: posts first, then what people make of them.
    pub(super) fn feed(&mut self) -> Item {
        if self.account.posts.is_empty() {
            return self.post();
        }
        let done = match self.rng.u32(..100) {
            0..10 => None,
            10..36 => self.comment(),
            36..46 => self.reply(),
            46..74 => self.reaction(),
            74..79 => self.unreaction(),
            79..84 => self.comment_edited(),
            84..87 => self.comment_removed(),
            87..89 => self.comment_hidden(),
            89..92 => self.post_edited(),
            92..93 => self.post_removed(),
            _ => Some(self.mention()),
        };
        done.unwrap_or_else(|| self.post())
    }

    fn post(&mut self) -> Item {
        let id = self.counter.next();
        let item = ["status", "status", "photo", "video", "link", "share"][self.rng.usize(..6)];
        let text = POSTS[self.rng.usize(..POSTS.len())];
        self.account.posts.push(Post { id, item, created: self.now_ms.div_euclid(1000), edited: false });
        self.post_change(item, id, "add", Verb::Post, Some(text), self.seconds())
    }

    fn post_edited(&mut self) -> Option<Item> {
        let post = self.account.posts.pick(self.rng)?;
        if std::mem::replace(&mut post.edited, true) {
            return None;
        }
        let Post { id, item, created, .. } = *post;
        let text = format!("{} (corrected)", POSTS[self.rng.usize(..POSTS.len())]);
        // Facebook says of an edit when the post was made, and nothing of when it was edited.
        let edit = self.post_change(item, id, "edited", Verb::Edit, Some(&text), created);
        Some(edit.without_time(self.seconds()))
    }

    fn post_removed(&mut self) -> Option<Item> {
        let Post { id, item, .. } = self.account.posts.take(self.rng)?;
        Some(self.post_change(item, id, "remove", Verb::Delete, None, self.seconds()))
    }

    fn post_change(&self, item: &'static str, id: u64, verb: &str, meant: Verb, text: Option<&str>, time: i64) -> Item {
        let page = &self.account.page;
        let mut json = String::with_capacity(384);
        put!(json, r#"{{"field":"feed","value":{{"item":"{item}","verb":"{verb}","post_id":"{}_{id}","#, page.id);
        put!(json, r#""from":{{"id":"{}","name":"{}"}},"created_time":{time}"#, page.id, page.name);
        if let Some(text) = text {
            json.push_str(r#","published":1,"message":"#);
            push_json(&mut json, text);
        }
        // A medium has an id of its own beside that of the post that shows it.
        match item {
            "photo" => put!(json, r#","photo_id":"{id}","link":"https://cdn.example/{id}.jpg""#),
            "video" => put!(json, r#","video_id":"{id}","link":"https://cdn.example/{id}.mp4""#),
            "share" => put!(json, r#","share_id":"{id}","link":"https://shop.example/shared/{id}""#),
            "link" => json.push_str(r#","link":"https://shop.example/news?from=page&lang=en""#),
            _ => {}
        }
        json.push_str("}}");
        let topic = match item {
            "photo" => "events.facebook.photo",
            "video" => "events.facebook.video",
            "link" => "events.facebook.link",
            "share" => "events.facebook.share",
            _ => "events.facebook.status",
        };
        let meant = if item == "share" && meant == Verb::Post { Verb::Share } else { meant };
        let object = format!("{}_{id}", page.id);
        let key = format!("facebook/{item}/{object}/{verb}/{time}");
        self.change(topic, key, json, time, activity(meant, &page.id, object, text))
    }

    fn comment(&mut self) -> Option<Item> {
        let post = self.account.posts.pick(self.rng)?.id;
        let comment = self.new_comment(post, 0);
        let text = self.phrase();
        self.account.comments.push(comment);
        Some(self.comment_change(comment, "add", Verb::Comment, Some(text)))
    }

    fn reply(&mut self) -> Option<Item> {
        let Comment { post, id, .. } = *self.account.comments.pick(self.rng)?;
        let reply = self.new_comment(post, id);
        let text = self.phrase();
        self.account.comments.push(reply);
        Some(self.comment_change(reply, "add", Verb::Comment, Some(text)))
    }

    fn new_comment(&mut self, post: u64, parent: u64) -> Comment {
        let id = self.counter.next();
        Comment { post, id, author: self.person().0, parent, edited: false, hidden: false }
    }

    fn comment_edited(&mut self) -> Option<Item> {
        let comment = self.account.comments.pick(self.rng)?;
        if std::mem::replace(&mut comment.edited, true) {
            return None;
        }
        let comment = *comment;
        let text = format!("{} (edited)", self.phrase());
        Some(self.comment_change(comment, "edited", Verb::Edit, Some(&text)))
    }

    fn comment_hidden(&mut self) -> Option<Item> {
        let comment = self.account.comments.pick(self.rng)?;
        if std::mem::replace(&mut comment.hidden, true) {
            return None;
        }
        let comment = *comment;
        Some(self.comment_change(comment, "hide", Verb::Hide, None))
    }

    fn comment_removed(&mut self) -> Option<Item> {
        let comment = self.account.comments.take(self.rng)?;
        Some(self.comment_change(comment, "remove", Verb::Delete, None))
    }

    fn comment_change(&mut self, comment: Comment, verb: &str, meant: Verb, text: Option<&str>) -> Item {
        let Comment { post, id, author, parent, .. } = comment;
        let page = self.account.page.id.clone();
        let time = self.seconds();
        let object = format!("{post}_{id}");
        let mut json = String::with_capacity(384);
        put!(json, r#"{{"field":"feed","value":{{"item":"comment","verb":"{verb}","comment_id":"{object}","#);
        put!(json, r#""post_id":"{page}_{post}","parent_id":""#);
        match parent {
            0 => put!(json, "{page}_{post}\","),
            parent => put!(json, "{post}_{parent}\","),
        }
        push_author(&mut json, Person(author), id % 8 == 0);
        put!(json, r#""created_time":{time}"#);
        if let Some(text) = text {
            json.push_str(r#","message":"#);
            push_json(&mut json, text);
            if id % 4 == 0 {
                put!(
                    json,
                    r#","post":{{"id":"{page}_{post}","status_type":"mobile_status_update","is_published":true,"permalink_url":"https://www.facebook.example/{page}/posts/{post}","promotion_status":"inactive","updated_time":"2026-01-02T03:04:05+0000"}}"#
                );
            }
        }
        json.push_str("}}");
        let key = format!("facebook/comment/{object}/{verb}/{time}");
        self.change("events.facebook.comment", key, json, time, activity(meant, Person(author).id(), object, text))
    }

    fn reaction(&mut self) -> Option<Item> {
        let author = self.person().0;
        let kind = REACTIONS[self.rng.usize(..REACTIONS.len())];
        let on_comment = self.rng.u32(..100) < 35 && !self.account.comments.is_empty();
        let (post, comment) = if on_comment {
            self.account.comments.pick(self.rng).map(|comment| (comment.post, comment.id))?
        } else {
            (self.account.posts.pick(self.rng)?.id, 0)
        };
        let reaction = Reaction { post, comment, author, kind };
        self.account.reactions.push(reaction);
        Some(self.reaction_change(reaction, "add", Verb::React))
    }

    fn unreaction(&mut self) -> Option<Item> {
        let reaction = self.account.reactions.take(self.rng)?;
        Some(self.reaction_change(reaction, "remove", Verb::Unreact))
    }

    fn reaction_change(&self, reaction: Reaction, verb: &str, meant: Verb) -> Item {
        let Reaction { post, comment, author, kind } = reaction;
        let page = &self.account.page.id;
        let time = self.seconds();
        let mut json = String::with_capacity(320);
        put!(json, r#"{{"field":"feed","value":{{"item":"reaction","verb":"{verb}","reaction_type":"{kind}","#);
        put!(json, r#""post_id":"{page}_{post}","parent_id":"{page}_{post}","#);
        let object = if comment == 0 { format!("{page}_{post}") } else { format!("{post}_{comment}") };
        if comment != 0 {
            put!(json, r#""comment_id":"{object}","#);
        }
        push_author(&mut json, Person(author), false);
        put!(json, r#""created_time":{time}}}}}"#);
        let actor = Person(author).id();
        let key = format!("facebook/reaction/{object}/{actor}/{kind}/{verb}/{time}");
        self.change("events.facebook.reaction", key, json, time, activity(meant, actor, object, None))
    }

    fn mention(&mut self) -> Item {
        let (post, author) = (self.counter.next(), self.person());
        let text = self.phrase();
        let time = self.seconds();
        let object = format!("{}_{post}", author.id());
        let mut json = String::with_capacity(320);
        put!(json, r#"{{"field":"mention","value":{{"item":"post","verb":"add","post_id":"{object}","#);
        // A page that may not see who it was gets the mention without a sender.
        let told = post % 5 != 0;
        if told {
            push_author(&mut json, author, true);
        }
        put!(json, r#""created_time":{time},"message":"#);
        push_json(&mut json, text);
        json.push_str("}}");
        let key = format!("facebook/mention/{object}/add/{time}");
        let actor = if told { author.id().to_string() } else { String::new() };
        self.change("events.facebook.mention", key, json, time, activity(Verb::Mention, actor, object, Some(text)))
    }

    fn change(
        &self,
        topic: &'static str,
        key: String,
        json: String,
        time: i64,
        activities: Vec<crate::meaning::ExpectedActivity>,
    ) -> Item {
        let expected = expected(&self.account.page, topic, key, Some(time * 1000), activities);
        Item { form: Form::Change, entry_time: time + 1, has_time: true, json, expected }
    }

    /// The next private message to a page, or what happens to one.
    pub(super) fn messenger(&mut self) -> Item {
        match self.rng.u32(..10) {
            0 => self.message_read("events.facebook.message_read"),
            1 => self.message_reaction("events.facebook.message_reaction"),
            _ => None,
        }
        .unwrap_or_else(|| self.message("events.facebook.message"))
    }

    pub(super) fn message(&mut self, topic: &'static str) -> Item {
        let (id, author, text) = (self.counter.next(), self.person(), self.phrase());
        self.account.messages.push(Message { id, author: author.0 });
        let mut json = self.messaging(topic, author);
        put!(json, r#""message":{{"mid":"m_{id}","text":"#);
        push_json(&mut json, text);
        json.push_str("}}");
        let key = format!("{}/message/m_{id}", platform(topic));
        self.message_item(topic, key, json, activity(Verb::Message, author.id(), format!("m_{id}"), Some(text)))
    }

    pub(super) fn message_read(&mut self, topic: &'static str) -> Option<Item> {
        let Message { id, author } = self.account.messages.take(self.rng)?;
        let mut json = self.messaging(topic, Person(author));
        // Messenger names the time up to which all was read, Instagram the message.
        let (read, object) = if topic == "events.facebook.message_read" {
            (format!(r#"{{"watermark":{},"seq":{id}}}"#, self.now_ms - 200), String::new())
        } else {
            (format!(r#"{{"mid":"m_{id}"}}"#), format!("m_{id}"))
        };
        put!(json, r#""read":{read}}}"#);
        let actor = Person(author).id();
        let key = format!("{}/read/{actor}/{}", platform(topic), self.now_ms);
        Some(self.message_item(topic, key, json, activity(Verb::Read, actor, object, None)))
    }

    pub(super) fn message_reaction(&mut self, topic: &'static str) -> Option<Item> {
        let Message { id, author } = self.account.messages.take(self.rng)?;
        let mut json = self.messaging(topic, Person(author));
        put!(json, r#""reaction":{{"mid":"m_{id}","action":"react","reaction":"love","emoji":"\u2764"}}}}"#);
        let (actor, object) = (Person(author).id(), format!("m_{id}"));
        let key = format!("{}/message_reaction/{object}/{actor}/react/{}", platform(topic), self.now_ms);
        Some(self.message_item(topic, key, json, activity(Verb::React, actor, object, None)))
    }

    fn messaging(&self, topic: &str, sender: Person) -> String {
        let page = &self.account.page;
        let recipient = if platform(topic) == "facebook" { &page.id } else { &page.instagram };
        let mut json = String::with_capacity(256);
        put!(json, r#"{{"sender":{{"id":"{}"}},"recipient":{{"id":"{recipient}"}},"#, sender.id());
        put!(json, r#""timestamp":{},"#, self.now_ms);
        json
    }

    fn message_item(
        &self,
        topic: &'static str,
        key: String,
        json: String,
        activities: Vec<crate::meaning::ExpectedActivity>,
    ) -> Item {
        let expected = expected(&self.account.page, topic, key, Some(self.now_ms), activities);
        Item { form: Form::Messaging, entry_time: self.now_ms + 150, has_time: true, json, expected }
    }
}

fn platform(topic: &str) -> &'static str {
    if topic.starts_with("events.instagram.") { "instagram" } else { "facebook" }
}

/// Who did it: `from`, or the older form in which ids are numbers.
fn push_author(json: &mut String, author: Person, older: bool) {
    if older {
        put!(json, r#""sender_id":{},"sender_name":""#, author.id());
        author.push_name(json);
        json.push_str("\",");
    } else {
        put!(json, r#""from":{{"id":"{}","name":""#, author.id());
        author.push_name(json);
        json.push_str("\"},");
    }
}
