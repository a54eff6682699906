//! Producing: limits on what is in flight, and how the outcome comes back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, TryAcquireError, oneshot};

use crate::backend::Backend;
use crate::content::OVERHEAD;
use crate::dead_letters::{self, Letters};
use crate::in_flight::{InFlight, Room, Tell};
use crate::kafka::producer::Slots;
use crate::{Ack, Coordinates, Error, Prepared, embedded};

/// How long the client's own queue is given when it is fuller than our limits would have it.
const QUEUE_FULL_WAIT: Duration = Duration::from_millis(5);

/// Sends records. Clones share what is in flight.
///
/// When the last clone is dropped, what is still in flight is given some seconds in the background; call
/// [`flush`](Self::flush) before, to know that all of it is durable.
#[derive(Debug, Clone)]
pub struct Producer {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    way: Way,
    prefix: String,
    /// One permit for each record in flight.
    records: Arc<Semaphore>,
    /// One permit for each of its bytes.
    bytes: Arc<Semaphore>,
    max_records: u32,
    max_bytes: usize,
    max_record_bytes: usize,
    letters: Arc<Letters>,
}

/// How records get to the log.
#[derive(Debug)]
enum Way {
    Kafka(Slots),
    Embedded(embedded::producer::Sender),
}

/// Resolves when the log has made a record durable (all in-sync replicas have it), or when it failed. A record that
/// failed may still have been written: sending it again may write it twice, with one id.
#[derive(Debug)]
#[must_use = "nothing is acknowledged before the receipt has resolved"]
pub struct Receipt {
    outcome: oneshot::Receiver<Result<Coordinates, Error>>,
}

impl Future for Receipt {
    type Output = Result<Coordinates, Error>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.outcome).poll(cx).map(|outcome| outcome.unwrap_or(Err(Error::Closed)))
    }
}

/// What health wants to know of a producer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProducerState {
    /// Records sent and not yet acknowledged.
    pub in_flight_records: usize,
    /// Their bytes.
    pub in_flight_bytes: usize,
    /// How long nothing has been acknowledged while something was waiting.
    pub waiting_for: Option<Duration>,
    /// Why a client stopped for good and was built anew; until the next success.
    pub fatal: Option<String>,
    /// Brokers that are connected.
    pub brokers_up: usize,
}

impl Producer {
    pub(crate) fn new(backend: Backend) -> Result<Self, Error> {
        let settings = backend.settings().clone();
        let limits = &settings.producer;
        let max_records = u32::try_from(limits.max_in_flight_records).unwrap_or(u32::MAX);
        let inner = Inner {
            prefix: settings.topic_prefix.clone(),
            records: Arc::new(Semaphore::new(max_records as usize)),
            bytes: Arc::new(Semaphore::new(limits.max_in_flight_bytes)),
            max_records,
            max_bytes: limits.max_in_flight_bytes,
            max_record_bytes: limits.max_record_bytes,
            letters: Arc::default(),
            way: match backend {
                Backend::Kafka(kafka) => Way::Kafka(Slots::open(kafka)?),
                Backend::Embedded(embedded) => Way::Embedded(embedded::producer::Sender::new(embedded)),
            },
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Whether the record could ever be written: [`Error::TooLarge`] if not.
    ///
    /// Look before the record's event is claimed and its source's [`Ack`] is given away.
    pub fn check(&self, record: &Prepared) -> Result<(), Error> {
        let (bytes, limit) = (record.bytes(), self.inner.max_record_bytes);
        if bytes > limit {
            return Err(Error::TooLarge { topic: record.topic.clone(), bytes, limit });
        }
        Ok(())
    }

    /// Whether a small record could be sent now: for who has to spend something before there is a record.
    pub fn has_room(&self) -> bool {
        self.inner.records.available_permits() > 0 && self.inner.bytes.available_permits() > OVERHEAD
    }

    /// Sends without waiting. [`Error::Full`] when the limits of what is in flight are reached, [`Error::TooLarge`]
    /// when it never can be sent.
    pub fn try_send(&self, record: impl Into<Prepared>) -> Result<Receipt, Error> {
        let record = record.into();
        self.check(&record)?;
        let room = |error: TryAcquireError| match error {
            TryAcquireError::NoPermits => Error::Full,
            TryAcquireError::Closed => Error::Closed,
        };
        let bytes = self.inner.bytes.clone().try_acquire_many_owned(record.permits()).map_err(room)?;
        let records = self.inner.records.clone().try_acquire_owned().map_err(room)?;
        let (sender, outcome) = oneshot::channel();
        match self.dispatch(&record, Tell::Receipt(sender), (bytes, records)) {
            Ok(()) => Ok(Receipt { outcome }),
            Err((error, _)) => Err(error),
        }
    }

    /// Waits for room, then sends. The outcome goes to `ack`. The order of calls is the order of the records of one key.
    ///
    /// An error says that the record was not sent; `ack` has failed then, so that nothing is lost where the error is
    /// overlooked. Use [`check`](Self::check) before, where a record that is too large becomes a dead letter.
    pub async fn send(&self, record: impl Into<Prepared>, ack: Ack) -> Result<(), Error> {
        let record = record.into();
        if let Err(error) = self.check(&record) {
            ack.fail(&error);
            return Err(error);
        }
        self.send_and_tell(&record, Tell::Ack(ack)).await
    }

    /// Sends a dead letter as [`send`](Self::send) does. Where its bytes are too many for a record, or for the topic as that
    /// said lately, it goes without them: the record that it is of comes again when a letter was refused, and then goes on.
    pub async fn send_letter(&self, draft: dead_letters::Draft<'_>, ack: Ack) -> Result<(), Error> {
        let letters = &self.inner.letters;
        let bytes = draft.payload.len();
        let mut kept = 0;
        let record = dead_letters::fitting(draft, |record| {
            self.check(record).map_err(|error| error.to_string())?;
            letters.check(bytes, Instant::now())?;
            kept = bytes;
            Ok(())
        });
        self.send_and_tell(&record, Tell::Letter(ack, kept, Arc::clone(letters))).await
    }

    async fn send_and_tell(&self, record: &Prepared, mut tell: Tell) -> Result<(), Error> {
        let inner = &self.inner;
        let bytes = inner.bytes.clone().acquire_many_owned(record.permits()).await.map_err(|_| Error::Closed)?;
        let records = inner.records.clone().acquire_owned().await.map_err(|_| Error::Closed)?;
        let mut room = (bytes, records);
        loop {
            match self.dispatch(record, tell, room) {
                Ok(()) => return Ok(()),
                Err((Error::Full, in_flight)) => (tell, room) = (in_flight.tell, in_flight.room),
                Err((error, in_flight)) => {
                    in_flight.land(Err(error.clone()));
                    return Err(error);
                }
            }
            tokio::time::sleep(QUEUE_FULL_WAIT).await;
        }
    }

    fn dispatch(&self, record: &Prepared, tell: Tell, room: Room) -> Result<(), (Error, Box<InFlight>)> {
        let topic = format!("{}{}", self.inner.prefix, record.topic).into();
        let in_flight = Box::new(InFlight { topic, tell, room });
        match &self.inner.way {
            Way::Kafka(slots) => slots.send(record, in_flight),
            Way::Embedded(sender) => sender.send(record, in_flight),
        }
    }

    /// Waits until everything sent so far is durable or has failed. What is sent meanwhile has to wait its turn.
    /// [`Error::TimedOut`] says how many were left at the deadline.
    pub async fn flush(&self, deadline: Duration) -> Result<(), Error> {
        let all = self.inner.records.acquire_many(self.inner.max_records);
        match tokio::time::timeout(deadline, all).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => {
                let left = self.state().in_flight_records;
                Err(Error::TimedOut {
                    what: format!("flushing the producer ({left} records left)").into(),
                    limit: deadline,
                })
            }
        }
    }

    /// For health.
    pub fn state(&self) -> ProducerState {
        let (in_flight_records, (waiting_for, fatal, brokers_up)) = match &self.inner.way {
            Way::Kafka(slots) => (slots.in_flight(), slots.state()),
            Way::Embedded(sender) => (sender.in_flight(), sender.state()),
        };
        ProducerState {
            in_flight_records,
            in_flight_bytes: self.inner.max_bytes.saturating_sub(self.inner.bytes.available_permits()),
            waiting_for,
            fatal,
            brokers_up,
        }
    }
}
