//! A compacted topic in memory.

use std::collections::HashSet;
use std::marker::PhantomData;
use std::time::Duration;

use common::topics::Topic;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::backend::Backend;
use crate::{Error, Reader, Start, Stored};

/// Before a topic that cannot be read is tried again.
const AGAIN: Duration = Duration::from_millis(500);
/// How many may wait for the table at once; others wait to wait.
const WAITING: usize = 1024;

type Waiter = oneshot::Sender<Result<(), Error>>;

/// A compacted topic, followed into memory by the caller's `apply`.
#[derive(Debug)]
pub struct Table<M> {
    backend: Backend,
    topic: String,
    handle: TableHandle,
    read: watch::Sender<bool>,
    waiters: mpsc::Receiver<Waiter>,
    message: PhantomData<fn() -> M>,
}

/// Asks a table how far it is. Can be cloned, and taken before the table follows.
#[derive(Debug, Clone)]
pub struct TableHandle {
    read: watch::Receiver<bool>,
    waiters: mpsc::Sender<Waiter>,
}

impl<M: prost::Message + Default> Table<M> {
    pub(crate) fn new(backend: Backend, topic: &Topic<M>) -> Self {
        let (read, is_read) = watch::channel(false);
        let (sender, waiters) = mpsc::channel(WAITING);
        let handle = TableHandle { read: is_read, waiters: sender };
        Self { backend, topic: topic.name().to_owned(), handle, read, waiters, message: PhantomData }
    }

    /// A handle that lives on while the table follows.
    pub fn handle(&self) -> TableHandle {
        self.handle.clone()
    }

    /// Reads to the end, then follows for ever, applying each record: its key, and its message or `None` where it was
    /// removed. Waits for a log that is away and for a topic that is not there yet. Ends when the token is cancelled.
    ///
    /// A record that cannot be read is logged and left out: what was known of its key stays.
    pub async fn follow(
        mut self,
        mut apply: impl FnMut(&str, Option<M>) + Send,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let mut rows = Rows { keys: HashSet::new(), stale: HashSet::new(), apply: &mut apply, message: PhantomData };
        let mut told = false;
        while !shutdown.is_cancelled() {
            let failed = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                ended = self.read_on(&mut rows) => ended,
            };
            // Once is enough for the log: health says it for as long as it lasts.
            if let Err(error) = failed
                && !std::mem::replace(&mut told, *self.read.borrow())
            {
                if matches!(error, Error::NoTopic { .. }) {
                    tracing::info!(topic = self.topic, "the topic of a table is not there yet, waiting for it");
                } else {
                    tracing::warn!(topic = self.topic, %error, "a table cannot be read, trying again");
                }
                told = true;
            }
            tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                () = tokio::time::sleep(AGAIN) => {}
            }
        }
        Ok(())
    }

    /// From the beginning, until something fails.
    async fn read_on(&mut self, rows: &mut Rows<'_, M>) -> Result<(), Error> {
        let topics = [self.topic.clone()];
        let mut reader = Reader::open(&self.backend, &topics, Start::Beginning).await?;
        rows.stale = std::mem::take(&mut rows.keys);
        let mut waiting = Vec::new();
        loop {
            match read_to_end(&mut reader, rows).await {
                Ok(()) => {
                    rows.remove_stale();
                    self.read.send_replace(true);
                    // Somebody may have stopped waiting.
                    waiting.drain(..).for_each(|waiter: Waiter| drop(waiter.send(Ok(()))));
                }
                Err(error) => {
                    waiting.drain(..).for_each(|waiter: Waiter| drop(waiter.send(Err(error.clone()))));
                    if !matches!(error, Error::Unavailable { .. }) {
                        return Err(error);
                    }
                    tokio::time::sleep(AGAIN).await;
                    if !*self.read.borrow() {
                        continue;
                    }
                }
            }
            while waiting.is_empty() {
                tokio::select! {
                    Some(waiter) = self.waiters.recv() => waiting.push(waiter),
                    record = reader.next() => rows.take(record?),
                }
            }
            // All that wait by now are served by one look at the end.
            while let Ok(waiter) = self.waiters.try_recv() {
                waiting.push(waiter);
            }
        }
    }
}

async fn read_to_end<M: prost::Message + Default>(reader: &mut Reader, rows: &mut Rows<'_, M>) -> Result<(), Error> {
    while let Some(record) = reader.next_until_end().await? {
        rows.take(record);
    }
    Ok(())
}

struct Rows<'a, M> {
    keys: HashSet<String>,
    /// Known before the topic had to be read again: what is not seen by its end was removed meanwhile.
    stale: HashSet<String>,
    apply: &'a mut (dyn FnMut(&str, Option<M>) + Send),
    message: PhantomData<fn() -> M>,
}

impl<M: prost::Message + Default> Rows<'_, M> {
    fn take(&mut self, record: Stored) {
        let at = &record.coordinates;
        let Some(key) = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else {
            tracing::error!(%at, "a record of a table has no key in UTF-8, leaving it out");
            return;
        };
        self.stale.remove(key);
        let Some(payload) = record.payload.clone() else {
            self.keys.remove(key);
            (self.apply)(key, None);
            return;
        };
        self.keys.insert(key.to_owned());
        match M::decode(payload) {
            Ok(message) => (self.apply)(key, Some(message)),
            Err(error) => tracing::error!(%at, key, %error, "a record of a table cannot be read, leaving it out"),
        }
    }

    fn remove_stale(&mut self) {
        for key in std::mem::take(&mut self.stale) {
            (self.apply)(&key, None);
        }
    }
}

impl TableHandle {
    /// Whether the end that was there at start has been reached.
    pub fn is_read(&self) -> bool {
        *self.read.borrow()
    }

    /// Waits until the end that was there at start has been reached. For ever, where the table ends before.
    pub async fn wait_read(&self) {
        if self.read.clone().wait_for(|read| *read).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Waits until everything that is on the topic *now* (one look at its end) has been applied, at most `limit`.
    pub async fn catch_up(&self, limit: Duration) -> Result<(), Error> {
        let catch_up = async {
            let (waiter, answer) = oneshot::channel();
            self.waiters.send(waiter).await.map_err(|_| Error::Closed)?;
            // The table reads anew, and whoever waited was forgotten.
            let forgotten =
                |_| Error::Unavailable { what: "the table".into(), reason: "it is being read again".into() };
            answer.await.map_err(forgotten)?
        };
        let timed_out = |_| Error::TimedOut { what: "catching up with a table".into(), limit };
        tokio::time::timeout(limit, catch_up).await.map_err(timed_out)?
    }
}
