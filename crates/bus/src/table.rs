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
    remade: watch::Sender<bool>,
    waiters: mpsc::Receiver<Waiter>,
    message: PhantomData<fn() -> M>,
}

/// Asks a table how far it is. Can be cloned, and taken before the table follows.
#[derive(Debug, Clone)]
pub struct TableHandle {
    read: watch::Receiver<bool>,
    remade: watch::Receiver<bool>,
    waiters: mpsc::Sender<Waiter>,
}

impl<M: prost::Message + Default> Table<M> {
    pub(crate) fn new(backend: Backend, topic: &Topic<M>) -> Self {
        let (read, is_read) = watch::channel(false);
        let (remade, is_remade) = watch::channel(false);
        let (sender, waiters) = mpsc::channel(WAITING);
        let handle = TableHandle { read: is_read, remade: is_remade, waiters: sender };
        Self { backend, topic: topic.name().to_owned(), handle, read, remade, waiters, message: PhantomData }
    }

    /// A handle that lives on while the table follows.
    pub fn handle(&self) -> TableHandle {
        self.handle.clone()
    }

    /// Reads to the end, then follows for ever, applying each record: its key, and its message or `None` where it was
    /// removed. Waits for a log that is away and for a topic that is not there yet. Ends when the token is cancelled.
    ///
    /// A record that cannot be read is logged and left out: what was known of its key stays. Of a topic that was made
    /// again, what was known stays until somebody has written the new one ([`TableHandle::is_remade`]).
    pub async fn follow(
        mut self,
        mut apply: impl FnMut(&str, Option<M>) + Send,
        shutdown: CancellationToken,
    ) -> Result<(), Error> {
        let mut rows = Rows::new(&mut apply);
        let (mut told, mut remade) = (false, false);
        while !shutdown.is_cancelled() {
            let failed = tokio::select! {
                () = shutdown.cancelled() => return Ok(()),
                ended = self.read_on(&mut rows, &mut remade) => ended,
            };
            if let Err(Error::Replaced { .. }) = &failed {
                (remade, told) = (true, false);
            }
            // Once is enough for the log: health says it for as long as it lasts.
            if let Err(error) = failed
                && !std::mem::replace(&mut told, *self.read.borrow())
            {
                if matches!(error, Error::NoTopic { .. }) {
                    tracing::info!(topic = self.topic, "the topic of a table does not exist yet, waiting for it");
                } else {
                    tracing::warn!(topic = self.topic, %error, "a table cannot be read, retrying");
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

    /// From the beginning, until something fails. `remade`: the topic is not the one that was read before.
    async fn read_on(&mut self, rows: &mut Rows<'_, M>, remade: &mut bool) -> Result<(), Error> {
        let topics = [self.topic.clone()];
        let mut reader = Reader::open(&self.backend, &topics, Start::Beginning).await?;
        rows.again(std::mem::take(remade));
        let mut waiting = Vec::new();
        loop {
            match read_to_end(&mut reader, rows).await {
                Ok(()) => {
                    self.remade.send_replace(!rows.settle());
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
            let settled = rows.remade.is_none();
            let again = tokio::time::sleep(AGAIN);
            tokio::pin!(again);
            while waiting.is_empty() {
                tokio::select! {
                    Some(waiter) = self.waiters.recv() => waiting.push(waiter),
                    record = reader.next() => rows.take(record?),
                    () = &mut again, if !settled => break,
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
    /// Where the topic was made again: how many keys the new one had when it was last looked.
    remade: Option<usize>,
    apply: &'a mut (dyn FnMut(&str, Option<M>) + Send),
    message: PhantomData<fn() -> M>,
}

impl<'a, M: prost::Message + Default> Rows<'a, M> {
    fn new(apply: &'a mut (dyn FnMut(&str, Option<M>) + Send)) -> Self {
        Self { keys: HashSet::new(), stale: HashSet::new(), remade: None, apply, message: PhantomData }
    }

    /// Before the topic is read anew. The time before may have failed half-way.
    fn again(&mut self, remade: bool) {
        self.stale.extend(std::mem::take(&mut self.keys));
        if remade {
            self.remade = Some(0);
        }
    }

    fn take(&mut self, record: Stored) {
        let at = &record.coordinates;
        let Some(key) = record.key.as_deref().and_then(|key| std::str::from_utf8(key).ok()) else {
            tracing::error!(%at, "a record of a table has no key in UTF-8, it is skipped");
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
            Err(error) => tracing::error!(%at, key, %error, "a record of a table cannot be decoded, it is skipped"),
        }
    }

    /// At the end of the topic: removes what it does not hold, and says whether it was done. Whoever deletes a topic
    /// does not mean that nothing is registered any more: where it was made again, that waits until the new one holds
    /// something and nobody has added to it since the last look.
    fn settle(&mut self) -> bool {
        if let Some(before) = self.remade {
            let now = self.keys.len();
            if !self.stale.is_empty() && (now == 0 || now != before) {
                self.remade = Some(now);
                return false;
            }
            self.remade = None;
        }
        for key in std::mem::take(&mut self.stale) {
            (self.apply)(&key, None);
        }
        true
    }
}

impl TableHandle {
    /// Whether the end that was there at start has been reached.
    pub fn is_read(&self) -> bool {
        *self.read.borrow()
    }

    /// Whether the topic was made again, and the table still says what was in the one before: whoever has the truth of
    /// it should write it anew.
    pub fn is_remade(&self) -> bool {
        *self.remade.borrow()
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
            answer.await.map_err(|_| Error::unavailable("the table", "it is being read again"))?
        };
        let timed_out = |_| Error::TimedOut { what: "catching up with a table".into(), limit };
        tokio::time::timeout(limit, catch_up).await.map_err(timed_out)?
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
