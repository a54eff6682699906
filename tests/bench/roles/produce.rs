//! Kafka's client alone: produces the records of a topic again, out of memory, to topics of its own.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bus::Settings;
use common::raw::v1::Delivery;
use prost::Message as _;
use rdkafka::ClientContext;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::types::RDKafkaErrorCode;
use serde::{Deserialize, Serialize};
use simulate::latency::Latencies;

use crate::client::{self, Kept};
use crate::figures::Done;
use crate::role;
use crate::roles::load::quantiles;
use crate::stock::Stock;

pub(crate) const NAME: &str = "produce-limit";

/// Between two looks whether all is acknowledged; reports are taken as they come.
const LOOK: Duration = Duration::from_millis(20);
/// Without any acknowledgement.
const STALLED: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct From {
    /// Where the records are read.
    pub(crate) read: Settings,
    /// Where they are written again, under the same names with another prefix.
    pub(crate) write: Settings,
    /// Without the prefix.
    pub(crate) topics: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Read what is new into memory.
    Load,
    /// Produce what is in memory, with so many in flight at the most.
    Produce { in_flight: Option<usize> },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Loaded {
        records: u64,
        /// Of the bodies of the deliveries.
        body_bytes: u64,
    },
    Produced(Done),
}

pub(crate) fn run(from: &From) -> anyhow::Result<()> {
    let mut stock = Stock::new(&from.read, &from.topics);
    let producer = Flow::producer(&from.write)?;
    let mut records = Arc::new(Vec::new());
    role::serve(|command| {
        Ok(match command {
            Command::Load => {
                let loaded = load(&mut stock, from)?;
                let body_bytes = loaded.iter().map(body_bytes).sum::<anyhow::Result<u64>>()?;
                records = Arc::new(loaded);
                Answer::Loaded { records: records.len() as u64, body_bytes }
            }
            Command::Produce { in_flight } => {
                Answer::Produced(produce(&producer, Arc::clone(&records), in_flight.unwrap_or(usize::MAX))?)
            }
        })
    })
}

fn load(stock: &mut Stock, from: &From) -> anyhow::Result<Vec<Kept>> {
    let placed = stock.take()?;
    Ok(placed.into_iter().map(|placed| renamed(placed.record, &from.read, &from.write)).collect())
}

/// The same record for the topic with the other prefix.
pub(crate) fn renamed(record: Kept, read: &Settings, write: &Settings) -> Kept {
    let name = record.topic.strip_prefix(&read.topic_prefix).unwrap_or(&record.topic);
    Kept { topic: format!("{}{name}", write.topic_prefix), ..record }
}

fn body_bytes(record: &Kept) -> anyhow::Result<u64> {
    let delivery = Delivery::decode(record.value.as_deref().unwrap_or_default())?;
    Ok(delivery.body.len() as u64)
}

/// What is being produced. Each report sends the next record, so that no thread has to be woken.
#[derive(Default)]
pub(crate) struct Flow {
    producer: OnceLock<Weak<BaseProducer<Flow>>>,
    work: Mutex<Work>,
    acknowledged: AtomicU64,
}

#[derive(Default)]
struct Work {
    records: Arc<Vec<Kept>>,
    next: usize,
    began: Option<Instant>,
    ended: Option<Instant>,
    latencies: Latencies,
    failed: Option<String>,
}

impl ClientContext for Flow {}

impl ProducerContext for Flow {
    /// When the record was sent, in microseconds since the slice began.
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, sent_us: usize) {
        let mut work = self.work();
        if let Some(began) = work.began {
            let since = began.elapsed();
            work.latencies.record(since.saturating_sub(Duration::from_micros(sent_us as u64)));
        }
        if let Err((error, _)) = result {
            work.failed.get_or_insert(error.to_string());
        }
        let acknowledged = self.acknowledged.fetch_add(1, Ordering::Relaxed) + 1;
        if acknowledged == work.records.len() as u64 {
            work.ended = Some(Instant::now());
        }
        if let Some(producer) = self.producer.get().and_then(Weak::upgrade) {
            work.send(&producer);
        }
    }
}

impl Flow {
    fn producer(settings: &Settings) -> anyhow::Result<Arc<BaseProducer<Self>>> {
        let producer = Arc::new(BaseProducer::from_config_and_context(&client::producer(settings), Self::default())?);
        let _ = producer.context().producer.set(Arc::downgrade(&producer));
        Ok(producer)
    }

    fn work(&self) -> std::sync::MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Work {
    /// Sends the next record. Whether it was sent: not where there is none, or no room.
    fn send(&mut self, producer: &BaseProducer<Flow>) -> bool {
        let Some((record, began)) = self.records.get(self.next).zip(self.began) else { return false };
        let sent_us = usize::try_from(began.elapsed().as_micros()).unwrap_or(usize::MAX);
        match send(producer, record, sent_us) {
            Ok(sent) => {
                self.next += usize::from(sent);
                sent
            }
            Err(error) => {
                self.failed.get_or_insert(error.to_string());
                false
            }
        }
    }
}

/// Hands a record to the client; `false` where its queue is full.
pub(crate) fn send<C: ProducerContext<DeliveryOpaque = usize>>(
    producer: &BaseProducer<C>,
    record: &Kept,
    opaque: usize,
) -> anyhow::Result<bool> {
    let mut out = BaseRecord::<[u8], [u8], usize>::with_opaque_to(&record.topic, opaque).headers(record.headers());
    out.key = record.key.as_deref();
    out.payload = record.value.as_deref();
    match producer.send(out) {
        Ok(()) => Ok(true),
        Err((error, _)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => Ok(false),
        Err((error, _)) => bail!("the client refused a record: {error}"),
    }
}

fn produce(producer: &BaseProducer<Flow>, records: Arc<Vec<Kept>>, in_flight: usize) -> anyhow::Result<Done> {
    let flow = producer.context();
    let total = records.len() as u64;
    let began = Instant::now();
    flow.acknowledged.store(0, Ordering::Relaxed);
    {
        let mut work = flow.work();
        *work = Work { records, began: Some(began), ..Work::default() };
        for _ in 0..in_flight.min(total as usize) {
            ensure!(work.send(producer), "the client accepts no more records: {:?}", work.failed);
        }
    }
    let (mut seen, mut moved) = (0, Instant::now());
    while seen < total {
        producer.poll(LOOK);
        let acknowledged = flow.acknowledged.load(Ordering::Relaxed);
        if acknowledged > seen {
            (seen, moved) = (acknowledged, Instant::now());
        }
        ensure!(moved.elapsed() < STALLED, "nothing was acknowledged for {STALLED:?}");
    }
    let mut work = flow.work();
    if let Some(error) = work.failed.take() {
        bail!("a record was not written: {error}");
    }
    let ended = work.ended.context("the last record was not acknowledged")?;
    Ok(Done { records: total, elapsed: ended - began, latency: quantiles(&work.latencies) })
}
