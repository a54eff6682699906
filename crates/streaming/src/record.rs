//! The record of a delivery.

use std::time::UNIX_EPOCH;

use bytes::Bytes;
use common::identity::Id;
use common::raw::v1::{Delivery, Header};
use common::topics::{raw, raw_bulk};
use http::HeaderMap;
use service::clock;
use sources::Source;

use crate::answer::Refusal;
use crate::body::Held;
use crate::endpoints::Endpoint;
use crate::limit::Lane;

/// The record of a delivery, of no trace. The body leaves the memory for bodies here and is the producer's from now on.
pub(crate) fn record(
    endpoint: &Endpoint,
    lane: Lane,
    id: Id,
    scheme: &'static str,
    received_at: prost_types::Timestamp,
    headers: &HeaderMap,
    held: Held,
) -> bus::Record {
    let source = endpoint.source;
    endpoint.meters.bytes.record(as_f64(held.bytes.len()));
    let id = id.to_string();
    let key = source.ordering_key(headers, &held.bytes).unwrap_or_else(|| id.clone());
    let delivery = Delivery {
        delivery_id: id.clone(),
        source: source.name().to_owned(),
        endpoint: endpoint.name.clone(),
        tenant: endpoint.tenant.clone(),
        scheme: scheme.to_owned(),
        received_at: Some(received_at),
        headers: kept_headers(source, headers),
        body: Bytes::clone(&held.bytes),
    };
    let topic = match lane {
        Lane::Prompt => raw(source.name()),
        Lane::Bulk => raw_bulk(source.name()),
    };
    let about = bus::Headers { id, source: endpoint.ce_source.clone(), ..bus::Headers::default() };
    bus::Record::new(&topic, key, &delivery, about)
}

/// The headers that matter to the source. A value that is no UTF-8, which no platform sends, loses what is not.
fn kept_headers(source: &dyn Source, headers: &HeaderMap) -> Vec<Header> {
    let kept = source.kept_headers();
    headers
        .iter()
        .filter(|(name, _)| kept.contains(&name.as_str()))
        .map(|(name, value)| Header {
            name: name.as_str().to_owned(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        })
        .collect()
}

/// 48 bits of time in milliseconds and 80 random ones: every attempt of a platform to deliver has its own, and whoever
/// looks for it knows where to begin.
pub(crate) fn delivery_id() -> Result<Id, Refusal> {
    let mut id = [0; 16];
    let millis = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let [.., a, b, c, d, e, f] = millis.to_be_bytes();
    id[..6].copy_from_slice(&[a, b, c, d, e, f]);
    match getrandom::fill(&mut id[6..]) {
        Ok(()) => Ok(Id(id)),
        Err(error) => {
            tracing::error!(%error, "the system gives no random bytes");
            Err(Refusal::Internal)
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "sizes for a histogram")]
fn as_f64(bytes: usize) -> f64 {
    bytes as f64
}
