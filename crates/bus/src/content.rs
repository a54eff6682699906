//! A record without its place.

use bytes::Bytes;

use crate::Headers;

/// What a record costs beyond its own bytes: the client's bookkeeping and ours.
pub(crate) const OVERHEAD: usize = 256;

/// A record without its place.
#[derive(Debug)]
pub(crate) struct Content {
    pub(crate) key: Option<Bytes>,
    pub(crate) payload: Option<Bytes>,
    pub(crate) headers: Headers,
    pub(crate) produced_at_ms: i64,
}

impl Content {
    pub(crate) fn bytes(&self) -> usize {
        self.key.as_ref().map_or(0, Bytes::len) + self.payload.as_ref().map_or(0, Bytes::len) + OVERHEAD
    }
}
