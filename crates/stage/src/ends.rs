//! The ends that the items of a record come to: dead letters, and how all of them are counted.

use bus::{Ack, AckOutcome, Coordinates, Producer, dead_letters};
use service::errors::{self, ErrorKind};
use service::{Taken, What};

use crate::output::{Origin, RefusedItem};

/// Why an event is dropped that came before.
pub(crate) const DUPLICATE: &str = "duplicate";

/// The reasons of the dead letters of one record, as errors are told of them. A message may quote the payload, which an error
/// does not.
pub(crate) struct Reasons {
    stage: &'static str,
    endpoint: String,
    all: Vec<&'static str>,
}

impl Reasons {
    pub(crate) fn of(stage: &'static str, origin: &Origin, all: impl Iterator<Item = &'static str>) -> Self {
        let all: Vec<_> = all.collect();
        // Most records have none.
        let endpoint = if all.is_empty() { String::new() } else { origin.endpoint.clone() };
        Self { stage, endpoint, all }
    }
}

/// The same ack, which also counts what became of the items when all of it is durable. A record that fails takes
/// `taken` with it: its items count as coming again.
pub(crate) fn counted(ack: Ack, mut taken: Taken, sent: usize, duplicates: usize, letters: Reasons) -> Ack {
    ack.watched(move |ended| {
        if ended == AckOutcome::Completed {
            taken.end(What::SentOn, sent as u64);
            taken.end(What::Dropped(DUPLICATE), duplicates as u64);
            taken.end(What::DeadLettered, letters.all.len() as u64);
            for reason in letters.all {
                errors::note(letters.stage, &letters.endpoint, ErrorKind::DeadLetter, reason);
            }
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
        if let Err(error) = producer.send_letter(self.letter(refused), ack).await {
            tracing::warn!(stage = self.stage, at = %self.at, %error, "sending a dead letter failed: its record is read again");
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

#[cfg(test)]
mod tests {
    use service::{Counts, Health};

    use super::*;

    #[test]
    fn the_dead_letters_of_a_record_that_comes_again_are_told_once() {
        let hop = Counts::default().hop("ends-of-test");
        let origin = Origin { endpoint: "hub".to_owned(), ..Origin::default() };
        let attempt = || {
            let reasons = Reasons::of("ends-of-test", &origin, ["no_json", "no_json", "no_id"].into_iter());
            counted(Ack::none(), hop.take("hub", None, 3, "again"), 0, 0, reasons)
        };
        drop(attempt());
        attempt().complete();
        let digest = Health::new("ends-of-test", tokio_util::sync::CancellationToken::new()).digest();
        let mut told: Vec<_> = digest.errors.into_iter().filter(|error| error.hop == "ends-of-test").collect();
        told.sort_by(|a, b| a.text.cmp(&b.text));
        let told: Vec<_> = told.iter().map(|one| (&*one.kind, &*one.endpoint, &*one.text, one.count)).collect();
        assert_eq!(told, [("dead_letter", "hub", "no_id", 1), ("dead_letter", "hub", "no_json", 2)]);
    }
}
