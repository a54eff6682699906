//! Records: what is produced, what is consumed, what is read.

use std::sync::Arc;

use bytes::Bytes;
use common::topics::Topic;

use crate::content::OVERHEAD;
use crate::{Ack, Canary, Coordinates, Error, Headers};

/// A record to be produced.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Topic, without the prefix: the producer puts it before.
    pub topic: Arc<str>,
    /// Records of one key keep their order. Empty: no key, any partition.
    pub key: Vec<u8>,
    /// The message; `None` is a tombstone.
    pub payload: Option<Vec<u8>>,
    /// CloudEvents, trace and origin.
    pub headers: Headers,
}

impl Record {
    /// A message for its topic. `headers.type` becomes the message's full name.
    pub fn new<M: prost::Message + prost::Name>(
        topic: &Topic<M>,
        key: impl Into<Vec<u8>>,
        message: &M,
        headers: Headers,
    ) -> Self {
        let headers = Headers { r#type: M::full_name(), ..headers };
        Self::encoded(topic.name(), key, message.encode_to_vec(), headers)
    }

    /// A message that is encoded already; the caller answers for `headers.type`.
    pub fn encoded(topic: impl Into<Arc<str>>, key: impl Into<Vec<u8>>, payload: Vec<u8>, headers: Headers) -> Self {
        Self { topic: topic.into(), key: key.into(), payload: Some(payload), headers }
    }

    /// A canary. Its value is empty, which is the topic's message with no field set: whoever does not know canaries can
    /// decode it all the same.
    pub fn canary<M: prost::Message + prost::Name + Default>(
        topic: &Topic<M>,
        key: impl Into<Vec<u8>>,
        canary: Canary,
    ) -> Self {
        let source = "weir/canary".to_owned();
        let headers = Headers { id: canary.to_string(), source, canaries: vec![canary], ..Headers::default() };
        Self::new(topic, key, &M::default(), headers)
    }

    /// The end of a key in a compacted topic.
    pub fn tombstone<M>(topic: &Topic<M>, key: impl Into<Vec<u8>>) -> Self {
        Self { topic: topic.name().into(), key: key.into(), payload: None, headers: Headers::default() }
    }
}

/// A record with its headers written: once, for all who ask how large it is, and for the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Prepared {
    record: Record,
    written: Vec<(&'static str, String)>,
    bytes: usize,
}

impl Prepared {
    /// What it counts against the limits: key, value and headers together, and what the log adds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn written(&self) -> &[(&'static str, String)] {
        &self.written
    }

    /// The settings keep the limit of a record, and so its permits, within `u32`.
    pub(crate) fn permits(&self) -> u32 {
        u32::try_from(self.bytes).unwrap_or(u32::MAX)
    }
}

impl From<Record> for Prepared {
    fn from(record: Record) -> Self {
        let written = record.headers.written();
        let headers: usize = written.iter().map(|(name, value)| name.len() + value.len()).sum();
        let bytes = record.key.len() + record.payload.as_ref().map_or(0, Vec::len) + headers + OVERHEAD;
        Self { record, written, bytes }
    }
}

impl std::ops::Deref for Prepared {
    type Target = Record;

    fn deref(&self) -> &Record {
        &self.record
    }
}

/// The next records of a consumer, in order for each partition.
#[derive(Debug)]
pub struct Batch {
    /// At least one.
    pub records: Vec<Incoming>,
}

/// A turn of a [`Consumer`](crate::Consumer) at a partition: from when it got the partition, or went back after a
/// failure, until it goes back again or gives the partition away.
///
/// Within a turn the records of the partition come in the order of their offsets, and none is left out: what was handed
/// out covers every offset from `start` to the last one, whatever gaps compaction and transactions left between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assignment {
    /// Names the turn. Unique within one consumer, over all its partitions; a later turn has a higher number.
    pub epoch: u64,
    /// The offset at which the turn began: where the group had committed, or the first record that was not done when
    /// the partition went back. Everything before it is done.
    pub start: i64,
}

/// A record that was consumed. It is out until its [`Ack`] ends.
#[derive(Debug)]
pub struct Incoming {
    /// Where it stands.
    pub coordinates: Coordinates,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its message; `None` is a tombstone.
    pub payload: Option<Bytes>,
    /// CloudEvents, trace and origin.
    pub headers: Headers,
    /// When it was produced, in milliseconds since 1970. Never the time of an event.
    pub produced_at_ms: i64,
    /// How often the process ended while this record was out, the last time alone; `None` for all but such a record. It
    /// must not be worked on again: refuse it.
    pub culprit: Option<u32>,
    /// In which turn at its partition it was handed out.
    pub assignment: Assignment,
    /// Must be completed once everything that came of the record is durable.
    pub ack: Ack,
}

/// A record that was read, without a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Stored {
    /// Where it stands.
    pub coordinates: Coordinates,
    /// Its key.
    pub key: Option<Bytes>,
    /// Its message; `None` is a tombstone.
    pub payload: Option<Bytes>,
    /// CloudEvents, trace and origin.
    pub headers: Headers,
    /// When it was produced, in milliseconds since 1970. Never the time of an event.
    pub produced_at_ms: i64,
}

impl Incoming {
    /// The canary that it is: no event, to be counted nowhere.
    pub fn canary(&self) -> Option<&Canary> {
        canary(&self.headers, self.payload.as_ref())
    }

    /// The record's message. Refuses a record that says it is another, or that has none.
    pub fn decode<M: prost::Message + prost::Name + Default>(&self) -> Result<M, Error> {
        decode(&self.coordinates, &self.headers, self.payload.as_ref())
    }
}

impl Stored {
    /// The canary that it is: no event, to be counted nowhere.
    pub fn canary(&self) -> Option<&Canary> {
        canary(&self.headers, self.payload.as_ref())
    }

    /// The record's message. Refuses a record that says it is another, or that has none.
    pub fn decode<M: prost::Message + prost::Name + Default>(&self) -> Result<M, Error> {
        decode(&self.coordinates, &self.headers, self.payload.as_ref())
    }
}

fn canary<'a>(headers: &'a Headers, payload: Option<&Bytes>) -> Option<&'a Canary> {
    headers.canaries.first().filter(|_| payload.is_none_or(Bytes::is_empty))
}

fn decode<M: prost::Message + prost::Name + Default>(
    at: &Coordinates,
    headers: &Headers,
    payload: Option<&Bytes>,
) -> Result<M, Error> {
    let name = M::full_name();
    let refuse = |problem: String| Error::Decode { problem: format!("record {at}: {problem}").into() };
    if headers.r#type != name {
        return Err(refuse(format!("its ce_type is {:?}, expected {name:?}", headers.r#type)));
    }
    let payload = payload.ok_or_else(|| refuse("it has no value".to_owned()))?;
    M::decode(payload.clone()).map_err(|error| refuse(format!("its value is not a {name}: {error}")))
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
