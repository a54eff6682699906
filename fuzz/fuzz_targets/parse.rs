//! Every source's parser, over any body and any kind: nothing panics, every item has its own index,
//! and the same bytes make the same ids whenever they arrive.
#![no_main]

use common::raw::v1::{Delivery, Header};
use common::registrations::Registrations;
use libfuzzer_sys::fuzz_target;
use sources::Item;

const KINDS: &[&str] = &[
    "push",
    "issues",
    "workflow_run",
    "workflow_job",
    "pull_request",
    "check_run",
    "ping",
    "unheard_of",
    "issue_comment",
    "pull_request_review",
    "deployment_status",
    "release",
    "gollum",
    "installation",
    "member",
    "status",
];

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, body) = input;
    let header = |name: &str, value: &str| Header { name: name.into(), value: value.into() };
    for source in sources::all() {
        let mut delivery = Delivery {
            delivery_id: "0".repeat(32),
            source: source.name().into(),
            endpoint: "fuzz".into(),
            tenant: "fuzz".into(),
            headers: vec![
                header("x-github-event", KINDS[usize::from(kind) % KINDS.len()]),
                header("x-github-delivery", "72d3162e-cc78-11e3-81ab-4c9367dc0958"),
                header("webhook-id", "msg_1"),
                header("webhook-timestamp", "1763600000"),
            ],
            body: body.to_vec().into(),
            ..Delivery::default()
        };
        let tenants = Registrations::default();
        let first = source.parse(&delivery, &tenants);
        for (position, item) in first.items.iter().enumerate() {
            let index = match item {
                Item::Event(event) => event.index,
                Item::Refused(refused) => refused.index,
            };
            assert_eq!(index as usize, position);
        }
        delivery.delivery_id = "1".repeat(32);
        let ids = |parsed: &sources::Parsed| parsed.events().map(|event| event.id).collect::<Vec<_>>();
        assert_eq!(ids(&first), ids(&source.parse(&delivery, &tenants)));
    }
});
