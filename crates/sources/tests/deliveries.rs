//! What a source says of a delivery agrees: what `parse` makes of it, which bytes an item of it is, how much it weighs,
//! whose it is, and which headers are kept for it. Every source of `sources::all()` is asked, with its fixtures.

#![allow(clippy::unwrap_used, reason = "a test says by it what it expects")]

mod samples;

use std::collections::BTreeSet;

use common::json;
use common::raw::v1::{Delivery, Header};
use common::registrations::Registrations;
use http::{HeaderMap, HeaderName, HeaderValue};
use prost_types::Timestamp;
use samples::Sample;
use sources::{Item, Parsed, ParsedEvent, Reason};

fn parse(sample: &Sample, delivery: &Delivery) -> Parsed {
    sample.source.parse(delivery, &Registrations::default())
}

/// The source and the fixture, for a message.
fn named(sample: &Sample) -> String {
    format!("{}, {}", sample.source.name(), sample.file.display())
}

/// The fixtures that several items come out of.
fn several() -> impl Iterator<Item = (Sample, Delivery, Parsed)> {
    samples::all().into_iter().filter_map(|sample| {
        let delivery = sample.delivery();
        let parsed = parse(&sample, &delivery);
        (parsed.items.len() > 1).then_some((sample, delivery, parsed))
    })
}

/// What of an event depends neither on its place in the delivery nor on what stood around it.
fn meaning(event: &ParsedEvent) -> (&str, &str, &str, Option<Timestamp>, Vec<i32>) {
    let verbs = event.activities.iter().map(|activity| activity.verb).collect();
    (&*event.topic, event.subject.as_str(), event.account_id.as_str(), event.occurred_at, verbs)
}

/// An event that cannot be written becomes a dead letter with the bytes that `sent` gives. They must be this event's and
/// none of its neighbours'.
#[test]
fn an_event_of_several_is_kept_alone() {
    for (sample, delivery, parsed) in several() {
        let positions: BTreeSet<u32> = parsed.events().map(|event| event.index).collect();
        let sent = sample.source.sent(&delivery, &positions);
        for event in parsed.events() {
            let cure = format!(
                "{}, item {}: `Source::sent` must give the bytes of this item alone, as it came, within what \
                 `parse` needs around it (see meta/sent.rs)",
                named(&sample),
                event.index
            );
            let bytes = sent.get(&event.index).unwrap_or_else(|| panic!("{cure}: it gives nothing"));
            assert!(*bytes != delivery.body, "{cure}: it gives the whole delivery");
            let alone = parse(&sample, &Delivery { body: bytes.clone(), ..delivery.clone() });
            let [Item::Event(only)] = &alone.items[..] else { panic!("{cure}: they are read as {alone:?}") };
            assert_eq!(meaning(only), meaning(event), "{cure}: they are read as another event");
        }
    }
}

/// Each item becomes a record of its own, with a context and all that stood around it. That is far more memory than its
/// values take, and the limit of memory knows no more of it than what the scan counts.
#[test]
fn each_item_of_several_weighs_more_than_its_values() {
    for (sample, delivery, parsed) in several() {
        let (scan, plain) = (sample.source.scan(&delivery.body), json::scan(&delivery.body));
        let items = parsed.items.len() as u64;
        assert!(
            scan.values >= items && scan.objects >= plain.objects + items,
            "{}: {items} items come out of it, and `Source::scan` counts {} objects where the body has {}: add some for \
             each item (see meta/mod.rs), and measure how many in crates/processing/src/memory_tests.rs",
            named(&sample),
            scan.objects,
            plain.objects,
        );
    }
}

/// Raw deliveries are ordered by this key, and what is registered for an account is looked up by the other.
#[test]
fn the_ordering_key_is_the_account_of_every_event() {
    for sample in samples::all() {
        let sent = (sample.source.descriptor().sample_headers)(&sample.name).into_iter();
        let headers: HeaderMap =
            sent.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::try_from(value).unwrap())).collect();
        let Some(key) = sample.source.ordering_key(&headers, &sample.body) else { continue };
        for event in parse(&sample, &sample.delivery()).events() {
            assert_eq!(
                event.account_id,
                key,
                "{}, item {}: `Source::ordering_key` gives another account than `parse`: it must give `None` where there \
                 are several",
                named(&sample),
                event.index
            );
        }
    }
}

/// The tests of member names put something into one event that stands by itself.
#[test]
fn every_platform_has_a_fixture_with_one_event() {
    assert!(!samples::of_one_event().is_empty());
}

/// The door gives `parse` the headers that are kept, and no others.
#[test]
fn what_is_read_of_the_headers_is_kept() {
    for sample in samples::all() {
        let (delivery, descriptor) = (sample.delivery(), sample.source.descriptor());
        let whole = parse(&sample, &delivery);
        let kept = |name: &str| descriptor.kept_headers.contains(&name);
        for without in &delivery.headers {
            let headers = delivery.headers.iter().filter(|header| *header != without).cloned().collect();
            let is_read = parse(&sample, &Delivery { headers, ..delivery.clone() }) != whole;
            assert!(
                !is_read || kept(&without.name),
                "{}: `parse` reads {}: add it to kept_headers",
                named(&sample),
                without.name
            );
        }
        for refused in parse(&sample, &Delivery { headers: Vec::new(), ..delivery.clone() }).refusals() {
            assert!(
                refused.reason != Reason::MissingHeader
                    || descriptor.kept_headers.iter().any(|name| refused.message.contains(name)),
                "{}: none of kept_headers is named by the refusal: {}",
                named(&sample),
                refused.message
            );
        }
    }
}

/// Whatever a proxy or another platform adds: a header that the door does not keep would be there in this test only.
#[test]
fn a_header_that_is_not_kept_changes_nothing() {
    let all: BTreeSet<&str> = sources::all()
        .iter()
        .map(|source| source.descriptor())
        .flat_map(|source| {
            source.kept_headers.iter().copied().chain([source.signature, "authorization", "x-request-id"])
        })
        .collect();
    for sample in samples::all() {
        let (mut delivery, descriptor) = (sample.delivery(), sample.source.descriptor());
        let whole = parse(&sample, &delivery);
        for name in all.iter().filter(|name| !descriptor.kept_headers.contains(name)) {
            delivery.headers.push(Header { name: (*name).to_owned(), value: "anything".to_owned() });
        }
        assert!(
            parse(&sample, &delivery) == whole,
            "{}: `parse` reads a header that is not in kept_headers, or the signature, which is of no use once it is \
             verified",
            named(&sample)
        );
    }
}
