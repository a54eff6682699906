//! What is found among raw deliveries, and what a replay of them has done. Pure.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use common::deadletter::v1::{MissingEvents, NotSent, RawCounts, RawExample, Replay, ReplayRawResponse};
use common::identity::Id;
use prost_types::Timestamp;

use crate::dead_letters::plan::ReplayRefusal;

/// So many ids are told of what is not sent, and so many examples of what would be.
const SOME: usize = 5;
/// So many events that never came out are remembered: to know them again in another delivery, and to look whether they
/// are out in the end. Their number bounds what a replay takes in memory.
const REMEMBERED: usize = 250_000;

/// An event of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedEvent {
    /// The full protobuf name.
    pub ce_type: Arc<str>,
    /// The same for every delivery of this occurrence.
    pub id: Id,
    /// Its position in the delivery.
    pub index: u32,
}

/// A delivery, and what comes of it when it is read now.
#[derive(Debug, Clone)]
pub struct ReadDelivery {
    /// Empty where that cannot be told.
    pub delivery_id: String,
    /// Empty where that cannot be told.
    pub endpoint: String,
    /// When it was accepted.
    pub received_at: Timestamp,
    /// What can be read, and written.
    pub events: Vec<ReplayedEvent>,
    /// Items that cannot.
    pub refused: u64,
}

/// Of what a delivery is sent.
#[derive(Debug, Clone)]
pub struct What {
    /// Of the delivery.
    pub delivery_id: String,
    endpoint: String,
    received_at: Timestamp,
    /// The events that never came out.
    pub events: Vec<ReplayedEvent>,
}

/// The account of a replay.
#[derive(Debug, Default)]
pub struct RawAccount {
    counts: RawCounts,
    selected: u64,
    sent: u64,
    missing: BTreeMap<(String, Arc<str>), u64>,
    not_sent: BTreeMap<&'static str, NotSent>,
    examples: Vec<RawExample>,
    remembered: HashMap<Id, Arc<str>>,
    /// All is sent.
    pub waits: bool,
}

impl RawAccount {
    /// Takes in a delivery with what the claims say of each of its events. `is_done`: processing has worked on it, so
    /// that what has not come out will not by itself. What of it is to be sent; `None`: nothing.
    pub fn look(&mut self, delivery: ReadDelivery, claimed: &[bool], is_done: bool) -> Option<What> {
        self.see(&delivery);
        self.counts.refused += delivery.refused;
        let ReadDelivery { delivery_id, endpoint, received_at, events, .. } = delivery;
        let all = events.len();
        let mut is_claimed = claimed.iter();
        let mut missing = events;
        missing.retain(|_| is_claimed.next() == Some(&false));
        if !missing.is_empty() && !is_done {
            self.counts.waiting += 1;
            self.counts.unchanged += (all - missing.len()) as u64;
            return None;
        }
        missing.retain(|event| !self.remembered.contains_key(&event.id));
        self.counts.unchanged += (all - missing.len()) as u64;
        if missing.is_empty() {
            return None;
        }
        self.selected += 1;
        Some(What { delivery_id, endpoint, received_at, events: missing })
    }

    /// A delivery that is not looked into.
    pub fn refuse(&mut self, delivery: &ReadDelivery, why: &ReplayRefusal) {
        self.see(delivery);
        self.selected += 1;
        self.note(&delivery.delivery_id, why);
    }

    fn see(&mut self, delivery: &ReadDelivery) {
        let at = delivery.received_at;
        let order = |at: &Timestamp| (at.seconds, at.nanos);
        self.counts.deliveries += 1;
        if self.counts.first.as_ref().is_none_or(|first| order(&at) < order(first)) {
            self.counts.first = Some(at);
        }
        if self.counts.last.as_ref().is_none_or(|last| order(&at) > order(last)) {
            self.counts.last = Some(at);
        }
    }

    /// It goes: its events are those that will have come out with this replay.
    pub fn goes(&mut self, what: &What, with_example: bool) {
        self.counts.missing += what.events.len() as u64;
        for event in &what.events {
            *self.missing.entry((what.endpoint.clone(), event.ce_type.clone())).or_default() += 1;
            if self.remembered.len() < REMEMBERED {
                self.remembered.insert(event.id, event.ce_type.clone());
            }
        }
        if with_example && self.examples.len() < SOME {
            self.examples.push(RawExample {
                delivery_id: what.delivery_id.clone(),
                endpoint: what.endpoint.clone(),
                received_at: Some(what.received_at),
                missing: what.events.len() as u64,
            });
        }
    }

    /// It is durable, or would have been sent.
    pub fn sent(&mut self) {
        self.sent += 1;
    }

    /// It is not sent.
    pub fn refused(&mut self, what: &What, why: &ReplayRefusal) {
        self.note(&what.delivery_id, why);
    }

    fn note(&mut self, delivery_id: &str, why: &ReplayRefusal) {
        let entry = self.not_sent.entry(why.code()).or_insert_with(|| NotSent {
            reason: why.code().to_owned(),
            message: why.to_string(),
            ..NotSent::default()
        });
        entry.count += 1;
        if entry.ids.len() < SOME && !delivery_id.is_empty() {
            entry.ids.push(delivery_id.to_owned());
        }
    }

    /// Deliveries that are to be sent or are refused, so far.
    pub fn selected(&self) -> u64 {
        self.selected
    }

    /// The events of what was sent, as far as they are remembered.
    pub fn remembered(&self) -> Vec<(Arc<str>, Id)> {
        self.remembered.iter().map(|(id, ce_type)| (ce_type.clone(), *id)).collect()
    }

    /// So many events were looked for in the end, and so many of them are out.
    pub fn came_out(&mut self, looked_for: u64, came_out: u64) {
        (self.counts.looked_for, self.counts.came_out) = (looked_for, came_out);
    }

    /// As it is kept.
    pub fn keep(&self, replay: &mut Replay) {
        (replay.selected, replay.sent) = (self.selected, self.sent);
        replay.not_sent = self.not_sent.values().cloned().collect();
        replay.raw_counts = Some(self.counts);
    }

    /// As it is answered.
    pub fn answer(&self, replay_id: &str, done: bool) -> ReplayRawResponse {
        let missing = |((endpoint, ce_type), count): (&(String, Arc<str>), &u64)| MissingEvents {
            endpoint: endpoint.clone(),
            r#type: ce_type.to_string(),
            count: *count,
        };
        ReplayRawResponse {
            replay_id: replay_id.to_owned(),
            counts: Some(self.counts),
            selected: self.selected,
            sent: self.sent,
            missing: self.missing.iter().map(missing).collect(),
            not_sent: self.not_sent.values().cloned().collect(),
            // The last answer has them; before it they would come again with each.
            examples: if done { self.examples.clone() } else { Vec::new() },
            waits_for_processing: self.waits && !done,
            done,
        }
    }
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
