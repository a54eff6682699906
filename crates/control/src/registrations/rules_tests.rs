use common::registration::v1::Account;

use super::*;

const LIMITS: RegistrationLimits = RegistrationLimits { max_secrets: 2, max_secret_bytes: 8, max_metadata_bytes: 10 };
const NOW: Timestamp = Timestamp { seconds: 1000, nanos: 0 };
const BEFORE: Timestamp = Timestamp { seconds: 900, nanos: 0 };

fn secret(value: &str) -> PlainSecret {
    PlainSecret { value: value.into(), expires_at: None }
}

fn sealed(text: &str) -> SealedSecret {
    SealedSecret { sealed: text.into(), key_id: "k".into(), expires_at: None }
}

fn endpoint() -> RegisterRequest {
    let endpoint = Endpoint { name: "app".into(), source: "meta".into(), ..Endpoint::default() };
    RegisterRequest {
        registration: Some(Registration {
            tenant: "acme".into(),
            kind: Some(Kind::Endpoint(endpoint)),
            ..Registration::default()
        }),
        secrets: vec![secret("s")],
        ..RegisterRequest::default()
    }
}

fn account() -> RegisterRequest {
    let account = Account { endpoint: "app".into(), account_id: "12".into() };
    RegisterRequest {
        registration: Some(Registration {
            tenant: "page-owner".into(),
            kind: Some(Kind::Account(account)),
            ..Registration::default()
        }),
        ..RegisterRequest::default()
    }
}

fn edit(mut request: RegisterRequest, edit: impl FnOnce(&mut Registration)) -> RegisterRequest {
    edit(request.registration.as_mut().unwrap());
    request
}

fn edit_endpoint(change: impl FnOnce(&mut Endpoint)) -> RegisterRequest {
    edit(endpoint(), |registration| {
        let Some(Kind::Endpoint(endpoint)) = &mut registration.kind else { panic!() };
        change(endpoint);
    })
}

fn standard() -> RegisterRequest {
    edit_endpoint(|endpoint| endpoint.source = "standard_webhooks".into())
}

#[test]
fn names_the_field_that_is_wrong() {
    let expired = PlainSecret { expires_at: Some(NOW), ..secret("s") };
    let cases = [
        (endpoint(), None),
        (account(), None),
        (RegisterRequest::default(), Some("registration")),
        (edit(endpoint(), |r| r.kind = None), Some("registration.kind")),
        (edit(endpoint(), |r| r.tenant.clear()), Some("registration.tenant")),
        (edit(endpoint(), |r| r.id = "endpoint/other".into()), Some("registration.id")),
        (edit_endpoint(|e| e.name = "No".into()), Some("registration.endpoint.name")),
        (edit_endpoint(|e| e.source = "myspace".into()), Some("registration.endpoint.source")),
        (edit_endpoint(|e| e.secrets.push(sealed("x"))), Some("registration.endpoint.secrets")),
        (edit_endpoint(|e| e.verify_token = Some(sealed("x"))), Some("registration.endpoint.verify_token")),
        (
            edit(endpoint(), |r| drop(r.metadata.insert("a key".into(), "and more".into()))),
            Some("registration.metadata"),
        ),
        (RegisterRequest { secrets: vec![], ..endpoint() }, Some("secrets")),
        (RegisterRequest { secrets: vec![], expected_revision: 1, ..endpoint() }, None),
        (RegisterRequest { secrets: vec![secret("s"); 3], ..endpoint() }, Some("secrets")),
        (RegisterRequest { secrets: vec![secret("s"), secret("")], ..endpoint() }, Some("secrets[1].value")),
        (RegisterRequest { secrets: vec![secret("123456789")], ..endpoint() }, Some("secrets[0].value")),
        (RegisterRequest { secrets: vec![expired.clone()], ..endpoint() }, Some("secrets[0].expires_at")),
        (RegisterRequest { verify_token: Some(secret("")), ..endpoint() }, Some("verify_token.value")),
        // What only the source can judge.
        (RegisterRequest { secrets: vec![secret("s"), secret(" \n")], ..endpoint() }, Some("secrets[1].value")),
        (RegisterRequest { secrets: vec![secret("one\ntwo")], ..endpoint() }, Some("secrets[0].value")),
        (RegisterRequest { verify_token: Some(secret(" ")), ..endpoint() }, Some("verify_token.value")),
        (RegisterRequest { secrets: vec![secret("whsec_!")], ..endpoint() }, None),
        (RegisterRequest { secrets: vec![secret("whsec_!")], ..standard() }, Some("secrets[0].value")),
        (RegisterRequest { secrets: vec![secret("whsk_AA")], ..standard() }, Some("secrets[0].value")),
        (
            RegisterRequest { secrets: vec![secret("whsec_!")], expected_revision: 1, ..standard() },
            Some("secrets[0].value"),
        ),
        (RegisterRequest { secrets: vec![secret("whsec_A-")], ..standard() }, None),
        // A new one has no blanks around its ids, and one that is there keeps them.
        (edit(endpoint(), |r| r.tenant = " acme".into()), Some("registration.tenant")),
        (edit(RegisterRequest { expected_revision: 1, ..endpoint() }, |r| r.tenant = " acme".into()), None),
        (RegisterRequest { secrets: vec![secret("s")], ..account() }, Some("secrets")),
        (RegisterRequest { verify_token: Some(secret("s")), ..account() }, Some("verify_token")),
    ];
    for (request, wrong) in cases {
        let found = check(&request, &LIMITS, &NOW);
        let field = match &found {
            Ok(_) => None,
            Err(RegistrationRefusal::Invalid { field, .. }) => Some(field.as_str()),
            Err(other) => panic!("{other:?}"),
        };
        assert_eq!(field, wrong, "{request:?}");
    }
    assert_eq!(check(&account(), &LIMITS, &NOW).unwrap(), "account/app/12");
}

#[test]
fn a_new_one_begins_at_one() {
    let sealed = Sealed { secrets: vec![sealed("a")], verify_token: None };
    let made = next("endpoint/app", &endpoint(), sealed, Present::default(), NOW).unwrap();
    assert_eq!((made.id.as_str(), made.revision), ("endpoint/app", 1));
    assert_eq!((made.created_at, made.updated_at), (Some(NOW), Some(NOW)));
    let Some(Kind::Endpoint(endpoint)) = &made.kind else { panic!() };
    assert_eq!(endpoint.secrets[0].sealed, b"a");
    let shown = shown(made);
    let Some(Kind::Endpoint(endpoint)) = &shown.kind else { panic!() };
    assert_eq!((endpoint.secrets.len(), endpoint.secrets[0].sealed.len()), (1, 0));
}

fn present() -> Present {
    let sealed_before = Sealed { secrets: vec![sealed("a")], verify_token: Some(sealed("t")) };
    let before = next("endpoint/app", &endpoint(), sealed_before, Present::default(), BEFORE).unwrap();
    Present { registration: Some(before), first_tenant: Some("acme".into()), has_endpoint: false }
}

#[test]
fn an_update_keeps_what_it_does_not_name() {
    let update = RegisterRequest { expected_revision: 1, secrets: vec![], ..endpoint() };
    let made = next("endpoint/app", &update, Sealed::default(), present(), NOW).unwrap();
    assert_eq!((made.revision, made.created_at, made.updated_at), (2, Some(BEFORE), Some(NOW)));
    let Some(Kind::Endpoint(kept)) = made.kind else { panic!() };
    assert_eq!((kept.secrets, kept.verify_token), (vec![sealed("a")], Some(sealed("t"))));

    let rotated = Sealed { secrets: vec![sealed("b"), sealed("a")], verify_token: None };
    let made = next("endpoint/app", &update, rotated, present(), NOW).unwrap();
    let Some(Kind::Endpoint(endpoint)) = made.kind else { panic!() };
    assert_eq!((endpoint.secrets.len(), endpoint.verify_token), (2, Some(sealed("t"))));
}

#[test]
fn what_is_kept_for_another_source_is_named() {
    let update = |source: &str, secrets: &[&str]| RegisterRequest {
        expected_revision: 1,
        secrets: secrets.iter().map(|text| secret(text)).collect(),
        ..edit_endpoint(|endpoint| endpoint.source = source.into())
    };
    let kept = |request: &RegisterRequest| {
        let present = present();
        let kept = kept_for_another_source(request, &present);
        kept.map(|(source, secrets, token)| (source.name(), secrets.len(), token.is_some()))
    };
    assert_eq!(kept(&update("meta", &[])), None);
    assert_eq!(kept(&update("standard_webhooks", &[])), Some(("standard_webhooks", 1, true)));
    assert_eq!(kept(&update("github", &["new"])), Some(("github", 0, true)));
    assert_eq!(kept(&account()), None);
    assert!(kept_for_another_source(&update("github", &[]), &Present::default()).is_none());
}

#[test]
fn refuses_the_wrong_revision_tenant_and_order() {
    let at = |revision| RegisterRequest { expected_revision: revision, ..endpoint() };
    let refusal = |request: &RegisterRequest, present| {
        next("endpoint/app", request, Sealed::default(), present, NOW).unwrap_err()
    };
    let id = || "endpoint/app".to_owned();
    assert_eq!(refusal(&at(0), present()), RegistrationRefusal::Exists { id: id(), revision: 1 });
    assert_eq!(refusal(&at(2), present()), RegistrationRefusal::Revision { id: id(), found: 1, expected: 2 });
    assert_eq!(refusal(&at(2), Present::default()), RegistrationRefusal::Revision { id: id(), found: 0, expected: 2 });
    let stolen = edit(at(1), |registration| registration.tenant = "other".into());
    assert!(
        matches!(refusal(&stolen, present()), RegistrationRefusal::Invalid { field, .. } if field == "registration.tenant")
    );
    // Also when it was removed meanwhile.
    let again = edit(at(0), |registration| registration.tenant = "other".into());
    let removed = Present { registration: None, ..present() };
    assert!(
        matches!(refusal(&again, removed), RegistrationRefusal::Invalid { field, .. } if field == "registration.tenant")
    );

    let alone = next("account/app/12", &account(), Sealed::default(), Present::default(), NOW);
    assert_eq!(alone.unwrap_err(), RegistrationRefusal::NoEndpoint { endpoint: id() });
    let with = Present { has_endpoint: true, ..Present::default() };
    assert_eq!(next("account/app/12", &account(), Sealed::default(), with, NOW).unwrap().revision, 1);
}

#[test]
fn removes_only_what_was_seen_and_is_empty() {
    let request = DeleteRequest { id: "endpoint/app".into(), expected_revision: 1 };
    let present = present().registration;
    assert_eq!(may_delete(&request, present.as_ref(), false), Ok(()));
    assert!(matches!(may_delete(&request, None, false), Err(RegistrationRefusal::NotFound { .. })));
    assert!(matches!(may_delete(&request, present.as_ref(), true), Err(RegistrationRefusal::HasAccounts { .. })));
    let unseen = DeleteRequest { expected_revision: 0, ..request };
    assert!(matches!(
        may_delete(&unseen, present.as_ref(), false),
        Err(RegistrationRefusal::Revision { found: 1, .. })
    ));
}

#[test]
fn a_page_has_a_size_and_belongs_to_its_prefix() {
    let asked = |page_size| ListRequest { id_prefix: "account/app/".into(), page_size, ..ListRequest::default() };
    assert_eq!([0, 5, 5000].map(|size| page(&asked(size)).unwrap().limit), [101, 6, 1001]);
    let token = |token: &str| page(&ListRequest { page_token: token.into(), ..asked(1) });
    assert_eq!(token("account/app/7").unwrap().after, "account/app/7");
    assert!(matches!(token("endpoint/app"), Err(RegistrationRefusal::Invalid { field, .. }) if field == "page_token"));
    assert!(matches!(token("account/app/\0"), Err(RegistrationRefusal::Invalid { .. })));
    assert!(matches!(known_form(""), Err(RegistrationRefusal::Invalid { .. })));
    assert!(matches!(known_form("endpoint/\0"), Err(RegistrationRefusal::NotFound { .. })));
}
