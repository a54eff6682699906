use super::*;

#[test]
fn secrets_are_kept_and_read_again() {
    let endpoints = Endpoints::generate().unwrap();
    let again = Endpoints::from_toml(&endpoints.to_toml()).unwrap();
    assert_eq!(again.to_toml(), endpoints.to_toml());
    assert_ne!(Endpoints::generate().unwrap().to_toml(), endpoints.to_toml());
    for endpoint in endpoints.iter() {
        assert!(!format!("{endpoints:?}").contains(endpoint.secret.expose_secret()));
    }
}

#[test]
fn a_file_of_something_else_is_refused() {
    assert!(matches!(Endpoints::from_toml("pages = 3"), Err(Error::Malformed(_))));
    assert!(matches!(Endpoints::from_toml("meta_secret = \"a\""), Err(Error::Secret(_))));
    let wrong = Endpoints::for_tests().to_toml().replace("whsec_", "");
    assert!(matches!(Endpoints::from_toml(&wrong), Err(Error::Secret(name)) if name == "standard_webhooks_secret"));
    let more = Endpoints::for_tests().to_toml() + "myspace_secret = \"1\"\n";
    assert!(matches!(Endpoints::from_toml(&more), Err(Error::Secret(name)) if name == "myspace_secret"));
}

#[test]
fn every_registration_is_valid_and_its_own() {
    let endpoints = Endpoints::for_tests();
    let mut ids = std::collections::HashSet::new();
    let mut tenants = std::collections::HashSet::new();
    for request in endpoints.registrations(10) {
        let registration = request.registration.unwrap();
        common::registrations::validate(&registration).unwrap();
        let kind = registration.kind.unwrap();
        assert_eq!(request.secrets.is_empty(), matches!(kind, Kind::Account(_)));
        tenants.insert(registration.tenant);
        assert!(ids.insert(common::registrations::id_of(&kind)));
    }
    assert_eq!(ids.len(), 3 + 2 * 10);
    assert_eq!(tenants.len(), 2);
}
