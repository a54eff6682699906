use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use http::HeaderValue;
use prost_types::Timestamp;
use sources::signature::Algorithm;

use super::*;

const BODY: &[u8] = br#"{"repository":{"id":1}}"#;
const NOW: u64 = 1_790_000_000;

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn timestamp(seconds: u64) -> Timestamp {
    Timestamp::from(at(seconds))
}

fn signed(secret: &str) -> HeaderMap {
    let digest = hex::encode(Algorithm::Sha256.hmac(secret.as_bytes(), &[BODY]));
    let mut headers = HeaderMap::new();
    headers.insert("x-hub-signature-256", HeaderValue::from_str(&format!("sha256={digest}")).unwrap());
    headers
}

struct Operator {
    key: SealingKey,
    folder: tempfile::TempDir,
}

impl Operator {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = SealingKey::create_file(folder.path().join("key")).unwrap();
        Self { key, folder }
    }

    /// An index that has the operator's key.
    fn endpoints(&self, settings: &[EndpointSettings]) -> Endpoints {
        Endpoints::new(
            settings,
            Some(SealingKey::from_file(self.folder.path().join("key")).unwrap()),
            Counts::default(),
        )
    }

    fn seal(&self, id: &str, secret: &str, end: Option<u64>) -> SealedSecret {
        let sealed = self.key.seal(id, &SecretString::from(secret)).unwrap();
        SealedSecret { expires_at: end.map(timestamp), ..sealed }
    }

    fn github(&self, name: &str, secrets: &[(&str, Option<u64>)], rate_limit: u32) -> Registration {
        let id = format!("endpoint/{name}");
        let secrets = secrets.iter().map(|(secret, end)| self.seal(&id, secret, *end)).collect();
        registration(Registered { name: name.into(), source: "github".into(), secrets, rate_limit, verify_token: None })
    }
}

fn registration(endpoint: Registered) -> Registration {
    Registration {
        id: format!("endpoint/{}", endpoint.name),
        tenant: "acme".into(),
        kind: Some(Kind::Endpoint(endpoint)),
        ..Registration::default()
    }
}

fn settings(name: &str, secret: &str) -> EndpointSettings {
    EndpointSettings {
        name: name.into(),
        source: "github".into(),
        tenant: "fixed".into(),
        secrets: vec![service::Secret::new(secret)],
        verify_token: None,
        rate_limit: None,
    }
}

fn error(endpoints: &Endpoints, name: &str) -> Refusal {
    endpoints.lookup(name, true).err().unwrap()
}

#[test]
fn until_the_registrations_are_read_nobody_is_unknown() {
    let operator = Operator::new();
    let endpoints = operator.endpoints(&[settings("fixed", "s")]);
    endpoints.apply("endpoint/app", Some(operator.github("app", &[("s", None)], 0)));
    // One of the settings is known at once, a registered one may be outdated.
    assert!(endpoints.lookup("fixed", false).is_ok());
    assert_eq!(endpoints.lookup("app", false).err(), Some(Refusal::RegistrationsUnread));
    assert_eq!(endpoints.lookup("other", false).err(), Some(Refusal::RegistrationsUnread));
    assert!(endpoints.lookup("app", true).is_ok());
    assert_eq!(error(&endpoints, "other"), Refusal::UnknownEndpoint);
}

#[test]
fn follows_the_registrations() {
    let operator = Operator::new();
    let endpoints = operator.endpoints(&[]);
    endpoints.apply("endpoint/app", Some(operator.github("app", &[("one", None)], 0)));
    let app = endpoints.lookup("app", true).unwrap();
    assert_eq!((app.tenant.as_str(), app.source.name(), app.fixed), ("acme", "github", false));
    assert_eq!(app.ce_source, "weir/streaming/app");
    assert!(app.verify(&signed("one"), BODY, at(NOW)).is_ok());
    assert_eq!(app.verify(&signed("two"), BODY, at(NOW)), Err(Refusal::SignatureMismatch));

    // Rotated: both for a while, then the new one only.
    endpoints.apply("endpoint/app", Some(operator.github("app", &[("one", Some(NOW)), ("two", None)], 0)));
    let app = endpoints.lookup("app", true).unwrap();
    assert!(app.verify(&signed("one"), BODY, at(NOW - 1)).is_ok());
    assert!(app.verify(&signed("two"), BODY, at(NOW - 1)).is_ok());
    assert_eq!(app.verify(&signed("one"), BODY, at(NOW)), Err(Refusal::SignatureMismatch));
    assert!(app.verify(&signed("two"), BODY, at(NOW)).is_ok());
    assert_eq!(endpoints.problems(at(NOW)), [""; 0]);

    endpoints.apply("endpoint/app", None);
    assert_eq!(error(&endpoints, "app"), Refusal::UnknownEndpoint);
    endpoints.apply("endpoint/never-there", None);
    endpoints.apply("account/app/1", None);
    assert_eq!(endpoints.count(), (0, 0));
}

#[test]
fn secrets_end_in_any_order() {
    let operator = Operator::new();
    let endpoints = operator.endpoints(&[]);
    let secrets = [("a", Some(NOW + 10)), ("b", None), ("c", Some(NOW + 30)), ("d", Some(NOW)), ("e", Some(NOW + 20))];
    endpoints.apply("endpoint/app", Some(operator.github("app", &secrets, 0)));
    let app = endpoints.lookup("app", true).unwrap();
    for (secret, end) in secrets {
        for now in [NOW - 1, NOW, NOW + 9, NOW + 10, NOW + 20, NOW + 29, NOW + 30, NOW + 100] {
            let expected = end.is_none_or(|end| end > now);
            assert_eq!(app.verify(&signed(secret), BODY, at(now)).is_ok(), expected, "{secret} at {now}");
        }
    }
}

#[test]
fn an_endpoint_without_an_active_secret_is_unusable_and_says_so() {
    let operator = Operator::new();
    let endpoints = operator.endpoints(&[]);
    endpoints.apply("endpoint/ended", Some(operator.github("ended", &[("s", Some(NOW))], 0)));
    endpoints.apply("endpoint/none", Some(operator.github("none", &[], 0)));
    for name in ["ended", "none"] {
        let app = endpoints.lookup(name, true).unwrap();
        assert_eq!(app.verify(&signed("s"), BODY, at(NOW)), Err(Refusal::Unusable), "{name}");
    }
    assert_eq!(endpoints.problems(at(NOW)), ["ended: has no active secret", "none: has no active secret"]);
    // A time that no clock can show does not make a secret last for ever.
    let absurd = Timestamp { seconds: i64::MIN, nanos: 0 };
    let mut registration = operator.github("ended", &[("s", None)], 0);
    let Some(Kind::Endpoint(endpoint)) = &mut registration.kind else { unreachable!() };
    endpoint.secrets[0].expires_at = Some(absurd);
    endpoints.apply("endpoint/ended", Some(registration));
    let app = endpoints.lookup("ended", true).unwrap();
    assert_eq!(app.verify(&signed("s"), BODY, at(NOW)), Err(Refusal::Unusable));
}

/// Stored before anybody asked the source, or written to the topic by somebody else.
#[test]
fn a_secret_that_can_verify_nothing_is_named() {
    let operator = Operator::new();
    let endpoints = operator.endpoints(&[]);
    let standard = |name: &str, secrets: &[&str]| {
        let Some(Kind::Endpoint(endpoint)) =
            operator.github(name, &secrets.iter().map(|secret| (*secret, None)).collect::<Vec<_>>(), 0).kind
        else {
            unreachable!()
        };
        registration(Registered { source: "standard_webhooks".into(), ..endpoint })
    };
    endpoints.apply("endpoint/good", Some(standard("good", &["whsec_c2VjcmV0", "bare", "c2VjcmV0"])));
    assert_eq!(endpoints.problems(at(NOW)), [""; 0]);
    endpoints.apply("endpoint/bad", Some(standard("bad", &["whsec_!!!"])));
    endpoints.apply("endpoint/half", Some(standard("half", &["whsec_c2VjcmV0", "whsk_c2VjcmV0"])));
    endpoints.apply("endpoint/blank", Some(operator.github("blank", &[(" ", None)], 0)));
    let problems = endpoints.problems(at(NOW));
    let begins = ["bad: a secret has no Base64", "blank: a secret is empty", "half: a secret is the signing half"];
    assert_eq!(problems.len(), begins.len(), "{problems:?}");
    for (problem, begins) in problems.iter().zip(begins) {
        assert!(problem.starts_with(begins), "{problem}");
        assert!(!problem.contains("!!!") && !problem.contains("c2VjcmV0"), "{problem}");
    }

    // The one that can verify does; what fits none may have been signed with the other.
    let headers = |key: &[u8]| {
        let digest = Algorithm::Sha256.hmac(key, &[b"m.", NOW.to_string().as_bytes(), b".", BODY]);
        let signature = format!("v1,{}", BASE64.encode(digest));
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("webhook-id", "m"), ("webhook-timestamp", &NOW.to_string()), ("webhook-signature", &signature)]
        {
            headers.insert(http::HeaderName::try_from(name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    };
    let verify = |name: &str, key: &[u8]| endpoints.lookup(name, true).unwrap().verify(&headers(key), BODY, at(NOW));
    assert!(verify("half", b"secret").is_ok());
    assert_eq!(verify("half", b"other"), Err(Refusal::Unusable));
    assert_eq!(verify("bad", b"other"), Err(Refusal::Unusable));
    assert!(verify("good", b"bare").is_ok() && verify("good", b"c2VjcmV0").is_ok());
    assert_eq!(verify("good", b"other"), Err(Refusal::SignatureMismatch));
}

#[test]
fn what_cannot_be_unsealed_is_503_and_names_the_key() {
    let (operator, other) = (Operator::new(), Operator::new());
    let registration = operator.github("app", &[("s", None)], 0);
    let missing = operator.key.id();

    for key in [None, Some(SealingKey::from_file(other.folder.path().join("key")).unwrap())] {
        let endpoints = Endpoints::new(&[], key, Counts::default());
        endpoints.apply("endpoint/app", Some(registration.clone()));
        let app = endpoints.lookup("app", true).unwrap();
        assert_eq!(app.verify(&signed("s"), BODY, at(NOW)), Err(Refusal::Unusable));
        assert_eq!(endpoints.problems(at(NOW)), [format!("app: needs sealing key {missing}")]);
    }

    // With one that can be unsealed, it verifies; a mismatch may be the fault of the other.
    let endpoints = other.endpoints(&[]);
    let mut mixed = registration.clone();
    let Some(Kind::Endpoint(endpoint)) = &mut mixed.kind else { unreachable!() };
    endpoint.secrets.push(other.seal("endpoint/app", "new", None));
    endpoints.apply("endpoint/app", Some(mixed));
    let app = endpoints.lookup("app", true).unwrap();
    assert!(app.verify(&signed("new"), BODY, at(NOW)).is_ok());
    assert_eq!(app.verify(&signed("s"), BODY, at(NOW)), Err(Refusal::Unusable));
    assert_eq!(app.verify(&HeaderMap::new(), BODY, at(NOW)), Err(Refusal::SignatureMissing));
    assert_eq!(endpoints.problems(at(NOW)), [format!("app: needs sealing key {missing}")]);

    // Sealed for another registration.
    let Some(Kind::Endpoint(endpoint)) = registration.kind else { unreachable!() };
    let moved = self::registration(Registered { name: "moved".into(), ..endpoint });
    let endpoints = operator.endpoints(&[]);
    endpoints.apply("endpoint/moved", Some(moved));
    let app = endpoints.lookup("moved", true).unwrap();
    assert_eq!(app.verify(&signed("s"), BODY, at(NOW)), Err(Refusal::Unusable));
}

#[test]
fn what_is_not_valid_is_not_used() {
    let operator = Operator::new();
    let endpoints = operator.endpoints(&[]);
    let valid = operator.github("app", &[("s", None)], 0);
    let Some(Kind::Endpoint(endpoint)) = valid.kind.clone() else { unreachable!() };
    let account = common::registration::v1::Account { endpoint: "app".into(), account_id: "1".into() };
    let invalid = [
        ("endpoint/app", Registration { tenant: String::new(), ..valid.clone() }),
        ("endpoint/app", Registration { kind: None, ..valid.clone() }),
        ("endpoint/app", Registration { kind: Some(Kind::Account(account.clone())), ..valid.clone() }),
        ("endpoint/other", valid.clone()),
        ("endpoint/", valid.clone()),
        ("", valid.clone()),
        ("account/app/1", Registration { kind: Some(Kind::Account(account)), ..valid.clone() }),
    ];
    for (id, registration) in invalid {
        endpoints.apply(id, Some(registration));
        assert_eq!(endpoints.count(), (0, 0), "{id}");
    }
    // What became invalid is gone: the last word counts, also when it makes no sense.
    endpoints.apply("endpoint/app", Some(valid.clone()));
    endpoints.apply("endpoint/app", Some(Registration { tenant: "a/b".into(), ..valid.clone() }));
    assert_eq!(error(&endpoints, "app"), Refusal::UnknownEndpoint);

    // A source of a newer version is there, and of no use here.
    let newer = registration(Registered { source: "mastodon".into(), ..endpoint });
    endpoints.apply("endpoint/app", Some(newer));
    assert_eq!(error(&endpoints, "app"), Refusal::Unusable);
    assert_eq!(endpoints.problems(at(NOW)), [r#"app: has source "mastodon", which this version does not know"#]);
}

#[test]
fn the_settings_have_the_last_word() {
    let operator = Operator::new();
    let endpoints = operator.endpoints(&[settings("app", "fixed")]);
    endpoints.apply("endpoint/app", Some(operator.github("app", &[("registered", None)], 0)));
    let app = endpoints.lookup("app", true).unwrap();
    assert_eq!((app.tenant.as_str(), app.fixed), ("fixed", true));
    assert!(app.verify(&signed("fixed"), BODY, at(NOW)).is_ok());
    assert_eq!(app.verify(&signed("registered"), BODY, at(NOW)), Err(Refusal::SignatureMismatch));
}

#[test]
fn a_rotated_secret_does_not_renew_the_limit() {
    let operator = Operator::new();
    let endpoints = operator.endpoints(&[]);
    endpoints.apply("endpoint/app", Some(operator.github("app", &[("one", None)], 1)));
    let app = endpoints.lookup("app", true).unwrap();
    assert_eq!(app.lane(), Ok(Lane::Prompt));
    endpoints.apply("endpoint/app", Some(operator.github("app", &[("two", None)], 1)));
    // GitHub never sends again: the slow lane.
    assert_eq!(endpoints.lookup("app", true).unwrap().lane(), Ok(Lane::Bulk));
    endpoints.apply("endpoint/app", Some(operator.github("app", &[("two", None)], 2)));
    assert_eq!(endpoints.lookup("app", true).unwrap().lane(), Ok(Lane::Prompt));
}

#[test]
fn handshakes() {
    let operator = Operator::new();
    let endpoints = operator.endpoints(&[settings("github", "s")]);
    let id = "endpoint/meta";
    let meta = |token: Option<SealedSecret>| {
        registration(Registered {
            name: "meta".into(),
            source: "meta".into(),
            secrets: vec![operator.seal(id, "app-secret", None)],
            verify_token: token,
            rate_limit: 0,
        })
    };
    let good = "hub.mode=subscribe&hub.verify_token=token&hub.challenge=1158201444";
    endpoints.apply(id, Some(meta(Some(operator.seal(id, "token", Some(NOW))))));
    let app = endpoints.lookup("meta", true).unwrap();
    assert_eq!(app.handshake(good, at(NOW - 1)), Some(Ok("1158201444".into())));
    assert_eq!(app.handshake(&good.replace("token=token", "token=other"), at(NOW - 1)), Some(Err(Refusal::Handshake)));
    assert_eq!(app.handshake(good, at(NOW)), Some(Err(Refusal::Handshake)), "the token has ended");
    assert_eq!(app.handshake("", at(NOW - 1)), Some(Err(Refusal::HandshakeMalformed)));
    assert_eq!(endpoints.lookup("github", true).unwrap().handshake(good, at(NOW)), None);

    let stranger = Operator::new();
    endpoints.apply(id, Some(meta(Some(stranger.seal(id, "token", None)))));
    let app = endpoints.lookup("meta", true).unwrap();
    assert_eq!(app.handshake(good, at(NOW)), Some(Err(Refusal::Unusable)));
}
