//! A record that a stage without an [`Outbox`](crate::Outbox) cannot use.

use bus::{AckOutcome, Incoming, Producer, dead_letters};
use service::{Taken, What};

use crate::Origin;

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
        let Self { record, origin, reason, message, mut taken } = self;
        let Incoming { coordinates, payload, headers, ack, .. } = record;
        let draft = dead_letters::Draft {
            stage,
            reason,
            message,
            at: &coordinates,
            index: 0,
            source: &origin.source,
            endpoint: &origin.endpoint,
            tenant: &origin.tenant,
            delivery_id: &origin.delivery_id,
            payload: payload.unwrap_or_default(),
            content_type: "application/protobuf",
            failed_at: service::clock::timestamp(),
            attempts: headers.attempts.saturating_add(1),
            traceparent: headers.traceparent,
        };
        let ack = ack.watched(move |ended| {
            if ended == AckOutcome::Completed {
                taken.end(What::DeadLettered, 1);
            }
        });
        if let Err(error) = producer.send_letter(draft, ack).await {
            tracing::warn!(at = %coordinates, %error, "sending a dead letter failed: its record is read again");
        }
    }
}
