use super::*;

fn end(prefix: &str) -> Option<String> {
    Page { prefix: prefix.into(), ..Page::default() }.end()
}

#[test]
fn a_prefix_ends_before_the_next_text() {
    assert_eq!(end(""), None);
    assert_eq!(end("endpoint/").as_deref(), Some("endpoint0"));
    assert_eq!(end("a\u{d7ff}").as_deref(), Some("a\u{e000}"));
    assert_eq!(end("a\u{10ffff}").as_deref(), Some("b"));
    assert_eq!(end("\u{10ffff}"), None);
}

#[test]
fn an_account_names_its_endpoint() {
    assert_eq!(endpoint_of("account/app/1/2").as_deref(), Some("endpoint/app"));
    assert_eq!(endpoint_of("endpoint/app"), None);
}
