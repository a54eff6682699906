//! Events as they come out of Meta's deliveries: which ids, of which records.

use std::sync::Arc;

use bus::{Claim, Coordinates};
use common::identity::Id;

const TYPE: &str = "weir.facebook.v1.Comment";
/// As long as Kafka's cluster ids are, with the generation.
const LOG: &str = "MkU3OEVBNTcwNTJENDM2Qk.1";
const TOPIC: &str = "raw.meta";
const PARTITIONS: u64 = 6;
/// Records that are taken of one partition before the next.
const RUN: u64 = 500;
/// Events in a record.
const EACH: u64 = 2;
/// Where the topic stands: it is not new.
const OFFSET: u64 = 100_000_000;

pub(crate) struct Event {
    id: Id,
    pub(crate) at: Coordinates,
    index: u32,
}

impl Event {
    /// Each number is one event, always the same.
    pub(crate) fn of(number: u64) -> Self {
        Self::within(number, &Arc::from(LOG), &Arc::from(TOPIC))
    }

    fn within(number: u64, log: &Arc<str>, topic: &Arc<str>) -> Self {
        let (record, index) = (number / EACH, number % EACH);
        let (run, within) = (record / RUN, record % RUN);
        let (partition, offset) = (run % PARTITIONS, OFFSET + run / PARTITIONS * RUN + within);
        let halves = [scattered(number), scattered(!number)];
        let mut id = [0; 16];
        for (to, from) in id.chunks_exact_mut(8).zip(halves) {
            to.copy_from_slice(&from.to_be_bytes());
        }
        let at = Coordinates {
            log: log.clone(),
            topic: topic.clone(),
            partition: i32::try_from(partition).unwrap_or_default(),
            offset: i64::try_from(offset).unwrap_or_default(),
        };
        Self { id: Id(id), at, index: u32::try_from(index).unwrap_or_default() }
    }

    pub(crate) fn claim(&self) -> Claim<'_> {
        Claim { ce_type: TYPE, id: self.id, at: &self.at, index: self.index }
    }
}

/// All events from a number on.
pub(crate) struct Events {
    next: u64,
    log: Arc<str>,
    topic: Arc<str>,
}

impl Events {
    pub(crate) fn from(next: u64) -> Self {
        Self { next, log: LOG.into(), topic: TOPIC.into() }
    }
}

impl Iterator for Events {
    type Item = Event;

    fn next(&mut self) -> Option<Event> {
        let event = Event::within(self.next, &self.log, &self.topic);
        self.next += 1;
        Some(event)
    }
}

/// A number that looks like chance and is never the same for two (SplitMix64).
pub(crate) fn scattered(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
