use proptest::prelude::*;
use serde_json::{Map, Value};

use super::*;
use crate::json::parse;

fn sent(text: &str) -> Vec<(String, String)> {
    repair(text).unwrap().sent.into_iter().collect()
}

fn pairs(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(pointer, text)| ((*pointer).to_owned(), (*text).to_owned())).collect()
}

#[test]
fn halves_are_replaced_and_pairs_are_not() {
    for (text, expected) in [
        (r#""\ud83d""#, r#""\ufffd""#),
        (r#""a\uD83Db""#, r#""a\ufffdb""#),
        (r#""\ude00""#, r#""\ufffd""#),
        (r#""\ude00\ud83d""#, r#""\ufffd\ufffd""#),
        (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
        (r#""\ud83d\\ude00""#, r#""\ufffd\\ude00""#),
        (r#""\ud83d\n\ude00""#, r#""\ufffd\n\ufffd""#),
        (r#"{"a":"\ud83d", "ä":1}"#, r#"{"a":"\ufffd", "ä":1}"#),
    ] {
        let repaired = repair(text).unwrap();
        assert_eq!(repaired.text, expected);
        parse(&repaired.text).unwrap();
    }
    for text in [
        "",
        "{}",
        r#""\ud83d\ude00""#,
        r#""\\ud83d""#,
        r#""\ud83""#,
        r#""\u+83d""#,
        r"\ud83d",
        r#"{"a":}"#,
        r#""\"#,
        r#""\u"#,
    ] {
        assert_eq!(repair(text), None, "{text}");
    }
}

#[test]
fn what_was_sent_stands_at_its_place() {
    assert_eq!(sent(r#""\ud83d""#), pairs(&[("", r#""\ud83d""#)]));
    let text = r#"{"a":[1,{"b/~c\u00e4":"x\ud83d","ok":"\ud83d\ude00"},["\ude00", "y"]],"z":"\ud83d"}"#;
    let expected = [("/a/1/b~1~0cä", r#""x\ud83d""#), ("/a/2/0", r#""\ude00""#), ("/z", r#""\ud83d""#)];
    assert_eq!(sent(text), pairs(&expected));
}

/// Two names that become one lose no value.
#[test]
fn of_a_member_whose_name_had_one_the_value_is_kept() {
    let text = r#"{"a":{ "\ud83d" : {"b": ["\ud83d"]} ,"\ude00":2}}"#;
    let expected = [(r"/a/\ud83d", r#"{"b": ["\ud83d"]}"#), (r"/a/\ude00", "2")];
    assert_eq!(sent(text), pairs(&expected));
    assert_eq!(parse(&repair(text).unwrap().text).unwrap(), parse("{\"a\":{\"\u{fffd}\":2}}").unwrap());
}

#[test]
fn no_more_is_kept_than_was_sent() {
    let name = "n".repeat(1000);
    let text = format!("{{\"{name}\":[{}]}}", vec![r#""\ud83d""#; 1000].join(","));
    let repaired = repair(&text).unwrap();
    let size: usize = repaired.sent.iter().map(|(pointer, text)| pointer.len() + text.len()).sum();
    assert!(size <= text.len() && !repaired.sent.is_empty(), "{size} of {}", text.len());
    assert!(!repaired.text.contains("d83d"));
}

#[test]
fn deep_texts_need_no_memory() {
    let text = format!("\"\\ud83d\"{}", "[".repeat(1_000_000));
    assert_eq!(repair(&text).unwrap().text.len(), text.len());
}

/// A string as JSON writes it, from code units that need not be Unicode.
fn escaped(units: &[u16]) -> String {
    let text: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
    format!("\"{text}\"")
}

/// JSON text with halves of pairs in it, and the value that it has with U+FFFD for each.
fn broken() -> impl Strategy<Value = (String, Value)> {
    let unit = prop_oneof![0xd800..=0xdbff_u16, 0xdc00..=0xdfff_u16, Just(0x22), Just(0x5c), 0x20..0x7f_u16];
    let string = prop::collection::vec(unit, 0..6)
        .prop_map(|units| (escaped(&units), Value::String(String::from_utf16_lossy(&units))));
    let leaf = prop_oneof![
        string.clone(),
        "\\PC{0,6}".prop_map(|text| (Value::from(text.as_str()).to_string(), Value::from(text))),
        any::<i64>().prop_map(|number| (number.to_string(), Value::from(number))),
        Just(("null".to_owned(), Value::Null)),
    ];
    leaf.prop_recursive(4, 40, 5, move |inner| {
        let list = prop::collection::vec(inner.clone(), 0..5).prop_map(|items| {
            let (texts, values): (Vec<_>, Vec<_>) = items.into_iter().unzip();
            (format!("[{}]", texts.join(" , ")), Value::Array(values))
        });
        let object = prop::collection::vec((string.clone(), inner), 0..5).prop_map(|members| {
            let mut texts = Vec::new();
            let mut object = Map::new();
            for ((name_text, name), (text, value)) in members {
                texts.push(format!("{name_text} :{text}"));
                object.insert(name.as_str().unwrap().to_owned(), value);
            }
            (format!("{{{}}}", texts.join(",")), Value::Object(object))
        });
        prop_oneof![list, object]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_broken_by_halves_alone_can_be_read((text, expected) in broken()) {
        match parse(&text) {
            Ok(value) => {
                prop_assert_eq!(value, expected);
                prop_assert_eq!(repair(&text), None);
            }
            Err(_) => {
                let repaired = repair(&text).unwrap();
                prop_assert_eq!(parse(&repaired.text).unwrap(), expected);
                prop_assert_eq!(repaired.text.len(), text.len());
                for kept in repaired.sent.values() {
                    prop_assert!(text.contains(kept.as_str()));
                }
            }
        }
    }

    #[test]
    fn nothing_panics(text in "[\\[\\]{}:,\"a\\\\ud83c0-9 \u{e4}]{0,60}") {
        if let Some(repaired) = repair(&text) {
            prop_assert_eq!(repaired.text.len(), text.len());
            prop_assert_eq!(repair(&repaired.text), None);
        }
    }
}
