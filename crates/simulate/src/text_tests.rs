use super::*;

#[test]
fn every_text_is_the_same_after_json() {
    for text in PHRASES.iter().chain(POSTS).chain(&["", "\"", "\\", "a\nb"]) {
        let mut json = String::new();
        push_json(&mut json, text);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), *text);
    }
}

#[test]
fn everybody_has_a_turn_before_somebody_has_two() {
    let mut seen = vec![false; Person::COUNT as usize];
    for n in 0..Person::COUNT {
        let Person(number) = Person::for_act(n);
        assert!(!std::mem::replace(&mut seen[number as usize], true));
    }
}

#[test]
fn times_are_as_platforms_write_them() {
    let mut out = String::new();
    push_rfc3339(&mut out, 1_780_000_000_999);
    assert_eq!(out, "2026-05-28T20:26:40Z");
}
