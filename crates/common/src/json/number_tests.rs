use proptest::prelude::*;

use super::*;
use crate::json::parse;

#[test]
fn a_value_has_one_text() {
    for (value, texts) in [
        ("0", vec!["0", "-0", "0.0", "-0.00", "0e5", "0E-99999", "0e999999999999999999"]),
        ("0.00001", vec!["1e-5", "1E-5", "1e-05", "1.0e-5", "0.1e-4", "10e-6", "0.000010"]),
        ("1", vec!["1", "1.0", "1e0", "10e-1", "0.1e1", "1E+0", "1E+00"]),
        ("-1.5", vec!["-1.5", "-1.50", "-15e-1", "-0.15E1"]),
        ("1763600000.123", vec!["1763600000.123", "1.763600000123e9", "1763600000.1230"]),
        ("123456789012345678901234567890", vec!["123456789012345678901234567890", "1.2345678901234567890123456789e29"]),
        ("1000000000000000000000", vec!["1e21", "1000000000000000000000", "10E20"]),
        ("1e22", vec!["1e22", "1e+22", "10000000000000000000000", "1.0e22"]),
        ("0.0000000000000000000001", vec!["1e-22", "0.0000000000000000000001"]),
        ("1e-23", vec!["1e-23", "0.1E-22", "0.00000000000000000000001"]),
        ("-12e400", vec!["-12e400", "-1.2e401", "-1.20E+401"]),
        ("1e999999999999999999", vec!["1e999999999999999999", "0.1e1000000000000000000"]),
    ] {
        for text in texts {
            assert_eq!(by_value(text), value, "{text}");
        }
    }
}

#[test]
fn what_is_no_number_stays() {
    for text in ["", "-", ".", "1.x", "e5", "1e", "1e1e1", "NaN", "1e99999999999999999999", "+1", "1_0", "--1"] {
        assert_eq!(by_value(text), text);
    }
}

#[test]
fn numbers_anywhere_in_a_text() {
    let of = |text: &str| canonical_by_value(&parse(text).unwrap());
    assert_eq!(of(r#" {"b":[1E-05,{"c":1.50}],"a":-0.0} "#), r#"{"a":0,"b":[0.00001,{"c":1.5}]}"#);
    assert_eq!(of(r#"["1e-5",null,true,{},[],"\u00e4\n",{"\"":1}]"#), r#"["1e-5",null,true,{},[],"ä\n",{"\"":1}]"#);
}

/// A text of `digits` × 10^`exponent` with the point after `whole` digits, and zeros that say nothing.
fn spell(negative: bool, digits: u64, exponent: i32, whole: usize, zeros: (usize, usize)) -> String {
    let text = format!("{:0>1$}", digits, whole.max(1));
    let (before, after) = text.split_at(whole.clamp(1, text.len()));
    let exponent = exponent + i32::try_from(after.len()).unwrap();
    let fraction = format!("{after}{}", "0".repeat(zeros.0));
    let point = if fraction.is_empty() { "" } else { "." };
    let sign = if negative { "-" } else { "" };
    let exponent = match exponent {
        0 if zeros.1 == 0 => String::new(),
        n if n < 0 => format!("E-{}{}", "0".repeat(zeros.1), -n),
        n => format!("e+{}{n}", "0".repeat(zeros.1)),
    };
    // JSON has no zeros before the first digit but one.
    let before = Some(before.trim_start_matches('0')).filter(|digits| !digits.is_empty()).unwrap_or("0");
    format!("{sign}{before}{point}{fraction}{exponent}")
}

proptest! {
    #[test]
    fn however_it_is_written_it_has_one_text(
        negative: bool, digits: u64, exponent in -40..40_i32,
        a in (1..25_usize, (0..4_usize, 0..3_usize)), b in (1..25_usize, (0..4_usize, 0..3_usize)),
    ) {
        let (one, other) = (spell(negative, digits, exponent, a.0, a.1), spell(negative, digits, exponent, b.0, b.1));
        prop_assert!(parse(&one).is_ok(), "{}", one);
        let text = by_value(&one);
        prop_assert_eq!(&text, &by_value(&other), "{} and {}", one, other);
        prop_assert_eq!(&by_value(&text), &text);
        // It is the same number, and no longer by more than the zeros that may be written out.
        prop_assert_eq!(text.parse::<f64>().unwrap(), one.parse::<f64>().unwrap());
        prop_assert!(text.len() <= one.len() + 24, "{}", text);
    }

    #[test]
    fn two_numbers_have_two_texts(a: i64, b: i64, exponent in -30..30_i32) {
        let of = |number: i64| by_value(&format!("{number}e{exponent}"));
        prop_assert_eq!(of(a) == of(b), a == b);
        prop_assert_eq!(by_value(&a.to_string()), a.to_string());
    }

    #[test]
    fn all_but_the_numbers_is_as_in_the_canonical_text(value in value()) {
        prop_assert_eq!(canonical_by_value(&value), crate::json::canonical(&value));
    }
}

/// Any JSON with numbers that are in the one form already.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,8}|[\"\\\\\n]{0,3}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,4}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
