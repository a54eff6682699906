//! The delivery in the value of a raw record. Pure.

use bytes::Bytes;
use common::raw::v1::Delivery;
use prost::Message as _;

/// Protobuf is lenient: bytes that are something else may decode. What the door always sets has to be there.
pub(crate) fn decode(payload: &Bytes) -> Result<Delivery, String> {
    let delivery = Delivery::decode(payload.clone())
        .map_err(|error| format!("the record is not a weir.raw.v1.Delivery: {error}"))?;
    let missing = [
        ("delivery_id", delivery.delivery_id.is_empty()),
        ("source", delivery.source.is_empty()),
        ("endpoint", delivery.endpoint.is_empty()),
        ("tenant", delivery.tenant.is_empty()),
        ("received_at", delivery.received_at.is_none()),
    ];
    match missing.iter().find(|(_, missing)| *missing) {
        Some((field, _)) => Err(format!("the record is not a weir.raw.v1.Delivery of the door: it has no {field}")),
        None => Ok(delivery),
    }
}
