//! What became of a delivery: what has to come of it, and where each of these was seen. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bus::{Coordinates, Stored};
use common::deadletter::v1::DeadLetter;
use common::event::v1::Context;
use common::raw::v1::Delivery;
use common::registrations::Registrations;
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS};
use processing::parse::{self, Input, Item};
use prost::Message as _;
use prost_types::Timestamp;
use serde_json::{Value, json};

use crate::out;

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
    times: usize,
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
        Self { found, events, refused, lake: None }
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

    /// The UTC day under which the lake has it.
    pub fn day(&self) -> Option<String> {
        let received_at = self.found.delivery.received_at?;
        received_at.to_string().get(..10).map(ToOwned::to_owned)
    }

    /// The activities that have to come of it, without those of repetitions.
    pub fn activity_ids(&self) -> Vec<String> {
        self.events.iter().flat_map(|event| event.activities.keys().cloned()).collect()
    }

    /// Looks at a record of one of [`topics`](Self::topics).
    pub fn take(&mut self, record: &Stored, prefix: &str) {
        let topic = record.coordinates.topic.strip_prefix(prefix).unwrap_or(&record.coordinates.topic);
        let after_ms = record.produced_at_ms - self.found.record.produced_at_ms;
        let see = |seen: &mut Option<Seen>| match seen {
            Some(seen) => seen.times += 1,
            None => *seen = Some(Seen { at: record.coordinates.clone(), after_ms, times: 1 }),
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

    /// So many rows of the lake have this activity.
    pub fn in_lake(&mut self, id: &str, rows: usize) {
        for event in &mut self.events {
            if let Some(way) = event.activities.get_mut(id) {
                way.rows = rows;
            }
        }
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

    /// All that has to come of it has arrived.
    pub fn is_complete(&self) -> bool {
        let in_lake = self.events.iter().flat_map(|event| event.activities.values()).all(|way| way.rows > 0);
        self.is_found_on_topics() && in_lake && self.lake.is_none()
    }

    /// How it stands, in one sentence.
    pub fn verdict(&self) -> String {
        if self.events.is_empty() && self.refused.is_empty() {
            return "The delivery holds no event, so it produces nothing.".to_owned();
        }
        let mut parts = Vec::new();
        let ways = || self.events.iter().flat_map(|event| event.activities.values());
        let mut of = |what: &str, there: usize, all: usize| {
            if all > 0 {
                parts.push(format!("{there} of {all} {what}"));
            }
        };
        of("typed events", self.events.iter().filter(|event| event.typed.is_some()).count(), self.events.len());
        of("activities", ways().filter(|way| way.activity.is_some()).count(), ways().count());
        of("enriched", ways().filter(|way| way.enriched.is_some()).count(), ways().count());
        of("in the lake", ways().filter(|way| way.rows > 0).count(), ways().count());
        of("dead letters", self.refused.iter().filter(|r| r.seen.is_some()).count(), self.refused.len());
        let said = parts.join(", ");
        if self.is_complete() {
            return format!("Everything has arrived: {said}.");
        }
        let missing = self.events.iter().any(|event| event.typed.is_none());
        let hint = match (&self.lake, missing) {
            (Some(error), _) => format!("The lake cannot be read: {error}."),
            (None, true) => {
                "Missing events are in flight (weir health shows the lag), or they repeat events that have \
                             expired from their topic."
                    .to_owned()
            }
            (None, false) => "The rest is in flight: files are written and loaded at intervals (weir health shows the \
                              lag)."
                .to_owned(),
        };
        format!("Not everything has arrived: {said}. {hint}")
    }

    /// For people.
    pub fn pretty(&self) -> String {
        let Found { record, delivery } = &self.found;
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = writeln!(text, "delivery  {}", delivery.delivery_id);
        let received = delivery.received_at.map(|at| at.to_string()).unwrap_or_default();
        let _ = writeln!(text, "received  {received}   endpoint {}   tenant {}", delivery.endpoint, delivery.tenant);
        if let Some(trace) = record.headers.traceparent.as_deref().and_then(|parent| parent.split('-').nth(1)) {
            let _ = writeln!(text, "trace     {trace}");
        }
        let size = out::count(delivery.body.len() as u64);
        let _ = writeln!(text, "\n  {}   {size} bytes, verified by {}", place(&record.coordinates), delivery.scheme);
        for event in &self.events {
            let _ = writeln!(text, "  └─ {}   {}", show(event.typed.as_ref(), &event.topic), event.id);
            if let Some(other) = &event.came_with {
                let _ = writeln!(text, "     repeats an event of delivery {other}");
            }
            for (id, way) in &event.activities {
                let _ = writeln!(text, "     └─ {}   {id}", show(way.activity.as_ref(), ACTIVITIES.name()));
                let _ = writeln!(text, "        └─ {}", show(way.enriched.as_ref(), ACTIVITIES_ENRICHED.name()));
                let _ = writeln!(text, "           └─ lake   {}", rows(way.rows));
            }
        }
        for refused in &self.refused {
            let _ = writeln!(text, "  └─ {}   {}", show(refused.seen.as_ref(), DEAD_LETTERS.name()), refused.reason);
        }
        let _ = write!(text, "\n{}", self.verdict());
        text
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let Found { record, delivery } = &self.found;
        let seen = |seen: &Option<Seen>| {
            seen.as_ref().map(|seen| json!({"at": seen.at.to_string(), "after_ms": seen.after_ms, "times": seen.times}))
        };
        let events: Vec<_> = self
            .events
            .iter()
            .map(|event| {
                let activities = event.activities.iter().map(|(id, way)| {
                    json!({"id": id, "activity": seen(&way.activity), "enriched": seen(&way.enriched), "lake_rows": way.rows})
                });
                json!({
                    "id": event.id, "topic": event.topic, "typed": seen(&event.typed), "came_with": event.came_with,
                    "activities": activities.collect::<Vec<_>>(),
                })
            })
            .collect();
        let refused =
            self.refused.iter().map(|r| json!({"index": r.index, "reason": r.reason, "dead_letter": seen(&r.seen)}));
        json!({
            "delivery_id": delivery.delivery_id,
            "received_at": delivery.received_at.map(|at| at.to_string()),
            "endpoint": delivery.endpoint,
            "tenant": delivery.tenant,
            "raw": record.coordinates.to_string(),
            "traceparent": record.headers.traceparent,
            "events": events,
            "refused": refused.collect::<Vec<_>>(),
            "complete": self.is_complete(),
            "verdict": self.verdict(),
        })
    }
}

fn place(at: &Coordinates) -> String {
    format!("{}/{}/{}", at.topic, at.partition, at.offset)
}

fn show(seen: Option<&Seen>, topic: &str) -> String {
    let Some(seen) = seen else { return format!("{topic}   not found") };
    let times = if seen.times > 1 { format!(", {} times", seen.times) } else { String::new() };
    format!("{}   {:+} ms{times}", place(&seen.at), seen.after_ms)
}

fn rows(rows: usize) -> String {
    match rows {
        0 => "not found".to_owned(),
        1 => "1 row".to_owned(),
        more => format!("{more} rows: duplicates, which are a fault"),
    }
}

#[cfg(test)]
#[path = "trace_tests.rs"]
mod tests;
