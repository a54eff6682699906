//! The ends that the items of a record come to: dead letters, and how all of them are counted.

use bus::{Ack, AckOutcome, Coordinates, Producer, dead_letters};
use service::errors::{self, ErrorKind};
use service::{Taken, What};

use crate::output::{Origin, RefusedItem};

/// Why an event is dropped that came before.
pub(crate) const DUPLICATE: &str = "duplicate";

/// The same ack, which also counts what became of the items when all of it is durable. A record that fails takes
/// `taken` with it: its items count as coming again.
pub(crate) fn counted(ack: Ack, mut taken: Taken, sent: usize, duplicates: usize, letters: usize) -> Ack {
    ack.watched(move |ended| {
        if ended == AckOutcome::Completed {
            taken.end(What::SentOn, sent as u64);
            taken.end(What::Dropped(DUPLICATE), duplicates as u64);
            taken.end(What::DeadLettered, letters as u64);
        }
    })
}

/// What all dead letters of one record have in common.
pub(crate) struct Letter<'a> {
    pub(crate) stage: &'static str,
    pub(crate) at: &'a Coordinates,
    pub(crate) origin: &'a Origin,
    pub(crate) traceparent: Option<String>,
    pub(crate) attempts: u32,
}

impl Letter<'_> {
    /// Sends the dead letter of one item. If it cannot be sent, the ack fails, and the record comes again.
    pub(crate) async fn send(&self, refused: RefusedItem, ack: Ack, producer: &Producer) {
        // Its message may quote the payload, which an error does not.
        let reason = refused.reason;
        match producer.send_letter(self.letter(refused), ack).await {
            Ok(()) => errors::note(self.stage, &self.origin.endpoint, ErrorKind::DeadLetter, reason),
            Err(error) => {
                tracing::warn!(at = %self.at, %error, "sending a dead letter failed: its record is read again");
            }
        }
    }

    fn letter(&self, refused: RefusedItem) -> dead_letters::Draft<'_> {
        dead_letters::Draft {
            stage: self.stage,
            reason: refused.reason,
            message: refused.message,
            at: self.at,
            index: refused.index,
            source: &self.origin.source,
            endpoint: &self.origin.endpoint,
            tenant: &self.origin.tenant,
            delivery_id: &self.origin.delivery_id,
            payload: refused.payload,
            content_type: refused.content_type,
            failed_at: service::clock::timestamp(),
            attempts: self.attempts,
            traceparent: self.traceparent.clone(),
        }
    }
}
