//! Deliveries to the endpoint `fb` of the tenant `acme`.

#![allow(dead_code, reason = "shared by several test binaries, each of which uses a part of it")]

use common::raw::v1::Delivery;
use common::registrations::Registrations;
use serde_json::{Value, json};
use sources::{Parsed, Source as _};

/// A delivery with that body.
pub(crate) fn delivery(body: impl Into<Vec<u8>>) -> Delivery {
    Delivery {
        delivery_id: "00112233445566778899aabbccddeeff".to_owned(),
        source: "meta".to_owned(),
        endpoint: "fb".to_owned(),
        tenant: "acme".to_owned(),
        scheme: "hub-sha256".to_owned(),
        received_at: Some("2024-06-03T14:00:00Z".parse().unwrap()),
        headers: Vec::new(),
        body: body.into().into(),
    }
}

/// What comes out of that body.
pub(crate) fn parse(body: impl Into<Vec<u8>>) -> Parsed {
    sources::meta::Meta.parse(&delivery(body), &Registrations::default())
}

/// A delivery of changes of one page.
pub(crate) fn changes(changes: &[Value]) -> Value {
    json!({"object": "page", "entry": [{"id": "108204610000417", "time": 1_717_420_900, "changes": changes}]})
}

/// Somebody likes a post.
pub(crate) fn like(person: &str, time: i64) -> Value {
    json!({"field": "feed", "value": {
        "item": "like", "verb": "add", "from": {"id": person, "name": "Somebody"},
        "post_id": "108204610000417_7710", "parent_id": "108204610000417_7710", "created_time": time,
    }})
}
