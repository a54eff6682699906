//! How activities are read, and what is done with what came of them. The driver and the outbox of [`stage`] do the rest.
//!
//! ```text
//! consumer ─▶ intake ─▶ enrich, some batches at once ─▶ (in order) ─▶ pace ─▶ claims ─┬─▶ activities.enriched
//!    ▲                                                                                └─▶ writer ─▶ files ─▶ loads
//!    └───── ack: the enriched activity is durable, and so is the load request of its row ◀───────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;
use std::sync::Arc;

use bus::{Assignment, Incoming};
use bytes::Bytes;
use common::activity::v1::EnrichedActivity;
use stage::{COMES_AGAIN, OutputEvent, Partition, Refusals, RefusedItem, Room, Stage};
use tokio::sync::mpsc;

use crate::ACTIVITY;
use crate::files::rows::Row;
use crate::item::{Item, Outcome, RecordPosition, place};
use crate::shared::Shared;
use crate::steps::Verdict;
use crate::work::{self, Content, Head, Refused, Work, claimed};

/// What is kept from batch to batch.
#[derive(Debug)]
pub(crate) struct State {
    writer: mpsc::Sender<Vec<Item>>,
    /// The turns that wait for a step, or have lost a record: nothing else of them may be covered by a range.
    held: HashMap<Partition, u64>,
}

impl State {
    pub(crate) fn new(writer: mpsc::Sender<Vec<Item>>) -> Self {
        Self { writer, held: HashMap::new() }
    }

    /// Whether a record waits, because a required step failed for it or for one before it.
    fn waits(&mut self, head: &Head, content: &Content) -> bool {
        let place = place(&head.at);
        match self.held.get(&place) {
            Some(epoch) if *epoch == head.assignment.epoch => return true,
            Some(_) => drop(self.held.remove(&place)),
            None => {}
        }
        let Content::Activity(_, Verdict::Waits(step)) = content else { return false };
        tracing::warn!(
            step, at = %head.at,
            "a required step failed: the partition is rewound to this record and retried"
        );
        self.held.insert(place, head.assignment.epoch);
        true
    }
}

/// How the enricher tells what it refuses: by the record.
pub(crate) const REFUSALS: Refusals = Refusals { sent, content_type: |_| PROTOBUF, without_topic: false };
const PROTOBUF: &str = "application/protobuf";

fn sent(payload: Option<&Bytes>, positions: &BTreeSet<u32>) -> BTreeMap<u32, Bytes> {
    positions.iter().map(|position| (*position, payload.cloned().unwrap_or_default())).collect()
}

/// What is made of activities.
#[derive(Debug)]
pub(crate) struct Enriching(pub(crate) Arc<Shared>);

impl Stage for Enriching {
    type Work = Work;
    type State = State;

    fn read(&self, record: Incoming, _too_much: Option<String>, _room: Room) -> Work {
        work::begin(record, &self.0.steps)
    }

    async fn look_up(&self, works: &mut [Work]) {
        let now = service::clock::timestamp();
        let (mut asked, mut verdicts) = (Vec::new(), Vec::new());
        for work in works {
            if let Content::Activity(enriched, verdict) = &mut work.content {
                enriched.enriched_at = Some(now);
                asked.push(enriched.as_mut());
                verdicts.push(verdict);
            }
        }
        for (verdict, found) in verdicts.into_iter().zip(self.0.steps.ask(&mut asked).await) {
            *verdict = found;
        }
    }

    /// An item for each record, in order, also where its outputs failed: a range must have no hole.
    async fn emit(&self, works: Vec<Work>, state: &mut State) -> ControlFlow<()> {
        let mut items: Vec<Option<Item>> = Vec::with_capacity(works.len());
        let mut emissions = Vec::with_capacity(works.len());
        for Work { head, content } in works {
            if state.waits(&head, &content) {
                items.push(Some(head.item(Outcome::Waits)));
                continue;
            }
            match content {
                Content::Canary(canary) => items.push(Some(head.canary(canary, &self.0.counts))),
                Content::Activity(enriched, _) => {
                    emissions.push(self.emission(head, Ok(enriched), items.len()));
                    items.push(None);
                }
                Content::Refused(refused) => {
                    emissions.push(self.emission(head, Err(refused), items.len()));
                    items.push(None);
                }
            }
        }
        let emitted = self.0.outbox.emit(emissions, |emitted| {
            let InEmission { n, place, enriched, traceparent } = emitted.with;
            let row = enriched.filter(|_| emitted.sent > 0);
            let outcome = match row {
                Some(enriched) => {
                    Outcome::Row(Box::new(Row { enriched: *enriched, at: place.at.clone(), traceparent }))
                }
                None => Outcome::Without,
            };
            if let Some(item) = items.get_mut(n) {
                *item = Some(Item { place, ack: emitted.ack, outcome });
            }
        });
        if emitted.await.is_none() || state.writer.send(items.into_iter().flatten().collect()).await.is_err() {
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }

    fn lost(&self, turns: Vec<(Partition, Assignment)>, state: &mut State) {
        state.held.extend(turns.into_iter().map(|(place, turn)| (place, turn.epoch)));
    }
}

/// What the outbox gives back of a record.
#[derive(Debug)]
struct InEmission {
    n: usize,
    place: RecordPosition,
    enriched: Option<Box<EnrichedActivity>>,
    traceparent: Option<String>,
}

impl Enriching {
    fn emission(
        &self,
        head: Head,
        content: Result<Box<EnrichedActivity>, Refused>,
        n: usize,
    ) -> stage::Work<InEmission> {
        let context = &head.context;
        let taken = self.0.counts.take(&context.endpoint, context.received_at.as_ref(), 1, COMES_AGAIN);
        let (item, enriched) = match content {
            Ok(enriched) => {
                let record = head.record(&enriched);
                let id = claimed(&record.headers.id);
                let event = OutputEvent { id, index: 0, claims: Some(ACTIVITY), records: vec![record.into()] };
                (stage::Item::Event(event), Some(enriched))
            }
            Err(Refused { reason, message }) => {
                let payload = head.payload.clone().unwrap_or_default();
                let refused = RefusedItem { index: 0, reason, message, payload, content_type: PROTOBUF };
                (stage::Item::Refused(refused), None)
            }
        };
        let Head { at, assignment, payload, bytes, produced_at_ms, span, attempts, .. } = head;
        let place = RecordPosition { at: at.clone(), assignment, bytes, produced_at_ms };
        let context = head.context;
        stage::Work {
            at,
            ack: head.ack,
            origin: stage::Origin {
                source: context.source,
                endpoint: context.endpoint,
                tenant: context.tenant,
                delivery_id: context.delivery_id,
                received_at: context.received_at,
            },
            items: vec![item],
            taken,
            span,
            traceparent: head.traceparent.clone(),
            attempts,
            instead_of: head.instead_of,
            payload,
            room: Room::default(),
            with: InEmission { n, place, enriched, traceparent: head.traceparent },
        }
    }
}
