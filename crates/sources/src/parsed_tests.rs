use std::collections::BTreeSet;

use super::*;

#[test]
fn reason_codes_never_change() {
    let codes: Vec<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
    // Dead letters that are kept for 30 days, dashboards and alerts name them.
    let known =
        ["not_utf8", "not_json", "truncated", "too_deep", "wrong_shape", "empty", "missing_header", "too_many_values"];
    assert_eq!(codes, known);
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
}

#[test]
fn a_whole_body_is_kept_byte_for_byte() {
    let parsed = Parsed::refused(Reason::NotUtf8, "not utf-8", b"\xff{");
    let refused: Vec<_> = parsed.refusals().collect();
    assert_eq!(refused.len(), 1);
    assert_eq!((refused[0].index, &refused[0].payload[..]), (0, &b"\xff{"[..]));
    assert_eq!(refused[0].content_type, "application/octet-stream");
    let deep = "[".repeat(10_000) + &"]".repeat(10_000);
    assert_eq!(ParseRefusal::whole(Reason::TooDeep, "too deep", deep.as_bytes()).content_type, "application/json");
    assert_eq!(
        ParseRefusal::whole(Reason::TooDeep, "too deep", &deep.as_bytes()[1..]).content_type,
        "application/octet-stream"
    );
    assert_eq!(parsed.events().count(), 0);
}
