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
mod standing;

pub use standing::{Progress, Stage};

/// What the payload of a letter is that is about a whole record.
const WHOLE_RECORD: &str = "application/protobuf";

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

/// One thing that has to come of the delivery, with what was seen of it.
#[derive(Debug)]
struct Event {
    /// Its position in the delivery.
    index: u32,
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
    /// As the lake has it.
    enriched_at: Option<Timestamp>,
}

/// Something that was refused, or has to be.
#[derive(Debug, Default)]
struct Refused {
    index: u32,
    reason: String,
    seen: Option<Seen>,
    /// Not one item was refused, but the whole record.
    is_all: bool,
    /// The activity that the enricher refused.
    activity: Option<Coordinates>,
}

/// What became of a delivery.
#[derive(Debug)]
pub struct Trace {
    found: Found,
    events: Vec<Event>,
    refused: Vec<Refused>,
    lake: Option<String>,
    /// Nothing of it can have expired on its topics, though the lake may have it.
    is_kept: bool,
    /// How far the stages are with records of which something is missing.
    progress: BTreeMap<Coordinates, Progress>,
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
                        index: event.index,
                        id: typed.headers.id.clone(),
                        topic: typed.topic.to_string(),
                        typed: None,
                        came_with: None,
                        activities: records.map(|record| (record.headers.id.clone(), Way::default())).collect(),
                    });
                }
                Item::Refused(item) => {
                    let (index, reason) = (item.index, item.reason.to_owned());
                    refused.push(Refused { index, reason, ..Refused::default() });
                }
            }
        }
        Self { found, events, refused, lake: None, is_kept: false, progress: BTreeMap::new(), looked_at: 0 }
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
        let start = common::time::to_micros(self.found.delivery.received_at.as_ref()?)?;
        Some(start..start.checked_add(1)?)
    }

    /// The activities that have to come of it.
    pub fn activity_ids(&self) -> Vec<String> {
        self.events.iter().flat_map(|event| event.activities.keys().cloned()).collect()
    }

    /// Looks at a record of one of [`topics`](Self::topics); whether it came of the delivery.
    pub fn take(&mut self, record: &Stored, prefix: &str) -> bool {
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
                return false;
            };
            let place = letter.coordinates.unwrap_or_default();
            let index = place.index;
            match self.refused.iter_mut().find(|refused| refused.index == index && refused.reason == letter.reason) {
                Some(refused) => see(&mut refused.seen),
                // Another version, or another stage, refused what this one would not.
                None => {
                    let DeadLetter { reason, content_type, .. } = letter;
                    let common::deadletter::v1::Coordinates { log, topic, partition, offset, .. } = place;
                    let at =
                        || Coordinates { log: log.as_str().into(), topic: topic.as_str().into(), partition, offset };
                    let activity = (letter.stage == enricher::STAGE).then(at);
                    let is_all = content_type == WHOLE_RECORD;
                    let mut refused = Refused { index, reason, seen: None, is_all, activity };
                    see(&mut refused.seen);
                    self.refused.push(refused);
                }
            }
            return true;
        }
        let (id, mut is_ours) = (&record.headers.id, false);
        for event in &mut self.events {
            if topic == event.topic && *id == event.id {
                is_ours = true;
                see(&mut event.typed);
                let typed = record.payload.as_deref().and_then(|payload| Typed::decode(payload).ok());
                if let Some(context) = typed.and_then(|typed| typed.context)
                    && context.delivery_id != self.found.delivery.delivery_id
                {
                    event.came_with = Some(context.delivery_id);
                }
            } else if let Some(way) = event.activities.get_mut(id) {
                is_ours = true;
                match topic {
                    _ if topic == ACTIVITIES.name() => see(&mut way.activity),
                    _ if topic == ACTIVITIES_ENRICHED.name() => see(&mut way.enriched),
                    _ => {}
                }
            }
        }
        is_ours
    }

    /// Looks at a row of the lake.
    pub fn take_row(&mut self, row: &Value) {
        let text = |column: &str| row[column].as_str().unwrap_or_default();
        for event in &mut self.events {
            let Some(way) = event.activities.get_mut(text(columns::ID)) else { continue };
            way.rows += 1;
            way.enriched_at = common::time::from_rfc3339(text(columns::ENRICHED_AT));
            let delivery_id = text(columns::DELIVERY_ID);
            // The typed event may have expired.
            if delivery_id != self.found.delivery.delivery_id {
                event.came_with = Some(delivery_id.to_owned());
            }
        }
    }

    /// The lake could not be read.
    pub fn lake_failed(&mut self, error: &str) {
        self.lake = Some(error.to_owned());
    }
}

#[cfg(test)]
mod tests;
