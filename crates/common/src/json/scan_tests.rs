use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Values, objects, as a parser sees them.
fn counted(value: &Value) -> (u64, u64) {
    let inner = |(values, objects): (u64, u64), value: &Value| {
        let (more, of_objects) = counted(value);
        (values + more, objects + of_objects)
    };
    match value {
        Value::Array(items) => items.iter().fold((1, 0), inner),
        Value::Object(members) => members.values().fold((1, 1), inner),
        _ => (1, 0),
    }
}

#[test]
fn punctuation_within_strings_is_text() {
    let text = json!({"a,b{": ["x,\"y\\", "[[[", {}, []], "c": 1}).to_string();
    let scan = scan(text.as_bytes());
    assert_eq!((scan.objects, scan.bytes), (2, text.len() as u64));
    // An empty list or object counts as if something were in it.
    assert_eq!(scan.values, 7 + 2);
}

#[test]
fn what_is_no_json_is_counted_too() {
    for text in ["", "\"", "\"\\", "}}}]]]{", "{\"a\":\"b", "\\\""] {
        assert!(scan(text.as_bytes()).values >= 1, "{text}");
    }
}

#[test]
fn items_are_told_from_what_is_in_them() {
    let items = br#"{"entry":[{"id":"1","changes":[1,2,3,{"value":{"a":1,"b":2,"c":3}}]}]}"#;
    // One body, its list, one entry, its two members, four items, what is in the last, and what is in that.
    assert_eq!(scan(items).at_depth, [1, 1, 1, 2, 4, 1, 3, 0]);
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from)
    ];
    leaf.prop_recursive(5, 60, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_fewer_values_are_counted_than_there_are(value in any_json()) {
        let (values, objects) = counted(&value);
        let scan = scan(value.to_string().as_bytes());
        prop_assert_eq!(scan.objects, objects);
        prop_assert!(scan.values >= values && scan.values <= 2 * values);
        prop_assert!(scan.at_depth.iter().sum::<u64>() <= scan.values);
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let scan = scan(&bytes);
        prop_assert!(scan.values <= bytes.len() as u64 + 1);
    }
}
