//! What people do on Instagram, in the three shapes that Meta sends it in.

use common::activity::v1::Verb;

use crate::facebook::Scene;
use crate::item::{Form, Item, activity, expected};
use crate::text::{push_json, put};

impl Scene<'_> {
    /// The next thing on an Instagram account.
    pub(super) fn instagram(&mut self) -> Item {
        match self.rng.u32(..100) {
            0..55 => self.media_comment(),
            55..70 => self.media_mention(),
            70..80 => self.story_insights(),
            80..90 => self.message("events.instagram.message"),
            90..95 => self
                .message_read("events.instagram.message_seen")
                .unwrap_or_else(|| self.message("events.instagram.message")),
            _ => self
                .message_reaction("events.instagram.message_reaction")
                .unwrap_or_else(|| self.message("events.instagram.message")),
        }
    }

    fn media(&mut self) -> u64 {
        if self.account.media.is_empty() || self.rng.u32(..10) == 0 {
            let media = media_id(self.counter.next());
            self.account.media.push(media);
        }
        self.account.media.pick(self.rng).copied().unwrap_or_default()
    }

    fn media_comment(&mut self) -> Item {
        let (media, author, text) = (self.media(), self.person(), self.phrase());
        let (media, parent) = match self.account.media_comments.pick(self.rng) {
            // A reply is to a comment on the same media.
            Some((media, comment)) if *comment % 3 == 0 => (*media, Some(*comment)),
            _ => (media, None),
        };
        let id = media_id(self.counter.next());
        self.account.media_comments.push((media, id));
        let mut value = String::with_capacity(256);
        put!(value, r#"{{"id":"{id}","from":{{"id":"{}","username":""#, author.id());
        author.push_handle(&mut value);
        put!(value, r#""}},"media":{{"id":"{media}","media_product_type":"FEED"}},"#);
        if let Some(parent) = parent {
            put!(value, r#""parent_id":"{parent}","#);
        }
        value.push_str(r#""text":"#);
        push_json(&mut value, text);
        value.push('}');
        let key = format!("instagram/comment/{id}");
        let activities = activity(Verb::Comment, author.id(), id.to_string(), Some(text));
        self.value("events.instagram.comment", "comments", key, &value, activities)
    }

    fn media_mention(&mut self) -> Item {
        let (media, comment) = (media_id(self.counter.next()), media_id(self.counter.next()));
        // Somebody names the account in a comment, or in the words of a picture of their own.
        let in_comment = self.rng.bool();
        let (value, object) = if in_comment {
            (format!(r#"{{"media_id":"{media}","comment_id":"{comment}"}}"#), comment)
        } else {
            (format!(r#"{{"media_id":"{media}"}}"#), media)
        };
        let key = format!("instagram/mention/{object}");
        let activities = activity(Verb::Mention, "", object.to_string(), None);
        self.value("events.instagram.mention", "mentions", key, &value, activities)
    }

    fn story_insights(&mut self) -> Item {
        let media = media_id(self.counter.next());
        // Instagram says -1 where a count is below 5.
        let count = |rng: &mut fastrand::Rng, most: i64| match rng.i64(..most) {
            0..5 => -1,
            count => count,
        };
        let reach = count(self.rng, 900);
        let value = format!(
            r#"{{"media_id":"{media}","impressions":{},"reach":{reach},"taps_forward":{},"taps_back":{},"exits":{},"replies":{}}}"#,
            reach + 40,
            count(self.rng, 300),
            count(self.rng, 60),
            count(self.rng, 90),
            count(self.rng, 20)
        );
        let key = format!("instagram/story_insights/{media}");
        // Nobody did anything, but the story is no longer what it was.
        let activities = activity(Verb::Update, "", media.to_string(), None);
        self.value("events.instagram.story_insights", "story_insights", key, &value, activities)
    }

    /// A field of the account, in `changes` or flat. It does not say itself when it happened: that is when it is sent.
    fn value(
        &mut self,
        topic: &'static str,
        field: &str,
        key: String,
        value: &str,
        activities: Vec<crate::meaning::ExpectedActivity>,
    ) -> Item {
        let (form, json) = if self.rng.u32(..4) == 0 {
            (Form::Flat, format!(r#""field":"{field}","value":{value}"#))
        } else {
            (Form::Change, format!(r#"{{"field":"{field}","value":{value}}}"#))
        };
        let sent_at = self.seconds();
        let expected = expected(&self.account.page, topic, key, Some(sent_at * 1000), activities);
        Item { form, entry_time: sent_at, has_time: false, json, expected }
    }
}

fn media_id(number: u64) -> u64 {
    17_900_000_000_000_000 + number
}
