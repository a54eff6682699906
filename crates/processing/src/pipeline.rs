//! Consume, parse, claim, produce. Retries and dead letters are decided here and nowhere else.
//!
//! ```text
//! consumer ─▶ intake ─▶ parse on blocking threads ─▶ (in order) ─▶ storm? ─▶ pace ─▶ claims ─▶ emit ─▶ producer
//!    ▲        (bounded: batches, memory)                                                         │
//!    └───────────────────────── ack: the last output of a record is durable ◀───────────────────┘
//! ```
//!
//! There are two lanes, each with its own consumer: deliveries as they come, and those that a sender sent too fast.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bus::{Ack, Batch, Consumer, Coordinates, Incoming, Producer};
use bytes::Bytes;
use service::{HopCounts, Taken, trace};
use stage::StageClaims;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{Instrument as _, Span};

use crate::emit::{self, Done};
use crate::health::Checks;
use crate::pace::{self, Pace};
use crate::parse::{self, Input, Outcome};
use crate::registrations::upkeep::View;
use crate::storm::{Storm, Weather};
use crate::weight::{Limit, Memory, Weight};

/// The stage's name in claims, dead letters and metrics.
pub const STAGE: &str = "processing";

/// Why items are dropped whose record is left where it is, to be consumed again.
const COMES_AGAIN: &str = "comes_again";

/// A blocking thread takes so many records at once, or so many bytes: enough to be worth the way.
const CHUNK_RECORDS: usize = 32;
const CHUNK_BYTES: usize = 128 * 1024;

/// The lane that works all the time is busy if it did something this short ago.
const BUSY: Duration = Duration::from_secs(1);

/// What both lanes work with.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) producer: Producer,
    pub(crate) claims: StageClaims,
    pub(crate) view: View,
    pub(crate) pace: Pace,
    pub(crate) storm: Mutex<Storm>,
    pub(crate) checks: Checks,
    pub(crate) counts: HopCounts,
    /// The process ends: finish what was begun.
    pub(crate) shutdown: CancellationToken,
    /// The stage stops with its input untouched.
    pub(crate) stop: CancellationToken,
    pub(crate) tasks: TaskTracker,
    /// A fixed moment, from which the storm's window is measured.
    pub(crate) started: Instant,
    /// When the lane that works all the time did something, after `started`.
    pub(crate) worked: Mutex<Option<Duration>>,
    pub(crate) ahead: usize,
    pub(crate) drain: Duration,
    /// What a delivery may take in memory, and what all of them share.
    pub(crate) limit: Limit,
    pub(crate) memory: Memory,
}

impl Shared {
    /// What the window shows now.
    pub(crate) fn weather(&self) -> Weather {
        self.storm.lock().unwrap_or_else(PoisonError::into_inner).weather(self.started.elapsed())
    }
}

/// One of the two lanes.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) name: &'static str,
    /// Part of the time it may work while the other has work; 1 for the lane that always works.
    pub(crate) share: f64,
    pub(crate) parsers: Arc<Semaphore>,
}

/// A record with what came of it.
#[derive(Debug)]
pub(crate) struct Worked {
    pub(crate) at: Coordinates,
    pub(crate) ack: Ack,
    pub(crate) outcome: Outcome,
    /// Its items, until all that came of them is durable.
    pub(crate) taken: Taken,
    pub(crate) span: Span,
    pub(crate) traceparent: Option<String>,
    /// How often it is being tried, from 1.
    pub(crate) attempts: u32,
    /// The records whose claims are its own.
    pub(crate) instead_of: Vec<Coordinates>,
    /// The record's value, for what of it cannot be written.
    pub(crate) payload: Option<Bytes>,
    /// What it takes in memory, until it is with the producer.
    pub(crate) memory: OwnedSemaphorePermit,
}

type Parsing = Vec<JoinHandle<Vec<Worked>>>;

/// Runs a lane until the process or the stage stops, then drains it and leaves the group.
///
/// A lane that ends by itself ends the process: the other one must not go on alone as if all were well.
pub(crate) async fn run(lane: Lane, mut consumer: Consumer, shared: Arc<Shared>) -> anyhow::Result<()> {
    let (sender, receiver) = mpsc::channel(shared.ahead);
    let mut emitting = shared.tasks.spawn(emit_all(lane.name, lane.share, receiver, Arc::clone(&shared)));
    let intake = intake(&lane, &mut consumer, &sender, &shared);
    let mut emitted = None;
    tokio::select! {
        () = intake => {}
        outcome = &mut emitting => emitted = Some(outcome),
        () = shared.shutdown.cancelled() => tracing::debug!(lane = lane.name, "intake stopped"),
        () = shared.stop.cancelled() => tracing::debug!(lane = lane.name, "the lane stopped"),
    }
    let wanted = shared.shutdown.is_cancelled() || shared.stop.is_cancelled();
    if !wanted {
        tracing::error!(lane = lane.name, "the lane ended by itself: the process ends");
        shared.shutdown.cancel();
    }
    drop(sender);
    // With a log that is away nothing gets out: what is not sent by now comes again after the restart.
    let emitted = match emitted {
        Some(outcome) => Ok(outcome),
        None => tokio::time::timeout(shared.drain, &mut emitting).await,
    };
    let mut broke = None;
    match emitted {
        Ok(Ok(())) => {}
        Ok(Err(error)) => broke = Some(error),
        Err(_) => {
            tracing::warn!(lane = lane.name, "not everything could be sent before the end: it will come again");
            emitting.abort();
        }
    }
    if let Err(error) = consumer.close(shared.drain).await {
        tracing::warn!(lane = lane.name, %error, "not everything was done when the consumer closed: it will come again");
    }
    match broke {
        Some(error) => Err(anyhow::Error::new(error).context(format!("emitting of lane {} broke", lane.name))),
        None if wanted => Ok(()),
        None => Err(anyhow::anyhow!("lane {} ended by itself", lane.name)),
    }
}

async fn intake(lane: &Lane, consumer: &mut Consumer, sender: &mpsc::Sender<Parsing>, shared: &Arc<Shared>) {
    let mut pause = Duration::from_millis(50);
    loop {
        match consumer.next().await {
            Ok(Some(batch)) => {
                pause = Duration::from_millis(50);
                if take_in(lane, batch, sender, shared).await.is_none() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) => {
                // Health tells of it as long as it lasts, by the consumer's state.
                tracing::warn!(lane = lane.name, %error, "consuming");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
}

/// A record that may be worked on.
type Admitted = (Incoming, Weight, OwnedSemaphorePermit);

/// Parses a batch in chunks, on as many threads as the lane has, and sends it on. `None`: the lane ends.
///
/// What there is no memory for waits. What stands before it is sent on first, because only that gives memory back.
async fn take_in(lane: &Lane, batch: Batch, sender: &mpsc::Sender<Parsing>, shared: &Arc<Shared>) -> Option<()> {
    let mut parsing = Vec::new();
    for chunk in chunks(batch.records) {
        let mut admitted = Vec::with_capacity(chunk.len());
        for (record, weight) in weigh(chunk, shared.limit).await? {
            let memory = match shared.memory.try_take(&weight) {
                Some(memory) => memory,
                None => {
                    if !admitted.is_empty() {
                        parsing.push(begin(lane, std::mem::take(&mut admitted), shared).await?);
                    }
                    if !parsing.is_empty() {
                        sender.send(std::mem::take(&mut parsing)).await.ok()?;
                    }
                    shared.memory.take(&weight).await?
                }
            };
            admitted.push((record, weight, memory));
        }
        parsing.push(begin(lane, admitted, shared).await?);
    }
    sender.send(parsing).await.ok()
}

/// What each of them takes. Many bytes are not looked through on a thread of the runtime.
async fn weigh(chunk: Vec<Incoming>, limit: Limit) -> Option<Vec<(Incoming, Weight)>> {
    let weigh = move |record: Incoming| {
        let weight = Weight::of(record.payload.as_ref(), limit);
        (record, weight)
    };
    let bytes: usize = chunk.iter().map(|record| record.payload.as_ref().map_or(0, Bytes::len)).sum();
    if bytes < CHUNK_BYTES {
        return Some(chunk.into_iter().map(weigh).collect());
    }
    tokio::task::spawn_blocking(move || chunk.into_iter().map(weigh).collect()).await.ok()
}

async fn begin(lane: &Lane, chunk: Vec<Admitted>, shared: &Arc<Shared>) -> Option<JoinHandle<Vec<Worked>>> {
    let permit = Arc::clone(&lane.parsers).acquire_owned().await.ok()?;
    let shared = Arc::clone(shared);
    Some(tokio::task::spawn_blocking(move || {
        let _permit = permit;
        chunk.into_iter().map(|admitted| work(admitted, &shared)).collect()
    }))
}

fn chunks(records: Vec<Incoming>) -> Vec<Vec<Incoming>> {
    let mut chunks = Vec::new();
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    for record in records {
        bytes += record.payload.as_ref().map_or(0, bytes::Bytes::len);
        chunk.push(record);
        if chunk.len() >= CHUNK_RECORDS || bytes >= CHUNK_BYTES {
            chunks.push(std::mem::take(&mut chunk));
            bytes = 0;
        }
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

fn work((record, weight, memory): Admitted, shared: &Shared) -> Worked {
    let Incoming { coordinates: at, payload, headers, culprit, ack, .. } = record;
    let incoming = headers.traceparent.as_deref();
    let span = trace::continue_from(
        incoming,
        || tracing::info_span!("process", topic = %at.topic, partition = at.partition, offset = at.offset),
    );
    let traceparent = span.in_scope(|| trace::onward(incoming));
    let input = Input { at: &at, payload: payload.as_ref(), headers: &headers, traceparent: traceparent.as_deref() };
    let mut outcome = span.in_scope(|| match culprit {
        Some(ended) => parse::crashed(input, ended),
        None => shared.view.with(|registrations| parse::parse_within(input, registrations, &weight)),
    });
    // A replay of some items of a delivery: the dead letters of the others are there already.
    outcome.keep_refused(&headers.items);
    let attempts = headers.attempts.saturating_add(1);
    let received_at = outcome.received_at.as_ref();
    let taken = shared.counts.take(&outcome.endpoint, received_at, outcome.items.len() as u64, COMES_AGAIN);
    let instead_of = headers.instead_of;
    Worked { at, ack, outcome, taken, span, traceparent, attempts, instead_of, payload, memory }
}

async fn emit_all(lane: &'static str, share: f64, mut receiver: mpsc::Receiver<Parsing>, shared: Arc<Shared>) {
    while let Some(parsing) = receiver.recv().await {
        let started = Instant::now();
        let mut batch = Vec::new();
        for chunk in parsing {
            match chunk.await {
                Ok(mut worked) => batch.append(&mut worked),
                Err(error) => {
                    // Its acks are gone, so the log gives its records again.
                    tracing::error!(lane, %error, "a parsing thread ended early");
                    continue;
                }
            }
        }
        if batch.is_empty() || storm(&batch, &shared) {
            continue;
        }
        match emit::batch(batch, &shared).instrument(Span::current()).await {
            Done::Sent => {}
            // What was not begun is given up: its acks fail, and it comes again after the restart.
            Done::Stopped => return,
        }
        if share < 1.0 {
            rest(share, started.elapsed(), &shared).await;
        } else {
            *shared.worked.lock().unwrap_or_else(PoisonError::into_inner) = Some(shared.started.elapsed());
        }
    }
}

/// The slow lane rests while the other has work.
async fn rest(share: f64, worked: Duration, shared: &Shared) {
    let other = *shared.worked.lock().unwrap_or_else(PoisonError::into_inner);
    if other.is_some_and(|at| shared.started.elapsed().saturating_sub(at) < BUSY) {
        let _ = shared.shutdown.run_until_cancelled(tokio::time::sleep(pace::rest(worked, share))).await;
    }
}

/// Takes a batch into the window; whether the stage has stopped.
fn storm(batch: &[Worked], shared: &Shared) -> bool {
    if shared.stop.is_cancelled() {
        return true;
    }
    let now = shared.started.elapsed();
    let weather = {
        let mut storm = shared.storm.lock().unwrap_or_else(PoisonError::into_inner);
        // What an operator replays may well be refused again: that is no storm.
        for worked in batch.iter().filter(|worked| worked.attempts == 1) {
            let outcome = &worked.outcome;
            storm.record(&outcome.endpoint, outcome.refused(), outcome.items.len(), now);
        }
        storm.weather(now)
    };
    shared.checks.weather(&weather);
    if let Weather::Storm { ratio, endpoints } = weather {
        tracing::error!(
            ratio,
            ?endpoints,
            "deliveries of several endpoints cannot be read: processing stops and leaves them where they are"
        );
        shared.stop.cancel();
        return true;
    }
    false
}
