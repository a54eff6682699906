//! Takes batches in, has them read side by side, and has them emitted in their order; ends in good order.
//!
//! ```text
//! consumer ─▶ intake ─▶ weigh ─▶ read, in chunks on blocking threads ─▶ look up ─▶ (in order) ─▶ emit ─▶ Outbox
//!    ▲        (bounded: batches ahead, memory)                                                     │
//!    └────────────────────────── ack: everything that came of a record is durable ◀───────────────┘
//! ```

mod intake;

use std::future::Future;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Assignment, Consumer, Incoming};
use futures_util::future::BoxFuture;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::memory::{Memory, Room, Weight};
use intake::Reading;

/// A partition: its topic with prefix, and its number.
pub type Partition = (Arc<str>, i32);

/// What a stage does with records. The [driver](Driver) does the rest.
pub trait Stage: Send + Sync + 'static {
    /// What a record is when it has been read.
    type Work: Send + 'static;
    /// What is kept from batch to batch.
    type State: Send + 'static;

    /// What a record takes while it is worked on.
    fn weigh(&self, record: &Incoming) -> Weight {
        Weight::unread(record.payload.as_ref())
    }

    /// Reads a record. Pure, and on a blocking thread. `too_much`: why it must not be read. `room` is its memory, to be kept
    /// with what it takes.
    fn read(&self, record: Incoming, too_much: Option<String>, room: Room) -> Self::Work;

    /// Asks others about a batch. Several batches are looked up at once.
    fn look_up(&self, _works: &mut [Self::Work]) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }

    /// Emits a batch. One at a time, in the order of the log. [`ControlFlow::Break`]: the stage ends. What was not begun
    /// fails its acks, and comes again.
    fn emit(&self, works: Vec<Self::Work>, state: &mut Self::State) -> impl Future<Output = ControlFlow<()>> + Send;

    /// Something that was read of these turns is lost, as when a thread broke: they go back to it, and nothing of them that
    /// comes now may be taken for what follows.
    fn lost(&self, _turns: Vec<(Partition, Assignment)>, _state: &mut Self::State) {}

    /// When [`tick`](Self::tick) is due, if at all.
    fn due(&self, _state: &Self::State) -> Option<Instant> {
        None
    }

    /// What is done at a time, between batches.
    fn tick(&self, _state: &mut Self::State) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// A part of a stage that runs beside the emitting and ends after it, when nothing more comes to it.
pub struct Part {
    /// For the log.
    pub name: &'static str,
    /// Ends by itself only when nothing more comes to it.
    pub runs: BoxFuture<'static, anyhow::Result<()>>,
}

impl std::fmt::Debug for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Part").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where records come from.
#[derive(Debug)]
pub struct Lane {
    /// For the log.
    pub name: &'static str,
    /// What it consumes.
    pub consumer: Consumer,
    /// So many batches may have been read and not emitted.
    pub ahead: usize,
    /// So many blocking threads read at once.
    pub readers: usize,
}

/// What runs stages.
#[derive(Debug, Clone)]
pub struct Driver {
    /// The stage's name, for the log: several may be in one process.
    pub stage: &'static str,
    /// The process ends: finish what was begun. It is cancelled where a lane ends by itself: others must not go on alone.
    pub shutdown: CancellationToken,
    /// The stage ends with its input untouched, and the process goes on.
    pub stop: CancellationToken,
    /// Those that the end of the process waits for.
    pub tasks: TaskTracker,
    /// What all lanes share.
    pub memory: Memory,
    /// So long may it take to finish what was begun, and again to leave the group.
    pub drain: Duration,
}

/// A part that has to run all the time, and how it ended.
type Ended = (&'static str, anyhow::Result<()>);

impl Driver {
    /// Runs until the process or the stage stops, then finishes what was begun and leaves the group.
    ///
    /// # Errors
    /// When a part that has to run all the time ended by itself.
    pub async fn run<S: Stage>(
        &self,
        stage: Arc<S>,
        state: S::State,
        lane: Lane,
        parts: impl IntoIterator<Item = Part>,
    ) -> anyhow::Result<()> {
        let Lane { name: lane, mut consumer, ahead, readers } = lane;
        let (to_emit, batches) = mpsc::channel(ahead);
        let mut running: JoinSet<Ended> = JoinSet::new();
        let emitting = emit_all([self.stage, lane], Arc::clone(&stage), state, batches);
        running.spawn(self.tasks.track_future(async move {
            emitting.await;
            ("emitting", Ok(()))
        }));
        for Part { name, runs } in parts {
            running.spawn(self.tasks.track_future(async move { (name, runs.await) }));
        }
        let intake = intake::Intake {
            of: [self.stage, lane],
            stage,
            readers: Arc::new(Semaphore::new(readers)),
            memory: self.memory.clone(),
            tasks: self.tasks.clone(),
            to_emit,
        };
        let first = tokio::select! {
            () = intake.run(&mut consumer) => Some(("the intake", Ok(()))),
            Some(part) = running.join_next() => Some(ended(part)),
            () = self.shutdown.cancelled() => None,
            () = self.stop.cancelled() => None,
        };
        // Nothing more comes to the parts.
        drop(intake);
        let outcome = self.end(lane, first, running).await;
        if let Err(error) = consumer.close(self.drain).await {
            tracing::warn!(stage = self.stage, lane, %error, "the consumer closed before its records were done: the rest is read again");
        }
        outcome
    }

    /// Lets the parts finish what was begun.
    async fn end(&self, lane: &'static str, first: Option<Ended>, mut running: JoinSet<Ended>) -> anyhow::Result<()> {
        let wanted = self.shutdown.is_cancelled() || self.stop.is_cancelled();
        if !wanted {
            tracing::error!(stage = self.stage, lane, "the lane ended unexpectedly: the process is shutting down");
            self.shutdown.cancel();
        }
        let mut outcome = Ok(());
        let mut note = |(part, ended): Ended| match ended {
            Err(error) if outcome.is_ok() => outcome = Err(error.context(format!("{part} of lane {lane} failed"))),
            Err(error) => {
                tracing::warn!(stage = self.stage, lane, part, error = %format!("{error:#}"), "a part of the lane failed")
            }
            Ok(()) if outcome.is_ok() && !wanted => {
                outcome = Err(anyhow::anyhow!("{part} of lane {lane} ended unexpectedly"))
            }
            Ok(()) => {}
        };
        first.into_iter().for_each(&mut note);
        // With a log or a lake that is away nothing gets out: what is not done by now comes again.
        let finished = async {
            while let Some(part) = running.join_next().await {
                note(ended(part));
            }
        };
        if tokio::time::timeout(self.drain, finished).await.is_err() {
            tracing::warn!(
                stage = self.stage,
                lane,
                "the lane ended before all its records were done: the rest is read again"
            );
        }
        running.abort_all();
        outcome
    }
}

fn ended(part: Result<Ended, JoinError>) -> Ended {
    part.unwrap_or_else(|error| ("a part", Err(anyhow::anyhow!("its task failed: {error}"))))
}

/// Until nothing more is read, or the stage ends.
async fn emit_all<S: Stage>(
    [of, lane]: [&'static str; 2],
    stage: Arc<S>,
    mut state: S::State,
    mut batches: mpsc::Receiver<Reading<S::Work>>,
) {
    loop {
        let due = stage.due(&state);
        let tick = tokio::time::sleep_until(due.unwrap_or_else(Instant::now).into());
        let Reading { turns, works } = tokio::select! {
            reading = batches.recv() => match reading {
                Some(reading) => reading,
                None => return,
            },
            () = tick, if due.is_some() => {
                stage.tick(&mut state).await;
                continue;
            }
        };
        let (works, whole) = match works.await {
            Ok(read) => (read.works, read.whole),
            Err(error) => {
                // It has panicked, which counts as an error where that was.
                tracing::error!(stage = of, lane, panic = %error, "a task that reads records failed");
                (Vec::new(), false)
            }
        };
        if !whole {
            // Its acks are gone, so the log gives its records again.
            tracing::warn!(stage = of, lane, "records that were read are lost: their partitions are rewound to them");
            stage.lost(turns, &mut state);
        }
        if !works.is_empty() && stage.emit(works, &mut state).await.is_break() {
            return;
        }
    }
}

#[cfg(test)]
#[path = "driver_tests.rs"]
mod tests;
