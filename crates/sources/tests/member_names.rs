//! A sender may call a member whatever it likes: no name means anything to the parser beneath, so no value is
//! lost by its name, no good body is refused for one, and none opens more levels than there may be.

#![allow(clippy::unwrap_used, reason = "a test says by it what it expects")]

mod leaves;
mod meta_delivery;
mod samples;

use common::json::{self, Value};
use common::raw::v1::Delivery;
use common::registrations::Registrations;
use http::HeaderMap;
use proptest::prelude::*;
use sources::{Item, Parsed, ParsedEvent, Reason};

/// Names by which serde_json tells its own objects from those that were sent.
const NAMES: [&str; 2] = ["$serde_json::private::Number", "$serde_json::private::RawValue"];

/// A JSON string in which every character is an escape.
fn escaped(text: &str) -> String {
    let units: String = text.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect();
    format!("\"{units}\"")
}

/// The spellings of a name as a JSON string: plain, with one escape, with nothing else.
fn spellings(name: &str) -> [String; 3] {
    let plain = format!("\"{name}\"");
    [plain.clone(), plain.replace('$', "\\u0024"), escaped(name)]
}

/// What comes of a body with a member that is put into it.
type Place = Box<dyn Fn(&str) -> Parsed + Send>;

/// Where a member can stand: first in a fixture of each platform, once more in a kind that has no message, and in the
/// places that Meta's deliveries are cut apart at.
fn places() -> Vec<Place> {
    let samples = samples::of_one_event();
    let unknown = samples.iter().map(|sample| samples::Sample { name: "no_such_kind".to_owned(), ..sample.clone() });
    let samples: Vec<_> = samples.iter().cloned().chain(unknown).collect();
    let mut places: Vec<Place> = vec![Box::new(meta), Box::new(around)];
    places.extend(samples.into_iter().map(|sample| -> Place {
        Box::new(move |member: &str| {
            let body = String::from_utf8(sample.body.clone()).unwrap();
            let body = body.replacen('{', &format!(r#"{{"client_payload":{member},"#), 1);
            sample.source.parse(&samples::delivery(sample.source, &sample.name, body), &Registrations::default())
        })
    }));
    places
}

/// A body of GitHub with that member.
fn github(member: &str) -> Parsed {
    let body = format!(r#"{{"action":"opened","repository":{{"id":7}},"client_payload":{member}}}"#);
    let github = sources::by_name("github").unwrap();
    github.parse(&samples::delivery(github, "issues", body), &Registrations::default())
}

/// A comment on a page with that member.
fn meta(member: &str) -> Parsed {
    let value = format!(r#"{{"item":"comment","verb":"add","created_time":1717420800,"client_payload":{member}}}"#);
    meta_delivery::parse(format!(
        r#"{{"object":"page","entry":[{{"id":"1","time":2,"changes":[{{"field":"feed","value":{value}}}]}}]}}"#
    ))
}

/// What stands around an item of Meta with that member: it goes with the item.
fn around(member: &str) -> Parsed {
    let item = meta_delivery::like("1", 1_717_420_800);
    meta_delivery::parse(format!(
        r#"{{"object":"page","entry":[{{"id":"1","time":2,"client_payload":{member},"changes":[{item}]}}]}}"#
    ))
}

fn event(parsed: Parsed) -> ParsedEvent {
    match <[Item; 1]>::try_from(parsed.items) {
        Ok([Item::Event(event)]) => event,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_leaf_is_found_again() {
    let places = places();
    for name in NAMES {
        for member in [r#""1""#, r#""[1]""#, r#""x""#, "7", "1.50", "null", "true", r#"{"a":"b"}"#, r#"["a",1]"#] {
            for depth in [1, 20] {
                let within = |value, _| Value::Object([(name.to_owned(), value)].into_iter().collect());
                let sent = (0..depth).fold(json::parse(member).unwrap(), within);
                let mut expected = Vec::new();
                leaves::paths("/client_payload", &sent, &mut expected);
                let mut meta_ids = Vec::new();
                for key in spellings(name) {
                    let text = format!("{}{member}{}", format!("{{{key}: ").repeat(depth), " }".repeat(depth));
                    for place in &places {
                        let event = event(place(&text));
                        let found = leaves::paths_of_event(&event);
                        for (path, leaf) in &expected {
                            // Members of an envelope have its path before theirs.
                            let found = found.iter().any(|(at, value)| at.ends_with(path) && value == leaf);
                            assert!(found, "{text}: {path} = {leaf} is not in {event:?}");
                        }
                        assert_eq!(event.id, self::event(place(&text)).id);
                    }
                    meta_ids.push(event(meta(&text)).id);
                }
                // Which occurrence it is does not depend on the spelling, but on the name and the value.
                meta_ids.dedup();
                assert_eq!(meta_ids.len(), 1, "{name} {member}");
                assert_ne!(meta_ids[0], event(meta(member)).id);
            }
        }
    }
}

#[test]
fn a_name_gives_no_more_levels() {
    let number = "9".repeat(40);
    let places = places();
    for name in NAMES {
        for key in spellings(name) {
            let deep = format!("{}{number}{}", format!("{{{key}:").repeat(10_000), "}".repeat(10_000));
            for place in &places {
                let parsed = place(&deep);
                let refused: Vec<_> = parsed.refusals().map(|refused| refused.reason).collect();
                assert_eq!((parsed.items.len(), refused), (1, vec![Reason::TooDeep]));
            }
        }
    }
}

#[test]
fn json_in_a_string_stays_a_string() {
    // Each text is within a string of the next, under a name that once made it parsed, with 120 levels around.
    let nested = (0..8).fold("1".to_owned(), |text, _| {
        let string = Value::from(text).to_string();
        format!("{}{{\"{}\":{string}}}{}", "[".repeat(120), NAMES[1], "]".repeat(120))
    });
    let small = std::thread::Builder::new().stack_size(512 * 1024);
    let places = places();
    let run = move || places.iter().map(|place| event(place(&nested)).id).collect::<Vec<_>>();
    small.spawn(run).unwrap().join().unwrap();
}

#[test]
fn an_object_is_nobodys_id() {
    for name in NAMES {
        for key in spellings(name) {
            let id = format!(r#"{{{key}:"7"}}"#);
            let body = format!(r#"{{"repository":{{"id":{id}}},"entry":[{{"id":{id},"changes":[{{}}]}}],{key}:"1"}}"#);
            for source in sources::all() {
                assert_eq!(source.ordering_key(&HeaderMap::new(), body.as_bytes()), None);
                // What has no key at the door has no account later.
                let delivery = Delivery { body: body.clone().into(), ..meta_delivery::delivery("") };
                let parsed = source.parse(&delivery, &Registrations::default());
                assert!(parsed.events().all(|event| event.account_id.is_empty()), "{parsed:?}");
            }
            let parsed = github(&format!(r#"0,"repository":{{"id":{id}}},"organization":{{"id":{id}}}"#));
            assert_eq!(event(parsed).account_id, "");
        }
    }
}

/// Any JSON, with any names of members, or with those that only other parsers give a meaning to.
fn any_json(special: bool) -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,20})?(e[+-][0-9]{1,3})?",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        number.prop_map(|text| json::parse(&text).unwrap()),
        any::<String>().prop_map(Value::from),
        "[0-9]{1,3}|\\[1\\]|\\{\\}".prop_map(Value::from),
    ];
    let name = if special {
        prop_oneof![prop::sample::select(&NAMES[..]).prop_map(str::to_owned), "[ab$]?"].boxed()
    } else {
        prop_oneof![any::<String>(), "[ab$]?"].boxed()
    };
    leaf.prop_recursive(6, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// The text of a value in which every string is spelled in escapes.
fn spelled(value: &Value) -> String {
    match value {
        Value::String(string) => escaped(string),
        Value::Array(items) => format!("[ {} ]", items.iter().map(spelled).collect::<Vec<_>>().join(" ,\n")),
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| format!("{} : {}", escaped(name), spelled(value));
            format!("{{ {} }}", members.iter().map(member).collect::<Vec<_>>().join(" ,\r\n"))
        }
        scalar => scalar.to_string(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(value in prop_oneof![any_json(true), any_json(false)]) {
        let text = json::canonical(&value);
        prop_assert_eq!(&json::parse(&text).unwrap(), &value);
        prop_assert_eq!(&json::parse(&spelled(&value)).unwrap(), &value);
    }

    #[test]
    fn without_such_a_name_it_is_as_serde_json_reads_it(
        value in any_json(false),
        at in any::<prop::sample::Index>(),
        token in prop::sample::select(&["", "[", "}", "\"", ",", "1e4", "-", "\\", "null", "\u{1}"][..]),
        cut in any::<bool>(),
    ) {
        let whole = value.to_string();
        prop_assert_eq!(json::parse(&whole).unwrap(), serde_json::from_str::<Value>(&whole).unwrap());
        // Damaged, so that it mostly is no JSON: then for the same reason, at the same place.
        let at = whole.char_indices().map(|(at, _)| at).nth(at.index(whole.chars().count())).unwrap();
        let rest = if cut { "" } else { &whole[at..] };
        let damaged = format!("{}{token}{rest}", &whole[..at]);
        let describe = |error: serde_json::Error| (error.classify(), error.to_string());
        prop_assert_eq!(
            json::parse(&damaged).map_err(describe),
            serde_json::from_str::<Value>(&damaged).map_err(describe)
        );
    }
}
