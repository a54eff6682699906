//! Reading without a group. Nothing runs between two calls.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::watch;

use super::Embedded;
use super::store::{Files, Limit, Topic};
use crate::content::Content;
use crate::threads::blocking;
use crate::{Coordinates, Error, Start, Stored};

/// What is read ahead.
const AHEAD: Limit = Limit { records: 256, bytes: 1024 * 1024 };

impl Embedded {
    /// The record at an offset; none where it is not there any more, or never was. Blocks.
    pub(crate) fn at(&self, topic: &str, partition: i32, offset: i64) -> Result<Option<Stored>, Error> {
        let Ok(topic) = self.topic(topic) else { return Ok(None) };
        if !topic.range(partition).is_some_and(|(low, end)| (low..end).contains(&offset)) {
            return Ok(None);
        }
        match self.log.files.read(&topic, partition, offset, offset + 1, AHEAD) {
            Ok(chunk) => Ok(chunk.records.into_iter().next().map(|record| self.stored(&topic, partition, record))),
            // It had its time just now.
            Err(Error::OutOfRange { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn stored(&self, topic: &Topic, partition: i32, (offset, content): (i64, Content)) -> Stored {
        let (log, topic) = (self.log_at(topic, partition, offset), topic.name.clone());
        Stored {
            coordinates: Coordinates { log, topic, partition, offset },
            key: content.key,
            payload: content.payload,
            headers: content.headers,
            produced_at_ms: content.produced_at_ms,
        }
    }
}

impl Files {
    /// Where reading a partition begins.
    pub(super) fn begin(&self, topic: &Topic, partition: i32, start: &Start) -> Result<i64, Error> {
        let (low, end) = topic.range(partition).unwrap_or_default();
        Ok(match start {
            Start::Beginning => low,
            Start::End => end,
            Start::LastN(n) => end.saturating_sub(i64::try_from(*n).unwrap_or(i64::MAX)).max(low),
            Start::AtTime(time) => self.first_at(topic, partition, common::time::to_millis(time))?,
        })
    }
}

#[derive(Debug)]
pub(crate) struct Reader {
    embedded: Arc<Embedded>,
    cursors: Vec<Cursor>,
    /// Whose turn it is.
    turn: usize,
    /// Read, and not yet given out.
    ahead: VecDeque<Stored>,
    shown: watch::Receiver<u64>,
    /// The ends that were asked for stand in the cursors.
    until_end: bool,
}

#[derive(Debug)]
struct Cursor {
    topic: Arc<Topic>,
    partition: i32,
    next: i64,
    /// The end as it was when it was asked for.
    until: i64,
    /// What was to be read next is gone. It was told.
    stopped: bool,
}

impl Cursor {
    fn end(&self) -> i64 {
        self.topic.range(self.partition).map_or(0, |(_, end)| end)
    }
}

impl Reader {
    pub(crate) async fn open(embedded: Arc<Embedded>, topics: &[String], start: Start) -> Result<Self, Error> {
        let topics = topics.iter().map(|name| embedded.topic(name)).collect::<Result<Vec<_>, _>>()?;
        let shown = embedded.log.shown.clone();
        // The log stays open while it is read, whoever waits for it.
        let log = embedded.log.clone();
        let cursors = blocking(move || {
            let mut cursors = Vec::new();
            for topic in topics {
                for partition in 0..i32::try_from(topic.parts.len()).unwrap_or(i32::MAX) {
                    let (_, end) = topic.range(partition).unwrap_or_default();
                    let next = log.files.begin(&topic, partition, &start)?;
                    cursors.push(Cursor { topic: topic.clone(), partition, next, until: end, stopped: false });
                }
            }
            Ok(cursors)
        })
        .await?;
        Ok(Self { embedded, cursors, turn: 0, ahead: VecDeque::new(), shown, until_end: false })
    }

    pub(crate) async fn next(&mut self) -> Result<Stored, Error> {
        loop {
            if let Some(record) = self.ahead.pop_front() {
                return Ok(record);
            }
            // First, so that what is shown from here on is not overlooked.
            self.shown.borrow_and_update();
            if !self.read(Cursor::end).await? {
                self.shown.changed().await.map_err(|_| Error::Closed)?;
            }
        }
    }

    pub(crate) async fn next_until_end(&mut self) -> Result<Option<Stored>, Error> {
        if !std::mem::replace(&mut self.until_end, true) {
            self.cursors.iter_mut().for_each(|cursor| cursor.until = cursor.end());
        }
        loop {
            if let Some(record) = self.ahead.pop_front() {
                return Ok(Some(record));
            }
            if !self.read(|cursor| cursor.until).await? {
                self.until_end = false;
                return Ok(None);
            }
        }
    }

    /// Reads on where there is more. False: nowhere.
    async fn read(&mut self, until: impl Fn(&Cursor) -> i64) -> Result<bool, Error> {
        let count = self.cursors.len();
        let more =
            |at: &usize| self.cursors.get(*at).is_some_and(|cursor| !cursor.stopped && cursor.next < until(cursor));
        let Some(at) = (0..count).map(|step| (self.turn + step) % count).find(more) else { return Ok(false) };
        let Some(cursor) = self.cursors.get_mut(at) else { return Ok(false) };
        let (log, topic, partition) = (self.embedded.log.clone(), cursor.topic.clone(), cursor.partition);
        let (from, until) = (cursor.next, until(cursor));
        // Dropped here, nothing has moved: it is read again.
        let read = blocking(move || log.files.read(&topic, partition, from, until, AHEAD)).await;
        let chunk = read.inspect_err(|error| cursor.stopped = matches!(error, Error::OutOfRange { .. }))?;
        cursor.next = chunk.next;
        let (embedded, topic) = (&self.embedded, &cursor.topic);
        self.ahead.extend(chunk.records.into_iter().map(|record| embedded.stored(topic, partition, record)));
        self.turn = (at + 1) % count;
        Ok(true)
    }
}
