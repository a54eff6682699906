use http::HeaderValue;
use proptest::prelude::*;

use super::*;

const NAME: &str = "x-hub-signature-256";
const FORM: (Algorithm, Encoding) = (Algorithm::Sha256, Encoding::Hex);

fn secrets(texts: &[&str]) -> Vec<SecretString> {
    texts.iter().map(|&text| SecretString::from(text)).collect()
}

fn headers(values: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(NAME, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn signed(secret: &str, body: &[u8]) -> String {
    format!("sha256={}", hex::encode(Algorithm::Sha256.hmac(secret.as_bytes(), &[body])))
}

#[test]
fn hmac_of_rfc_4231_and_rfc_2202() {
    let text = b"what do ya want for nothing?";
    assert_eq!(
        hex::encode(Algorithm::Sha256.hmac(b"Jefe", &[text])),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
    assert_eq!(hex::encode(Algorithm::Sha1.hmac(b"Jefe", &[text])), "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    // Longer than a block of the hash.
    assert_eq!(
        hex::encode(Algorithm::Sha256.hmac(&[0xaa; 131], &[b"Test Using Larger Than Block-Size Key - Hash Key First"])),
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    );
    let parts = Algorithm::Sha256.hmac(b"Jefe", &[b"what do ya ", b"", b"want for nothing?"]);
    assert_eq!(parts, Algorithm::Sha256.hmac(b"Jefe", &[text]));
    assert_eq!((Algorithm::Sha1.length(), Algorithm::Sha256.length()), (20, 32));
}

#[test]
fn missing_malformed_and_mismatching_are_told_apart() {
    let good = signed("it's a secret", b"{}");
    let upper = format!("sha256={}", good[7..].to_uppercase());
    let other = signed("another", b"{}");
    let sha1 = format!("sha1={}", hex::encode(Algorithm::Sha1.hmac(b"it's a secret", &[b"{}"])));
    let malformed = Err(VerifyError::Malformed(NAME));
    let cases = vec![
        (vec![Vec::from(good.clone())], Ok(())),
        (vec![upper.into()], Ok(())),
        (vec![], Err(VerifyError::Missing(NAME))),
        (vec![other.clone().into()], Err(VerifyError::Mismatch)),
        (vec![good.clone().into(), good.clone().into()], malformed),
        (vec![good.clone().into(), other.into()], malformed),
        (vec![good[7..].into()], malformed),
        (vec![good[..70].into()], malformed),
        (vec![good[..69].into()], malformed),
        (vec![format!("{good}00").into()], malformed),
        (vec![format!("{good} ").into()], malformed),
        (vec![good.replace("sha256", "SHA256").into()], malformed),
        (vec![sha1.into()], malformed),
        (vec!["sha256=".into()], malformed),
        (vec![Vec::new()], malformed),
        (vec![b"sha256=\xff\xfe".to_vec()], malformed),
        (vec![format!("sha256={}", "g".repeat(64)).into()], malformed),
    ];
    for (values, expected) in cases {
        let values: Vec<_> = values.iter().map(Vec::as_slice).collect();
        let result = verify_header(&headers(&values), NAME, "sha256=", FORM, b"{}", &secrets(&["it's a secret"]));
        assert_eq!(result, expected, "{values:?}");
    }
}

#[test]
fn any_of_several_secrets_verifies() {
    for secret in ["old", "new", "newest"] {
        let headers = headers(&[signed(secret, b"body").as_bytes()]);
        assert_eq!(
            verify_header(&headers, NAME, "sha256=", FORM, b"body", &secrets(&["old", "new", "newest"])),
            Ok(())
        );
    }
    let headers = headers(&[signed("expired", b"body").as_bytes()]);
    let result = verify_header(&headers, NAME, "sha256=", FORM, b"body", &secrets(&["old", "new"]));
    assert_eq!(result, Err(VerifyError::Mismatch));
}

#[test]
fn what_is_around_a_secret_is_left_out_where_the_sender_has_it_not() {
    let secrets = secrets(&["\u{feff} s3 cret\r\n"]);
    for (signed_with, expected) in [
        ("s3 cret", Ok(())),
        ("\u{feff} s3 cret\r\n", Ok(())),
        ("s3 cret\r\n", Err(VerifyError::Mismatch)),
        ("s3cret", Err(VerifyError::Mismatch)),
    ] {
        let headers = headers(&[signed(signed_with, b"body").as_bytes()]);
        assert_eq!(verify_header(&headers, NAME, "sha256=", FORM, b"body", &secrets), expected, "{signed_with:?}");
    }
}

#[test]
fn no_secret_lets_nobody_in() {
    let empty = headers(&[signed("", b"body").as_bytes()]);
    assert_eq!(verify_header(&empty, NAME, "sha256=", FORM, b"body", &[]), Err(VerifyError::NoSecret));
    assert_eq!(verify_header(&empty, NAME, "sha256=", FORM, b"body", &secrets(&[""])), Err(VerifyError::NoSecret));
    assert_eq!(verify_header(&empty, NAME, "sha256=", FORM, b"body", &secrets(&["", "x"])), Err(VerifyError::Mismatch));
}

#[test]
fn base64_is_standard_and_padded() {
    let digest = Algorithm::Sha1.hmac(b"k", &[b"body"]);
    let text = BASE64.encode(&digest);
    assert_eq!(decode(Algorithm::Sha1, Encoding::Base64, &text), Some(digest));
    assert_eq!(decode(Algorithm::Sha1, Encoding::Base64, text.trim_end_matches('=')), None);
    assert_eq!(decode(Algorithm::Sha256, Encoding::Base64, &text), None);
}

#[test]
fn errors_have_stable_codes() {
    let errors = [
        VerifyError::Missing(NAME),
        VerifyError::Malformed(NAME),
        VerifyError::Mismatch,
        VerifyError::Stale,
        VerifyError::NoSecret,
    ];
    assert_eq!(
        errors.map(|error| error.as_str()),
        ["signature_missing", "signature_malformed", "signature_mismatch", "signature_stale", "no_secret"]
    );
}

proptest! {
    #[test]
    fn what_is_signed_verifies_and_one_flipped_bit_does_not(
        secret in "[ -~]{1,80}",
        body in prop::collection::vec(any::<u8>(), 0..200),
        bit in any::<prop::sample::Index>(),
        in_signature in any::<bool>(),
    ) {
        let keys = secrets(&[&secret]);
        let digest = Algorithm::Sha256.hmac(secret.as_bytes(), &[&body]);
        let verify = |digest: &[u8], body: &[u8]| {
            let value = format!("sha256={}", hex::encode(digest));
            verify_header(&headers(&[value.as_bytes()]), NAME, "sha256=", FORM, body, &keys)
        };
        prop_assert_eq!(verify(&digest, &body), Ok(()));
        let flip = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let at = bit.index(bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            bytes
        };
        if in_signature {
            prop_assert_eq!(verify(&flip(&digest), &body), Err(VerifyError::Mismatch));
        } else if !body.is_empty() {
            prop_assert_eq!(verify(&digest, &flip(&body)), Err(VerifyError::Mismatch));
        }
    }

    #[test]
    fn no_header_panics(value in prop::collection::vec(any::<u8>(), 0..100), prefix in "[a-z0-9=]{0,8}") {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        let mut headers = HeaderMap::new();
        headers.insert(NAME, value);
        for encoding in [Encoding::Hex, Encoding::Base64] {
            for algorithm in [Algorithm::Sha1, Algorithm::Sha256] {
                let result = verify_header(&headers, NAME, &prefix, (algorithm, encoding), b"body", &secrets(&["s"]));
                prop_assert!(result.is_err());
            }
        }
    }
}
