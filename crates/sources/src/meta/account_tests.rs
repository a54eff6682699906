use super::*;

#[test]
fn the_account_where_there_is_one() {
    let cases: [(&str, Option<&str>); 17] = [
        (r#"{"object":"page","entry":[{"id":"12","changes":[{"a":[{}]}]}]}"#, Some("12")),
        (r#"{"entry":[{"time":1,"id":12}]}"#, Some("12")),
        (r#"{"entry":[{"id":"12"},{"id":12},{"id":"\u0031\u0032"}]}"#, Some("12")),
        (r#"{"entry":[{"id":12345678901234567890123}]}"#, Some("12345678901234567890123")),
        (r#"{"entry":[{"id":"12"},{"id":"13"}]}"#, None),
        (r#"{"entry":[{"id":"12"},{}]}"#, None),
        (r#"{"entry":[{"id":""}]}"#, None),
        (r#"{"entry":[{"id":null}]}"#, None),
        (r#"{"entry":[{"id":{"id":"12"}}]}"#, None),
        (r#"{"entry":[]}"#, None),
        (r#"{"entry":{"id":"12"}}"#, None),
        (r#"{"entry":null}"#, None),
        (r#"{}"#, None),
        (r#"[{"entry":[{"id":"12"}]}"#, None),
        (r#"{"entry":[{"id":"12"}"#, None),
        ("12", None),
        ("", None),
    ];
    for (body, account) in cases {
        assert_eq!(of_delivery(body.as_bytes()).as_deref(), account, "{body}");
    }
    assert_eq!(of_delivery(b"\xff"), None);
    let long = |length: usize| format!(r#"{{"entry":[{{"id":"{}"}}]}}"#, "1".repeat(length));
    assert!(of_delivery(long(254).as_bytes()).is_some());
    assert!(of_delivery(long(255).as_bytes()).is_none());
    let deep = format!(r#"{{"entry":[{{"x":{}{},"id":"12"}}]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(of_delivery(deep.as_bytes()).as_deref(), Some("12"));
}
