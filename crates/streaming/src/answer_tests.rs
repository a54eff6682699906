use std::collections::HashSet;

use super::*;

fn headers(values: &[&'static str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::CONTENT_ENCODING, header::HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn a_name_has_one_spelling() {
    let longest = "a".repeat(64);
    let path = format!("/webhooks/{longest}");
    assert_eq!(route(&Method::POST, &path), Route::Delivery(&longest));
    assert_eq!(route(&Method::POST, "/webhooks/my-app-2"), Route::Delivery("my-app-2"));
    assert_eq!(route(&Method::GET, "/webhooks/my-app-2"), Route::Handshake("my-app-2"));
    assert_eq!(route(&Method::GET, "/"), Route::About);
    assert_eq!(route(&Method::HEAD, "/"), Route::About);

    let too_long = format!("/webhooks/{}", "a".repeat(65));
    for path in [
        "/webhooks/",
        "/webhooks/app/",
        "/webhooks/app/more",
        "/webhooks/App",
        "/webhooks/%61pp",
        "/webhooks/app%2F",
        "/webhooks/a_b",
        "/webhooks/äpp",
        "/webhooks/..",
        &too_long,
    ] {
        assert_eq!(route(&Method::POST, path), Route::Refused(Refusal::UnknownEndpoint), "{path}");
    }
    for path in ["", "/webhooks", "//webhooks/app", "/Webhooks/app", "/webhook/app", "/health", "*"] {
        assert_eq!(route(&Method::POST, path), Route::Refused(Refusal::UnknownPath), "{path}");
    }
}

#[test]
fn other_methods_are_told_which_are_right() {
    for method in [Method::PUT, Method::DELETE, Method::PATCH, Method::HEAD, Method::OPTIONS] {
        assert_eq!(route(&method, "/webhooks/app"), Route::Refused(Refusal::Method(Allow::GetPost)), "{method}");
    }
    assert_eq!(route(&Method::POST, "/"), Route::Refused(Refusal::Method(Allow::Get)));
    for (allow, value) in [(Allow::Get, "GET, HEAD"), (Allow::Post, "POST"), (Allow::GetPost, "GET, POST")] {
        assert_eq!(Answer::from(Refusal::Method(allow)).headers(1)[header::ALLOW], value);
    }
}

#[test]
fn only_identity_is_taken() {
    for values in [&[][..], &["identity"], &["Identity"], &[""], &[" identity "]] {
        assert_eq!(check_encoding(&headers(values)), Ok(()), "{values:?}");
    }
    for values in [&["gzip"][..], &["br"], &["identity, gzip"], &["identity", "gzip"], &["x"]] {
        assert_eq!(check_encoding(&headers(values)), Err(Refusal::Encoded), "{values:?}");
    }
}

/// Every refusal, with its status, code, and whether the sender is told to come again.
const TABLE: &[(Refusal, u16, &str, bool)] = &[
    (Refusal::UnknownPath, 404, "unknown_path", false),
    (Refusal::UnknownEndpoint, 404, "unknown_endpoint", false),
    (Refusal::Method(Allow::Post), 405, "method_not_allowed", false),
    (Refusal::Encoded, 415, "content_encoding", false),
    (Refusal::TooLarge, 413, "too_large", false),
    (Refusal::BodyTimeout, 408, "body_timeout", false),
    (Refusal::BodyTruncated, 400, "body_truncated", false),
    (Refusal::SignatureMissing, 401, "signature_missing", false),
    (Refusal::SignatureMalformed, 401, "signature_malformed", false),
    (Refusal::SignatureMismatch, 401, "signature_mismatch", false),
    (Refusal::SignatureStale, 401, "signature_stale", false),
    (Refusal::HandshakeMalformed, 400, "handshake_malformed", false),
    (Refusal::Handshake, 403, "handshake", false),
    (Refusal::RateLimited, 429, "rate_limited", true),
    (Refusal::Storm(7), 429, "dead_letter_storm", true),
    (Refusal::RegistrationsUnread, 503, "registrations_unread", true),
    (Refusal::RegistrationsBehind, 503, "registrations_behind", true),
    (Refusal::Unusable, 503, "endpoint_unusable", true),
    (Refusal::Crowded, 503, "crowded", true),
    (Refusal::ProducerFull, 503, "producer_full", true),
    (Refusal::NotAcknowledged, 503, "not_acknowledged", true),
    (Refusal::Internal, 503, "internal", true),
];

#[test]
fn statuses_and_codes() {
    for (refusal, status, reason, retry) in TABLE {
        let answer = Answer::from(*refusal);
        assert_eq!(answer.status().as_u16(), *status, "{refusal:?}");
        assert_eq!(refusal.reason(), *reason, "{refusal:?}");
        let headers = answer.headers(7);
        assert_eq!(headers.get(header::RETRY_AFTER).map(|v| v.as_bytes()), retry.then_some(&b"7"[..]), "{refusal:?}");
        assert_eq!(headers[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        assert_eq!(headers[header::CONTENT_TYPE], "text/plain; charset=utf-8");
        assert!(answer.body().ends_with(b"\n"));
    }
    let codes: HashSet<_> = TABLE.iter().map(|row| row.2).collect();
    assert_eq!(codes.len(), TABLE.len());
}

#[test]
fn who_is_held_back_is_told_for_how_long() {
    let headers = Answer::from(Refusal::Storm(42)).headers(7);
    assert_eq!(headers[header::RETRY_AFTER], "42");
}

#[test]
fn a_signature_is_refused_in_general_words() {
    let rows = [
        (VerifyError::Missing("x-hub-signature-256"), Refusal::SignatureMissing, "the signature is missing\n"),
        (VerifyError::Malformed("webhook-timestamp"), Refusal::SignatureMalformed, "the signature is malformed\n"),
        (VerifyError::Mismatch, Refusal::SignatureMismatch, "the signature does not match\n"),
        (VerifyError::Stale, Refusal::SignatureStale, "the signed time is too far from now\n"),
        // No secret is the operator's fault and not the sender's: the sender shall come again.
        (VerifyError::NoSecret, Refusal::Unusable, "not accepted, re-send later\n"),
    ];
    for (error, refusal, says) in rows {
        assert_eq!(Refusal::from(error), refusal);
        assert_eq!(Answer::from(refusal).body(), says);
    }
}

#[test]
fn a_handshake_is_refused_in_general_words() {
    let rows = [
        (sources::Refusal::Malformed("hub.mode"), 400, "this is not a handshake\n"),
        (sources::Refusal::WrongToken, 403, "the handshake is refused\n"),
        (sources::Refusal::NoToken, 403, "the handshake is refused\n"),
    ];
    for (cause, status, says) in rows {
        let answer = Answer::from(Refusal::from(cause));
        assert_eq!(answer.status().as_u16(), status, "{cause}");
        assert_eq!(answer.body(), says, "{cause}");
    }
}

#[test]
fn only_what_newer_registrations_could_change_asks_for_them() {
    let asking: Vec<_> = TABLE.iter().map(|row| row.0).filter(|refusal| refusal.may_be_outdated()).collect();
    assert_eq!(asking, [Refusal::UnknownEndpoint, Refusal::SignatureMismatch, Refusal::Handshake, Refusal::Unusable]);
}

#[test]
fn successes() {
    let accepted = Answer::Accepted(Id([0xab; 16]));
    assert_eq!(accepted.status(), 200);
    assert_eq!(accepted.headers(1)[header::CONTENT_TYPE], "application/json");
    assert_eq!(accepted.body(), "{\"delivery_id\":\"abababababababababababababababab\"}\n");

    let challenge = Answer::Challenge("<script>1158201444".into());
    assert_eq!(challenge.status(), 200);
    assert_eq!(challenge.headers(1)[header::CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(challenge.headers(1)[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
    assert_eq!(challenge.headers(1).get(header::RETRY_AFTER), None);
    assert_eq!(challenge.body(), "<script>1158201444");

    assert_eq!(Answer::About.status(), 200);
    assert!(Answer::About.body().starts_with(b"weir: "));
}
