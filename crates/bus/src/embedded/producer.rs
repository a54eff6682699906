//! From a record to the writer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::writer::Append;
use super::{Embedded, keys, partitioner};
use crate::in_flight::InFlight;
use crate::progress::Progress;
use crate::threads::lock;
use crate::{Error, Prepared, Rejection};

/// The way of one producer into the log.
#[derive(Debug)]
pub(crate) struct Sender {
    embedded: Arc<Embedded>,
    progress: Arc<Progress>,
}

impl Sender {
    pub(crate) fn new(embedded: Arc<Embedded>) -> Self {
        Self { embedded, progress: Arc::default() }
    }

    /// Hands a record to the writer. `in_flight` comes back where it was not taken.
    pub(crate) fn send(&self, record: &Prepared, in_flight: Box<InFlight>) -> Result<(), (Error, Box<InFlight>)> {
        let refuse = |in_flight: Box<InFlight>, refusal: Rejection, reason: String| {
            let (topic, reason) = (in_flight.topic.clone(), reason.into());
            let error = Error::NotDelivered { topic, reason, refusal: Some(refusal) };
            metrics::counter!("weir_producer_failures_total", "topic" => in_flight.topic.to_string()).increment(1);
            in_flight.land(Err(error));
        };
        let log = &self.embedded.log;
        let Some(topic) = log.topic(&in_flight.topic) else {
            refuse(
                in_flight,
                Rejection::NoTopic,
                "the topic does not exist: create it, or set bus.create_topics".to_owned(),
            );
            return Ok(());
        };
        let (bytes, limit) = (record.bytes(), topic.max_record_bytes);
        if bytes > limit {
            refuse(
                in_flight,
                Rejection::TooLarge,
                format!("it has {bytes} bytes, and the topic's max.message.bytes is {limit}"),
            );
            return Ok(());
        }
        let partition = partitioner::partition(&record.key, topic.parts.len(), || fastrand::usize(..));
        let append = Append {
            partition: u32::try_from(partition).unwrap_or_default(),
            // Whatever its offset will be: the last epoch goes on.
            log: self.embedded.log_at(&topic, i32::try_from(partition).unwrap_or_default(), i64::MAX),
            topic,
            value: keys::record(&record.key, record.written(), record.payload.as_deref()),
            in_flight,
            progress: self.progress.clone(),
        };
        let now = Instant::now();
        self.progress.sent(now);
        let linger = Duration::from_millis(u64::from(self.embedded.settings.producer.linger_ms));
        log.queue.append(append, now + linger).map_err(|append| {
            self.progress.landed(false, Instant::now());
            (Error::Closed, append.in_flight)
        })
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.progress.in_flight()
    }

    /// As with Kafka: longest wait for a success, why nothing can be written, and one "broker" as long as it can.
    pub(crate) fn state(&self) -> (Option<Duration>, Option<String>, usize) {
        let stopped = lock(&self.embedded.log.state).as_ref().map(ToString::to_string);
        let up = usize::from(stopped.is_none());
        (self.progress.waiting_for(Instant::now()), stopped, up)
    }
}
