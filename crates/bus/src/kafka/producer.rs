//! Kafka producers, each with its own poll thread. One that has stopped for good is built anew; what it had in flight
//! fails then, and whoever sent it sends it again.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext, PurgeConfig};
use rdkafka::statistics::Statistics;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{ClientContext, Message as _};

use super::client::{Events, unusable};
use super::{Kafka, lock, message, thread};
use crate::in_flight::InFlight;
use crate::progress::Progress;
use crate::{Coordinates, Error, Prepared, Rejection};

const POLL: Duration = Duration::from_millis(100);
/// What a dropped producer gives its last records.
const LAST_FLUSH: Duration = Duration::from_secs(10);
/// How long the log's name may take once it has acknowledged a record. It is known by then in all but odd cases.
const IDENTIFY: Duration = Duration::from_secs(1);

/// The producers: as many for each compression in use. A topic always has the same compression and a key the same
/// producer of it, so that its records keep their order.
#[derive(Debug)]
pub(crate) struct Slots {
    kafka: Arc<Kafka>,
    sets: BTreeMap<String, Vec<Arc<Slot>>>,
    next: AtomicUsize,
}

struct Slot {
    compression: String,
    kafka: Arc<Kafka>,
    producer: ArcSwap<BaseProducer<Deliveries>>,
    progress: Arc<Progress>,
    stop: AtomicBool,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Slot").field("progress", &self.progress).finish_non_exhaustive()
    }
}

/// Takes the delivery reports of one producer.
struct Deliveries {
    events: Events,
    kafka: Arc<Kafka>,
    progress: Arc<Progress>,
    /// Delivered before the log's identity was known: partition and offset.
    unnamed: Mutex<Vec<(Box<InFlight>, i32, i64)>>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        self.events.on_log(level, facility, text);
    }

    fn stats(&self, statistics: Statistics) {
        self.events.on_stats(&statistics);
        let queued = statistics.msg_cnt as f64;
        metrics::gauge!("weir_producer_queue_records").set(queued);
        let in_queue =
            statistics.brokers.values().filter_map(|broker| broker.int_latency.as_ref()).map(|window| window.p99);
        metrics::gauge!("weir_producer_queue_p99_seconds").set(in_queue.max().unwrap_or(0) as f64 / 1e6);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.events.on_error(&error, reason);
    }
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Box<InFlight>;

    fn delivery(&self, result: &DeliveryResult<'_>, in_flight: Box<InFlight>) {
        let topic = in_flight.topic.clone();
        let (reason, refusal): (Arc<str>, _) = match result {
            // Concluded, and not answered: where a request was refused and the one behind it in the same partition was
            // taken, the client takes the first for written too. That holds only where the broker knows the producer: of
            // one that is new there it takes any number for the first (librdkafka 2.12.1).
            Ok(message) if message.offset() < 0 => {
                ("no broker reported its offset, so it may or may not be on the log".into(), None)
            }
            Ok(message) => {
                self.progress.landed(true, Instant::now());
                let (partition, offset) = (message.partition(), message.offset());
                match self.kafka.known_log() {
                    Some(log) => in_flight.land(Ok(Coordinates { log: log.clone(), topic, partition, offset })),
                    None => lock(&self.unnamed).push((in_flight, partition, offset)),
                }
                return;
            }
            Err((error, _)) => (error.to_string().into(), refusal(error)),
        };
        self.progress.landed(false, Instant::now());
        metrics::counter!("weir_producer_failures_total", "topic" => topic.to_string()).increment(1);
        in_flight.land(Err(Error::NotDelivered { topic, reason, refusal }));
    }
}

/// Why a record would be refused again.
fn refusal(error: &KafkaError) -> Option<Rejection> {
    match error.rdkafka_error_code()? {
        RDKafkaErrorCode::MessageSizeTooLarge => Some(Rejection::TooLarge),
        RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition => Some(Rejection::NoTopic),
        _ => None,
    }
}

impl Slots {
    pub(crate) fn open(kafka: Arc<Kafka>) -> Result<Self, Error> {
        // Dropped half done, it stops the threads that run.
        let mut slots = Self { kafka: kafka.clone(), sets: BTreeMap::new(), next: AtomicUsize::new(0) };
        for compression in kafka.settings.producer.compressions() {
            for number in 0..kafka.settings.producer.producers.max(1) {
                let progress = Arc::new(Progress::default());
                let producer = create(&kafka, compression, &progress)?;
                let slot = Arc::new(Slot {
                    compression: compression.to_owned(),
                    kafka: kafka.clone(),
                    producer: ArcSwap::from_pointee(producer),
                    progress,
                    stop: AtomicBool::new(false),
                });
                slots.sets.entry(compression.to_owned()).or_default().push(slot.clone());
                thread(&format!("weir-produce-{compression}-{number}"), move || slot.run())?;
            }
        }
        Ok(slots)
    }

    fn slots(&self) -> impl Iterator<Item = &Arc<Slot>> {
        self.sets.values().flatten()
    }

    /// Hands a record to the client. `in_flight` comes back where it was not taken.
    pub(crate) fn send(&self, record: &Prepared, in_flight: Box<InFlight>) -> Result<(), (Error, Box<InFlight>)> {
        let number = if record.key.is_empty() {
            self.next.fetch_add(1, Ordering::Relaxed)
        } else {
            let mut hasher = DefaultHasher::new();
            (&record.topic, &record.key).hash(&mut hasher);
            hasher.finish() as usize
        };
        let set = self.sets.get(self.kafka.settings.producer.compression_of(&record.topic));
        let slot = set.and_then(|set| set.get(number % set.len().max(1)));
        let Some(slot) = slot else { return Err((Error::Closed, in_flight)) };
        let topic = in_flight.topic.clone();
        let mut out = BaseRecord::<[u8], [u8], Box<InFlight>>::with_opaque_to(&topic, in_flight)
            .headers(message::headers(record.written()));
        if !record.key.is_empty() {
            out = out.key(&record.key);
        }
        if let Some(payload) = &record.payload {
            out = out.payload(payload);
        }
        slot.progress.sent(Instant::now());
        slot.producer.load().send(out).map_err(|(error, out)| {
            slot.progress.landed(false, Instant::now());
            let error = match error.rdkafka_error_code() {
                Some(RDKafkaErrorCode::QueueFull) => Error::Full,
                _ => Error::NotDelivered {
                    topic: topic.clone(),
                    reason: error.to_string().into(),
                    refusal: refusal(&error),
                },
            };
            (error, out.delivery_opaque)
        })
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.slots().map(|slot| slot.progress.in_flight()).sum()
    }

    /// Longest wait for a success, why a client was built anew, brokers connected.
    pub(crate) fn state(&self) -> (Option<Duration>, Option<String>, usize) {
        let waiting = self.slots().filter_map(|slot| slot.progress.waiting_for(Instant::now())).max();
        let fatal = self.slots().find_map(|slot| slot.progress.fatal());
        let up = self.slots().map(|slot| slot.producer.load().context().events.brokers_up()).min();
        (waiting, fatal, up.unwrap_or(0))
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        for slot in self.slots() {
            slot.stop.store(true, Ordering::Release);
        }
    }
}

impl Slot {
    fn run(&self) {
        let stalled = Duration::from_millis(u64::from(self.kafka.settings.kafka.stalled_producer_ms));
        loop {
            let producer = self.producer.load_full();
            producer.poll(POLL);
            self.kafka.find_again(producer.client(), &producer.context().events);
            self.name(&producer);
            if self.stop.load(Ordering::Acquire) {
                if producer.flush(LAST_FLUSH).is_err() {
                    let left = producer.in_flight_count();
                    tracing::error!(left, "records were not acknowledged before the producer was closed");
                }
                self.name(&producer);
                return;
            }
            if let Some((code, reason)) = producer.client().fatal_error() {
                self.rebuild(&producer, &format!("{code}: {reason}"));
            } else if self.progress.waiting_for(Instant::now()).is_some_and(|waiting| waiting > stalled)
                && producer.context().events.brokers_up() > 0
            {
                self.rebuild(&producer, &format!("no record was acknowledged for {stalled:?} while brokers answer"));
            }
        }
    }

    /// Tells those whose coordinates waited for the log's identity.
    fn name(&self, producer: &BaseProducer<Deliveries>) {
        let unnamed = std::mem::take(&mut *lock(&producer.context().unnamed));
        if unnamed.is_empty() {
            // Asked for early and without waiting: the answer is there before the first delivery report.
            self.kafka.identify(producer.client(), Duration::ZERO);
            return;
        }
        let log = self.kafka.identify(producer.client(), IDENTIFY);
        for (in_flight, partition, offset) in unnamed {
            let topic = in_flight.topic.clone();
            in_flight.land(match &log {
                Some(log) => Ok(Coordinates { log: log.clone(), topic, partition, offset }),
                // It is durable, but where it stands cannot be said: the sender sends it again.
                None => {
                    Err(Error::NotDelivered { topic, reason: "the log's identity is not known".into(), refusal: None })
                }
            });
        }
    }

    fn rebuild(&self, old: &BaseProducer<Deliveries>, reason: &str) {
        match create(&self.kafka, &self.compression, &self.progress) {
            Ok(producer) => {
                tracing::error!(reason, "the producer failed and is recreated, its records in flight have failed");
                metrics::counter!("weir_producer_rebuilds_total").increment(1);
                self.progress.begin_anew(reason, Instant::now());
                self.producer.store(Arc::new(producer));
                old.purge(PurgeConfig::default().queue().inflight());
                old.poll(POLL);
                self.name(old);
            }
            Err(error) => tracing::error!(%error, reason, "the producer failed and cannot be recreated, retrying"),
        }
    }
}

fn create(kafka: &Arc<Kafka>, compression: &str, progress: &Arc<Progress>) -> Result<BaseProducer<Deliveries>, Error> {
    let settings = &kafka.settings.producer;
    let mut config = kafka.config()?;
    config
        .set("enable.idempotence", "true")
        .set("acks", "all")
        .set("partitioner", "murmur2_random")
        .set("compression.type", compression)
        .set("linger.ms", settings.linger_ms.to_string())
        .set("message.max.bytes", settings.max_record_bytes.to_string())
        .set("message.timeout.ms", kafka.settings.kafka.delivery_timeout_ms.to_string())
        // Our own limits stop senders first. These are above them: the client counts what a rebuilt one still holds.
        .set(
            "queue.buffering.max.messages",
            settings.max_in_flight_records.saturating_mul(2).clamp(1, 10_000_000).to_string(),
        )
        .set("queue.buffering.max.kbytes", (settings.max_in_flight_bytes / 512 + 1024).min(2_097_151).to_string());
    let context = Deliveries {
        events: Events::new("producer"),
        kafka: kafka.clone(),
        progress: progress.clone(),
        unnamed: Mutex::new(Vec::new()),
    };
    config.create_with_context(context).map_err(|error| unusable("producer", &error))
}

#[cfg(test)]
#[path = "producer_tests.rs"]
mod tests;
