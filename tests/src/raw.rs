//! Deliveries as the door puts them on the log, and bodies as Facebook sends them.

use std::sync::atomic::{AtomicU64, Ordering};

use common::raw::v1::{Delivery, Header};
use prost_types::Timestamp;

/// A delivery that the door of this endpoint had at this time, with an id that no other has.
pub fn delivery(
    endpoint: &str,
    source: &str,
    body: impl Into<Vec<u8>>,
    headers: &[(&str, &str)],
    received_at: Timestamp,
) -> Delivery {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let header = |(name, value): &(&str, &str)| Header { name: (*name).into(), value: (*value).into() };
    Delivery {
        delivery_id: format!("{:032x}", NUMBER.fetch_add(1, Ordering::Relaxed)),
        source: source.into(),
        endpoint: endpoint.into(),
        tenant: "acme".into(),
        scheme: "hub-sha256".into(),
        received_at: Some(received_at),
        headers: headers.iter().map(header).collect(),
        body: body.into().into(),
    }
}

/// A comment on a post of a page.
pub fn comment(id: &str, text: &str) -> String {
    format!(
        r#"{{"field":"feed","value":{{"item":"comment","verb":"add","comment_id":"{id}","post_id":"7_1","parent_id":"7_1","from":{{"id":"9","name":"Ann"}},"message":"{text}","created_time":1699999000}}}}"#
    )
}

/// The body of a delivery of one page with these changes.
pub fn page(id: &str, changes: &[String]) -> String {
    format!(r#"{{"object":"page","entry":[{{"id":"{id}","time":1699999001,"changes":[{}]}}]}}"#, changes.join(","))
}
