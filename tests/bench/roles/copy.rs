//! The least that processing could do: consumes the raw records and does nothing with them, and produces what came out
//! of them, out of memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bus::Settings;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientContext, Message as _};
use serde::{Deserialize, Serialize};

use crate::client::{self, ASK, Kept};
use crate::figures::Done;
use crate::role;
use crate::roles::produce::{renamed, send};
use crate::stock::Stock;

pub(crate) const NAME: &str = "copy";

/// Records that are consumed between two looks at the reports of what was produced.
const BETWEEN: u64 = 64;
const LOOK: Duration = Duration::from_millis(10);
const STALLED: Duration = Duration::from_secs(60);

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct From {
    pub(crate) read: Settings,
    /// Where the outputs are written again, under the same names with another prefix.
    pub(crate) write: Settings,
    /// Without the prefix, as the outputs.
    pub(crate) raw: Vec<String>,
    pub(crate) outputs: Vec<String>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Read the outputs that are new into memory.
    Load,
    /// Consume so many raw records, and produce what is in memory.
    Copy { raw: u64 },
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Loaded {
        records: u64,
        /// Of keys, values and headers.
        bytes: u64,
    },
    Copied {
        done: Done,
        /// Of the values that were consumed.
        bytes: u64,
    },
}

#[derive(Default)]
struct Reports {
    acknowledged: AtomicU64,
    failed: Mutex<Option<String>>,
}

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, _: usize) {
        if let Err((error, _)) = result {
            self.failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error.to_string());
        }
        self.acknowledged.fetch_add(1, Ordering::Relaxed);
    }
}

struct Copy {
    consumer: BaseConsumer,
    producer: BaseProducer<Reports>,
    raw: Stock,
}

pub(crate) fn run(from: &From) -> anyhow::Result<()> {
    let mut outputs = Stock::new(&from.read, &from.outputs);
    let mut copy = Copy {
        consumer: client::consumer(&from.read, "bench-copy").create()?,
        producer: BaseProducer::from_config_and_context(&client::producer(&from.write), Reports::default())?,
        raw: Stock::new(&from.read, &from.raw),
    };
    let mut records: Vec<Kept> = Vec::new();
    role::serve(|command| match command {
        Command::Load => {
            let placed = outputs.take()?;
            records = placed.into_iter().map(|placed| renamed(placed.record, &from.read, &from.write)).collect();
            Ok(Answer::Loaded { records: records.len() as u64, bytes: records.iter().map(Kept::bytes).sum() })
        }
        Command::Copy { raw } => copy.slice(raw, &records),
    })
}

impl Copy {
    fn slice(&mut self, raw: u64, records: &[Kept]) -> anyhow::Result<Answer> {
        let began = Instant::now();
        let before = self.producer.context().acknowledged.load(Ordering::Relaxed);
        self.consumer.assign(&self.raw.positions()?)?;
        let (mut sent, mut bytes) = (0, 0);
        for number in 1..=raw {
            let message = self.consumer.poll(ASK).context("the broker returned no record")??;
            bytes += message.payload_len() as u64;
            self.raw.pass(message.topic(), message.partition(), message.offset());
            // In step: what comes of a record is sent when it was consumed.
            let due = (records.len() as u64 * number / raw) as usize;
            for record in &records[sent..due] {
                while !send(&self.producer, record, 0)? {
                    self.producer.poll(LOOK);
                }
            }
            sent = due;
            if number % BETWEEN == 0 {
                self.producer.poll(Duration::ZERO);
            }
        }
        self.consumer.unassign()?;
        self.acknowledged(before + records.len() as u64)?;
        Ok(Answer::Copied { done: Done { records: raw, elapsed: began.elapsed(), latency: None }, bytes })
    }

    fn acknowledged(&self, wanted: u64) -> anyhow::Result<()> {
        let reports = self.producer.context();
        let (mut seen, mut moved) = (0, Instant::now());
        while seen < wanted {
            self.producer.poll(LOOK);
            let acknowledged = reports.acknowledged.load(Ordering::Relaxed);
            if acknowledged > seen {
                (seen, moved) = (acknowledged, Instant::now());
            }
            ensure!(moved.elapsed() < STALLED, "nothing was acknowledged for {STALLED:?}");
        }
        match reports.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(error) => bail!("a record was not written: {error}"),
            None => Ok(()),
        }
    }
}
