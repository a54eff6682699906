//! From what was enriched to what is on the log and with the writer: claims, then records, in order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{Claim, Delivery, Error, Record, Refusal, Verdict as Known, dead_letters};
use common::activity::v1::EnrichedActivity;
use service::counts::What;
use tokio::sync::mpsc;

use crate::files::rows::Row;
use crate::pipeline::{Enriching, Place, Shared, place};
use crate::steps::Verdict;
use crate::work::{Content, Head, Refused, TOO_LARGE, Work, claimed};
use crate::writer::{Item, Outcome};
use crate::{ACTIVITY, STAGE};

const FULL_PAUSE: Duration = Duration::from_millis(2);

/// Until the intake ends, or the writer does.
pub(crate) async fn run(mut batches: mpsc::Receiver<Enriching>, writer: mpsc::Sender<Vec<Item>>, shared: Arc<Shared>) {
    // The turns that wait for a step, or have lost a record: nothing else of them may be covered by a range.
    let mut held: HashMap<Place, u64> = HashMap::new();
    while let Some(Enriching { turns, records, task }) = batches.recv().await {
        let works = match task.await {
            Ok(works) if works.len() == records => works,
            // Its acks are gone, so the log gives its records again.
            _ => {
                tracing::error!(records, "a batch was lost, its partitions go back");
                held.extend(turns.into_iter().map(|(place, turn)| (place, turn.epoch)));
                continue;
            }
        };
        let Some(items) = batch(works, &mut held, &shared).await else { return };
        if writer.send(items).await.is_err() {
            return;
        }
    }
}

/// What is about to be sent of a record.
enum Going {
    Activity(Box<EnrichedActivity>, Box<Record>),
    Refused(Refused),
}

/// Claims and sends a batch: an item for each record, in order. `None`: the process stops.
async fn batch(works: Vec<Work>, held: &mut HashMap<Place, u64>, shared: &Shared) -> Option<Vec<Item>> {
    let mut items = Vec::with_capacity(works.len());
    let mut going = Vec::with_capacity(works.len());
    for Work { head, content } in works {
        if waits(&head, &content, held) {
            items.push(item(head, Outcome::Waits));
            continue;
        }
        let content = match content {
            Content::Refused(refused) => Going::Refused(refused),
            Content::Activity(enriched, _) => {
                let record = head.record(&enriched);
                match shared.producer.check(&record) {
                    Ok(()) => Going::Activity(enriched, Box::new(record)),
                    Err(error) => Going::Refused(Refused { reason: TOO_LARGE, message: error.to_string() }),
                }
            }
        };
        going.push((head, content));
    }
    if let Some(pace) = &shared.pace {
        for _ in &going {
            shared.shutdown.run_until_cancelled(pace.until_ready()).await?;
        }
    }
    let mut known = claim(&going, shared).await?.into_iter();
    let mut waiting: Vec<(usize, Record, Delivery)> = Vec::new();
    for (head, content) in going {
        let mut taken = shared.counts.take(&head.context.endpoint, head.context.received_at.as_ref(), 1, "interrupted");
        let (enriched, record) = match content {
            Going::Activity(enriched, record) => (enriched, *record),
            Going::Refused(refused) => {
                letter(&head, &refused, shared).await;
                items.push(item(head, Outcome::Without(taken, What::DeadLettered)));
                continue;
            }
        };
        match known.next() {
            Some(Known::Duplicate) => {
                taken.end(What::Dropped("duplicate"), 1);
                items.push(item(head, Outcome::Dropped));
                continue;
            }
            Some(Known::Again) => match send(record.clone(), shared).await {
                Ok(delivery) => waiting.push((items.len(), record, delivery)),
                Err(error) => head.ack.clone().fail(&error),
            },
            _ => {
                if let Err(error) = shared.producer.send(record, head.ack.clone()).await {
                    // The ack has failed: the record comes again.
                    tracing::warn!(parent: &head.span, %error, "an enriched activity was not sent");
                }
            }
        }
        let row = Row { enriched: *enriched, at: head.at.clone(), traceparent: head.traceparent.clone() };
        items.push(Item { row: Some(row), ..item(head, Outcome::Row(taken)) });
    }
    again(waiting, &mut items, shared).await;
    Some(items)
}

/// Whether a record waits, because a required step failed for it or for one before it.
fn waits(head: &Head, content: &Content, held: &mut HashMap<Place, u64>) -> bool {
    let place = place(&head.at);
    match held.get(&place) {
        Some(epoch) if *epoch == head.assignment.epoch => return true,
        Some(_) => drop(held.remove(&place)),
        None => {}
    }
    let Content::Activity(_, Verdict::Waits(step)) = content else { return false };
    tracing::warn!(step, at = %head.at, "a required step failed: the partition waits and goes back to this record");
    held.insert(place, head.assignment.epoch);
    true
}

fn item(head: Head, outcome: Outcome) -> Item {
    Item { head, row: None, outcome }
}

/// A record that comes again may be one that the log refuses for good, so its delivery is waited for: what is refused
/// for good gives its claim back, becomes a dead letter and has no row, and the partition goes on.
async fn again(waiting: Vec<(usize, Record, Delivery)>, items: &mut [Item], shared: &Shared) {
    for (n, record, delivery) in waiting {
        let (Err(error), Some(item)) = (delivery.await, items.get_mut(n)) else { continue };
        if error.refusal() != Some(Refusal::TooLarge) {
            item.head.ack.clone().fail(&error);
            continue;
        }
        let claim = Claim { ce_type: ACTIVITY, id: claimed(&record.headers.id), at: &item.head.at, index: 0 };
        if let Err(error) = shared.claims.release(&claim).await {
            // Not released, it would pass for a duplicate when it is replayed: try all of it again.
            item.head.ack.clone().fail(&error);
            continue;
        }
        letter(&item.head, &Refused { reason: TOO_LARGE, message: error.to_string() }, shared).await;
        item.row = None;
        if let Outcome::Row(taken) = std::mem::replace(&mut item.outcome, Outcome::Dropped) {
            item.outcome = Outcome::Without(taken, What::DeadLettered);
        }
    }
}

async fn send(record: Record, shared: &Shared) -> Result<Delivery, Error> {
    loop {
        match shared.producer.try_send(record.clone()) {
            Err(Error::Full) => tokio::time::sleep(FULL_PAUSE).await,
            other => return other,
        }
    }
}

/// Claims all activities of a batch; waits for the store as long as it takes. `None`: the process stops.
async fn claim(going: &[(Head, Going)], shared: &Shared) -> Option<Vec<Known>> {
    let claim = |(head, content): &'_ (Head, Going)| match content {
        Going::Activity(_, record) => Some((claimed(&record.headers.id), head.at.clone(), head.instead_of.clone())),
        Going::Refused(_) => None,
    };
    let claimed: Vec<_> = going.iter().filter_map(claim).collect();
    let claims: Vec<Claim<'_>> =
        claimed.iter().map(|(id, at, _)| Claim { ce_type: ACTIVITY, id: *id, at, index: 0 }).collect();
    let claiming = async {
        for (claim, (.., instead_of)) in claims.iter().zip(&claimed) {
            shared.claims.take_over(std::iter::once(*claim), instead_of).await;
        }
        shared.claims.claim(&claims).await
    };
    shared.shutdown.run_until_cancelled(claiming).await
}

/// Sends a dead letter with the bytes of the record.
async fn letter(head: &Head, refused: &Refused, shared: &Shared) {
    let Head { at, context, .. } = head;
    metrics::counter!("weir_dead_letters_total", "stage" => STAGE, "endpoint" => context.endpoint.clone(), "reason" => refused.reason)
        .increment(1);
    let letter = dead_letters::Refused {
        stage: STAGE,
        reason: refused.reason,
        message: refused.message.clone(),
        at,
        index: 0,
        source: &context.source,
        endpoint: &context.endpoint,
        tenant: &context.tenant,
        delivery_id: &context.delivery_id,
        payload: head.payload.clone().unwrap_or_default(),
        content_type: "application/protobuf",
        failed_at: service::clock::timestamp(),
        attempts: head.attempts,
        traceparent: head.traceparent.clone(),
    };
    if let Err(error) = shared.producer.send_letter(letter, head.ack.clone()).await {
        tracing::warn!(%at, %error, "a dead letter was not sent, its record comes again");
    }
}
