use base64::engine::general_purpose::STANDARD as BASE64;
use common::raw::v1::Header;
use common::registrations::Registrations;
use http::HeaderValue;
use prost::Message as _;
use secrecy::SecretString;

use super::*;

/// The example of the specification's libraries.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const NOW: u64 = 1_614_265_330;

fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

fn sign(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let digest = Algorithm::Sha256.hmac(key, &[id.as_bytes(), b".", timestamp.as_bytes(), b".", body]);
    format!("v1,{}", BASE64.encode(digest))
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn verify(headers: &HeaderMap, secrets: &[&str], now: u64) -> Result<&'static str, VerifyError> {
    let active: Vec<_> = secrets.iter().map(|&text| SecretString::from(text)).collect();
    StandardWebhooks.verify(headers, BODY, &Secrets { active: &active, verify_token: None }, at(now))
}

#[test]
fn the_example_of_the_specification_verifies() {
    let headers = headers(&[
        (ID, "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        (TIMESTAMP, "1614265330"),
        (SIGNATURE, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    ]);
    assert_eq!(verify(&headers, &[SECRET], NOW), Ok("standard-webhooks-v1"));
}

#[test]
fn signatures_are_told_apart() {
    let key = BASE64.decode(&SECRET[6..]).unwrap();
    let good = sign(&key, "msg_1", "1614265330", BODY);
    let raw = sign(b"raw secret", "msg_1", "1614265330", BODY);
    let other = sign(b"other", "msg_1", "1614265330", BODY);
    let asymmetric = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
    let malformed = Err(VerifyError::Malformed(SIGNATURE));
    let many = vec![other.as_str(); MAX_SIGNATURES + 1].join(" ");
    let cases = [
        (good.clone(), Ok("standard-webhooks-v1")),
        (format!("{other} {good}"), Ok("standard-webhooks-v1")),
        (format!("{asymmetric} {good}  {other}"), Ok("standard-webhooks-v1")),
        (format!("v2,whatever {good}"), Ok("standard-webhooks-v1")),
        (raw, Ok("standard-webhooks-v1")),
        (other, Err(VerifyError::Mismatch)),
        (asymmetric.to_owned(), Err(VerifyError::Mismatch)),
        (good.replace("v1,", ""), malformed),
        (good.replace('=', ""), malformed),
        (String::new(), malformed),
        (" ".to_owned(), malformed),
        ("v1,".to_owned(), malformed),
        ("v1".to_owned(), malformed),
        (many, malformed),
    ];
    for (signature, expected) in cases {
        let headers = headers(&[(ID, "msg_1"), (TIMESTAMP, "1614265330"), (SIGNATURE, &signature)]);
        assert_eq!(verify(&headers, &["first", SECRET, "raw secret"], NOW), expected, "{signature}");
    }
}

#[test]
fn id_and_timestamp_are_signed_too() {
    let key = BASE64.decode(&SECRET[6..]).unwrap();
    let good = sign(&key, "msg_1", "1614265330", BODY);
    let cases = [
        ("msg_2", "1614265330", Err(VerifyError::Mismatch)),
        ("msg_1", "1614265331", Err(VerifyError::Mismatch)),
        // Not signed, so it is not even asked how old it is.
        ("msg_1", "1", Err(VerifyError::Mismatch)),
        ("msg_1", "-5", Err(VerifyError::Malformed(TIMESTAMP))),
        ("msg_1", "", Err(VerifyError::Malformed(TIMESTAMP))),
        ("msg_1", "2021-02-25T15:02:10Z", Err(VerifyError::Malformed(TIMESTAMP))),
        ("msg_1", "99999999999999999999999", Err(VerifyError::Malformed(TIMESTAMP))),
        ("", "1614265330", Err(VerifyError::Malformed(ID))),
    ];
    for (id, timestamp, expected) in cases {
        let headers = headers(&[(ID, id), (TIMESTAMP, timestamp), (SIGNATURE, &good)]);
        assert_eq!(verify(&headers, &[SECRET], NOW), expected, "{id} {timestamp}");
    }
    let all = [(ID, "msg_1"), (TIMESTAMP, "1614265330"), (SIGNATURE, good.as_str())];
    for missing in 0..3 {
        let some: Vec<_> =
            all.iter().copied().enumerate().filter(|(at, _)| *at != missing).map(|(_, pair)| pair).collect();
        assert_eq!(verify(&headers(&some), &[SECRET], NOW), Err(VerifyError::Missing(all[missing].0)));
        let mut twice = all.to_vec();
        twice.push(all[missing]);
        assert_eq!(verify(&headers(&twice), &[SECRET], NOW), Err(VerifyError::Malformed(all[missing].0)));
    }
}

#[test]
fn what_is_older_or_newer_than_five_minutes_is_stale() {
    let key = BASE64.decode(&SECRET[6..]).unwrap();
    let headers =
        headers(&[(ID, "msg_1"), (TIMESTAMP, "1614265330"), (SIGNATURE, &sign(&key, "msg_1", "1614265330", BODY))]);
    for (now, expected) in [
        (NOW - 301, Err(VerifyError::Stale)),
        (NOW - 300, Ok("standard-webhooks-v1")),
        (NOW + 300, Ok("standard-webhooks-v1")),
        (NOW + 301, Err(VerifyError::Stale)),
        (0, Err(VerifyError::Stale)),
    ] {
        assert_eq!(verify(&headers, &[SECRET], now), expected, "{now}");
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_none() {
    let headers = headers(&[(ID, "m"), (TIMESTAMP, "1614265330"), (SIGNATURE, &sign(b"", "m", "1614265330", BODY))]);
    for secrets in [&[][..], &["whsec_not base64"], &["whsec_"], &["whsk_c2VjcmV0"], &[""]] {
        assert_eq!(verify(&headers, secrets, NOW), Err(VerifyError::NoSecret), "{secrets:?}");
    }
}

/// A secret is taken in every form in which the libraries of the specification take it, and senders give it.
#[test]
fn one_secret_has_many_forms() {
    let key = [0xfb, 0xff, 0xbf, 0x00, 0x01];
    let padded = BASE64.encode(key);
    assert_eq!(padded, "+/+/AAE=");
    let raw = [" raw secret", "raw secret"];
    let cases = [
        (format!("whsec_{padded}"), &key[..]),
        ("whsec_+/+/AAE".to_owned(), &key),
        ("whsec_-_-_AAE=".to_owned(), &key),
        ("whsec_-_-_AAE".to_owned(), &key),
        ("whsec_+/+/AAF=".to_owned(), &key),
        (format!("\u{feff}whsec_{padded}\r\n"), &key),
        (format!("  whsec_{padded}\t"), &key),
        // The reference libraries take it bare; others mean the text itself.
        (padded.clone(), &key),
        (padded.clone(), padded.as_bytes()),
        (format!("{padded}\n"), &key),
        (raw[0].to_owned(), raw[0].as_bytes()),
        (raw[0].to_owned(), raw[1].as_bytes()),
    ];
    for (secret, key) in cases {
        let signature = sign(key, "m", "1614265330", BODY);
        let headers = headers(&[(ID, "m"), (TIMESTAMP, "1614265330"), (SIGNATURE, &signature)]);
        assert_eq!(verify(&headers, &[&secret], NOW), Ok("standard-webhooks-v1"), "{secret:?}");
        let signature = sign(b"other", "m", "1614265330", BODY);
        let headers = self::headers(&[(ID, "m"), (TIMESTAMP, "1614265330"), (SIGNATURE, &signature)]);
        assert_eq!(verify(&headers, &[&secret], NOW), Err(VerifyError::Mismatch), "{secret:?}");
    }
    // Behind whsec_ is Base64 and nothing else: its text is no key.
    let signature = sign(padded.as_bytes(), "m", "1614265330", BODY);
    let headers = headers(&[(ID, "m"), (TIMESTAMP, "1614265330"), (SIGNATURE, &signature)]);
    assert_eq!(verify(&headers, &[&format!("whsec_{padded}")], NOW), Err(VerifyError::Mismatch));
}

fn delivery(id: Option<&str>, body: &'static [u8]) -> Delivery {
    let header = |value: &str| Header { name: ID.to_owned(), value: value.to_owned() };
    Delivery {
        endpoint: "shop".to_owned(),
        tenant: "acme".to_owned(),
        headers: id.map(header).into_iter().collect(),
        body: body.into(),
        ..Delivery::default()
    }
}

#[test]
fn the_id_of_the_message_is_its_identity() {
    let id =
        |delivery: &Delivery| StandardWebhooks.parse(delivery, &Registrations::default()).events().next().unwrap().id;
    let first = id(&delivery(Some("msg_1"), b"{}"));
    assert_eq!(first, id(&delivery(Some("msg_1"), b"{\"attempt\":2}")));
    assert_ne!(first, id(&delivery(Some("msg_2"), b"{}")));
    // Two senders of one tenant may both count from 1.
    assert_ne!(first, id(&Delivery { endpoint: "bank".to_owned(), ..delivery(Some("msg_1"), b"{}") }));
    assert_ne!(first, id(&Delivery { tenant: "other".to_owned(), ..delivery(Some("msg_1"), b"{}") }));
}

#[test]
fn any_json_value_is_a_message() {
    for (body, payload, unknown, action) in [
        (&b"null"[..], Some("null"), 0, "message"),
        (b" [1.50, {\"b\":1,\"a\":2}] ", Some("[1.50,{\"a\":2,\"b\":1}]"), 0, "message"),
        (b"{\"type\":\"a.b\",\"x\":1,\"y\":{\"z\":2}}", None, 2, "a.b"),
        (b"{}", None, 0, "message"),
    ] {
        let parsed = StandardWebhooks.parse(&delivery(Some("msg_1"), body), &Registrations::default());
        let event = parsed.events().next().unwrap();
        let message = Message::decode(event.payload.as_slice()).unwrap();
        assert_eq!((message.payload.as_deref(), message.unknown.len()), (payload, unknown));
        assert_eq!(message.message_id, "msg_1");
        let [activity] = &event.activities[..] else { panic!("{event:?}") };
        assert_eq!((activity.verb(), activity.action.as_str()), (Verb::Other, action));
        assert_eq!(activity.object.as_ref().map(|object| object.id.as_str()), Some("msg_1"));
    }
}

#[test]
fn what_has_no_id_or_is_no_json_is_refused() {
    for (id, body, reason) in [
        (None, &b"{}"[..], Reason::MissingHeader),
        (Some(" "), b"{}", Reason::MissingHeader),
        (Some("m"), b"", Reason::Empty),
        (Some("m"), b"{\"a\":", Reason::Truncated),
        (Some("m"), b"a=b", Reason::NotJson),
        (Some("m"), b"\xff", Reason::NotUtf8),
    ] {
        let parsed = StandardWebhooks.parse(&delivery(id, body), &Registrations::default());
        let [Item::Refused(refused)] = &parsed.items[..] else { panic!("{parsed:?}") };
        assert_eq!((refused.reason, &refused.payload[..]), (reason, body));
    }
}
