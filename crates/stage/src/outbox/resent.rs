//! A record that comes again may be one whose outputs the log refuses for good, so its outputs are waited for: what is
//! refused for good gives its claim back and becomes a dead letter, and the partition goes on.

use bus::{Ack, Coordinates, Error, Receipt, Verdict};
use bytes::Bytes;
use service::Taken;
use tracing::Span;

use super::{Emitted, Outbox, Tally};
use crate::ends::{DUPLICATE, Letter, Reasons, counted};
use crate::memory::Room;
use crate::output::{Item, Origin, OutputEvent, RefusedItem, Work};

/// What of it is on its way.
pub(super) struct Resent<T> {
    n: usize,
    at: Coordinates,
    ack: Ack,
    origin: Origin,
    taken: Taken,
    span: Span,
    traceparent: Option<String>,
    attempts: u32,
    duplicates: usize,
    waiting: Vec<(OutputEvent, Vec<Receipt>)>,
    refused: Vec<RefusedItem>,
    payload: Option<Bytes>,
    /// Until it ends.
    room: Room,
    with: T,
}

impl<T> Resent<T> {
    /// Sends everything of one record, and does not wait. An error: it has failed, and comes again.
    pub(super) async fn send(
        n: usize,
        work: Work<T>,
        verdicts: &[Verdict],
        outbox: &Outbox,
    ) -> Result<Self, Emitted<T>> {
        let Work { at, ack, origin, items, taken, span, traceparent, attempts, payload, room, with, .. } = work;
        let (mut duplicates, mut waiting, mut refused) = (0, Vec::new(), Vec::new());
        let all = verdicts.iter().filter(|verdict| **verdict != Verdict::Duplicate).count();
        let mut verdicts = verdicts.iter();
        for item in items {
            match item {
                Item::Refused(item) => refused.push(item),
                Item::Event(_) if verdicts.next() == Some(&Verdict::Duplicate) => duplicates += 1,
                Item::Event(event) => match outbox.receipts(&event.records).await {
                    Ok(receipts) => waiting.push((event, receipts)),
                    Err(error) => {
                        ack.clone().fail(&error);
                        return Err(Emitted { n, ack, sent: all, with });
                    }
                },
            }
        }
        let resent = Self {
            n,
            at,
            ack,
            origin,
            taken,
            span,
            traceparent,
            attempts,
            duplicates,
            waiting,
            refused,
            payload,
            room,
            with,
        };
        Ok(resent)
    }

    /// Waits for the outputs. One that fails comes again.
    pub(super) async fn end(self, tally: &mut Tally, outbox: &Outbox) -> Emitted<T> {
        let Self { n, at, ack, origin, taken, span, traceparent, attempts, duplicates, waiting, .. } = self;
        let (mut refused, with, _room) = (self.refused, self.with, self.room);
        let all = waiting.len();
        // Counted where the record ends: one that fails on the way comes again, and is counted then.
        let (mut events, mut sent, mut given_back) = (0, Vec::new(), Vec::new());
        for (event, receipts) in waiting {
            let topics: Vec<_> = event.records.iter().map(|record| record.topic.clone()).collect();
            let Err(error) = durable(receipts).await else {
                sent.extend(topics);
                events += 1;
                continue;
            };
            let Some(reason) = outbox.for_good(&error) else {
                ack.clone().fail(&error);
                return Emitted { n, ack, sent: all, with };
            };
            tracing::warn!(
                parent: &span, stage = outbox.stage, %error, reason, "the log refuses an event permanently: it becomes a dead letter"
            );
            if let Err(error) = outbox.claims.release(&event.claim(&at)).await {
                // Not released, it would pass for a duplicate when it is replayed: try all of it again.
                ack.clone().fail(&error);
                return Emitted { n, ack, sent: all, with };
            }
            given_back.push((event.index, reason, error.to_string()));
        }
        if !given_back.is_empty() {
            refused.extend(outbox.refused(self.payload.as_ref(), given_back));
        }
        let items = events + duplicates + refused.len();
        let ack = counted(
            ack,
            taken,
            events,
            duplicates,
            Reasons::of(outbox.stage, &origin, refused.iter().map(|one| one.reason)),
        );
        tally.took(items);
        sent.iter().for_each(|topic| tally.sent(topic));
        (0..duplicates).for_each(|_| tally.dropped(DUPLICATE));
        let letter = Letter { stage: outbox.stage, at: &at, origin: &origin, traceparent, attempts };
        for item in refused {
            tally.refused(item.reason);
            letter.send(item, ack.clone(), &outbox.producer).await;
        }
        Emitted { n, ack, sent: events, with }
    }
}

/// Waits for all of them; the first error.
async fn durable(receipts: Vec<Receipt>) -> Result<(), Error> {
    let mut outcome = Ok(());
    for receipt in receipts {
        outcome = outcome.and(receipt.await.map(|_| ()));
    }
    outcome
}
