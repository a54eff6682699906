//! What senders of Standard Webhooks say: here, an invoicing service.

use std::sync::Arc;

use common::activity::v1::Verb;

use crate::item::activity;
use crate::meaning::Expected;
use crate::platform::{DeliveryContent, Moment, Sender, World};
use crate::signing::{Scheme, SecretForm};
use crate::text::{push_rfc3339, put};
use crate::world::TENANTS;

pub(crate) static SENDER: Sender = Sender {
    source: "standard_webhooks",
    endpoint: "sim-billing",
    tenant: TENANTS[0],
    retries: true,
    scheme: Scheme::StandardWebhooks,
    handshake: false,
    secret: SecretForm::Whsec,
    agent: "weir-simulate",
    world: |config| Box::new(Invoicing { seed: config.seed, tenant: SENDER.tenant.into() }),
    accounts: |_| Vec::new(),
};

#[derive(Debug)]
struct Invoicing {
    seed: u64,
    tenant: Arc<str>,
}

impl World for Invoicing {
    fn next(&mut self, _platform: &'static str, at: &mut Moment<'_>) -> DeliveryContent {
        let number = at.counter.next();
        let id = format!("msg_{:x}_{number}", self.seed);
        let kind = ["invoice.created", "invoice.paid", "invoice.paid", "customer.created", "payment.failed"]
            [at.rng.usize(..5)];
        let mut json = String::with_capacity(256);
        put!(json, r#"{{"type":"{kind}","timestamp":""#);
        push_rfc3339(&mut json, at.now_ms);
        put!(
            json,
            r#"","data":{{"id":"in_{number}","amount":{}.{:02},"currency":"EUR","customer":"cus_{}"}}}}"#,
            at.rng.u32(1..900),
            at.rng.u32(..100),
            at.rng.u32(..5000)
        );
        let expected = Expected {
            platform: "standard_webhooks",
            topic: "events.standard_webhooks.message",
            tenant: self.tenant.clone(),
            account: "".into(),
            key: format!("standard_webhooks/{id}"),
            occurred_at_ms: Some(at.now_ms.div_euclid(1000) * 1000),
            activities: activity(Verb::Other, "", &*id, None),
        };
        let mut content =
            DeliveryContent { body: json, events: vec![Arc::new(expected)], ..DeliveryContent::default() };
        content.header("webhook-id", id);
        content
    }
}
