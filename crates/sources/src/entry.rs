//! A kind in the table of its platform, where it is found by what was sent.

use common::json::{self, Object};
use common::raw::v1::Delivery;

use crate::kind::{Kind, Time};
use crate::{Draft, ParsedEvent, Tenants};

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
