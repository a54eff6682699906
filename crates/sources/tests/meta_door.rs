//! What the door asks of the source: handshake, signature, ordering key.

#![allow(clippy::unwrap_used, reason = "a test says where it fails by failing there")]

use std::time::SystemTime;

use http::{HeaderMap, HeaderValue};
use secrecy::SecretString;
use sources::signature::Algorithm;
use sources::{Challenge, Refusal, Secrets, Source as _, VerifyError, meta::Meta};

const BODY: &[u8] = br#"{"object":"page","entry":[{"id":"12","changes":[]}]}"#;
const NOW: SystemTime = SystemTime::UNIX_EPOCH;

fn signed(key: &str, prefix: &str) -> HeaderMap {
    let digest = hex::encode(Algorithm::Sha256.hmac(key.as_bytes(), &[BODY]));
    let value = HeaderValue::from_str(&format!("{prefix}{digest}")).unwrap();
    HeaderMap::from_iter([(http::HeaderName::from_static("x-hub-signature-256"), value)])
}

#[test]
fn any_active_secret_verifies() {
    let active = [SecretString::from("new"), SecretString::from("old")];
    let secrets = Secrets { active: &active, verify_token: None };
    let verify = |headers: &HeaderMap, body: &[u8]| Meta.verify(headers, body, &secrets, NOW);
    assert_eq!(verify(&signed("new", "sha256="), BODY), Ok("hub-sha256"));
    assert_eq!(verify(&signed("old", "sha256="), BODY), Ok("hub-sha256"));
    assert_eq!(verify(&signed("older", "sha256="), BODY), Err(VerifyError::Mismatch));
    assert_eq!(verify(&signed("new", "sha256="), b"{}"), Err(VerifyError::Mismatch));
    assert_eq!(verify(&signed("new", "sha1="), BODY), Err(VerifyError::Malformed("x-hub-signature-256")));
    assert_eq!(verify(&HeaderMap::new(), BODY), Err(VerifyError::Missing("x-hub-signature-256")));
    let none = Secrets { active: &[], verify_token: None };
    assert_eq!(Meta.verify(&signed("new", "sha256="), BODY, &none, NOW), Err(VerifyError::NoSecret));
}

#[test]
fn the_handshake_needs_the_verify_token_and_no_secret() {
    let token = SecretString::from("weir");
    let secrets = Secrets { active: &[], verify_token: Some(&token) };
    let ask = |token: &str| {
        Meta.handshake(&format!("hub.mode=subscribe&hub.verify_token={token}&hub.challenge=42"), &secrets).unwrap()
    };
    assert_eq!(ask("weir"), Ok(Challenge { body: "42".to_owned() }));
    assert_eq!(ask("dam"), Err(Refusal::WrongToken));
}

#[test]
fn the_account_is_the_ordering_key() {
    assert_eq!(Meta.ordering_key(&HeaderMap::new(), BODY).as_deref(), Some("12"));
    assert_eq!(Meta.ordering_key(&HeaderMap::new(), b"{}"), None);
    assert_eq!(Meta.platforms(), ["facebook", "instagram", "whatsapp"]);
}
