//! What senders of Standard Webhooks say: here, an invoicing service.

use std::sync::Arc;

use fastrand::Rng;

use crate::meaning::Expected;
use crate::text::{push_rfc3339, put};
use crate::world::Counter;

/// One message: its id and its body.
pub(super) struct StandardMessage {
    pub(super) id: String,
    pub(super) json: String,
    pub(super) expected: Arc<Expected>,
}

pub(super) fn message(
    tenant: &Arc<str>,
    counter: &mut Counter,
    rng: &mut Rng,
    seed: u64,
    now_ms: i64,
) -> StandardMessage {
    let number = counter.next();
    let id = format!("msg_{seed:x}_{number}");
    let kind =
        ["invoice.created", "invoice.paid", "invoice.paid", "customer.created", "payment.failed"][rng.usize(..5)];
    let mut json = String::with_capacity(256);
    put!(json, r#"{{"type":"{kind}","timestamp":""#);
    push_rfc3339(&mut json, now_ms);
    put!(
        json,
        r#"","data":{{"id":"in_{number}","amount":{}.{:02},"currency":"EUR","customer":"cus_{}"}}}}"#,
        rng.u32(1..900),
        rng.u32(..100),
        rng.u32(..5000)
    );
    let expected = Expected {
        platform: "standard_webhooks",
        topic: "events.standard_webhooks.message",
        tenant: tenant.clone(),
        account: "".into(),
        key: format!("standard_webhooks/{id}"),
        occurred_at_ms: Some(now_ms.div_euclid(1000) * 1000),
        activities: Vec::new(),
    };
    StandardMessage { id, json, expected: Arc::new(expected) }
}
