use proptest::prelude::*;

use super::*;

#[test]
fn a_text_stands_for_itself_and_for_itself_without_what_is_around() {
    let all = |secret| texts(secret).collect::<Vec<_>>();
    assert_eq!(all("s3cret"), ["s3cret"]);
    assert_eq!(all(" s3 cret\r\n"), [" s3 cret\r\n", "s3 cret"]);
    assert_eq!(all("\u{feff}s3cret"), ["\u{feff}s3cret", "s3cret"]);
    assert_eq!(all("\u{200b}s3cret\u{a0}"), ["\u{200b}s3cret\u{a0}", "s3cret"]);
    assert_eq!(all(" "), [" "]);
    assert_eq!(all(""), [""; 0]);
}

/// What a source says of a secret when it is given. One whose secrets are of another form tells it in tests of its own.
#[test]
fn a_secret_is_judged_as_its_source_reads_it() {
    use SecretProblem::{Empty, Lines, NotBase64, Prefixed, PublicHalf, SigningHalf};
    // The secret; what meta and github say, to whom it is a text; what standard_webhooks says.
    let rows = [
        ("s3cret", Ok(()), Ok(())),
        ("\u{feff}s3cret \r\n", Ok(()), Ok(())),
        ("", Err(Empty), Err(Empty)),
        (" \u{feff}\t\n", Err(Empty), Err(Empty)),
        ("one\ntwo", Err(Lines), Err(Lines)),
        ("one\0", Err(Lines), Err(Lines)),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Ok(()), Ok(())),
        ("\u{feff} whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\r\n", Ok(()), Ok(())),
        // Without padding, in the URL-safe alphabet, and with last bits that mean nothing.
        ("whsec_c2VjcmV0cw", Ok(()), Ok(())),
        ("whsec_-_-_-_-_", Ok(()), Ok(())),
        ("whsec_c2VjcmV0cx==", Ok(()), Ok(())),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", Ok(()), Ok(())),
        ("whsec_!!!", Ok(()), Err(NotBase64)),
        ("whsec_", Ok(()), Err(NotBase64)),
        ("whsec_====", Ok(()), Err(NotBase64)),
        ("whsec_c2Vj cmV0", Ok(()), Err(NotBase64)),
        ("whsec_c", Ok(()), Err(NotBase64)),
        ("\"whsec_c2VjcmV0\"", Ok(()), Err(Prefixed)),
        ("SECRET=whsec_c2VjcmV0", Ok(()), Err(Prefixed)),
        (" whsk_c2VjcmV0", Ok(()), Err(SigningHalf)),
        ("whpk_c2VjcmV0", Ok(()), Err(PublicHalf)),
    ];
    for (secret, text, standard) in rows {
        for (name, expected) in [("meta", text), ("github", text), ("standard_webhooks", standard)] {
            let source = crate::by_name(name).unwrap();
            assert_eq!(source.check_secret(secret), expected, "{name}: {secret:?}");
            assert_eq!(source.check_verify_token(secret), text, "{name}: {secret:?}");
        }
    }
}

#[test]
fn a_problem_says_what_is_wrong_and_what_to_do() {
    for problem in SecretProblem::ALL {
        assert_eq!(problem.to_string(), format!("{}: {}", problem.problem(), problem.fix()));
        assert!(problem.fix().starts_with("give ") || problem.fix().starts_with("copy "), "{problem}");
    }
}

proptest! {
    /// What is taken when it is given can verify: there is no secret of which every delivery is told 503.
    #[test]
    fn what_is_taken_can_verify(
        secret in prop_oneof!["\\PC{0,40}", "whsec_[A-Za-z0-9+/_=!-]{0,40}", "[ \u{feff}]{0,2}whs[ek][c_]\\PC{0,9}[ \n]?"],
    ) {
        use std::time::{Duration, SystemTime};
        let active = [secrecy::SecretString::from(secret.clone())];
        let secrets = crate::Secrets { active: &active, verify_token: None };
        for source in crate::all() {
            let crate::Descriptor { name, signature, sample_signature, sample_headers, .. } = *source.descriptor();
            let mut headers = http::HeaderMap::new();
            for (header, value) in sample_headers("sample") {
                headers.insert(header, value.try_into().unwrap());
            }
            headers.insert(signature, sample_signature.parse().unwrap());
            let verified = source.verify(&headers, b"{}", &secrets, SystemTime::UNIX_EPOCH + Duration::from_secs(1));
            if source.check_secret(&secret).is_ok() {
                prop_assert_eq!(
                    verified,
                    Err(crate::VerifyError::Mismatch),
                    "{}: a secret that check_secret takes must verify; sample_signature must be of the right form",
                    name
                );
            }
        }
    }
}
