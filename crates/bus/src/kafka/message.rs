//! From and to the client's messages.

use bytes::Bytes;
use rdkafka::Message as _;
use rdkafka::message::{BorrowedMessage, Header, Headers as _, OwnedHeaders};

use crate::Headers;
pub(crate) use crate::content::Content;

impl Content {
    /// Copies: what is borrowed of the client would hold its fetch buffers, which are bounded by count of fetches only.
    pub(crate) fn of(message: &BorrowedMessage<'_>) -> Self {
        let headers = message.headers().map(|headers| Headers::read(headers.iter().map(|h| (h.key, h.value))));
        Self {
            key: message.key().map(Bytes::copy_from_slice),
            payload: message.payload().map(Bytes::copy_from_slice),
            headers: headers.unwrap_or_default(),
            produced_at_ms: message.timestamp().to_millis().unwrap_or_default(),
        }
    }
}

pub(crate) fn headers(headers: &[(&'static str, String)]) -> OwnedHeaders {
    headers.iter().fold(OwnedHeaders::new_with_capacity(headers.len()), |all, (key, value)| {
        all.insert(Header { key, value: Some(value.as_bytes()) })
    })
}
