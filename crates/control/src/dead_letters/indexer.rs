//! Keeps the index: reads the topic in the background, and what is new when somebody asks.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bus::{Bus, Error, OffsetRange, Spans};
use common::topics::DEAD_LETTERS;
use tokio::time::Instant;

use super::index::{Index, Progress};

/// How often it looks for what is new while nobody asks.
const LOOK: Duration = Duration::from_secs(10);
/// Before a log that is away is asked again.
const AGAIN: Duration = Duration::from_secs(2);
/// For so long it reads before others may.
const TURN: Duration = Duration::from_millis(500);

/// The dead letters, with their index. Clones are one.
#[derive(Debug, Clone)]
pub(crate) struct Letters {
    bus: Bus,
    index: Arc<Mutex<Index>>,
    /// What the index is read with.
    spans: Arc<tokio::sync::Mutex<Spans>>,
}

impl Letters {
    pub(crate) fn new(bus: &Bus) -> Self {
        let spans = Arc::new(tokio::sync::Mutex::new(bus.spans(DEAD_LETTERS.name())));
        Self { bus: bus.clone(), index: Arc::default(), spans }
    }

    pub(crate) fn index(&self) -> MutexGuard<'_, Index> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What reads the topic for one who asks.
    pub(crate) fn spans(&self) -> Spans {
        self.bus.spans(DEAD_LETTERS.name())
    }

    /// The partitions as they are now. None of them: there is no topic, so there are no letters.
    pub(crate) async fn ranges(&self, spans: &mut Spans) -> Result<Vec<OffsetRange>, Error> {
        match spans.ranges().await {
            Err(Error::NoTopic { .. }) => Ok(Vec::new()),
            other => other,
        }
    }

    /// Follows the topic until the future is dropped.
    pub(crate) async fn follow(&self) {
        let (began, mut told) = (Instant::now(), false);
        loop {
            let wait = match self.catch_up(TURN).await {
                Ok(progress) if progress.is_done() => {
                    if !std::mem::replace(&mut told, true) && progress.all > 0 {
                        let seconds = began.elapsed().as_secs();
                        tracing::info!(letters = progress.all, seconds, "the dead letters have been counted");
                    }
                    LOOK
                }
                Ok(progress) => {
                    tracing::debug!(done = progress.done, all = progress.all, "counting the dead letters");
                    Duration::ZERO
                }
                // Health tells of it.
                Err(error) => {
                    tracing::debug!(%error, "the dead letters cannot be counted, retrying");
                    AGAIN
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// Looks through what is new, and as much of the rest as there is time for.
    pub(crate) async fn catch_up(&self, limit: Duration) -> Result<Progress, Error> {
        let until = Instant::now() + limit;
        let mut spans = self.spans.lock().await;
        let ranges = self.ranges(&mut spans).await?;
        self.index().adjust(&ranges);
        loop {
            let todo = self.index().todo();
            let Some(piece) = todo.filter(|_| Instant::now() < until) else { return Ok(self.index().progress()) };
            let span = spans.read(piece.partition, piece.from, piece.until).await?;
            self.index().add(piece, span.next.min(piece.until), &span.records);
        }
    }
}
