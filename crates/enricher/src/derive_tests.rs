use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// What stands in the texts of `fixtures/derive.json`.
#[test]
fn golden() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../fixtures/derive.json")).unwrap();
    assert!(cases.len() > 20);
    for case in cases {
        let text = case["text"].as_str().unwrap();
        let known: Vec<String> = serde_json::from_value(case["known"].clone()).unwrap_or_default();
        let Derived { language, hashtags, mentions, links } = derive(text, &known, true);
        let mut found = json!({ "text": text });
        if !known.is_empty() {
            found["known"] = json!(known);
        }
        for (name, list) in [("links", links), ("hashtags", hashtags), ("mentions", mentions)] {
            if !list.is_empty() {
                found[name] = json!(list);
            }
        }
        if !language.is_empty() {
            found["language"] = json!(language);
        }
        assert_eq!(found, case, "{text}");
    }
}

/// Words with what is looked for between them.
fn texts() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,8}",
        "[#＃@＠]{1,3}[\\w.-]{0,6}",
        "https?://[a-z]{1,5}\\.[a-z]{2}/[()a-z#@.,!]{0,9}",
        Just(" ".to_owned()),
        Just("\u{200d}".to_owned()),
        Just("&#".to_owned()),
    ];
    proptest::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn everything_that_is_found_stands_in_the_text(text in texts()) {
        let found = derive(&text, &[], true);
        let lower = text.to_lowercase();
        for link in &found.links {
            prop_assert!(text.contains(link.as_str()));
            prop_assert!(!link.contains(char::is_whitespace));
        }
        for mention in &found.mentions {
            prop_assert!(text.contains(mention.as_str()) && !mention.contains(['@', '#']));
        }
        for tag in &found.hashtags {
            prop_assert!(!tag.is_empty() && tag.chars().any(char::is_alphabetic));
            prop_assert!(tag.chars().all(is_word), "{tag:?}");
            // Some letters change their lowercase with their neighbours.
            prop_assert!(lower.contains(tag.as_str()) || text.contains(['Σ', 'İ']), "{tag:?}");
        }
        for list in [&found.links, &found.hashtags] {
            let unique: HashSet<_> = list.iter().collect();
            prop_assert_eq!(unique.len(), list.len());
        }
    }

    #[test]
    fn a_tag_and_a_handle_between_words_are_found(before in "[a-z ]{0,20}", name in "[a-z][a-z0-9_]{0,20}") {
        let tagged = derive(&format!("{before} #{name}, and more"), &[], true);
        prop_assert_eq!(tagged.hashtags, [name.clone()]);
        let named = derive(&format!("{before} @{name}. And more"), &[], true);
        prop_assert_eq!(named.mentions, [name]);
    }

    #[test]
    fn any_bytes_are_only_text(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        derive(&String::from_utf8_lossy(&bytes), &[], true);
    }
}

/// Texts that make bad scanners take the square of their length.
#[test]
fn no_text_takes_long() {
    let begun = std::time::Instant::now();
    for piece in [
        "#",
        "@",
        "@a",
        "#a",
        "http://",
        "http://a(",
        ")",
        "a.",
        "#\u{200d}",
        "@-",
        "http://a)))))",
        "http://)",
        "http://a]",
        "\u{301}",
        "＃",
    ] {
        let text = piece.repeat(400_000 / piece.len());
        let found = derive(&text, &[], true);
        assert!(found.links.len() <= MOST && found.hashtags.len() <= MOST && found.mentions.len() <= MOST);
    }
    // A second at most where it is linear, without optimisation and beside other tests; an hour where it is not.
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

#[test]
fn known_links_come_first_and_once() {
    let known = ["https://a.example/1".to_owned(), String::new(), "https://a.example/2".to_owned()];
    let found = derive("see https://a.example/2 and https://a.example/3", &known, true);
    assert_eq!(found.links, ["https://a.example/1", "https://a.example/2", "https://a.example/3"]);
}

#[test]
fn a_language_is_told_only_where_it_is_asked_for() {
    let text =
        "We have been waiting for the boats since early this morning, and nobody knows when they will come #lock";
    let (with, without) = (derive(text, &[], true), derive(text, &[], false));
    assert_eq!((with.language.as_str(), without.language.as_str()), ("eng", ""));
    assert_eq!(with.hashtags, without.hashtags);
}
