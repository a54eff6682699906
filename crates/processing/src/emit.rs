//! From what was parsed to what is on the log: claims, then records, in order.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::{Duration, Instant, SystemTime};

use bus::dead_letters;
use bus::{Ack, Claim, Coordinates, Delivery, Error, Record, Refusal, Verdict};
use bytes::Bytes;
use prost_types::Timestamp;
use service::{Taken, What};
use tokio::sync::OwnedSemaphorePermit;
use tracing::Span;

use crate::parse::{self, Event, Item, Outcome, Refused};
use crate::pipeline::{STAGE, Shared, Worked};
use crate::tally::Tally;

const FULL_PAUSE: Duration = Duration::from_millis(2);

/// Why an event is dropped that came before.
const DUPLICATE: &str = "duplicate";

/// How a batch ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Done {
    /// All of it is with the producer.
    Sent,
    /// The process or the stage stops.
    Stopped,
}

/// Claims and sends a batch, as fast as it may.
pub(crate) async fn batch(batch: Vec<Worked>, shared: &Shared) -> Done {
    let mut part = Vec::with_capacity(batch.len());
    for mut worked in batch {
        refuse_too_large(&mut worked, shared);
        let endpoint = worked.outcome.endpoint.clone();
        let events = worked.outcome.items.len() - worked.outcome.refused();
        let mut admit = pin!(shared.pace.admit(&endpoint, events));
        let at_once = poll_fn(|context| Poll::Ready(admit.as_mut().poll(context).is_ready())).await;
        if !at_once {
            // What stands before the one that has to wait does not wait with it.
            if self::part(std::mem::take(&mut part), shared).await == Done::Stopped {
                return Done::Stopped;
            }
            let started = Instant::now();
            if shared.shutdown.run_until_cancelled(admit).await.is_none() {
                return Done::Stopped;
            }
            metrics::histogram!("weir_paced_seconds", "stage" => STAGE).record(started.elapsed());
        }
        part.push(worked);
    }
    self::part(part, shared).await
}

/// Claims and sends what may go now.
async fn part(batch: Vec<Worked>, shared: &Shared) -> Done {
    if batch.is_empty() {
        return Done::Sent;
    }
    let Some(verdicts) = claim(&batch, shared).await else { return Done::Stopped };
    let mut verdicts = verdicts.into_iter();
    let mut tally = Tally::default();
    // The last delivery with an event tells how old events are when they are durable. What was replayed is as old as it
    // was left lying.
    let has_event = |worked: &Worked| worked.outcome.items.iter().any(|item| matches!(item, Item::Event(_)));
    let probe = batch.iter().rposition(|worked| worked.attempts == 1 && has_event(worked));
    let mut resent = Vec::new();
    for (n, worked) in batch.into_iter().enumerate() {
        let events = worked.outcome.items.len() - worked.outcome.refused();
        let verdicts: Vec<Verdict> = verdicts.by_ref().take(events).collect();
        if verdicts.contains(&Verdict::Again) {
            resent.extend(Resent::send(worked, &verdicts, shared).await);
        } else {
            one(worked, &verdicts, probe == Some(n), &mut tally, shared).await;
        }
    }
    // All of them are on their way: together they take as long as one.
    for resent in resent {
        resent.end(&mut tally, shared).await;
    }
    tally.count();
    Done::Sent
}

/// What can never be written becomes a dead letter before it is claimed.
fn refuse_too_large(worked: &mut Worked, shared: &Shared) {
    let refuses = |event: &Event| event.records.iter().find_map(|record| shared.producer.check(record).err());
    let items = worked.outcome.items.iter().enumerate();
    let refused: Vec<_> = items
        .filter_map(|(n, item)| match item {
            Item::Event(event) => refuses(event).map(|error| (n, event.index, error)),
            Item::Refused(_) => None,
        })
        .collect();
    if refused.is_empty() {
        return;
    }
    let positions = refused.iter().map(|(_, position, _)| *position).collect();
    let sent = parse::sent(worked.payload.as_ref(), &positions);
    for (n, position, error) in refused {
        let Some(item) = worked.outcome.items.get_mut(n) else { continue };
        let Item::Event(event) = item else { continue };
        let bytes = sent.get(&position).cloned().unwrap_or_default();
        let refused = event.refuse(parse::TOO_LARGE, error.to_string(), bytes);
        *item = Item::Refused(refused);
    }
}

/// Claims all events of a batch; waits for the store as long as it takes. `None`: the process or the stage stops.
async fn claim(batch: &[Worked], shared: &Shared) -> Option<Vec<Verdict>> {
    let claims: Vec<Claim<'_>> = batch.iter().flat_map(claims_of).collect();
    let claiming = async {
        for worked in batch.iter().filter(|worked| !worked.instead_of.is_empty()) {
            shared.claims.take_over(claims_of(worked), &worked.instead_of).await;
        }
        shared.claims.claim(&claims).await
    };
    tokio::select! {
        verdicts = claiming => Some(verdicts),
        () = shared.shutdown.cancelled() => None,
        () = shared.stop.cancelled() => None,
    }
}

fn claims_of(worked: &Worked) -> impl Iterator<Item = Claim<'_>> {
    worked.outcome.items.iter().filter_map(|item| match item {
        Item::Event(event) => {
            Some(Claim { ce_type: event.ce_type(), id: event.id, at: &worked.at, index: event.index })
        }
        Item::Refused(_) => None,
    })
}

/// Sends everything of one raw record. Its ack ends with its last output.
async fn one(worked: Worked, verdicts: &[Verdict], probe: bool, tally: &mut Tally, shared: &Shared) {
    let Worked { at, ack, outcome, taken, span, traceparent, attempts, .. } = worked;
    let duplicates = verdicts.iter().filter(|verdict| **verdict == Verdict::Duplicate).count();
    let ack = counted(ack, taken, verdicts.len() - duplicates, duplicates, outcome.refused());
    let letter = Letter { at: &at, outcome: &outcome.head(), traceparent, attempts };
    let received_at = outcome.received_at;
    tally.took(&letter.outcome.endpoint, outcome.items.len());
    let mut verdicts = verdicts.iter();
    let last = outcome.items.iter().rposition(|item| matches!(item, Item::Event(_)));
    for (n, item) in outcome.items.into_iter().enumerate() {
        match item {
            Item::Refused(refused) => letter.send(refused, ack.clone(), tally, shared).await,
            Item::Event(_) if verdicts.next() == Some(&Verdict::Duplicate) => {
                tally.dropped(&letter.outcome.endpoint, DUPLICATE);
            }
            Item::Event(event) => {
                for (m, record) in event.records.into_iter().enumerate() {
                    tally.sent(&letter.outcome.endpoint, &record.topic);
                    if probe && m == 0 && last == Some(n) {
                        measured(record, ack.clone(), received_at, shared).await;
                    } else if let Err(error) = shared.producer.send(record, ack.clone()).await {
                        // The ack has failed: the record comes again.
                        tracing::warn!(parent: &span, %error, "an event was not sent");
                    }
                }
            }
        }
    }
    ack.complete();
}

/// The same ack, which also counts what became of the items when all of it is durable. A record that fails takes
/// `taken` with it: its items count as coming again.
fn counted(ack: Ack, mut taken: Taken, sent: usize, duplicates: usize, letters: usize) -> Ack {
    ack.watched(move |ended| {
        if ended == bus::Outcome::Completed {
            taken.end(What::SentOn, sent as u64);
            taken.end(What::Dropped(DUPLICATE), duplicates as u64);
            taken.end(What::DeadLettered, letters as u64);
        }
    })
}

/// Sends a record and tells how old its event is when it is durable.
async fn measured(record: Record, ack: Ack, received_at: Option<Timestamp>, shared: &Shared) {
    let Some(received_at) = received_at else {
        return drop(shared.producer.send(record, ack).await);
    };
    let topic = record.topic.clone();
    match shared.producer.try_send(record.clone()) {
        Ok(delivery) => {
            shared.tasks.spawn(async move {
                match delivery.await {
                    Ok(_) => {
                        ack.complete();
                        let age = age(received_at, service::clock::now());
                        metrics::histogram!("weir_event_age_seconds", "stage" => STAGE, "topic" => topic.to_string())
                            .record(age);
                    }
                    Err(error) => ack.fail(&error),
                }
            });
        }
        Err(_) => drop(shared.producer.send(record, ack).await),
    }
}

/// From the door to the log, in seconds; a clock that is behind the door's makes it zero.
fn age(received_at: Timestamp, now: SystemTime) -> f64 {
    let Ok(received_at) = SystemTime::try_from(received_at) else { return 0.0 };
    now.duration_since(received_at).unwrap_or_default().as_secs_f64()
}

/// A record that comes again may be one whose outputs the log refuses for good, so its outputs are waited for: what
/// is refused for good gives its claim back and becomes a dead letter, and the partition goes on.
struct Resent {
    at: Coordinates,
    ack: Ack,
    /// Without the items.
    outcome: Outcome,
    taken: Taken,
    span: Span,
    traceparent: Option<String>,
    attempts: u32,
    items: usize,
    duplicates: usize,
    waiting: Vec<(Event, Vec<Delivery>)>,
    refused: Vec<Refused>,
    payload: Option<Bytes>,
    /// What it takes in memory, until it ends.
    memory: OwnedSemaphorePermit,
}

impl Resent {
    /// Sends everything of one raw record, and does not wait. `None`: it has failed, and comes again.
    async fn send(worked: Worked, verdicts: &[Verdict], shared: &Shared) -> Option<Self> {
        let Worked { at, ack, outcome, taken, span, traceparent, attempts, payload, memory, .. } = worked;
        let (head, items) = (outcome.head(), outcome.items.len());
        let (mut duplicates, mut waiting, mut refused) = (0, Vec::new(), Vec::new());
        let mut verdicts = verdicts.iter();
        for item in outcome.items {
            match item {
                Item::Refused(item) => refused.push(item),
                Item::Event(_) if verdicts.next() == Some(&Verdict::Duplicate) => duplicates += 1,
                Item::Event(event) => match deliveries(&event, shared).await {
                    Ok(deliveries) => waiting.push((event, deliveries)),
                    Err(error) => {
                        ack.fail(&error);
                        return None;
                    }
                },
            }
        }
        let outcome = head;
        Some(Self {
            at,
            ack,
            outcome,
            taken,
            span,
            traceparent,
            attempts,
            items,
            duplicates,
            waiting,
            refused,
            payload,
            memory,
        })
    }

    /// Waits for the outputs, and ends the record.
    async fn end(self, tally: &mut Tally, shared: &Shared) {
        let Self { at, ack, outcome, taken, span, traceparent, attempts, items, duplicates, waiting, .. } = self;
        let (mut refused, _memory) = (self.refused, self.memory);
        let mut given_back: Vec<(Event, &'static str, Error)> = Vec::new();
        let letter = Letter { at: &at, outcome: &outcome, traceparent, attempts };
        let endpoint = letter.outcome.endpoint.as_str();
        // Counted where the record ends: one that fails on the way comes again, and is counted then.
        let (mut events, mut sent) = (0, Vec::new());
        for (event, deliveries) in waiting {
            let topics: Vec<_> = event.records.iter().map(|record| record.topic.clone()).collect();
            let mut failed = None;
            for delivery in deliveries {
                if let Err(error) = delivery.await {
                    failed.get_or_insert(error);
                }
            }
            let Some(error) = failed else {
                sent.extend(topics);
                events += 1;
                continue;
            };
            let Some(reason) = for_good(&error) else { return ack.fail(&error) };
            tracing::warn!(parent: &span, %error, reason, "the log refuses an event for good");
            let claim = Claim { ce_type: event.ce_type(), id: event.id, at: &at, index: event.index };
            if let Err(error) = shared.claims.release(&claim).await {
                // Not released, it would pass for a duplicate when it is replayed: try all of it again.
                return ack.fail(&error);
            }
            given_back.push((event, reason, error));
        }
        if !given_back.is_empty() {
            let positions = given_back.iter().map(|(event, ..)| event.index).collect();
            let sent = parse::sent(self.payload.as_ref(), &positions);
            let bytes = |event: &Event| sent.get(&event.index).cloned().unwrap_or_default();
            let letters =
                given_back.iter().map(|(event, reason, error)| event.refuse(reason, error.to_string(), bytes(event)));
            refused.extend(letters);
        }
        let ack = counted(ack, taken, events, duplicates, refused.len());
        tally.took(endpoint, items);
        sent.iter().for_each(|topic| tally.sent(endpoint, topic));
        (0..duplicates).for_each(|_| tally.dropped(endpoint, DUPLICATE));
        for item in refused {
            letter.send(item, ack.clone(), tally, shared).await;
        }
        ack.complete();
    }
}

async fn deliveries(event: &Event, shared: &Shared) -> Result<Vec<Delivery>, Error> {
    let mut deliveries = Vec::with_capacity(event.records.len());
    for record in &event.records {
        loop {
            match shared.producer.try_send(record.clone()) {
                Err(Error::Full) => tokio::time::sleep(FULL_PAUSE).await,
                other => break deliveries.push(other?),
            }
        }
    }
    Ok(deliveries)
}

/// The reason code of what will be refused however often it is tried.
fn for_good(error: &Error) -> Option<&'static str> {
    Some(match error.refusal()? {
        Refusal::TooLarge => parse::TOO_LARGE,
        Refusal::NoTopic => parse::UNKNOWN_TOPIC,
    })
}

/// What all dead letters of one record have in common.
struct Letter<'a> {
    at: &'a bus::Coordinates,
    outcome: &'a Outcome,
    traceparent: Option<String>,
    attempts: u32,
}

impl Letter<'_> {
    async fn send(&self, refused: Refused, ack: Ack, tally: &mut Tally, shared: &Shared) {
        tally.refused(&self.outcome.endpoint, refused.reason);
        if let Err(error) = shared.producer.send_letter(self.letter(refused), ack).await {
            tracing::warn!(at = %self.at, %error, "a dead letter was not sent, its record comes again");
        }
    }

    fn letter(&self, refused: Refused) -> dead_letters::Refused<'_> {
        dead_letters::Refused {
            stage: STAGE,
            reason: refused.reason,
            message: refused.message,
            at: self.at,
            index: refused.index,
            source: &self.outcome.source,
            endpoint: &self.outcome.endpoint,
            tenant: &self.outcome.tenant,
            delivery_id: &self.outcome.delivery_id,
            payload: refused.payload,
            content_type: refused.content_type,
            failed_at: service::clock::timestamp(),
            attempts: self.attempts,
            traceparent: self.traceparent.clone(),
        }
    }
}
