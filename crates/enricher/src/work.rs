//! From a consumed record to an activity, or to what is refused of it. Pure: no clock, no network.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bus::{Ack, Assignment, Canary, Coordinates, Headers, Incoming, Record};
use bytes::Bytes;
use common::activity::v1::{Activity, EnrichedActivity};
use common::event::v1::Context;
use common::identity::Id;
use common::topics::ACTIVITIES_ENRICHED;
use service::{HopCounts, trace};
use tracing::Span;

use crate::item::{Item, Outcome, RecordPosition};
use crate::steps::{Steps, Verdict};

/// The record's value is not an activity.
pub(crate) const UNDECODABLE: &str = "undecodable";
/// The record has no value.
pub(crate) const NO_VALUE: &str = "no_value";
/// The activity has no id: it cannot be told from its own repetition.
pub(crate) const NO_ID: &str = "no_id";
/// A step broke on it.
pub(crate) const PANIC: &str = "panic";

/// A record with what has come of it so far.
#[derive(Debug)]
pub(crate) struct Work {
    pub(crate) head: Head,
    pub(crate) content: Content,
}

/// What stays the same whatever comes of a record.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) at: Coordinates,
    pub(crate) assignment: Assignment,
    pub(crate) key: Vec<u8>,
    /// For a dead letter.
    pub(crate) payload: Option<Bytes>,
    pub(crate) bytes: usize,
    pub(crate) produced_at_ms: i64,
    pub(crate) span: Span,
    /// How often it is being tried, from 1.
    pub(crate) attempts: u32,
    /// The records whose claims are its own.
    pub(crate) instead_of: Vec<Coordinates>,
    /// What its outputs carry.
    pub(crate) traceparent: Option<String>,
    /// Endpoint, tenant and delivery; empty where the record could not be read.
    pub(crate) context: Context,
    pub(crate) ack: Ack,
}

/// What has come of it.
#[derive(Debug)]
pub(crate) enum Content {
    /// An activity, and how the required steps went.
    Activity(Box<EnrichedActivity>, Verdict),
    /// It goes to the dead letters.
    Refused(Refused),
    /// It is no activity: it goes on with the range that covers it.
    Canary(Canary),
}

/// Why a record is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

/// Reads a record and finds what can be told from it alone.
pub(crate) fn begin(record: Incoming, steps: &Steps) -> Work {
    let canary = record.canary().cloned();
    let read = read(&record);
    let Incoming { coordinates: at, key, payload, headers, produced_at_ms, assignment, ack, .. } = record;
    let incoming = headers.traceparent.as_deref();
    let make = || tracing::info_span!("enrich", topic = %at.topic, partition = at.partition, offset = at.offset);
    let span = trace::continue_from(incoming, make);
    let traceparent = span.in_scope(|| trace::onward(incoming));
    let context = read.as_ref().ok().and_then(|activity| activity.context.clone()).unwrap_or_default();
    let content = match (canary, read.and_then(|activity| span.in_scope(|| derived(activity, steps)))) {
        (Some(canary), _) => Content::Canary(canary),
        (None, Ok(enriched)) => Content::Activity(Box::new(enriched), Verdict::Goes),
        (None, Err(refused)) => Content::Refused(refused),
    };
    let attempts = headers.attempts.saturating_add(1);
    let key = key.map(|key| key.to_vec()).unwrap_or_default();
    let bytes = key.len() + payload.as_ref().map_or(0, Bytes::len);
    let instead_of = headers.instead_of;
    let head = Head {
        at,
        assignment,
        key,
        payload,
        bytes,
        produced_at_ms,
        span,
        attempts,
        instead_of,
        traceparent,
        context,
        ack,
    };
    Work { head, content }
}

fn read(record: &Incoming) -> Result<Activity, Refused> {
    if record.payload.is_none() {
        return Err(Refused { reason: NO_VALUE, message: "the record has no value".to_owned() });
    }
    let activity: Activity =
        record.decode().map_err(|error| Refused { reason: UNDECODABLE, message: error.to_string() })?;
    if activity.id.is_empty() {
        let message = "the activity has no id: the program that writes it must give each activity its own".to_owned();
        return Err(Refused { reason: NO_ID, message });
    }
    Ok(activity)
}

fn derived(activity: Activity, steps: &Steps) -> Result<EnrichedActivity, Refused> {
    catch_unwind(AssertUnwindSafe(|| steps.begin(activity))).map_err(|panic| {
        let text = panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str));
        Refused { reason: PANIC, message: format!("the derive step panicked: {}", text.unwrap_or("no message")) }
    })
}

impl Head {
    /// What the writer needs of a record of which nothing was emitted.
    pub(crate) fn item(self, outcome: Outcome) -> Item {
        let Self { at, assignment, bytes, produced_at_ms, ack, .. } = self;
        Item { place: RecordPosition { at, assignment, bytes, produced_at_ms }, ack, outcome }
    }

    /// What the writer needs of a canary. One of another time goes no further.
    pub(crate) fn canary(mut self, canary: Canary, counts: &HopCounts) -> Item {
        if canary.is_stale(service::clock::now()) {
            return self.item(Outcome::Without);
        }
        self.ack = stage::passes(self.ack, counts, vec![canary.clone()]);
        self.item(Outcome::Canary(canary))
    }

    /// The record for the topic of enriched activities.
    pub(crate) fn record(&self, enriched: &EnrichedActivity) -> Record {
        let activity = enriched.activity.as_ref();
        let headers = Headers {
            id: activity.map(|activity| activity.id.clone()).unwrap_or_default(),
            source: format!("weir/enricher/{}", self.context.endpoint),
            time: activity.and_then(|activity| activity.occurred_at),
            traceparent: self.traceparent.clone(),
            from: Some(self.at.clone()),
            ..Headers::default()
        };
        Record::new(&ACTIVITIES_ENRICHED, self.key.clone(), enriched, headers)
    }
}

/// What is claimed for an activity: its id may be any text, for anybody may write activities.
pub(crate) fn claimed(id: &str) -> Id {
    Id::of("activity", "", &[id.as_bytes()])
}

#[cfg(test)]
#[path = "work_tests.rs"]
mod tests;
