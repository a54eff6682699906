//! The headers of a record: CloudEvents in binary mode, the trace context, and Weir's own.

use prost_types::Timestamp;

use crate::{Canary, Coordinates};

pub(crate) const CONTENT_TYPE: &str = "application/protobuf";

/// The CloudEvents attributes and Weir's own headers of a record.
///
/// Written as well, and the same for all: `ce_specversion` 1.0 and `content-type` application/protobuf.
#[derive(Default, Clone, Debug, PartialEq)]
pub struct Headers {
    /// `ce_id`: the event's identity.
    pub id: String,
    /// `ce_source`.
    pub source: String,
    /// `ce_type`: the full protobuf name of the record's message.
    pub r#type: String,
    /// `ce_time`: when it happened, as far as that is known. Never the time of producing.
    pub time: Option<Timestamp>,
    /// `traceparent` of the W3C trace context.
    pub traceparent: Option<String>,
    /// `weir-from`: the record that this one was made of.
    pub from: Option<Coordinates>,
    /// `weir-attempts`: how often what this record carries was tried before, where it was replayed from the dead
    /// letters; 0, and not written, where it was not.
    pub attempts: u32,
    /// `weir-items`: the positions of the items that a replay is about, where the record has others too. Empty: all.
    pub items: Vec<u32>,
    /// `weir-instead-of`: the records that this one stands for, where a replay sends all of one again. What they claimed
    /// and nobody knows to have come out is claimed by this one.
    pub instead_of: Vec<Coordinates>,
    /// `weir-canary`: a record without a value is this canary and no event; any other carries them further.
    pub canaries: Vec<Canary>,
}

impl Headers {
    /// The headers as they are written, empty ones left out.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let mut written = vec![("ce_specversion", "1.0".to_owned()), ("content-type", CONTENT_TYPE.to_owned())];
        for (name, value) in [("ce_id", &self.id), ("ce_source", &self.source), ("ce_type", &self.r#type)] {
            if !value.is_empty() {
                written.push((name, value.clone()));
            }
        }
        if let Some(time) = &self.time {
            written.push(("ce_time", time.to_string()));
        }
        if let Some(traceparent) = &self.traceparent {
            written.push(("traceparent", traceparent.clone()));
        }
        if let Some(from) = &self.from {
            written.push(("weir-from", from.to_string()));
        }
        if self.attempts > 0 {
            written.push(("weir-attempts", self.attempts.to_string()));
        }
        if !self.items.is_empty() {
            let items: Vec<_> = self.items.iter().map(u32::to_string).collect();
            written.push(("weir-items", items.join(",")));
        }
        if !self.instead_of.is_empty() {
            let places: Vec<_> = self.instead_of.iter().map(Coordinates::to_string).collect();
            written.push(("weir-instead-of", places.join(",")));
        }
        if !self.canaries.is_empty() {
            let canaries: Vec<_> = self.canaries.iter().map(Canary::to_string).collect();
            written.push(("weir-canary", canaries.join(",")));
        }
        written
    }

    /// Reads what it knows. Anybody may write to a topic: what is unknown or cannot be read is left out.
    pub fn read<'a>(headers: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>) -> Self {
        let mut read = Self::default();
        for (name, value) in headers {
            let Some(value) = value.and_then(|value| std::str::from_utf8(value).ok()) else { continue };
            match name {
                "ce_id" => value.clone_into(&mut read.id),
                "ce_source" => value.clone_into(&mut read.source),
                "ce_type" => value.clone_into(&mut read.r#type),
                "ce_time" => read.time = common::time::from_rfc3339(value),
                "traceparent" => read.traceparent = Some(value.to_owned()),
                "weir-from" => read.from = value.parse().ok(),
                "weir-attempts" => read.attempts = value.parse().unwrap_or_default(),
                // A list that cannot be read whole is no list: then the record is about all of its items.
                "weir-items" => {
                    read.items = value.split(',').map(str::parse).collect::<Result<_, _>>().unwrap_or_default()
                }
                "weir-instead-of" => {
                    read.instead_of = value.split(',').map(str::parse).collect::<Result<_, _>>().unwrap_or_default();
                }
                "weir-canary" => read.canaries = Canary::list(value),
                _ => {}
            }
        }
        read
    }
}

#[cfg(test)]
#[path = "headers_tests.rs"]
mod tests;
