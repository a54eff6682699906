//! What a stage refuses, and how large a dead letter its topic takes.
//!
//! One change of a batch is one dead letter; its bytes are kept exactly, so that it can be replayed after the fix.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::deadletter::v1::{self, DeadLetter};
use common::identity::Id;
use common::topics::DEAD_LETTERS;
use prost_types::Timestamp;

use crate::threads::lock;
use crate::{Coordinates, Headers, Prepared, Record};

/// After this time a dead letter of a size that was refused is tried again.
const LETTERS_AGAIN: Duration = Duration::from_secs(600);

/// A dead letter before it is written: what was refused, and what is known of it.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The service that refuses it.
    pub stage: &'a str,
    /// A stable code in snake_case.
    pub reason: &'a str,
    /// What happened, for people.
    pub message: String,
    /// The record it stands in.
    pub at: &'a Coordinates,
    /// Its position in that record, from 0.
    pub index: u32,
    /// The module that was to understand it.
    pub source: &'a str,
    /// The endpoint that accepted the delivery, or empty.
    pub endpoint: &'a str,
    /// The tenant of the endpoint, or empty.
    pub tenant: &'a str,
    /// The delivery it came in, or empty.
    pub delivery_id: &'a str,
    /// The bytes that were refused, as they came.
    pub payload: Bytes,
    /// `application/json` for an item, `application/protobuf` for a record value, else `application/octet-stream`.
    pub content_type: &'a str,
    /// Now.
    pub failed_at: Timestamp,
    /// How often it was tried, from 1.
    pub attempts: u32,
    /// The trace it belongs to.
    pub traceparent: Option<String>,
}

/// The id of a dead letter: the same each time the same item of the same record is refused for the same reason.
pub fn id(stage: &str, reason: &str, at: &Coordinates, index: u32) -> Id {
    Id::of("dead-letter", "", &[stage.as_bytes(), at.to_string().as_bytes(), &index.to_be_bytes(), reason.as_bytes()])
}

/// The record for the topic of dead letters; its key is the source.
pub fn record(draft: Draft<'_>) -> Record {
    let refused_bytes = draft.payload.len() as u64;
    letter(draft, refused_bytes)
}

/// The same as the log takes it, as `check` says: where the bytes are too many for a dead letter it goes without them, and
/// says how many they are and where. They are still there, and a partition that stands still would help nobody.
pub(crate) fn fitting(draft: Draft<'_>, check: impl FnOnce(&Prepared) -> Result<(), String>) -> Prepared {
    let whole = Prepared::from(record(draft.clone()));
    let Err(error) = check(&whole) else { return whole };
    let (at, bytes) = (draft.at, draft.payload.len());
    tracing::error!(%at, bytes, %error, "a dead letter is too large, it is sent without its payload");
    let message = format!(
        "{}; its payload of {bytes} bytes is too large for a dead letter ({error}): read it at {at}",
        draft.message
    );
    letter(Draft { message, payload: Bytes::new(), content_type: "application/octet-stream", ..draft }, bytes as u64)
        .into()
}

fn letter(draft: Draft<'_>, refused_bytes: u64) -> Record {
    let id = id(draft.stage, draft.reason, draft.at, draft.index).to_string();
    let headers = Headers {
        id: id.clone(),
        source: draft.stage.to_owned(),
        traceparent: draft.traceparent,
        from: Some(draft.at.clone()),
        ..Headers::default()
    };
    let letter = DeadLetter {
        id,
        stage: draft.stage.to_owned(),
        reason: draft.reason.to_owned(),
        message: draft.message,
        coordinates: Some(v1::Coordinates {
            log: draft.at.log.to_string(),
            topic: draft.at.topic.to_string(),
            partition: draft.at.partition,
            offset: draft.at.offset,
            index: draft.index,
        }),
        source: draft.source.to_owned(),
        endpoint: draft.endpoint.to_owned(),
        tenant: draft.tenant.to_owned(),
        delivery_id: draft.delivery_id.to_owned(),
        payload: draft.payload,
        content_type: draft.content_type.to_owned(),
        failed_at: Some(draft.failed_at),
        attempts: draft.attempts,
        refused_bytes,
    };
    Record::new(&DEAD_LETTERS, draft.source, &letter, headers)
}

/// What the topic of dead letters takes, as far as it is known.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    /// Bytes of the smallest payload that was refused as too large, and when. Of the payload and not of the record, which
    /// holds times too: it may be a byte shorter when it comes again, and would be tried for ever.
    refused: Mutex<Option<(usize, Instant)>>,
}

impl Letters {
    pub(crate) fn note(&self, bytes: usize, now: Instant) {
        // Without its payload it cannot get smaller, and others may be fine.
        if bytes == 0 {
            return;
        }
        let mut refused = lock(&self.refused);
        let smallest = refused.map_or(bytes, |(before, _)| before.min(bytes));
        *refused = Some((smallest, now));
    }

    /// An operator may let the topic take more meanwhile: what was refused long ago is tried again.
    pub(crate) fn check(&self, bytes: usize, now: Instant) -> Result<(), String> {
        let mut refused = lock(&self.refused);
        if refused.is_some_and(|(_, at)| now.saturating_duration_since(at) > LETTERS_AGAIN) {
            *refused = None;
        }
        match *refused {
            Some((limit, _)) if bytes >= limit => Err(format!(
                "it has {bytes} bytes, and the topic refused one of {limit}: its max.message.bytes is too small"
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "dead_letters_tests.rs"]
mod tests;
