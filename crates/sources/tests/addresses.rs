//! An event does not carry addresses that follow from what it carries. Whatever a sender leaves out, changes or spells
//! otherwise: what was sent is what the event carries, else what is derived from it.

#![allow(clippy::unwrap_used, reason = "a test says by it what it expects")]

mod leaves;
mod samples;

use std::sync::LazyLock;

use common::registrations::Registrations;
use proptest::prelude::*;
use samples::Sample;
use serde_json::Value;
use sources::{Item, ParsedEvent};

/// GitHub's fixtures of kinds that have a message, with their JSON and the places in it.
static SENT: LazyLock<Vec<(Sample, Value, Vec<String>)>> = LazyLock::new(|| {
    let json = samples::all().into_iter().filter(|sample| sample.platform == "github").filter_map(|sample| {
        let value: Value = serde_json::from_slice(&sample.body).ok()?;
        let mut places = Vec::new();
        below("", &value, &mut places);
        Some((sample, value, places))
    });
    json.filter(|(sample, value, _)| !event(sample, value).topic.ends_with(".other")).collect()
});

/// The place of every member and item, once more for each time that an address may depend on it.
fn below(path: &str, value: &Value, places: &mut Vec<String>) {
    let put = |name: &str, value: &Value, places: &mut Vec<String>| {
        let path = format!("{path}/{}", name.replace('~', "~0").replace('/', "~1"));
        let times = if name.ends_with("url") || ["number", "id", "sha", "_links"].contains(&name) { 5 } else { 1 };
        places.extend(vec![path.clone(); times]);
        below(&path, value, places);
    };
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| put(name, value, places)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, value)| put(&at.to_string(), value, places)),
        _ => {}
    }
}

fn event(sample: &Sample, sent: &Value) -> ParsedEvent {
    let delivery = samples::delivery(sample.source, &sample.name, sent.to_string());
    match <[Item; 1]>::try_from(sample.source.parse(&delivery, &Registrations::default()).items) {
        Ok([Item::Event(event)]) => event,
        other => panic!("{other:?}"),
    }
}

#[derive(Debug, Clone)]
enum Change {
    Remove,
    Put(Value),
    /// What another place has.
    Copy(prop::sample::Index),
    /// The text with this at the front, or at its end.
    Longer(bool, &'static str),
    /// The text without so many characters.
    Shorter(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let odd =
        ["null", "7", "1.50", "1e+2", "true", "\"\"", "\"7\"", "[]", "{}", "[null,{\"url\":\"https://x/users/a\"}]"];
    prop_oneof![
        2 => Just(Change::Remove),
        3 => prop::sample::select(odd.to_vec()).prop_map(|text| Change::Put(common::json::parse(text).unwrap())),
        2 => any::<prop::sample::Index>().prop_map(Change::Copy),
        2 => (any::<bool>(), prop::sample::select(vec!["/", "https:", "/issues/7", "/forks", "\u{fffd}", "ä", "{/x}"]))
            .prop_map(|(front, text)| Change::Longer(front, text)),
        2 => (1..12_usize).prop_map(Change::Shorter),
    ]
}

fn apply(sent: &mut Value, places: &[String], place: &str, change: &Change) {
    let (parent, name) = place.rsplit_once('/').unwrap();
    let copied = match change {
        Change::Copy(from) => sent.pointer(&places[from.index(places.len())]).cloned(),
        _ => None,
    };
    // An earlier change may have taken it away.
    let Some(value) = sent.pointer_mut(place) else { return };
    match (change, value) {
        (Change::Remove, _) => match sent.pointer_mut(parent) {
            Some(Value::Object(members)) => {
                members.remove(&name.replace("~1", "/").replace("~0", "~"));
            }
            Some(Value::Array(items)) => {
                items.remove(name.parse().unwrap());
            }
            _ => {}
        },
        (Change::Put(other), value) => *value = other.clone(),
        (Change::Copy(_), value) => *value = copied.unwrap_or_default(),
        (Change::Longer(true, more), Value::String(text)) => text.insert_str(0, more),
        (Change::Longer(false, more), Value::String(text)) => text.push_str(more),
        (Change::Shorter(less), Value::String(text)) => {
            *text = text.chars().take(text.chars().count().saturating_sub(*less)).collect();
        }
        (Change::Longer(..) | Change::Shorter(_), _) => {}
    }
}

#[test]
fn everything_in_a_fixture_is_carried_or_follows() {
    for (sample, sent, _) in SENT.iter() {
        assert_eq!(leaves::missing_paths(sent, &event(sample, sent)), [], "{}", sample.file.display());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_changed_is_carried_or_follows(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), change()), 1..12),
    ) {
        let (sample, sent, places) = &SENT[which.index(SENT.len())];
        let mut sent = sent.clone();
        for (place, change) in &changes {
            apply(&mut sent, places, &places[place.index(places.len())], change);
        }
        prop_assert_eq!(leaves::missing_paths(&sent, &event(sample, &sent)), []);
    }
}
