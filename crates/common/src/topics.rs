//! The topics of Weir: their names, what they carry and how they keep it. All of that is code; a prefix for the names is a
//! setting.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::time::Duration;

use crate::activity::v1::{Activity, EnrichedActivity};
use crate::deadletter::v1::{DeadLetter, EndpointStorm};
use crate::{load::v1::LoadRequest, raw::v1::Delivery, registration::v1::Registration};

const DAY: Duration = Duration::from_secs(24 * 3600);
pub(crate) const WEEK: TopicKind = TopicKind::Log { retention: Duration::from_secs(7 * DAY.as_secs()) };
const MONTH: TopicKind = TopicKind::Log { retention: Duration::from_secs(30 * DAY.as_secs()) };

/// How a topic keeps its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TopicKind {
    /// For a time.
    Log {
        /// How long.
        retention: Duration,
    },
    /// The latest of each key for ever, in one partition.
    Compacted,
}

/// A topic as the log has to have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicSpec {
    /// Without the prefix.
    pub name: String,
    /// How it keeps its records.
    pub kind: TopicKind,
}

/// A topic, tied to the message it carries.
#[derive(Debug)]
pub struct Topic<M> {
    name: Cow<'static, str>,
    kind: TopicKind,
    message: PhantomData<fn() -> M>,
}

impl<M> Clone for Topic<M> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), ..*self }
    }
}

impl<M> Topic<M> {
    const fn of(name: &'static str, kind: TopicKind) -> Self {
        Self { name: Cow::Borrowed(name), kind, message: PhantomData }
    }

    fn named(name: String, kind: TopicKind) -> Self {
        Self { name: Cow::Owned(name), kind, message: PhantomData }
    }

    /// The name, without the prefix of the installation.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// As the log has to have it.
    pub fn spec(&self) -> TopicSpec {
        TopicSpec { name: self.name.clone().into_owned(), kind: self.kind }
    }
}

/// What people and machines did, in the one common form.
pub const ACTIVITIES: Topic<Activity> = Topic::of("activities", WEEK);
/// Endpoints and accounts; one partition.
pub const REGISTRATIONS: Topic<Registration> = Topic::of("registrations", TopicKind::Compacted);
/// Activities with what was found out about them.
pub const ACTIVITIES_ENRICHED: Topic<EnrichedActivity> = Topic::of("activities.enriched", WEEK);
/// Files that are to become part of a table.
pub const LOADS: Topic<LoadRequest> = Topic::of("loads", WEEK);
/// What any stage refused.
pub const DEAD_LETTERS: Topic<DeadLetter> = Topic::of("dead-letters", MONTH);
/// Endpoints that the door holds back for a while, because most of what they deliver is refused.
pub const STORMS: Topic<EndpointStorm> = Topic::of("storms", TopicKind::Log { retention: DAY });

/// Whether a stage may consume this topic, named without the prefix: then a record of it can be replayed. What Weir keeps
/// for itself, and what only subscribers read, is not consumed by any.
pub fn takes_replays(name: &str) -> bool {
    let is_kept = name == REGISTRATIONS.name() || name == DEAD_LETTERS.name() || name == STORMS.name();
    !name.is_empty() && !name.starts_with("events.") && !is_kept
}

/// Deliveries of a source, in the lane that is worked on at once.
pub fn raw(source: &str) -> Topic<Delivery> {
    Topic::named(format!("raw.{source}"), WEEK)
}

/// Deliveries of a source, in the slow lane: what a sender sent faster than its endpoint's limit.
pub fn raw_bulk(source: &str) -> Topic<Delivery> {
    Topic::named(format!("raw.{source}.bulk"), WEEK)
}

/// Events of a platform of a kind that Weir does not know.
pub fn other(platform: &str) -> Topic<crate::event::v1::Other> {
    Topic::named(format!("events.{platform}.other"), WEEK)
}

/// Typed events.
pub const fn event<E: crate::event::Event>() -> Topic<E> {
    Topic::of(E::TOPIC, WEEK)
}
