//! How raw records are read, and what is done with what came of them. The driver and the outbox of [`stage`] do the rest.
//!
//! ```text
//! consumer ─▶ intake ─▶ parse on blocking threads ─▶ (in order) ─▶ storm? ─▶ pace ─▶ claims ─▶ producer
//!    ▲        (bounded: batches, memory)                                                         │
//!    └───────────────────────── ack: the last output of a record is durable ◀───────────────────┘
//! ```
//!
//! There are two lanes, each with its own consumer: deliveries as they come, and those that a sender sent too fast.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::{Bus, ConsumerState, Incoming};
use bytes::Bytes;
use control::registrations::upkeep::View;
use service::{HopCounts, trace};
use stage::{COMES_AGAIN, Emitted, Outbox, Refusals, Room, Stage, Weight, Work, pace};
use tokio_util::sync::CancellationToken;

use crate::canary::{self, Passing};
use crate::health::Checks;
use crate::parse::{self, Input};
use crate::storm::{Storm, Weather};
use crate::weight::{self, Limit};

/// The lane that works all the time is busy if it did something this short ago.
const BUSY: Duration = Duration::from_secs(1);

/// What both lanes work with.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) outbox: Outbox,
    pub(crate) view: View,
    pub(crate) storm: Mutex<Storm>,
    pub(crate) checks: Checks,
    pub(crate) counts: HopCounts,
    /// A fixed moment, from which the storm's window is measured.
    pub(crate) started: Instant,
    /// When the lane that works all the time did something, after `started`.
    pub(crate) worked: Mutex<Option<Duration>>,
    /// What a delivery may take in memory.
    pub(crate) limit: Limit,
}

impl Shared {
    /// What the window shows now.
    pub(crate) fn weather(&self) -> Weather {
        self.storm.lock().unwrap_or_else(PoisonError::into_inner).weather(self.started.elapsed())
    }

    /// Takes a batch into the window; whether the stage has stopped.
    fn storms(&self, batch: &[Work<Option<Passing>>]) -> bool {
        if self.outbox.stop.is_cancelled() {
            return true;
        }
        let now = self.started.elapsed();
        let weather = {
            let mut storm = self.storm.lock().unwrap_or_else(PoisonError::into_inner);
            // What an operator replays may well be refused again: that is no storm.
            for work in batch.iter().filter(|work| work.attempts == 1 && work.with.is_none()) {
                storm.record(&work.origin.endpoint, work.refused(), work.items.len(), now);
            }
            storm.weather(now)
        };
        self.checks.weather(&weather);
        if let Weather::Storm { ratio, endpoints } = weather {
            tracing::error!(
                ratio,
                ?endpoints,
                "deliveries of several endpoints cannot be read: processing stops and leaves its input untouched"
            );
            self.outbox.stop.cancel();
            return true;
        }
        false
    }

    /// Looks at the window, the registrations, the consumers and the claims' store, and tells health, until it is
    /// cancelled.
    pub(crate) async fn watch(
        &self,
        bus: &Bus,
        consumers: &[(&'static str, ConsumerState)],
        every: Duration,
        shutdown: CancellationToken,
    ) {
        let look = async {
            loop {
                // Also where nothing comes any more: what was seen leaves the window. A storm is for the lanes to see.
                match self.weather() {
                    Weather::Storm { .. } => {}
                    weather if !self.outbox.stop.is_cancelled() => self.checks.weather(&weather),
                    _ => {}
                }
                let (endpoints, accounts) = self.view.with(common::registrations::Registrations::len);
                self.checks.registrations_read(endpoints, accounts);
                tokio::time::sleep(every).await;
            }
        };
        let consuming = self.checks.watch_consumers(bus, consumers, every);
        let all = async { tokio::join!(look, consuming, self.outbox.claims.watch(every)) };
        let _ = shutdown.run_until_cancelled(all).await;
    }
}

/// How processing tells what it refuses: by the bytes that the sender sent.
pub(crate) const REFUSALS: Refusals =
    Refusals { sent, content_type: sources::parsed::content_type, without_topic: true };

fn sent(payload: Option<&Bytes>, positions: &BTreeSet<u32>) -> BTreeMap<u32, Bytes> {
    parse::sent(payload, positions)
}

/// One of the two lanes.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Part of the time it may work while the other has work; 1 for the lane that always works.
    pub(crate) share: f64,
    pub(crate) shared: Arc<Shared>,
}

impl Stage for Lane {
    type Work = Work<Option<Passing>>;
    type State = ();

    fn weigh(&self, record: &Incoming) -> Weight {
        weight::of(record.payload.as_ref(), self.shared.limit)
    }

    fn read(&self, record: Incoming, too_much: Option<String>, room: Room) -> Self::Work {
        if let Some(canary) = Passing::of(&record) {
            return canary.work(record, &self.shared.counts, room);
        }
        let Incoming { coordinates: at, payload, headers, culprit, ack, .. } = record;
        let incoming = headers.traceparent.as_deref();
        let span = trace::continue_from(
            incoming,
            || tracing::info_span!("process", topic = %at.topic, partition = at.partition, offset = at.offset),
        );
        let traceparent = span.in_scope(|| trace::onward(incoming));
        let input =
            Input { at: &at, payload: payload.as_ref(), headers: &headers, traceparent: traceparent.as_deref() };
        let mut outcome = span.in_scope(|| match culprit {
            Some(ended) => parse::crashed(input, ended),
            None => self.shared.view.with(|known| parse::parse_within(input, known, too_much.as_deref())),
        });
        // A replay of some items of a delivery: the dead letters of the others are there already.
        outcome.keep_refused(&headers.items);
        let attempts = headers.attempts.saturating_add(1);
        let instead_of = headers.instead_of;
        let parse::ParsedRecord { origin, items } = outcome;
        let (n, received_at) = (items.len() as u64, origin.received_at.as_ref());
        let taken = self.shared.counts.take(&origin.endpoint, received_at, n, COMES_AGAIN);
        Work { at, ack, origin, items, taken, span, traceparent, attempts, instead_of, payload, room, with: None }
    }

    async fn emit(&self, works: Vec<Self::Work>, (): &mut ()) -> ControlFlow<()> {
        let (shared, started) = (&self.shared, Instant::now());
        if shared.storms(&works) {
            return ControlFlow::Continue(());
        }
        let mut canaries = Vec::new();
        let end = |emitted: Emitted<Option<Passing>>| match emitted.with {
            Some(_) => canaries.push(emitted),
            None => emitted.ack.complete(),
        };
        if shared.outbox.emit(works, end).await.is_none() {
            return ControlFlow::Break(());
        }
        for emitted in canaries {
            canary::end(emitted, &shared.outbox.producer, &shared.counts, service::clock::now()).await;
        }
        if self.share < 1.0 {
            self.rest(started.elapsed()).await;
        } else {
            *shared.worked.lock().unwrap_or_else(PoisonError::into_inner) = Some(shared.started.elapsed());
        }
        ControlFlow::Continue(())
    }
}

impl Lane {
    /// The slow lane rests while the other has work.
    async fn rest(&self, worked: Duration) {
        let shared = &self.shared;
        let other = *shared.worked.lock().unwrap_or_else(PoisonError::into_inner);
        if other.is_some_and(|at| shared.started.elapsed().saturating_sub(at) < BUSY) {
            let rest = tokio::time::sleep(pace::rest(worked, self.share));
            let _ = shared.outbox.shutdown.run_until_cancelled(rest).await;
        }
    }
}
