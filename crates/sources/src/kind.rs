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
    /// What the platform sent as the time of what happened, the best first: `None` for what could not be read.
    pub sent: Vec<Option<Timestamp>>,
    /// When the platform sent the delivery, where it says that: it stands in where none of `sent` can be.
    pub reported: Option<Option<Timestamp>>,
}

impl Time {
    /// What the platform said in these members, the best first. Those that are missing or null say nothing.
    pub fn of<'a>(members: impl IntoIterator<Item = Option<&'a Value>>) -> Self {
        let said = members.into_iter().flatten().filter(|value| !value.is_null());
        Self { sent: said.map(time::read).collect(), reported: None }
    }

    /// This, in a delivery that was sent at the time that `reported` says.
    #[must_use]
    pub fn reported(self, reported: Option<&Value>) -> Self {
        Self { reported: reported.filter(|value| !value.is_null()).map(time::read), ..self }
    }

    /// Whether it tells this occurrence from others of the same words. A time before 2000 stands for "unknown".
    pub fn tells_apart(&self) -> bool {
        self.sent.iter().flatten().any(time::is_plausible)
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
