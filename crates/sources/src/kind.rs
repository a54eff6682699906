//! A kind of event, declared once: its message, what the platform calls it, what it is about, when it happened, and what
//! it means in the one common form.

use common::activity::v1::Activity;
use common::json::{self, Object};
use common::raw::v1::Delivery;

use crate::draft::Time;
use crate::{Draft, ParsedEvent, Tenants};

/// A kind of event. Its message implements this once, beside the kinds of the same matter, and the table of its platform
/// lists it ([`Entry`]).
///
/// Key and time are read from what was sent and not from the message. A key must not depend on whether a member fits its
/// field, and a time that cannot be read is something else than no time.
pub trait Kind: common::event::Event {
    /// What the platform calls it: the last part of its topic, where nothing else is declared.
    const NAMES: &'static [&'static str] = &[last_part(Self::TOPIC)];

    /// What the event is about: the record's key. `None`: the account.
    fn subject(_sent: &Object, _account: &str) -> Option<String> {
        None
    }

    /// When it happened.
    fn time(_sent: &Object) -> Time {
        Time::default()
    }

    /// What it means in the one common form, to be completed with id, ordinal, context, event type and time. The message
    /// has its context. None, where only the sender knows what it means.
    fn activities(&self) -> Vec<Activity> {
        Vec::new()
    }
}

/// Builds the event of a kind from the object that was sent.
pub type Build = fn(Draft, &Delivery, &dyn Tenants, Object) -> ParsedEvent;

/// A kind in the table of its platform, without its type. `B` is how the platform builds the event.
#[derive(Debug)]
pub struct Entry<B = Build> {
    /// What the platform calls it.
    pub names: &'static [&'static str],
    /// The topic of its events, without the prefix of the installation.
    pub topic: &'static str,
    /// [`Kind::subject`].
    pub subject: fn(&Object, &str) -> Option<String>,
    /// [`Kind::time`].
    pub time: fn(&Object) -> Time,
    /// Builds the event.
    pub build: B,
}

impl<B> Entry<B> {
    /// The entry of a kind.
    pub const fn of<K: Kind>(build: B) -> Self {
        Self { names: K::NAMES, topic: K::TOPIC, subject: K::subject, time: K::time, build }
    }
}

impl Entry {
    /// The entry of a kind whose message is read from the object that was sent, and from nothing else.
    pub const fn typed<K: Kind>() -> Self {
        Self::of::<K>(build::<K>)
    }
}

fn build<K: Kind>(draft: Draft, delivery: &Delivery, tenants: &dyn Tenants, sent: Object) -> ParsedEvent {
    draft.typed(delivery, tenants, json::read_event::<K>(sent, ""))
}

/// `push` of `events.github.push`.
const fn last_part(topic: &'static str) -> &'static str {
    let mut at = topic.len();
    while at > 0 && topic.as_bytes()[at - 1] != b'.' {
        at -= 1;
    }
    topic.split_at(at).1
}
