use std::time::Duration;

use super::*;

#[test]
fn periods_are_read() {
    assert_eq!(parse_period("90s"), Ok(Duration::from_secs(90)));
    assert_eq!(parse_period("12h"), Ok(Duration::from_secs(43_200)));
    assert_eq!(parse_period("3d"), Ok(Duration::from_secs(259_200)));
    for wrong in ["", "h", "1", "-1h", "1w", "99999999999999999999d", "4000d", "1é"] {
        assert!(parse_period(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn pairs_are_read() {
    assert_eq!(parse_pair("a=b=c"), Ok(("a".into(), "b=c".into())));
    assert!(parse_pair("a").is_err());
}

#[test]
fn a_secret_file_gives_its_first_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let args = SecretArgs { secret_file: Some(file.clone()), secret_env: None, secret: None };
    let github = source("github").unwrap();
    assert!(format!("{:#}", args.read(github).unwrap_err()).contains("first line is the secret"));
    std::fs::write(&file, "s3cret\r\nrest").unwrap();
    assert_eq!(args.read(github).unwrap().value, "s3cret");
    std::fs::write(&file, "\n").unwrap();
    assert!(args.read(github).is_err());
}

#[test]
fn what_can_verify_nothing_is_refused_before_it_is_sent() {
    let standard = source("standard_webhooks").unwrap();
    for (secret, said) in [
        ("whsec_!!!", "has no Base64 after its whsec_"),
        ("whsk_c2VjcmV0", "signing half"),
        ("SECRET=whsec_c2VjcmV0", "something before its whsec_"),
        ("\u{feff} ", "is empty"),
    ] {
        let args = SecretArgs { secret_file: None, secret_env: None, secret: Some(secret.into()) };
        let error = args.read(standard).unwrap_err().to_string();
        assert!(error.contains(said) && !error.contains("!!!") && !error.contains("c2VjcmV0"), "{error}");
    }
    assert!(source("myspace").err().unwrap().to_string().contains("meta, github, standard_webhooks"));
}
