//! How the control plane reads raw deliveries: as the stage does.

use bus::{Producer, Stored};
use common::registrations::Registrations;
use control::replay::account::ReplayedEvent;
use control::replay::reader::{Read, ReadsRaw};

use crate::STAGE;
use crate::parse::{self, Input, Item};
use crate::weight::{self, Limit};

/// Reads raw deliveries.
#[derive(Debug)]
pub(crate) struct Reader {
    /// What a delivery may take in memory.
    pub(crate) limit: Limit,
}

impl ReadsRaw for Reader {
    fn stage(&self) -> &'static str {
        STAGE
    }

    /// What the log would refuse does not come.
    fn read(&self, stored: &Stored, registrations: &Registrations, producer: &Producer) -> Read {
        let (at, payload, headers) = (&stored.coordinates, stored.payload.as_ref(), &stored.headers);
        let input = Input { at, payload, headers, traceparent: None };
        let weight = weight::of(payload, self.limit);
        let outcome = parse::parse_within(input, registrations, weight.too_much.as_deref());
        let mut read = Read { endpoint: outcome.origin.endpoint, ..Read::default() };
        for item in outcome.items {
            match item {
                Item::Event(event) if event.records.iter().all(|record| producer.check(record).is_ok()) => {
                    read.events.push(ReplayedEvent {
                        ce_type: event.ce_type().into(),
                        id: event.id,
                        index: event.index,
                    });
                }
                Item::Event(_) | Item::Refused(_) => read.refused += 1,
            }
        }
        read
    }
}
