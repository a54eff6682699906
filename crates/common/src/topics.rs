//! The topics of Weir. Their names are constants of the code; a prefix for all of them is a setting.

use std::marker::PhantomData;

use crate::activity::v1::{Activity, EnrichedActivity};
use crate::deadletter::v1::{DeadLetter, EndpointStorm};
use crate::{load::v1::LoadRequest, raw::v1::Delivery, registration::v1::Registration};

/// A topic's name, tied to the message it carries.
#[derive(Debug)]
pub struct Topic<M> {
    name: std::borrow::Cow<'static, str>,
    message: PhantomData<fn() -> M>,
}

impl<M> Clone for Topic<M> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), message: PhantomData }
    }
}

impl<M> Topic<M> {
    const fn of(name: &'static str) -> Self {
        Self { name: std::borrow::Cow::Borrowed(name), message: PhantomData }
    }

    /// The name, without the prefix of the installation.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// What people and machines did, in the one common form.
pub const ACTIVITIES: Topic<Activity> = Topic::of("activities");
/// Endpoints and accounts; compacted, one partition.
pub const REGISTRATIONS: Topic<Registration> = Topic::of("registrations");
/// Activities with what was found out about them.
pub const ACTIVITIES_ENRICHED: Topic<EnrichedActivity> = Topic::of("activities.enriched");
/// Files that are to become part of a table.
pub const LOADS: Topic<LoadRequest> = Topic::of("loads");
/// What any stage refused.
pub const DEAD_LETTERS: Topic<DeadLetter> = Topic::of("dead-letters");
/// Endpoints that the door holds back for a while, because most of what they deliver is refused.
pub const STORMS: Topic<EndpointStorm> = Topic::of("storms");

/// Deliveries of a source, in the lane that is worked on at once.
pub fn raw(source: &str) -> Topic<Delivery> {
    Topic { name: format!("raw.{source}").into(), message: PhantomData }
}

/// Deliveries of a source, in the slow lane: what a sender sent faster than its endpoint's limit.
pub fn raw_bulk(source: &str) -> Topic<Delivery> {
    Topic { name: format!("raw.{source}.bulk").into(), message: PhantomData }
}

/// Events of a platform of a kind that Weir does not know.
pub fn other(platform: &str) -> Topic<crate::event::v1::Other> {
    Topic { name: format!("events.{platform}.other").into(), message: PhantomData }
}

/// Typed events.
pub const fn event<E: crate::event::Event>() -> Topic<E> {
    Topic::of(E::TOPIC)
}

/// What a service makes of what: from every record of `reads`, it may write records of `writes`. Look-ups (registrations)
/// and what services tell each other about themselves (storms) are not part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flow {
    /// Topics without prefix; empty where the records come from outside.
    pub reads: Vec<String>,
    /// Topics without prefix.
    pub writes: Vec<String>,
}
