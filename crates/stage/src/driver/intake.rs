//! From the consumer to what is read.

use std::sync::Arc;
use std::time::Duration;

use bus::{Assignment, Batch, Consumer, Incoming};
use bytes::Bytes;
use common::backoff::Backoff;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;

use super::{Partition, Stage};
use crate::memory::{Memory, Room, Weight};

/// A blocking thread takes so many records at once, or so many bytes: enough to be worth the way.
const CHUNK_RECORDS: usize = 32;
const CHUNK_BYTES: usize = 128 * 1024;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// A batch that is being read, and whose turns its records belong to: known also where the task breaks.
pub(super) struct Reading<W> {
    pub(super) turns: Vec<(Partition, Assignment)>,
    pub(super) works: JoinHandle<Read<W>>,
}

/// What was read of a batch.
pub(super) struct Read<W> {
    pub(super) works: Vec<W>,
    /// Nothing of it is lost.
    pub(super) whole: bool,
}

/// A record that may be worked on.
type Admitted = (Incoming, Option<String>, Room);

pub(super) struct Intake<S: Stage> {
    /// The stage, and its lane.
    pub(super) of: [&'static str; 2],
    pub(super) stage: Arc<S>,
    pub(super) readers: Arc<Semaphore>,
    pub(super) memory: Memory,
    pub(super) tasks: TaskTracker,
    pub(super) to_emit: mpsc::Sender<Reading<S::Work>>,
}

impl<S: Stage> Intake<S> {
    /// Until the consumer ends, or nobody emits any more.
    pub(super) async fn run(&self, consumer: &mut Consumer) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match consumer.next().await {
                Ok(Some(batch)) => {
                    backoff.reset();
                    if self.take_in(batch).await.is_none() {
                        return;
                    }
                }
                Ok(None) => return,
                Err(error) => {
                    let [stage, lane] = self.of;
                    // Health tells of it as long as it lasts, by the consumer's state.
                    tracing::warn!(stage, lane, %error, "the consumer reported an error");
                    tokio::time::sleep(backoff.pause()).await;
                }
            }
        }
    }

    /// Has a batch read in chunks and sends it on. `None`: the lane ends.
    ///
    /// What there is no memory for waits. What stands before it is sent on first, because only that gives memory back.
    async fn take_in(&self, batch: Batch) -> Option<()> {
        let mut begun = Begun::default();
        for chunk in chunks(batch.records) {
            let mut admitted = Vec::with_capacity(chunk.len());
            for (record, weight) in self.weigh(chunk).await? {
                let room = match self.memory.try_take(&weight) {
                    Some(room) => room,
                    None => {
                        self.begin(std::mem::take(&mut admitted), &mut begun).await?;
                        self.send_on(&mut begun).await?;
                        self.memory.take(&weight).await?
                    }
                };
                admitted.push((record, weight.too_much, room));
            }
            self.begin(admitted, &mut begun).await?;
        }
        self.send_on(&mut begun).await
    }

    /// What each of them takes. Many bytes are not looked through on a thread of the runtime.
    async fn weigh(&self, chunk: Vec<Incoming>) -> Option<Vec<(Incoming, Weight)>> {
        let stage = Arc::clone(&self.stage);
        let bytes: usize = chunk.iter().map(size).sum();
        let weigh = move || {
            let weigh = |record: Incoming| {
                let weight = stage.weigh(&record);
                (record, weight)
            };
            chunk.into_iter().map(weigh).collect()
        };
        if bytes < CHUNK_BYTES { Some(weigh()) } else { tokio::task::spawn_blocking(weigh).await.ok() }
    }

    async fn begin(&self, chunk: Vec<Admitted>, begun: &mut Begun<S::Work>) -> Option<()> {
        if chunk.is_empty() {
            return Some(());
        }
        for (record, ..) in &chunk {
            begun.turn(record);
        }
        let permit = Arc::clone(&self.readers).acquire_owned().await.ok()?;
        let stage = Arc::clone(&self.stage);
        begun.chunks.push(tokio::task::spawn_blocking(move || {
            let _permit = permit;
            chunk.into_iter().map(|(record, too_much, room)| stage.read(record, too_much, room)).collect()
        }));
        Some(())
    }

    async fn send_on(&self, begun: &mut Begun<S::Work>) -> Option<()> {
        let Begun { turns, chunks } = std::mem::take(begun);
        if chunks.is_empty() {
            return Some(());
        }
        let works = self.tasks.spawn(read(Arc::clone(&self.stage), chunks));
        self.to_emit.send(Reading { turns, works }).await.ok()
    }
}

/// What is being read and was not sent on.
struct Begun<W> {
    turns: Vec<(Partition, Assignment)>,
    chunks: Vec<JoinHandle<Vec<W>>>,
}

impl<W> Default for Begun<W> {
    fn default() -> Self {
        Self { turns: Vec::new(), chunks: Vec::new() }
    }
}

impl<W> Begun<W> {
    fn turn(&mut self, record: &Incoming) {
        let at = &record.coordinates;
        let same = |((topic, partition), turn): &(Partition, Assignment)| {
            *topic == at.topic && *partition == at.partition && *turn == record.assignment
        };
        // Records of a partition follow each other.
        if !self.turns.last().is_some_and(same) {
            self.turns.push(((Arc::clone(&at.topic), at.partition), record.assignment));
        }
    }
}

/// Waits for the chunks of a batch, and asks about all of it.
async fn read<S: Stage>(stage: Arc<S>, chunks: Vec<JoinHandle<Vec<S::Work>>>) -> Read<S::Work> {
    let (mut works, mut whole) = (Vec::new(), true);
    for chunk in chunks {
        match chunk.await {
            Ok(mut read) => works.append(&mut read),
            Err(error) => {
                tracing::error!(panic = %error, "a thread that reads records failed");
                whole = false;
            }
        }
    }
    stage.look_up(&mut works).await;
    Read { works, whole }
}

fn size(record: &Incoming) -> usize {
    record.payload.as_ref().map_or(0, Bytes::len)
}

fn chunks(records: Vec<Incoming>) -> Vec<Vec<Incoming>> {
    let mut chunks = Vec::new();
    let (mut chunk, mut bytes) = (Vec::new(), 0);
    for record in records {
        bytes += size(&record);
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
