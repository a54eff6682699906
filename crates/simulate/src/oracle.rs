//! What was acknowledged, and what it means: one JSON line for each delivery.

use std::io::{self, Write};
use std::sync::Arc;

use serde::Serialize;

use crate::meaning::{Expected, Fate};
use crate::sender::{SendOutcome, Sent};

/// Writes down the outcome of deliveries.
#[derive(Debug)]
pub struct Oracle<W> {
    out: W,
}

/// One line.
#[derive(Serialize)]
struct Line<'a> {
    /// `acknowledged`: all of its events must come out. `indeterminate`: it may have been taken or
    /// not, its events may come out, and none twice. `refused`: none of it may come out.
    outcome: SendOutcome,
    /// The generator's number of the delivery.
    delivery: u64,
    endpoint: &'a str,
    /// The last status; absent where there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    attempts: u32,
    /// What was meant to become of it.
    fate: Fate,
    #[serde(serialize_with = "each")]
    events: &'a [Arc<Expected>],
}

fn each<S: serde::Serializer>(events: &[Arc<Expected>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(events.iter().map(Arc::as_ref))
}

impl<W: Write> Oracle<W> {
    /// Writes to `out`, which should be buffered.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// Writes down one delivery, of which the whole answer has been read, or will never be.
    pub fn record(&mut self, sent: &Sent) -> io::Result<()> {
        let delivery = &sent.delivery;
        let line = Line {
            outcome: sent.outcome,
            delivery: delivery.number,
            endpoint: &delivery.endpoint,
            status: sent.status,
            attempts: sent.attempts,
            fate: delivery.meaning.fate,
            events: &delivery.meaning.events,
        };
        serde_json::to_writer(&mut self.out, &line)?;
        self.out.write_all(b"\n")
    }

    /// Hands everything to the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
