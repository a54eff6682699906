//! Raw records as processing has them when it parses.

use std::sync::Arc;

use bus::{Coordinates, Headers, Settings};
use bytes::Bytes;
use common::registrations::{Registrations, id_of};
use processing::parse::{self, ParsedRecord};
use serde::{Deserialize, Serialize};
use simulate::Endpoints;

use crate::stock::{Placed, Stock};

/// Where raw records are read.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct From {
    pub(crate) read: Settings,
    /// Without the prefix.
    pub(crate) raw: Vec<String>,
    /// Registered pages of the simulation.
    pub(crate) pages: u32,
}

pub(crate) struct Input {
    at: Coordinates,
    payload: Option<Bytes>,
    headers: Headers,
}

pub(crate) struct Inputs {
    stock: Stock,
    log: Arc<str>,
    registrations: Registrations,
}

impl Inputs {
    pub(crate) fn new(from: &From) -> Self {
        let mut registrations = Registrations::default();
        for request in Endpoints::for_tests().registrations(from.pages) {
            let Some(registration) = request.registration else { continue };
            let id = registration.kind.as_ref().map(id_of).unwrap_or_default();
            registrations.apply(&id, Some(registration));
        }
        Self { stock: Stock::new(&from.read, &from.raw), log: "bench.1".into(), registrations }
    }

    /// What is new.
    pub(crate) fn load(&mut self) -> anyhow::Result<Vec<Input>> {
        let placed = self.stock.take()?;
        Ok(placed.into_iter().map(|placed| self.input(placed)).collect())
    }

    fn input(&self, Placed { partition, offset, record, .. }: Placed) -> Input {
        let header = |wanted: &str| {
            let found = record.headers.iter().find(|(name, _)| name == wanted);
            found.map_or_else(String::new, |(_, value)| String::from_utf8_lossy(value).into_owned())
        };
        Input {
            headers: Headers {
                id: header("ce_id"),
                source: header("ce_source"),
                r#type: header("ce_type"),
                ..Headers::default()
            },
            at: Coordinates { log: Arc::clone(&self.log), topic: record.topic.into(), partition, offset },
            payload: record.value.map(Bytes::from),
        }
    }

    pub(crate) fn parse(&self, input: &Input) -> ParsedRecord {
        let Input { at, payload, headers } = input;
        let traceparent = headers.traceparent.as_deref();
        parse::parse(parse::Input { at, payload: payload.as_ref(), headers, traceparent }, &self.registrations)
    }
}

impl Input {
    pub(crate) fn at(&self) -> &Coordinates {
        &self.at
    }

    /// Bytes of its value.
    pub(crate) fn bytes(&self) -> u64 {
        self.payload.as_ref().map_or(0, Bytes::len) as u64
    }
}
