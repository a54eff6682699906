use super::*;
use crate::json::canonical;

const NUMBER: &str = "$serde_json::private::Number";
const RAW: &str = "$serde_json::private::RawValue";

/// A name as a JSON string in which every character, or only the first, is an escape.
fn escaped(name: &str, characters: usize) -> String {
    let escapes: String = name.chars().take(characters).map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    format!("\"{escapes}{}\"", &name[characters..])
}

#[test]
fn no_name_of_a_member_means_anything() {
    for name in [NUMBER, RAW] {
        for key in [format!("\"{name}\""), escaped(name, 1), escaped(name, name.len())] {
            for member in [r#""1""#, r#""[1]""#, r#""x""#, "1", "1.50", "null", "true", "{}", "[1]", r#"{"a":"b"}"#] {
                for text in [
                    format!("{{{key}:{member}}}"),
                    format!("{{ {key} : {member} , \"z\":2}}"),
                    format!("{{\"!\":0,{key}:{member}}}"),
                    format!("[{{\"a\":{{{key}:{member}}}}}]"),
                    format!("{{{key}:{{{key}:{member}}}}}"),
                ] {
                    let value = parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"));
                    let plain = text.replace(' ', "").replace(&key, &format!("\"{name}\""));
                    assert_eq!(canonical(&value), plain);
                    // What was written is read as the same again.
                    assert_eq!(parse(&plain).unwrap(), value);
                }
            }
        }
    }
}

#[test]
fn a_name_in_a_string_opens_no_more_levels() {
    for name in [NUMBER, RAW] {
        for key in [format!("\"{name}\""), escaped(name, name.len())] {
            let nested = |levels: usize| format!("{}1{}", format!("{{{key}:").repeat(levels), "}".repeat(levels));
            assert!(parse(&nested(20)).unwrap()[name][name].is_object());
            assert!(parse(&nested(127)).is_ok());
            for levels in [128, 10_000] {
                let error = parse(&nested(levels)).unwrap_err();
                assert!(error.to_string().starts_with("recursion limit exceeded"), "{error}");
            }
        }
        // JSON in a string in JSON in a string stays a string.
        let inner = "[".repeat(127);
        let text = format!("{{\"{name}\":\"{inner}\"}}");
        assert_eq!(parse(&text).unwrap()[name], Value::String(inner));
    }
}

#[test]
fn all_else_is_as_serde_json_reads_it() {
    for text in [
        "null",
        " true ",
        "false",
        "0",
        "-0",
        "-0.0",
        "1e5",
        "1E-5",
        "1.50",
        "1e+400",
        "123456789012345678901234567890",
        "\"\"",
        "\"\\u00e4\\n\\ud83d\\ude00\"",
        "[]",
        "{}",
        "{\"\":{\"\":[]}}",
        "[1,[2,{\"a\":null}],\"3\"]",
        "{\"b\":1,\"a\":2,\"b\":{\"c\":3}}",
        "",
        " ",
        "tru",
        "nul",
        "[1,",
        "[1,]",
        "{\"a\"",
        "{\"a\":",
        "{\"a\":1,",
        "{\"a\":1,}",
        "{\"a\":1,\n}",
        "{1:2}",
        "{'a':1}",
        "{} {}",
        "[}",
        "01",
        "1.",
        "1e",
        "-",
        "+1",
        "NaN",
        "\"\\ud800\"",
        "\"\u{1}\"",
        "\"\\x\"",
        "{\"\\ud800\":1}",
        "{\"a\":1,\"\\ud800\":1}",
        "<xml/>",
        "\u{feff}{}",
    ] {
        let expected = serde_json::from_str::<Value>(text);
        match (parse(text), expected) {
            (Ok(value), Ok(expected)) => assert_eq!(value, expected, "{text}"),
            (Err(error), Err(expected)) => {
                assert_eq!(error.to_string(), expected.to_string(), "{text}");
                assert_eq!(error.classify(), expected.classify(), "{text}");
            }
            (found, expected) => panic!("{text}: {found:?}, not {expected:?}"),
        }
    }
}

/// Why there is a parser here at all: once this fails, serde_json's own may do.
#[test]
fn serde_json_takes_an_object_for_a_number() {
    let text = format!("{{\"{NUMBER}\":\"1\"}}");
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), Value::from(1));
    assert_eq!(canonical(&parse(&text).unwrap()), text);
}
