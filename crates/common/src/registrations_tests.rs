use super::*;
use crate::registration::v1::RegisterRequest;

fn endpoint(name: &str) -> Registration {
    Registration {
        tenant: "acme".into(),
        kind: Some(Kind::Endpoint(Endpoint { name: name.into(), source: "meta".into(), ..Endpoint::default() })),
        ..Registration::default()
    }
}

fn account(endpoint: &str, account_id: &str, tenant: &str) -> Registration {
    Registration {
        tenant: tenant.into(),
        kind: Some(Kind::Account(Account { endpoint: endpoint.into(), account_id: account_id.into() })),
        ..Registration::default()
    }
}

#[test]
fn finds_the_latest_and_forgets_the_removed() {
    let mut index = Registrations::default();
    index.apply("endpoint/app", Some(endpoint("app")));
    index.apply("account/app/1", Some(account("app", "1", "one")));
    index.apply("account/app/1", Some(account("app", "1", "two")));
    assert_eq!(index.account("app", "1").unwrap().tenant, "two");
    assert_eq!(index.account("other", "1"), None);
    assert_eq!(index.len(), (1, 1));
    index.apply("account/app/1", None);
    index.apply("endpoint/app", None);
    index.apply("endpoint/never-there", None);
    assert!(index.is_empty());
}

#[test]
fn refuses_what_cannot_be() {
    let cases = [
        (endpoint("app"), None),
        (endpoint(""), Some("endpoint.name")),
        (endpoint("App"), Some("endpoint.name")),
        (endpoint("a/b"), Some("endpoint.name")),
        (endpoint(&"a".repeat(65)), Some("endpoint.name")),
        (account("app", "12", "t"), None),
        (account("app", "a/b", "t"), Some("account.account_id")),
        (account("app", "12", ""), Some("tenant")),
        (account("app", "12", "a\nb"), Some("tenant")),
        (Registration { kind: None, ..endpoint("app") }, Some("kind")),
        (Registration { id: "endpoint/b".into(), ..endpoint("app") }, Some("id")),
        (Registration { id: "endpoint/app".into(), ..endpoint("app") }, None),
    ];
    for (registration, field) in cases {
        assert_eq!(validate(&registration).err().map(|invalid| invalid.field), field, "{registration:?}");
    }
}

#[test]
fn a_new_one_has_no_blanks_around_its_ids() {
    for blank in [" ", "\u{a0}", "\u{feff}", "\u{200b}", "\u{2003}"] {
        for text in [format!("{blank}x"), format!("x{blank}"), format!("{blank}x{blank}")] {
            let cases = [
                (Registration { tenant: text.clone(), ..endpoint("app") }, "tenant"),
                (account("app", &text, "t"), "account.account_id"),
                (account("app", "12", &text), "tenant"),
            ];
            for (registration, field) in cases {
                let invalid = validate_new(&registration).unwrap_err();
                assert_eq!(invalid.field, field, "{registration:?}");
                assert!(invalid.problem.contains("leave them out"), "{invalid}");
                // It may be stored so, and its tenant never changes.
                assert_eq!(validate(&registration), Ok(()), "{registration:?}");
            }
        }
    }
    assert_eq!(validate_new(&account("app", "one page", "the tenant")), Ok(()));
    assert_eq!(validate_new(&endpoint("App")).unwrap_err().field, "endpoint.name");
}

#[test]
fn a_request_is_shown_without_its_secrets() {
    let secret = || PlainSecret { value: "planted".to_owned(), expires_at: None };
    let request = RegisterRequest { secrets: vec![secret()], verify_token: Some(secret()), ..Default::default() };
    let shown = format!("{request:?} {request:#?}");
    assert!(!shown.contains("planted") && shown.contains("<hidden>"), "{shown}");
}
