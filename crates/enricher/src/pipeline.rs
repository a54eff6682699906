//! Consume, enrich, claim, produce, write. Retries and dead letters are decided here and nowhere else.
//!
//! ```text
//! consumer ─▶ intake ─▶ enrich, some batches at once ─▶ (in order) ─▶ pace ─▶ claims ─┬─▶ activities.enriched
//!    ▲                                                                                └─▶ writer ─▶ files ─▶ loads
//!    └───── ack: the enriched activity is durable, and so is the load request of its row ◀───────────────┘
//! ```

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bus::{Assignment, Batch, Bus, Consumer, Coordinates, Producer};
use governor::clock::DefaultClock;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use service::counts::HopCounts;
use stage::StageClaims;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::emit;
use crate::health::Checks;
use crate::steps::Steps;
use crate::work::{self, Content, Work};
use crate::writer::Writer;

/// A partition: its topic with prefix, and its number.
pub(crate) type Place = (Arc<str>, i32);

pub(crate) fn place(at: &Coordinates) -> Place {
    (Arc::clone(&at.topic), at.partition)
}

/// How many may pass in a second.
pub(crate) type Pace = RateLimiter<NotKeyed, InMemoryState, DefaultClock>;

/// What all parts work with.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) bus: Bus,
    pub(crate) producer: Producer,
    pub(crate) claims: StageClaims,
    pub(crate) steps: Steps,
    pub(crate) checks: Checks,
    pub(crate) counts: HopCounts,
    pub(crate) pace: Option<Pace>,
    pub(crate) shutdown: CancellationToken,
    pub(crate) tasks: TaskTracker,
    pub(crate) drain: Duration,
}

impl Shared {
    /// A pace of so many in a second; none: as many as there are.
    pub(crate) fn pace(rate: u32) -> Option<Pace> {
        // A tenth of a second's worth may come at once.
        let burst = NonZeroU32::new(rate / 10).unwrap_or(NonZeroU32::MIN);
        NonZeroU32::new(rate).map(|rate| RateLimiter::direct(Quota::per_second(rate).allow_burst(burst)))
    }
}

/// A batch that is being enriched, and whose turns its records belong to: known also where the task breaks.
#[derive(Debug)]
pub(crate) struct Enriching {
    pub(crate) turns: HashMap<Place, Assignment>,
    pub(crate) records: usize,
    pub(crate) task: JoinHandle<Vec<Work>>,
}

/// Runs until the process stops, then writes what is there and leaves the group.
///
/// # Errors
/// When a part that has to run all the time ended by itself.
pub(crate) async fn run(
    mut consumer: Consumer,
    writer: Writer,
    batches_ahead: usize,
    shared: Arc<Shared>,
) -> anyhow::Result<()> {
    let (to_emit, enriched) = mpsc::channel(batches_ahead);
    let (to_write, items) = mpsc::channel(1);
    // Each of them ends once: before the stop, in the very moment of it, or when all is out.
    let mut parts = JoinSet::new();
    let emitting = emit::run(enriched, to_write, Arc::clone(&shared));
    parts.spawn(shared.tasks.track_future(async {
        emitting.await;
        ("emitting", Ok(()))
    }));
    parts.spawn(shared.tasks.track_future(async { ("writing", writer.run(items).await) }));
    let first = tokio::select! {
        () = intake(&mut consumer, &to_emit, &shared) => Some(("the intake", Ok(()))),
        Some(part) = parts.join_next() => Some(ended(part)),
        () = shared.shutdown.cancelled() => None,
    };
    drop(to_emit);
    let outcome = if shared.shutdown.is_cancelled() {
        // With a log or a lake that is away nothing gets out: what is not requested by now comes again.
        let finished = async {
            let mut next = first;
            loop {
                if let Some((part, Err(error))) = next {
                    tracing::warn!(part, error = %format!("{error:#}"), "ended early");
                }
                next = match parts.join_next().await {
                    Some(part) => Some(ended(part)),
                    None => break,
                };
            }
        };
        if tokio::time::timeout(shared.drain, finished).await.is_err() {
            tracing::warn!("not everything could be written before the end: it will come again");
        }
        Ok(())
    } else {
        first.map_or(Ok(()), |(part, outcome)| match outcome {
            Ok(()) => Err(anyhow::anyhow!("{part} ended by itself")),
            Err(error) => Err(error.context(format!("{part} ended"))),
        })
    };
    parts.abort_all();
    if let Err(error) = consumer.close(shared.drain).await {
        tracing::warn!(%error, "not everything was done when the consumer closed: it will come again");
    }
    outcome
}

/// A part that has to run all the time, and how it ended.
type Ended = (&'static str, anyhow::Result<()>);

fn ended(part: Result<Ended, JoinError>) -> Ended {
    part.unwrap_or_else(|error| ("a part", Err(anyhow::anyhow!("broke: {error}"))))
}

async fn intake(consumer: &mut Consumer, to_emit: &mpsc::Sender<Enriching>, shared: &Arc<Shared>) {
    let mut pause = Duration::from_millis(50);
    loop {
        match consumer.next().await {
            Ok(Some(batch)) => {
                pause = Duration::from_millis(50);
                let Ok(room) = to_emit.reserve().await else { return };
                room.send(start(batch, shared));
            }
            Ok(None) => return,
            Err(error) => {
                // Health tells of it as long as it lasts, by the consumer's state.
                tracing::warn!(%error, "consuming");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(Duration::from_secs(2));
            }
        }
    }
}

fn start(batch: Batch, shared: &Arc<Shared>) -> Enriching {
    let turns = batch.records.iter().map(|record| (place(&record.coordinates), record.assignment)).collect();
    let records = batch.records.len();
    let task = shared.tasks.spawn(enrich(batch, Arc::clone(shared)));
    Enriching { turns, records, task }
}

async fn enrich(batch: Batch, shared: Arc<Shared>) -> Vec<Work> {
    let deriving = Arc::clone(&shared);
    let derived = tokio::task::spawn_blocking(move || {
        batch.records.into_iter().map(|record| work::begin(record, &deriving.steps)).collect::<Vec<_>>()
    });
    let mut works = match derived.await {
        Ok(works) => works,
        // Its acks are gone with it: the partitions go back.
        Err(error) => {
            tracing::error!(%error, "a thread that enriches ended early");
            return Vec::new();
        }
    };
    let now = service::clock::timestamp();
    let (mut asked, mut verdicts) = (Vec::new(), Vec::new());
    for work in &mut works {
        if let Content::Activity(enriched, verdict) = &mut work.content {
            enriched.enriched_at = Some(now);
            asked.push(enriched.as_mut());
            verdicts.push(verdict);
        }
    }
    for (verdict, found) in verdicts.into_iter().zip(shared.steps.ask(&mut asked).await) {
        *verdict = found;
    }
    works
}
