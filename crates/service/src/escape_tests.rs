use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Nothing that a terminal obeys, and nothing that changes the direction of writing.
fn is_harmless(text: &str) -> bool {
    const DIRECTION: &str =
        "\u{61c}\u{200e}\u{200f}\u{202a}\u{202b}\u{202c}\u{202d}\u{202e}\u{2066}\u{2067}\u{2068}\u{2069}";
    !text.chars().any(|c| c.is_control() || DIRECTION.contains(c))
}

#[test]
fn controls_are_shown_and_not_obeyed() {
    assert_eq!(lines("a\u{1b}[2Jb"), "a\\u001b[2Jb");
    assert_eq!(lines("\u{9b}31m \u{9d}0;title\u{7}"), "\\u009b31m \\u009d0;title\\u0007");
    assert_eq!(lines("a\rb\u{8}\u{7f}"), "a\\u000db\\u0008\\u007f");
    assert_eq!(lines("invoice\u{202e}fdp.exe"), "invoice\\u202efdp.exe");
    assert_eq!(lines("\u{2066}\u{2069}\u{200e}\u{200f}\u{61c}"), "\\u2066\\u2069\\u200e\\u200f\\u061c");
    assert_eq!(lines("a line\n\tand another"), "a line\n\tand another");
    assert_eq!(word("a line\n\tand another"), "a line\\u000a\\u0009and another");
    assert_eq!(coloured("\u{1b}[31mred\u{1b}[0m\u{9b}2J"), "\u{1b}[31mred\u{1b}[0m\\u009b2J");
}

#[test]
fn other_writing_stays_as_it_is() {
    for text in ["", "plain", "zażółć gęślą jaźń", "שלום", "مرحبا", "日本語", "👩‍👩‍👧 family", "e\u{301}"]
    {
        assert!(matches!(word(text), Cow::Borrowed(same) if same == text), "{text:?}");
    }
}

proptest! {
    #[test]
    fn no_text_gets_through_to_a_terminal(text in any::<String>()) {
        prop_assert!(is_harmless(&word(&text)));
        prop_assert!(is_harmless(&lines(&text).replace(['\n', '\t'], "")));
    }

    #[test]
    fn a_json_text_stays_what_it_was(text in "[\\x00-\\x9f\u{200e}\u{202a}-\u{202e}\u{2066}-\u{2069}\u{61c}a-z\"\\\\]{0,40}") {
        let value = Value::from(text);
        for json in [value.to_string(), serde_json::to_string_pretty(&serde_json::json!({ "k": [&value] })).unwrap()] {
            let before: Value = serde_json::from_str(&json).unwrap();
            let after: Value = serde_json::from_str(&lines(&json)).unwrap();
            prop_assert_eq!(before, after);
        }
    }
}
