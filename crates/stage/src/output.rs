//! What came of a record that was consumed.

use std::collections::{BTreeMap, BTreeSet};

use bus::{Ack, Claim, Coordinates, Prepared};
use bytes::Bytes;
use common::identity::Id;
use prost_types::Timestamp;
use service::Taken;
use tracing::Span;

use crate::memory::Room;

/// The delivery that a record came of; each empty where it cannot be told.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Origin {
    /// The module that reads it.
    pub source: String,
    /// The endpoint that accepted it.
    pub endpoint: String,
    /// The tenant of the endpoint.
    pub tenant: String,
    /// Its id.
    pub delivery_id: String,
    /// When the door had all of it.
    pub received_at: Option<Timestamp>,
}

/// One thing of a record.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// An event, as the records that are to be written.
    Event(OutputEvent),
    /// What could not be understood.
    Refused(RefusedItem),
}

impl Item {
    /// The position in the record.
    pub fn index(&self) -> u32 {
        match self {
            Self::Event(event) => event.index,
            Self::Refused(refused) => refused.index,
        }
    }
}

/// An event, as the records that are to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct OutputEvent {
    /// What is claimed: the same whenever this comes again.
    pub id: Id,
    /// The position in the record it came of.
    pub index: u32,
    /// The full protobuf name of what is claimed, where it is not that of the first record.
    pub claims: Option<&'static str>,
    /// All of them share its fate. A typed event is the first.
    pub records: Vec<Prepared>,
}

impl OutputEvent {
    /// The full protobuf name of what is claimed.
    pub fn ce_type(&self) -> &str {
        self.claims.unwrap_or_else(|| self.records.first().map_or("", |record| &record.headers.r#type))
    }

    pub(crate) fn claim<'a>(&'a self, at: &'a Coordinates) -> Claim<'a> {
        Claim { ce_type: self.ce_type(), id: self.id, at, index: self.index }
    }
}

/// What is to become a dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedItem {
    /// The position in the record.
    pub index: u32,
    /// Why, as a code.
    pub reason: &'static str,
    /// Why, for people.
    pub message: String,
    /// Exactly what was refused.
    pub payload: Bytes,
    /// What the payload is.
    pub content_type: &'static str,
}

/// A record that was consumed, with what came of it.
#[derive(Debug)]
pub struct Work<T> {
    /// Where it stands.
    pub at: Coordinates,
    /// Its hold.
    pub ack: Ack,
    /// Where it came from.
    pub origin: Origin,
    /// Events and what was refused, in its order.
    pub items: Vec<Item>,
    /// Its items, until all that came of them is durable.
    pub taken: Taken,
    /// Its span.
    pub span: Span,
    /// The trace that its outputs belong to.
    pub traceparent: Option<String>,
    /// How often it is being tried, from 1.
    pub attempts: u32,
    /// The records whose claims are its own.
    pub instead_of: Vec<Coordinates>,
    /// Its value, for what of it cannot be written.
    pub payload: Option<Bytes>,
    /// Its memory, until its outputs are with the producer.
    pub room: Room,
    /// What the stage wants to have back.
    pub with: T,
}

impl<T> Work<T> {
    /// How many of its items are events.
    pub(crate) fn events(&self) -> usize {
        self.items.iter().filter(|item| matches!(item, Item::Event(_))).count()
    }

    /// How many of its items were refused.
    pub fn refused(&self) -> usize {
        self.items.len() - self.events()
    }

    pub(crate) fn claims(&self) -> impl Iterator<Item = Claim<'_>> {
        self.items.iter().filter_map(|item| match item {
            Item::Event(event) => Some(event.claim(&self.at)),
            Item::Refused(_) => None,
        })
    }
}

/// How a stage tells what it refuses.
#[derive(Debug, Clone, Copy)]
pub struct Refusals {
    /// The bytes of items of a record's value as they came, by their positions: never what was made of them.
    pub sent: fn(Option<&Bytes>, &BTreeSet<u32>) -> BTreeMap<u32, Bytes>,
    /// What such bytes are.
    pub content_type: fn(&[u8]) -> &'static str,
    /// Whether an event whose topic is not there is refused for good. Else it comes again until the topic is there.
    pub without_topic: bool,
}
