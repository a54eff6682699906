//! A record that a stage without an [`Outbox`](crate::Outbox) cannot use.

use bus::{Incoming, Producer};
use service::Taken;

use crate::ends::{Letter, Reasons, counted};
use crate::output::{Origin, RefusedItem};

/// A record that is refused whole: it becomes a dead letter, with its bytes as they came.
#[derive(Debug)]
pub struct RefusedRecord {
    /// The record.
    pub record: Incoming,
    /// Where it came from.
    pub origin: Origin,
    /// Why, as a code.
    pub reason: &'static str,
    /// Why, for people.
    pub message: String,
    /// The record as it is counted: refused when its dead letter is durable. Sent is not durable: where its topic refuses it
    /// the record comes again, and is counted then.
    pub taken: Taken,
}

impl RefusedRecord {
    /// Sends the dead letter. The record is done when that is durable, and comes again if it cannot be sent.
    pub async fn send(self, stage: &'static str, producer: &Producer) {
        let Self { record, origin, reason, message, taken } = self;
        let Incoming { coordinates: at, payload, headers, ack, .. } = record;
        let payload = payload.unwrap_or_default();
        let refused = RefusedItem { index: 0, reason, message, payload, content_type: "application/protobuf" };
        let attempts = headers.attempts.saturating_add(1);
        let letter = Letter { stage, at: &at, origin: &origin, traceparent: headers.traceparent, attempts };
        let reasons = Reasons::of(stage, &origin, std::iter::once(reason));
        letter.send(refused, counted(ack, taken, 0, 0, reasons), producer).await;
    }
}
