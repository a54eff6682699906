//! Raw deliveries on the log, as the door would have written them.

use std::sync::Arc;

use bus::{Bus, Headers, Producer, Record};
use common::raw::v1::{Delivery, Header};
use common::topics::raw;
use simulate::{Config, Endpoints, Generator, Signer};

use crate::bodies::{SEED, START_MS};

/// The share of the deliveries that bring what was brought before.
const REDELIVERED: f64 = 0.02;

/// The traffic generator, with a producer instead of a door.
pub(crate) struct Filler {
    generator: Generator,
    signer: Signer,
    producer: Producer,
    number: u128,
}

impl Filler {
    pub(crate) fn new(bus: &Bus) -> anyhow::Result<Self> {
        let endpoints = Arc::new(Endpoints::for_tests());
        let signer = Signer::new(&endpoints);
        let config = Config { redeliver: REDELIVERED, ..Config::new(endpoints, SEED, START_MS) };
        Ok(Self { generator: Generator::new(config)?, signer, producer: bus.producer()?, number: 0 })
    }

    /// Pages that the generator's deliveries are about.
    pub(crate) fn pages(&self) -> u32 {
        self.generator.config().pages
    }

    /// Writes so many more; returns when all are durable.
    pub(crate) async fn fill(&mut self, count: usize) -> anyhow::Result<()> {
        let mut waiting = Vec::with_capacity(count);
        for _ in 0..count {
            let record = self.record()?;
            loop {
                match self.producer.try_send(record.clone()) {
                    Ok(delivery) => break waiting.push(delivery),
                    Err(bus::Error::Full) => {
                        for delivery in waiting.drain(..) {
                            delivery.await?;
                        }
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        for delivery in waiting {
            delivery.await?;
        }
        Ok(())
    }

    fn record(&mut self) -> anyhow::Result<Record> {
        let delivery = self.generator.next_delivery();
        let endpoints = Arc::clone(&self.generator.config().endpoints);
        let (name, endpoint) = (delivery.sender.source, endpoints.of(delivery.sender));
        let source = sources::by_name(name).ok_or_else(|| anyhow::anyhow!("unknown source {name}"))?;
        let now = service::clock::now();
        let headers = self.signer.headers(&delivery, now);
        self.number += 1;
        let id = format!("{:032x}", self.number);
        let kept = headers.iter().filter(|(name, _)| source.kept_headers().contains(&name.as_str()));
        let message = Delivery {
            delivery_id: id.clone(),
            source: name.to_owned(),
            endpoint: endpoint.name.to_string(),
            tenant: endpoint.tenant.to_string(),
            scheme: delivery.sender.scheme.name().to_owned(),
            received_at: Some(now.into()),
            headers: kept
                .map(|(name, value)| Header {
                    name: name.as_str().to_owned(),
                    value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
                })
                .collect(),
            body: delivery.body.clone(),
        };
        let key = source.ordering_key(&headers, &delivery.body).unwrap_or_else(|| id.clone());
        let about = Headers { id, source: format!("weir/streaming/{}", endpoint.name), ..Headers::default() };
        Ok(Record::new(&raw(name), key, &message, about))
    }
}
