//! A kind of event, declared once: its message, what the platform calls it, what it is about, when it happened, and what
//! it means in the one common form.

use common::activity::v1::Activity;
use common::json::{Object, Value};
use common::time;
use prost_types::Timestamp;

/// A kind of event. Its message implements this once, beside the kinds of the same matter, and the table of its platform
/// lists it ([`Entry`](crate::entry::Entry)).
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

/// When an event happened, as far as the platform says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Time {
    /// Whether the platform sent anything as the time.
    pub sent: bool,
    /// What could be read of it.
    pub time: Option<Timestamp>,
}

impl Time {
    /// The platform said this.
    pub fn at(time: Timestamp) -> Self {
        Self { sent: true, time: Some(time) }
    }

    /// What the platform said in a member that holds a time in RFC 3339. Where it is missing or null, nothing.
    pub fn rfc3339(sent: Option<&Value>) -> Self {
        match sent {
            None | Some(Value::Null) => Self::default(),
            Some(Value::String(text)) => time::from_rfc3339(text).map_or_else(Self::unreadable, Self::at),
            Some(_) => Self::unreadable(),
        }
    }

    /// The platform said something that is not a time.
    pub fn unreadable() -> Self {
        Self { sent: true, time: None }
    }
}

/// `push` of `events.github.push`.
const fn last_part(topic: &'static str) -> &'static str {
    let mut at = topic.len();
    while at > 0 && topic.as_bytes()[at - 1] != b'.' {
        at -= 1;
    }
    topic.split_at(at).1
}
