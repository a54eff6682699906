use super::*;

fn text(body: &str) -> Option<String> {
    json(body.as_bytes()).map(|json| String::from_utf8(json.into_owned()).unwrap())
}

#[test]
fn json_and_forms_are_told_apart_by_themselves() {
    for (body, expected) in [
        ("{\"a\":\"b=c\"}", Some("{\"a\":\"b=c\"}")),
        ("payload=%7B%22a%22%3A+1%7D", Some("{\"a\": 1}")),
        ("payload=%7b%22a%22%3a%22%2B%25%C3%BC%22%7d", Some("{\"a\":\"+%ü\"}")),
        ("guid=x&payload=%7B%7D&rest=1", Some("{}")),
        ("payload=", Some("")),
        ("payload=100%&x=1", Some("100%")),
        ("payload=%4", Some("%4")),
        ("payload=%zz%4a", Some("%zzJ")),
        ("mypayload=%7B%7D", None),
        ("a=1", None),
        ("", Some("")),
        ("true", Some("true")),
        ("=", Some("=")),
    ] {
        assert_eq!(text(body).as_deref(), expected, "{body}");
    }
}

#[test]
fn the_account_is_the_repository_else_what_is_around_it() {
    let deep = format!("{{\"a\":{}{},\"repository\":{{\"id\":9}}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, expected) in [
        (r#"{"repository":{"id":5,"owner":{"id":6}},"organization":{"id":7}}"#, Some("5")),
        (r#"{"repository":{"id":"R_5"}}"#, Some("R_5")),
        (r#"{"repository":{"id":123456789012345678901234567890}}"#, Some("123456789012345678901234567890")),
        (r#"{"repository":null,"organization":{"id":7},"installation":{"id":8}}"#, Some("7")),
        (r#"{"repository":{"name":"x"},"installation":{"id":8}}"#, Some("8")),
        (r#"{"repository":{"id":null},"enterprise":{"id":"9"}}"#, Some("9")),
        (r#"{"repository":{"id":[1]},"enterprise":{"id":""}}"#, None),
        (r#"{"repository":"x","organization":[7],"installation":7,"enterprise":true}"#, None),
        (r#"{"sender":{"id":1}}"#, None),
    ] {
        assert_eq!(account_in(body.as_bytes()).as_deref(), expected, "{body}");
        let object: Object = serde_json::from_str(body).unwrap();
        assert_eq!(account_of(&object).as_deref(), expected, "{body}");
    }
    assert_eq!(account_in(deep.as_bytes()).as_deref(), Some("9"));
    for body in ["", "[]", "[{\"id\":5}]", "1", "{", "{\"repository\":{\"id\":5}", "{\"a\":\"\u{0}\"}"] {
        assert_eq!(account_in(body.as_bytes()), None, "{body}");
    }
}
