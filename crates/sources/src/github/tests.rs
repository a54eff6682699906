use common::event::v1::Other;
use common::github::v1::Ping;
use common::raw::v1::Header;
use common::registrations::Registrations;
use http::HeaderValue;
use prost::Message as _;
use secrecy::SecretString;

use super::*;

fn delivery(headers: &[(&str, &str)], body: &[u8]) -> Delivery {
    let header = |&(name, value): &(&str, &str)| Header { name: name.to_owned(), value: value.to_owned() };
    Delivery {
        endpoint: "gh".to_owned(),
        tenant: "acme".to_owned(),
        headers: headers.iter().map(header).collect(),
        body: body.to_vec().into(),
        ..Delivery::default()
    }
}

fn parse(headers: &[(&str, &str)], body: &[u8]) -> Parsed {
    GitHub.parse(&delivery(headers, body), &Registrations::default())
}

const PING: [(&str, &str); 2] = [(EVENT, "ping"), (DELIVERY, "guid-1")];

#[test]
fn the_example_of_githubs_documentation_verifies() {
    let active = [SecretString::from("It's a Secret to Everybody")];
    let secrets = Secrets { active: &active, verify_token: None };
    let signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let mut headers = HeaderMap::new();
    headers.insert(SIGNATURE, HeaderValue::from_static(signature));
    let verify = |headers: &HeaderMap, body: &[u8]| GitHub.verify(headers, body, &secrets, SystemTime::UNIX_EPOCH);
    assert_eq!(verify(&headers, b"Hello, World!"), Ok("hub-sha256"));
    assert_eq!(verify(&headers, b"Hello, World"), Err(VerifyError::Mismatch));
    headers.append(SIGNATURE, HeaderValue::from_static(signature));
    assert_eq!(verify(&headers, b"Hello, World!"), Err(VerifyError::Malformed(SIGNATURE)));
    // The older SHA-1 header is not enough.
    let mut old = HeaderMap::new();
    old.insert("x-hub-signature", HeaderValue::from_static("sha1=01dc10d0c83e72ed246219cdd91669667fe2ca59"));
    assert_eq!(verify(&old, b"Hello, World!"), Err(VerifyError::Missing(SIGNATURE)));
}

#[test]
fn there_is_no_handshake() {
    let secrets = Secrets { active: &[], verify_token: None };
    assert_eq!(GitHub.handshake("hub.mode=subscribe&hub.challenge=1", &secrets), None);
}

#[test]
fn a_delivery_without_its_headers_is_refused_and_kept() {
    let body = br#"{"zen":"x"}"#;
    for headers in [&[(EVENT, "ping")][..], &[(DELIVERY, "guid-1")], &[], &[(EVENT, " "), (DELIVERY, "guid-1")]] {
        let parsed = parse(headers, body);
        let [Item::Refused(refused)] = &parsed.items[..] else { panic!("{parsed:?}") };
        assert_eq!((refused.reason, refused.content_type), (Reason::MissingHeader, "application/json"));
        assert_eq!(refused.payload, body);
        let missing = if headers == [(EVENT, "ping")] { DELIVERY } else { EVENT };
        assert!(refused.message.contains(missing), "{}", refused.message);
    }
}

#[test]
fn bad_bodies_are_refused_whole() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (body, reason) in [
        (&b""[..], Reason::Empty),
        (b"{\"zen\":", Reason::Truncated),
        (b"payload=%7B%22zen%22%3A", Reason::Truncated),
        (b"{zen}", Reason::NotJson),
        (b"payload=zen", Reason::NotJson),
        (b"{\"zen\":\"\xff\"}", Reason::NotUtf8),
        (b"payload=%7B%22zen%22%3A%22%FF%22%7D", Reason::NotUtf8),
        (b"[{\"zen\":1}]", Reason::WrongShape),
        (b"null", Reason::WrongShape),
        (b"zen=1&paid=2", Reason::WrongShape),
        (deep.as_bytes(), Reason::TooDeep),
    ] {
        let parsed = parse(&PING, body);
        let [Item::Refused(refused)] = &parsed.items[..] else { panic!("{parsed:?}") };
        assert_eq!((refused.reason, &refused.payload[..]), (reason, body), "{}", refused.message);
    }
}

#[test]
fn identity_is_the_delivery_and_its_body() {
    let id = |headers: &[(&str, &str)], body: &[u8]| parse(headers, body).events().next().unwrap().id;
    let first = id(&PING, b"{}");
    assert_eq!(first.to_string(), "3f1352f3c8f08f88698670df02b0cabb");
    assert_eq!(first, id(&[(EVENT, "ping"), ("user-agent", "x"), (DELIVERY, "guid-1")], b"{}"));
    assert_ne!(first, id(&[(EVENT, "ping"), (DELIVERY, "guid-2")], b"{}"));
    assert_ne!(first, id(&PING, b"{ }"));
    let other = Delivery { tenant: "other".to_owned(), ..delivery(&PING, b"{}") };
    assert_ne!(first, GitHub.parse(&other, &Registrations::default()).events().next().unwrap().id);
}

#[test]
fn a_kind_that_is_not_known_is_kept_exactly() {
    let body = br#"{ "action":"polled", "repository":{"id":7}, "size":1.50 }"#;
    let parsed = parse(&[(EVENT, "brand_new"), (DELIVERY, "guid-1")], body);
    let event = parsed.events().next().unwrap();
    assert_eq!((event.topic.as_ref(), event.subject.as_str()), ("events.github.other", "7"));
    let other = Other::decode(event.payload.as_slice()).unwrap();
    assert_eq!((other.kind.as_str(), other.json.as_bytes()), ("brand_new", &body[..]));
}

#[test]
fn without_any_account_the_delivery_is_the_key() {
    let parsed = parse(&PING, b"{\"zen\":\"x\",\"hook_id\":12}");
    let event = parsed.events().next().unwrap();
    assert_eq!((event.account_id.as_str(), event.subject.as_str()), ("", "guid-1"));
    let ping = Ping::decode(event.payload.as_slice()).unwrap();
    assert_eq!((ping.zen.as_deref(), ping.hook_id.as_deref()), (Some("x"), Some("12")));
    assert_eq!(GitHub.ordering_key(&HeaderMap::new(), b"{\"zen\":\"x\"}"), None);
}

#[test]
fn a_mark_and_half_of_a_pair_are_no_reason_to_refuse() {
    let plain = br#"{"zen":"x","hook_id":7}"#;
    let marked = [b"\xef\xbb\xbf".as_slice(), plain].concat();
    let form = [b"payload=%EF%BB%BF".as_slice(), plain].concat();
    for body in [&marked, &form] {
        let parsed = parse(&PING, body);
        let ping = Ping::decode(parsed.events().next().unwrap().payload.as_slice()).unwrap();
        assert_eq!(ping.zen.as_deref(), Some("x"));
    }
    let body = br#"{"zen":"half \ud83d","new":{"deep":["\udc00"]},"repository":{"id":42}}"#;
    let parsed = parse(&PING, body);
    let event = parsed.events().next().unwrap();
    let ping = Ping::decode(event.payload.as_slice()).unwrap();
    assert_eq!((ping.zen.as_deref(), event.account_id.as_str()), (Some("half \u{fffd}"), "42"));
    assert_eq!(ping.unknown["/zen"], r#""half \ud83d""#);
    assert_eq!(ping.unknown["/new"], "{\"deep\":[\"\u{fffd}\"]}");
    assert_eq!(ping.unknown["/new/deep/0"], r#""\udc00""#);
    // A kind that is not typed is kept as it was sent.
    let parsed = parse(&[(EVENT, "new_kind"), (DELIVERY, "guid-1")], body);
    let other = Other::decode(parsed.events().next().unwrap().payload.as_slice()).unwrap();
    assert_eq!(other.json.as_bytes(), body);
    assert_eq!(GitHub.ordering_key(&HeaderMap::new(), &[b"\xef\xbb\xbf", &body[..]].concat()).as_deref(), Some("42"));
}
