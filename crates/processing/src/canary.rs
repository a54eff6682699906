//! A canary of a raw topic goes on to the activities, behind what stands before it. It is in no count, and claims nothing.

use std::time::SystemTime;

use bus::{Canary, Incoming, Producer, Record};
use common::topics::ACTIVITIES;
use service::HopCounts;
use stage::{Emitted, Origin, Room, Work, passes};
use tracing::Span;

/// What a record is that is a canary, with the key that leads to its partition.
#[derive(Debug)]
pub(crate) struct Passing {
    canary: Canary,
    key: Vec<u8>,
}

impl Passing {
    /// The record, where it is a canary.
    pub(crate) fn of(record: &Incoming) -> Option<Self> {
        let canary = record.canary()?.clone();
        Some(Self { canary, key: record.key.as_deref().unwrap_or_default().to_vec() })
    }

    /// Work in which there is nothing to do.
    pub(crate) fn work(self, record: Incoming, counts: &HopCounts, room: Room) -> Work<Option<Self>> {
        Work {
            at: record.coordinates,
            ack: record.ack,
            origin: Origin::default(),
            items: Vec::new(),
            taken: counts.take_nothing(),
            span: Span::none(),
            traceparent: None,
            attempts: 1,
            instead_of: Vec::new(),
            payload: None,
            room,
            with: Some(self),
        }
    }
}

/// Ends a record of which everything was emitted. A canary goes on, unless it is of another time: a topic that is read again
/// must not send its canaries again.
pub(crate) async fn end(emitted: Emitted<Option<Passing>>, producer: &Producer, counts: &HopCounts, now: SystemTime) {
    let Emitted { ack, with, .. } = emitted;
    match with {
        Some(Passing { canary, key }) if !canary.is_stale(now) => {
            let ack = passes(ack, counts, vec![canary.clone()]);
            if let Err(error) = producer.send(Record::canary(&ACTIVITIES, key, canary), ack).await {
                tracing::debug!(%error, "sending a canary failed: its record is read again");
            }
        }
        _ => ack.complete(),
    }
}

#[cfg(test)]
#[path = "canary_tests.rs"]
mod tests;
