//! One thing in a Meta delivery, and the envelope that many of them share.

use std::sync::Arc;

use common::activity::v1::Verb;

use crate::meaning::{Expected, ExpectedActivity};
use crate::text::put;
use crate::world::Page;

/// What a Meta delivery is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    Page,
    Instagram,
}

/// Where in an entry an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// In `changes`, as `{field, value}`.
    Change,
    /// In `messaging`.
    Messaging,
    /// Alone, as `field` and `value` of the entry.
    Flat,
}

/// One thing that happened, as JSON, with what it means.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) form: Form,
    /// The `time` of its entry. Other than this only where [`has_time`](Self::has_time).
    pub(super) entry_time: i64,
    /// Whether the item says itself when it happened, so that the time of its entry is no part of it.
    pub(super) has_time: bool,
    pub(super) json: String,
    pub(super) expected: Arc<Expected>,
}

impl Item {
    /// The same, if it does not say when it happened: then that is when it is sent, in seconds.
    pub(super) fn without_time(self, sent_at: i64) -> Self {
        let occurred_at_ms = Some(sent_at * 1000);
        let expected = Arc::new(Expected { occurred_at_ms, ..Expected::clone(&self.expected) });
        Self { entry_time: sent_at, has_time: false, expected, ..self }
    }
}

/// An item and the account it belongs to.
#[derive(Debug, Clone)]
pub(super) struct Posted {
    pub(super) object: Object,
    pub(super) account: Arc<str>,
    pub(super) item: Item,
}

/// Describes one event of an account.
pub(super) fn expected(
    page: &Page,
    topic: &'static str,
    key: String,
    occurred_at_ms: Option<i64>,
    activities: Vec<ExpectedActivity>,
) -> Arc<Expected> {
    let (platform, account) =
        if topic.starts_with("events.instagram.") { ("instagram", &page.instagram) } else { ("facebook", &page.id) };
    Arc::new(Expected {
        platform,
        topic,
        tenant: page.tenant.clone(),
        account: account.clone(),
        key,
        occurred_at_ms,
        activities,
    })
}

/// Describes one activity.
pub(super) fn activity(
    verb: Verb,
    actor: impl ToString,
    object: impl Into<String>,
    text: Option<&str>,
) -> Vec<ExpectedActivity> {
    vec![ExpectedActivity { verb, actor: actor.to_string(), object: object.into(), text: text.map(str::to_owned) }]
}

/// The body of a delivery of these items. Neighbours of one account, form and time share an entry.
pub(super) fn body(object: Object, items: &[Posted]) -> String {
    let mut out = String::with_capacity(128 + items.iter().map(|posted| posted.item.json.len() + 96).sum::<usize>());
    out.push_str(match object {
        Object::Page => r#"{"object":"page","entry":["#,
        Object::Instagram => r#"{"object":"instagram","entry":["#,
    });
    let mut before: Option<&Posted> = None;
    for posted in items {
        let Posted { account, item, .. } = posted;
        let joins = before.is_some_and(|before| {
            item.form != Form::Flat
                && before.account == *account
                && before.item.form == item.form
                && before.item.entry_time == item.entry_time
        });
        if joins {
            out.push(',');
            out.push_str(&item.json);
        } else {
            if let Some(before) = before {
                close(&mut out, before.item.form);
                out.push(',');
            }
            put!(out, r#"{{"id":"{account}","time":{}"#, item.entry_time);
            out.push_str(match item.form {
                Form::Change => r#","changes":["#,
                Form::Messaging => r#","messaging":["#,
                Form::Flat => ",",
            });
            out.push_str(&item.json);
        }
        before = Some(posted);
    }
    if let Some(before) = before {
        close(&mut out, before.item.form);
    }
    out.push_str("]}");
    out
}

fn close(out: &mut String, form: Form) {
    out.push_str(if form == Form::Flat { "}" } else { "]}" });
}
