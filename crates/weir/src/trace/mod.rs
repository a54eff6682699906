//! What became of a delivery: what has to come of it, and where each of these was seen. Pure, but for [`search`], which
//! looks for it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bus::{Coordinates, Stored};
use common::deadletter::v1::DeadLetter;
use common::event::v1::Context;
use common::raw::v1::Delivery;
use common::registrations::Registrations;
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS};
use lake::columns;
use processing::parse::{self, Input, Item};
use prost::Message as _;
use prost_types::Timestamp;
use serde_json::Value;

pub mod search;
mod show;

/// The first year that an id can tell; before it the digits are random ones.
const FIRST_MS: u64 = 1_704_067_200_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// When the delivery of this id was accepted, as its first 48 bits tell; `None` where they cannot be a time.
pub fn accepted_at(delivery_id: &str, now: SystemTime) -> Option<Timestamp> {
    let millis = u64::from_str_radix(delivery_id.get(..12)?, 16).ok()?;
    let latest = now.checked_add(DAY)?.duration_since(UNIX_EPOCH).ok()?.as_millis();
    let possible = millis >= FIRST_MS && u128::from(millis) <= latest;
    possible.then(|| Timestamp::from(UNIX_EPOCH + Duration::from_millis(millis)))
}

/// The delivery on its raw topic.
#[derive(Debug, Clone)]
pub struct Found {
    /// The record.
    pub record: Stored,
    /// Its message.
    pub delivery: Delivery,
}

/// Where something was seen.
#[derive(Debug, Clone, PartialEq)]
struct Seen {
    at: Coordinates,
    after_ms: i64,
    /// Where else; a record that is looked at twice is one.
    others: BTreeSet<Coordinates>,
}

impl Seen {
    fn times(&self) -> usize {
        self.others.len() + 1
    }
}

/// What has to read a record before something comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Makes typed events, activities and dead letters of deliveries.
    Processing,
    /// Makes enriched activities of activities.
    Enricher,
}

/// One thing that has to come of the delivery, with what was seen of it.
#[derive(Debug)]
struct Event {
    /// Of the typed event, and of its activities.
    id: String,
    topic: String,
    typed: Option<Seen>,
    /// The delivery it came with, where that is another one: then this one was a repetition.
    came_with: Option<String>,
    activities: BTreeMap<String, Way>,
}

/// How far an activity came.
#[derive(Debug, Default)]
struct Way {
    activity: Option<Seen>,
    enriched: Option<Seen>,
    rows: usize,
}

/// A change that was refused.
#[derive(Debug)]
struct Refused {
    index: u32,
    reason: String,
    seen: Option<Seen>,
}

/// What became of a delivery.
#[derive(Debug)]
pub struct Trace {
    found: Found,
    events: Vec<Event>,
    refused: Vec<Refused>,
    lake: Option<String>,
    /// Records that their stage has not read yet, and how many it reads before.
    waiting: BTreeMap<Coordinates, u64>,
    /// How many records were looked at.
    looked_at: u64,
}

/// What all typed events have in the same place.
#[derive(Clone, PartialEq, prost::Message)]
struct Typed {
    #[prost(message, optional, tag = "1")]
    context: Option<Context>,
}

impl Trace {
    /// What has to come of a delivery, by the modules of this version.
    pub fn new(found: Found) -> Self {
        let input = Input {
            at: &found.record.coordinates,
            payload: found.record.payload.as_ref(),
            headers: &found.record.headers,
            traceparent: None,
        };
        let (mut events, mut refused) = (Vec::new(), Vec::new());
        // Ids do not depend on the tenants of accounts: none need be known.
        for item in parse::parse(input, &Registrations::default()).items {
            match item {
                Item::Event(event) => {
                    let mut records = event.records.into_iter();
                    let Some(typed) = records.next() else { continue };
                    events.push(Event {
                        id: typed.headers.id.clone(),
                        topic: typed.topic.to_string(),
                        typed: None,
                        came_with: None,
                        activities: records.map(|record| (record.headers.id.clone(), Way::default())).collect(),
                    });
                }
                Item::Refused(item) => {
                    refused.push(Refused { index: item.index, reason: item.reason.to_owned(), seen: None });
                }
            }
        }
        Self { found, events, refused, lake: None, waiting: BTreeMap::new(), looked_at: 0 }
    }

    /// The topics, without prefix, on which something of it can be.
    pub fn topics(&self) -> Vec<String> {
        let mut topics: Vec<_> = self.events.iter().map(|event| event.topic.clone()).collect();
        if self.events.iter().any(|event| !event.activities.is_empty()) {
            topics.extend([ACTIVITIES.name().to_owned(), ACTIVITIES_ENRICHED.name().to_owned()]);
        }
        topics.push(DEAD_LETTERS.name().to_owned());
        topics.sort();
        topics.dedup();
        topics
    }

    /// Those of these topics on which something of it can be.
    pub fn topics_of(&self, there: &[String]) -> Vec<String> {
        self.topics().into_iter().filter(|topic| there.contains(topic)).collect()
    }

    /// When it was accepted, microseconds since 1970.
    pub fn received(&self) -> Option<Range<i64>> {
        let at = self.found.delivery.received_at?;
        let start = at.seconds.checked_mul(1_000_000)?.checked_add(i64::from(at.nanos) / 1000)?;
        Some(start..start.checked_add(1)?)
    }

    /// The activities that have to come of it, without those of repetitions.
    pub fn activity_ids(&self) -> Vec<String> {
        self.events.iter().flat_map(|event| event.activities.keys().cloned()).collect()
    }

    /// Looks at a record of one of [`topics`](Self::topics).
    pub fn take(&mut self, record: &Stored, prefix: &str) {
        self.looked_at += 1;
        let topic = record.coordinates.topic.strip_prefix(prefix).unwrap_or(&record.coordinates.topic);
        let after_ms = record.produced_at_ms - self.found.record.produced_at_ms;
        let see = |seen: &mut Option<Seen>| match seen {
            Some(seen) if seen.at == record.coordinates => {}
            Some(seen) => {
                seen.others.insert(record.coordinates.clone());
            }
            None => *seen = Some(Seen { at: record.coordinates.clone(), after_ms, others: BTreeSet::new() }),
        };
        if topic == DEAD_LETTERS.name() {
            let letter = record.payload.clone().and_then(|payload| DeadLetter::decode(payload).ok());
            let Some(letter) = letter.filter(|letter| letter.delivery_id == self.found.delivery.delivery_id) else {
                return;
            };
            let index = letter.coordinates.as_ref().map_or(0, |at| at.index);
            match self.refused.iter_mut().find(|refused| refused.index == index && refused.reason == letter.reason) {
                Some(refused) => see(&mut refused.seen),
                // Another version, or another stage, refused what this one would not.
                None => {
                    let mut refused = Refused { index, reason: letter.reason, seen: None };
                    see(&mut refused.seen);
                    self.refused.push(refused);
                }
            }
            return;
        }
        let id = &record.headers.id;
        for event in &mut self.events {
            if topic == event.topic && *id == event.id {
                see(&mut event.typed);
                let typed = record.payload.as_deref().and_then(|payload| Typed::decode(payload).ok());
                if let Some(context) = typed.and_then(|typed| typed.context)
                    && context.delivery_id != self.found.delivery.delivery_id
                {
                    event.came_with = Some(context.delivery_id);
                }
            } else if let Some(way) = event.activities.get_mut(id) {
                match topic {
                    _ if topic == ACTIVITIES.name() => see(&mut way.activity),
                    _ if topic == ACTIVITIES_ENRICHED.name() => see(&mut way.enriched),
                    _ => {}
                }
            }
        }
    }

    /// Looks at a row of the lake.
    pub fn take_row(&mut self, row: &Value) {
        let text = |column: &str| row[column].as_str().unwrap_or_default();
        for event in &mut self.events {
            let Some(way) = event.activities.get_mut(text(columns::ID)) else { continue };
            way.rows += 1;
            let delivery_id = text(columns::DELIVERY_ID);
            // The typed event may have expired.
            if delivery_id != self.found.delivery.delivery_id {
                event.came_with = Some(delivery_id.to_owned());
            }
        }
    }

    /// The activities without a row of events that may have come with another delivery.
    pub fn repeated(&self) -> Vec<String> {
        let may_be = |event: &&Event| event.came_with.is_some() || event.typed.is_none();
        let ways = self.events.iter().filter(may_be).flat_map(|event| &event.activities);
        ways.filter(|(_, way)| way.rows == 0).map(|(id, _)| id.clone()).collect()
    }

    /// The lake could not be read.
    pub fn lake_failed(&mut self, error: &str) {
        self.lake = Some(error.to_owned());
    }

    /// Nothing is left to be looked for on the topics.
    pub fn is_found_on_topics(&self) -> bool {
        let events = self.events.iter().all(|event| {
            let ways = event.activities.values();
            event.typed.is_some() && ways.clone().all(|way| way.activity.is_some() && way.enriched.is_some())
        });
        events && self.refused.iter().all(|refused| refused.seen.is_some())
    }

    /// The records of which something has to come that was not found, with the stage that makes it.
    pub fn awaited(&self) -> Vec<(Stage, Coordinates)> {
        let mut awaited = Vec::new();
        let ways = || self.events.iter().flat_map(|event| event.activities.values());
        if self.events.iter().any(|event| event.typed.is_none())
            || self.refused.iter().any(|refused| refused.seen.is_none())
            || ways().any(|way| way.activity.is_none())
        {
            awaited.push((Stage::Processing, self.found.record.coordinates.clone()));
        }
        let not_enriched = ways().filter(|way| way.enriched.is_none()).filter_map(|way| way.activity.as_ref());
        awaited.extend(not_enriched.map(|seen| (Stage::Enricher, seen.at.clone())));
        awaited
    }

    /// The stages are asked anew.
    pub fn nothing_waits(&mut self) {
        self.waiting.clear();
    }

    /// The stage of this record has not read it yet, and reads so many before.
    pub fn waits(&mut self, at: Coordinates, before: u64) {
        self.waiting.insert(at, before);
    }

    /// Nothing is to be looked for: all was found, or cannot be there yet.
    pub fn is_settled(&self) -> bool {
        self.awaited().iter().all(|(_, at)| self.waiting.contains_key(at))
    }

    /// The events that were not found although their stage has read the delivery, by one of their activities: they came
    /// out of an earlier delivery, or at a time that is far from this one's.
    pub fn elsewhere(&self) -> Vec<String> {
        if self.waiting.contains_key(&self.found.record.coordinates) {
            return Vec::new();
        }
        let missing = self.events.iter().filter(|event| event.typed.is_none());
        missing.filter_map(|event| event.activities.keys().next().cloned()).collect()
    }

    /// All that has to come of it has arrived.
    pub fn is_complete(&self) -> bool {
        let in_lake = self.events.iter().flat_map(|event| event.activities.values()).all(|way| way.rows > 0);
        self.is_found_on_topics() && in_lake && self.lake.is_none()
    }
}

#[cfg(test)]
mod tests;
