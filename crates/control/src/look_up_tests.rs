use common::registration::v1::registration::Kind;
use common::registration::v1::{Account, Endpoint, Registration, SealedSecret};

use super::*;

fn key(fields: &[(&str, &str)]) -> Key {
    Key { fields: fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect() }
}

fn registration(kind: Kind, metadata: &[(&str, &str)]) -> Registration {
    Registration {
        id: common::registrations::id_of(&kind),
        tenant: "acme".to_owned(),
        kind: Some(kind),
        metadata: metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..Registration::default()
    }
}

fn registrations() -> Registrations {
    let secrets = vec![SealedSecret { sealed: b"sealed".to_vec(), ..SealedSecret::default() }];
    let endpoint = Endpoint { name: "shop".into(), source: "meta".into(), secrets, ..Endpoint::default() };
    let account = Account { endpoint: "shop".into(), account_id: "7".into() };
    let mut all = Registrations::default();
    for one in [
        registration(Kind::Endpoint(endpoint), &[("owner", "ann")]),
        registration(Kind::Account(account), &[("name", "Page of Acme"), ("region", "eu")]),
    ] {
        all.apply(&one.id.clone(), Some(one));
    }
    all
}

fn told(fields: &[(&str, &str)]) -> (bool, Vec<(String, String)>) {
    let answer = answer(&key(fields), &registrations());
    (answer.found, answer.attributes.into_iter().collect())
}

#[test]
fn metadata_of_endpoint_and_account_is_told_and_nothing_else() {
    let (found, attributes) =
        told(&[("tenant", "acme"), ("endpoint", "shop"), ("source", "facebook"), ("account_id", "7")]);
    let expected = [("account.name", "Page of Acme"), ("account.region", "eu"), ("endpoint.owner", "ann")];
    assert!(found);
    assert_eq!(attributes, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[test]
fn what_is_not_registered_is_not_found() {
    assert_eq!(told(&[("endpoint", "other"), ("account_id", "7")]), (false, vec![]));
    assert_eq!(told(&[]), (false, vec![]));
    let (found, attributes) = told(&[("endpoint", "shop"), ("account_id", "8")]);
    assert_eq!((found, attributes), (true, vec![("endpoint.owner".to_owned(), "ann".to_owned())]));
}
