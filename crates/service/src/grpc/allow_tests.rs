use super::*;

#[test]
fn the_entry_that_says_most_counts_and_what_none_names_is_refused() {
    let entries = [
        ("weir.registration.v1", vec!["admin"]),
        ("weir.registration.v1.RegistrationService/List", vec!["reader", "admin"]),
        ("weir.health.v1", vec!["*"]),
        ("weir.enrichment.v1.EnrichmentService", vec!["enricher"]),
    ];
    let entries = entries.map(|(call, names)| AllowSettings {
        call: call.to_owned(),
        names: names.into_iter().map(str::to_owned).collect(),
    });
    let allow = Allow::new(&entries).unwrap();
    let may = |name: &str, path: &str| allow.permits(path, &["other".to_owned(), name.to_owned()]);
    for (name, path, expected) in [
        ("admin", "/weir.registration.v1.RegistrationService/Register", true),
        ("reader", "/weir.registration.v1.RegistrationService/Register", false),
        ("reader", "/weir.registration.v1.RegistrationService/List", true),
        ("enricher", "/weir.registration.v1.RegistrationService/List", false),
        ("enricher", "/weir.enrichment.v1.EnrichmentService/LookUp", true),
        ("admin", "/weir.enrichment.v1.EnrichmentService/LookUp", false),
        ("nobody", "/weir.health.v1.HealthService/GetDigest", true),
        ("nobody", "/grpc.health.v1.Health/Check", true),
        ("nobody", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", true),
        // Not named at all, nearly named, and what is no call.
        ("admin", "/weir.log.v1.LogService/Read", false),
        ("admin", "/weir.registration.v11.RegistrationService/List", false),
        ("admin", "/weir.registration.v1", false),
        ("admin", "/", false),
        ("admin", "//weir.registration.v1.RegistrationService/List", false),
    ] {
        assert_eq!(may(name, path), expected, "{name} {path}");
    }
    assert!(!allow.permits("/weir.registration.v1.RegistrationService/List", &[]));
    assert!(Allow::new(&[]).is_none());
}
