//! Every source's parser, over any body and any kind: nothing panics, every item has its own index,
//! and the same bytes make the same ids whenever they arrive.
#![no_main]

mod stable;

use common::event::EVENT_TYPES;
use common::raw::v1::{Delivery, Header};
use common::registrations::Registrations;
use libfuzzer_sys::fuzz_target;
use sources::Item;

/// A kind that has no message.
const UNTYPED: &str = "unheard_of";

fuzz_target!(|input: &[u8]| {
    let Some((number, body)) = input.split_first_chunk() else { return };
    // A topic ends with the name of its kind.
    let kinds = EVENT_TYPES.iter().filter_map(|event| event.topic.rsplit('.').next()).chain([UNTYPED]);
    let kind = stable::chosen(u16::from_le_bytes(*number), kinds).unwrap_or(UNTYPED);
    for source in sources::all() {
        let headers = (source.descriptor().sample_headers)(kind);
        let mut delivery = Delivery {
            delivery_id: "0".repeat(32),
            source: source.name().into(),
            endpoint: "fuzz".into(),
            tenant: "fuzz".into(),
            headers: headers.into_iter().map(|(name, value)| Header { name: name.into(), value }).collect(),
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
