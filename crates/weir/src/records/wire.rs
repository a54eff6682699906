//! Records as they go over gRPC. Pure.

use bus::{Coordinates, Headers, Start, Stored};
use common::log::v1::start::At;
use common::log::v1::{Header, Record};

/// The largest message: a batch, whose last record may be the largest there is.
pub const LARGEST: usize = 64 << 20;

/// Where to begin, as it is asked.
pub fn start(start: &Start) -> common::log::v1::Start {
    let at = match start {
        Start::Beginning => At::Beginning(true),
        Start::End => At::End(true),
        Start::LastN(n) => At::Last(*n),
        Start::AtTime(time) => At::Time(*time),
    };
    common::log::v1::Start { at: Some(at) }
}

/// Where to begin, as it was asked.
pub fn asked(start: Option<common::log::v1::Start>) -> Start {
    match start.and_then(|start| start.at) {
        None | Some(At::Beginning(_)) => Start::Beginning,
        Some(At::End(_)) => Start::End,
        Some(At::Last(n)) => Start::LastN(n),
        Some(At::Time(time)) => Start::AtTime(time),
    }
}

/// A record, to be sent.
pub fn record(stored: Stored) -> Record {
    let headers = stored.headers.written().into_iter();
    Record {
        log: stored.coordinates.log.as_ref().to_owned(),
        topic: stored.coordinates.topic.as_ref().to_owned(),
        partition: stored.coordinates.partition,
        offset: stored.coordinates.offset,
        key: stored.key.map(Into::into),
        payload: stored.payload.map(Into::into),
        headers: headers.map(|(name, value)| Header { name: name.to_owned(), value: value.into_bytes() }).collect(),
        produced_at_ms: stored.produced_at_ms,
    }
}

/// A record that was sent.
pub fn stored(record: Record) -> Stored {
    let headers = record.headers.iter().map(|header| (header.name.as_str(), Some(header.value.as_slice())));
    Stored {
        headers: Headers::read(headers),
        coordinates: Coordinates {
            log: record.log.into(),
            topic: record.topic.into(),
            partition: record.partition,
            offset: record.offset,
        },
        key: record.key.map(Into::into),
        payload: record.payload.map(Into::into),
        produced_at_ms: record.produced_at_ms,
    }
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
