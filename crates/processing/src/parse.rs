//! From the bytes of a raw record to the records that come of it. Pure: no clock, no network.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use bus::{Coordinates, Headers, Record};
use bytes::Bytes;
use common::raw::v1::Delivery;
use common::reasons::CRASH;
use common::topics::ACTIVITIES;
use sources::{Source, Tenants};
pub use stage::{Item, Origin, OutputEvent, RefusedItem};

use crate::delivery::decode;
use crate::weight::{self, Limit};

/// The record's value is not a delivery.
pub const UNDECODABLE: &str = "undecodable";
/// The record has no value.
pub const NO_VALUE: &str = "no_value";
/// No module of this version understands the delivery's source.
pub const UNKNOWN_SOURCE: &str = "unknown_source";
/// The module broke while it read the delivery.
pub const PANIC: &str = "panic";

const PROTOBUF: &str = "application/protobuf";
const OCTETS: &str = "application/octet-stream";

/// A raw record as it was consumed.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// Where it stands.
    pub at: &'a Coordinates,
    /// Its value.
    pub payload: Option<&'a Bytes>,
    /// Its headers.
    pub headers: &'a Headers,
    /// The trace that its outputs belong to.
    pub traceparent: Option<&'a str>,
}

/// What came of a raw record.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ParsedRecord {
    /// Its delivery.
    pub origin: Origin,
    /// Events and what was refused, in the order of the delivery.
    pub items: Vec<Item>,
}

impl ParsedRecord {
    /// Of the refused items, only those at these positions. Events stay: their claims tell whether they came before.
    /// Where the delivery does not have these positions it is not read as it was, and all of it stays.
    pub fn keep_refused(&mut self, positions: &[u32]) {
        let has = |position: &u32| self.items.iter().any(|item| item.index() == *position);
        if !positions.is_empty() && positions.iter().all(has) {
            self.items.retain(|item| matches!(item, Item::Event(_)) || positions.contains(&item.index()));
        }
    }

    /// How many of the items were refused.
    pub fn refused(&self) -> usize {
        self.items.iter().filter(|item| matches!(item, Item::Refused(_))).count()
    }
}

/// The bytes of items of a raw record as they came, by their positions. Where its module does not say which bytes an item
/// is, the body.
pub fn sent(payload: Option<&Bytes>, positions: &BTreeSet<u32>) -> BTreeMap<u32, Bytes> {
    let Some(Ok(delivery)) = payload.map(decode) else { return BTreeMap::new() };
    let cut = || sources::by_name(&delivery.source).map(|source| source.sent(&delivery, positions));
    let mut sent = catch_unwind(AssertUnwindSafe(cut)).ok().flatten().unwrap_or_default();
    for position in positions {
        sent.entry(*position).or_insert_with(|| delivery.body.clone());
    }
    sent
}

/// Everything that comes of a raw record. Never fails and never panics: what is wrong is in the items.
pub fn parse(input: Input<'_>, tenants: &dyn Tenants) -> ParsedRecord {
    parse_within(input, tenants, weight::of(input.payload, Limit::default()).too_much.as_deref())
}

/// The same, for a record that has been weighed: what takes too much is refused before anything of it is built.
pub fn parse_within(input: Input<'_>, tenants: &dyn Tenants, too_much: Option<&str>) -> ParsedRecord {
    parse_with(input, tenants, too_much, sources::by_name)
}

/// The same, with the modules as a parameter.
pub fn parse_with(
    input: Input<'_>,
    tenants: &dyn Tenants,
    too_much: Option<&str>,
    by_name: impl Fn(&str) -> Option<&'static dyn Source>,
) -> ParsedRecord {
    let Some(payload) = input.payload else {
        return whole(input, Delivery::default(), NO_VALUE, "the record has no value".to_owned(), OCTETS);
    };
    let delivery = match decode(payload) {
        Ok(delivery) => delivery,
        Err(message) => return whole(input, Delivery::default(), UNDECODABLE, message, OCTETS),
    };
    let Some(source) = by_name(&delivery.source) else {
        let message =
            format!("this version does not know the source {:?}: replay it with a version that does", delivery.source);
        return whole(input, delivery, UNKNOWN_SOURCE, message, PROTOBUF);
    };
    if let Some(too_much) = too_much {
        let refused = sources::ParseRefusal::whole(sources::Reason::TooManyValues, too_much, &delivery.body);
        let item = convert(sources::Item::Refused(refused), input, "");
        return ParsedRecord { origin: of(delivery), items: vec![item] };
    }
    // A module that breaks on one delivery must not stop the partition; nothing of it is kept.
    match catch_unwind(AssertUnwindSafe(|| source.parse(&delivery, tenants))) {
        Ok(parsed) => {
            let source = format!("weir/processing/{}", delivery.endpoint);
            let items = parsed.items.into_iter().map(|item| convert(item, input, &source)).collect();
            ParsedRecord { origin: of(delivery), items }
        }
        Err(panic) => {
            let message = format!("the source {} panicked: {}", delivery.source, panic_text(panic.as_ref()));
            whole(input, delivery, PANIC, message, PROTOBUF)
        }
    }
}

/// What comes of a record that the process ended on, so many times: nothing of it is read again.
pub fn crashed(input: Input<'_>, ended: u32) -> ParsedRecord {
    let message = format!(
        "the process crashed {ended} times while it worked on this record, the last time on this record alone: find \
         the cause before you replay it"
    );
    whole(input, Delivery::default(), CRASH, message, PROTOBUF)
}

fn convert(item: sources::Item, input: Input<'_>, source: &str) -> Item {
    match item {
        sources::Item::Event(event) => Item::Event(records(event, input, source)),
        sources::Item::Refused(refused) => Item::Refused(RefusedItem {
            index: refused.index,
            reason: refused.reason.as_str(),
            message: refused.message,
            payload: refused.payload.into(),
            content_type: refused.content_type,
        }),
    }
}

fn records(event: sources::ParsedEvent, input: Input<'_>, source: &str) -> OutputEvent {
    let headers = |id: String, ce_type: String| Headers {
        id,
        source: source.to_owned(),
        r#type: ce_type,
        time: event.occurred_at,
        traceparent: input.traceparent.map(str::to_owned),
        from: Some(input.at.clone()),
        ..Headers::default()
    };
    let mut records = Vec::with_capacity(1 + event.activities.len());
    let topic = match &event.topic {
        Cow::Borrowed(topic) => (*topic).into(),
        Cow::Owned(topic) => std::sync::Arc::<str>::from(topic.as_str()),
    };
    let typed = headers(event.id.to_string(), event.ce_type);
    records.push(Record::encoded(topic, event.subject.as_bytes(), event.payload, typed).into());
    for activity in &event.activities {
        let headers = headers(activity.id.clone(), String::new());
        records.push(Record::new(&ACTIVITIES, event.subject.as_bytes(), activity, headers).into());
    }
    OutputEvent { id: event.id, index: event.index, claims: None, records }
}

fn of(delivery: Delivery) -> Origin {
    Origin {
        source: delivery.source,
        endpoint: delivery.endpoint,
        tenant: delivery.tenant,
        delivery_id: delivery.delivery_id,
        received_at: delivery.received_at,
    }
}

/// The whole record as one dead letter.
fn whole(
    input: Input<'_>,
    delivery: Delivery,
    reason: &'static str,
    message: String,
    content_type: &'static str,
) -> ParsedRecord {
    let payload = input.payload.cloned().unwrap_or_default();
    let refused = RefusedItem { index: 0, reason, message, payload, content_type };
    let mut origin = of(delivery);
    if origin.source.is_empty() {
        // What the record's place and headers tell.
        let topic = input.at.topic.strip_suffix(".bulk").unwrap_or(&input.at.topic);
        origin.source = topic.rsplit_once("raw.").map_or_else(String::new, |(_, source)| source.to_owned());
    }
    if origin.endpoint.is_empty() {
        origin.endpoint = input.headers.source.strip_prefix("weir/streaming/").map_or_else(String::new, str::to_owned);
    }
    ParsedRecord { origin, items: vec![Item::Refused(refused)] }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic.downcast_ref::<&str>().copied().or(panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
