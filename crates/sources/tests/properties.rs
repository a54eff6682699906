//! Nothing that a sender can send makes any source panic, and nothing is taken in silence: what cannot be
//! understood is refused with its bytes.

#![allow(clippy::unwrap_used, reason = "a test says by it what it expects")]

mod samples;

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use common::raw::v1::Delivery;
use common::registrations::Registrations;
use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use samples::Sample;
use secrecy::SecretString;
use serde_json::{Map, Value};
use sources::{Item, Secrets, Source};

/// The headers that any source reads.
static NAMES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let descriptors = sources::all().iter().map(|source| source.descriptor());
    descriptors.flat_map(|source| [source.signature].into_iter().chain(source.kept_headers.iter().copied())).collect()
});

/// Every fixture of every platform.
static FIXTURES: LazyLock<Vec<Sample>> = LazyLock::new(samples::all);

/// Member names that mean something to some source, so that arbitrary JSON comes near to real deliveries: those of the
/// fixtures, where each fixture has the same weight however many it has, and two that are odd.
static KEYS: LazyLock<Vec<String>> = LazyLock::new(|| {
    fn collect(value: &Value, depth: usize, keys: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) if depth < 5 => {
                for (key, value) in object {
                    keys.insert(key.clone());
                    collect(value, depth + 1, keys);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, depth + 1, keys)),
            _ => {}
        }
    }
    let mut all: Vec<_> = ["a/b~c", ""].iter().flat_map(|odd| vec![(*odd).to_owned(); 100]).collect();
    for value in FIXTURES.iter().filter_map(|sample| serde_json::from_slice(&sample.body).ok()) {
        let mut keys = BTreeSet::new();
        collect(&value, 0, &mut keys);
        let times = 200_usize.div_ceil(keys.len().max(1));
        all.extend(keys.into_iter().flat_map(|key| vec![key; times]));
    }
    all
});

/// Every kind that has a message, of all platforms, and one that has none.
static KINDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let typed = common::event::EVENT_TYPES.iter().filter_map(|event| event.topic.rsplit('.').next());
    typed.chain(["no_such_kind"]).collect()
});

const TOKENS: &[&str] = &["null", "[", "{}", "\"", ",", "1e400", "-"];

/// Runs all that a source does with a verified delivery, and checks what holds for any.
fn take(source: &dyn Source, kind: &str, body: &[u8]) {
    let _ = source.ordering_key(&HeaderMap::new(), body);
    let parsed = source.parse(&samples::delivery(source, kind, body), &Registrations::default());
    assert!(!parsed.items.is_empty(), "a delivery has vanished");
    for (index, item) in (0..).zip(&parsed.items) {
        match item {
            Item::Event(event) => {
                assert_eq!(event.index, index);
                assert!(!event.subject.is_empty() && !event.payload.is_empty());
                assert!(source.platforms().contains(&event.platform));
                assert!(event.topic.starts_with(&format!("events.{}.", event.platform)), "{}", event.topic);
                for (ordinal, activity) in (0..).zip(&event.activities) {
                    assert_eq!(activity.id, format!("{}-{ordinal}", event.id));
                    assert_eq!(activity.event_type, event.ce_type);
                }
            }
            Item::Refused(refused) => {
                assert_eq!(refused.index, index);
                assert!(!refused.message.is_empty());
                assert!(parsed.items.len() > 1 || !refused.payload.is_empty() || body.is_empty());
            }
        }
    }
}

fn json() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        Just("1e400".to_owned()),
        Just("0.10".to_owned()),
        Just("1735732800".to_owned()),
        Just("123456789012345678901234567890".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(|text| serde_json::from_str(&text).unwrap()),
        "\\PC{0,12}".prop_map(Value::from),
        prop::sample::select(&["page", "instagram", "feed", "comment", "add", "created", "2026-01-01T00:00:00Z"][..])
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(KEYS.as_slice()), inner), 0..6)
                .prop_map(|members| { Value::Object(members.into_iter().collect::<Map<_, _>>()) }),
        ]
    })
}

#[derive(Debug, Clone)]
enum Mutation {
    Flip(prop::sample::Index, u8),
    Truncate(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<prop::sample::Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Mutation::Flip(at, byte)),
        at().prop_map(Mutation::Truncate),
        (at(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, bytes)| Mutation::Insert(at, bytes)),
        (at(), prop::sample::select(TOKENS)).prop_map(|(at, token)| Mutation::Insert(at, token.as_bytes().to_vec())),
        (at(), 1..40_usize).prop_map(|(at, length)| Mutation::Remove(at, length)),
    ]
}

fn mutate(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    match mutation {
        Mutation::Flip(at, byte) => {
            let at = at.index(bytes.len());
            bytes[at] ^= byte;
        }
        Mutation::Truncate(at) => bytes.truncate(at.index(bytes.len())),
        Mutation::Insert(at, more) => {
            let at = at.index(bytes.len());
            bytes.splice(at..at, more.iter().copied());
        }
        Mutation::Remove(at, length) => {
            let at = at.index(bytes.len());
            let end = bytes.len().min(at + length);
            bytes.drain(at..end);
        }
    }
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config(2500))]

    #[test]
    fn arbitrary_json(value in json(), kind in prop::sample::select(KINDS.as_slice())) {
        let body = value.to_string();
        for source in sources::all() {
            take(*source, kind, body.as_bytes());
        }
    }

    #[test]
    fn arbitrary_bytes(body in prop::collection::vec(any::<u8>(), 0..300), kind in prop::sample::select(KINDS.as_slice())) {
        for source in sources::all() {
            take(*source, kind, &body);
        }
    }

    #[test]
    fn arbitrary_headers(
        pairs in prop::collection::vec((prop::sample::select(NAMES.as_slice()), prop::collection::vec(any::<u8>(), 0..60)), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..60),
        secret in "\\PC{1,20}",
        now in 0..4_000_000_000_u64,
    ) {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            if let Ok(value) = HeaderValue::from_bytes(&value) {
                headers.append(HeaderName::from_static(name), value);
            }
        }
        let active = [SecretString::from(secret.clone())];
        let token = SecretString::from(secret);
        let secrets = Secrets { active: &active, verify_token: Some(&token) };
        for source in sources::all() {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(now);
            prop_assert!(source.verify(&headers, &body, &secrets, now).is_err());
            let _ = source.handshake(&String::from_utf8_lossy(&body), &secrets);
            let _ = source.ordering_key(&headers, &body);
        }
    }
}

proptest! {
    #![proptest_config(config(8000))]

    #[test]
    fn damaged_fixtures(which in any::<prop::sample::Index>(), mutations in prop::collection::vec(mutation(), 1..4)) {
        let Sample { name, body, .. } = which.get(&FIXTURES);
        let mut body = body.clone();
        for mutation in &mutations {
            mutate(&mut body, mutation);
        }
        for source in sources::all() {
            take(*source, name, &body);
        }
    }
}

/// The texts of a value, names too, in a fixed order; one of them gets something behind it.
fn append(value: &mut Value, left: &mut usize, more: &str) {
    let mut here = |text: &mut String| {
        if *left == 0 {
            text.push_str(more);
        }
        *left = left.wrapping_sub(1);
    };
    match value {
        Value::String(text) => here(text),
        Value::Array(items) => items.iter_mut().for_each(|item| append(item, left, more)),
        Value::Object(object) => {
            *object = std::mem::take(object)
                .into_iter()
                .map(|(mut name, mut value)| {
                    if *left == 0 {
                        name.push_str(more);
                    }
                    *left = left.wrapping_sub(1);
                    append(&mut value, left, more);
                    (name, value)
                })
                .collect();
        }
        _ => {}
    }
}

proptest! {
    #![proptest_config(config(1500))]

    /// Half of a surrogate pair anywhere, in a text or in a name, is read as U+FFFD would be there, for every source.
    #[test]
    fn half_of_a_pair_is_read_as_the_replacement(
        which in any::<prop::sample::Index>(),
        place in 0..200_usize,
        half in prop::sample::select(&["\\ud83d", "\\uDE00", "\\ude00\\ud83d"][..]),
        mark in any::<bool>(),
    ) {
        let Sample { name, body, .. } = which.get(&FIXTURES);
        let Ok(mut value) = serde_json::from_slice::<Value>(body) else { return Ok(()) };
        let marker = "\u{e000}marker";
        append(&mut value, &mut place.clone(), marker);
        let text = value.to_string();
        let replacement = "\\ufffd".repeat(half.len() / 6);
        for source in sources::all() {
            let events = |text: String| {
                // Without a time of arrival no time is too far ahead.
                let delivery = Delivery { received_at: None, ..samples::delivery(*source, name, text) };
                let parsed = source.parse(&delivery, &Registrations::default());
                let seen = |item: &Item| match item {
                    Item::Event(event) => {
                        let said: Vec<_> = event.activities.iter().map(|a| (a.verb, a.text.clone())).collect();
                        let head = (event.ce_type.clone(), event.subject.clone(), event.account_id.clone());
                        Ok((head, event.topic.clone(), event.occurred_at, said))
                    }
                    Item::Refused(refused) => Err(refused.reason),
                };
                parsed.items.iter().map(seen).collect::<Vec<_>>()
            };
            let mark = if mark { "\u{feff}" } else { "" };
            let broken = events(format!("{mark}{}", text.replace(marker, half)));
            prop_assert_eq!(broken, events(text.replace(marker, &replacement)), "{}: {}", source.name(), text);
        }
    }
}

#[test]
fn ten_thousand_levels_are_refused_by_every_source() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = [&open.repeat(10_000), "1", &close.repeat(10_000)].concat();
        let body = format!("{{\"object\":\"page\",\"entry\":[{{\"id\":\"1\",\"changes\":[{deep}]}}]}}");
        for source in sources::all() {
            let delivery = samples::delivery(*source, "push", body.clone());
            let parsed = source.parse(&delivery, &Registrations::default());
            let [Item::Refused(refused)] = &parsed.items[..] else { panic!("{}: {parsed:?}", source.name()) };
            assert_eq!(refused.reason.as_str(), "too_deep", "{}", source.name());
            assert!(String::from_utf8_lossy(&refused.payload).contains(&deep), "{}", source.name());
            let _ = source.ordering_key(&HeaderMap::new(), body.as_bytes());
        }
    }
}
