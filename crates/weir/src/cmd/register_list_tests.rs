use common::registration::v1::{Account, Endpoint};
use common::registrations::id_of;

use super::*;

fn registered(kind: Kind) -> Registration {
    Registration { id: id_of(&kind), tenant: "me".into(), revision: 1, kind: Some(kind), ..Registration::default() }
}

#[test]
fn endpoints_are_listed_and_their_accounts_counted() {
    let account = |n: usize| {
        let endpoint = if n < 100 { "meta-app" } else { "of-the-settings" };
        registered(Kind::Account(Account { endpoint: endpoint.into(), account_id: format!("{n:05}") }))
    };
    let endpoint = |name: &str, source: &str, rate_limit| {
        let (name, source) = (name.to_owned(), source.to_owned());
        registered(Kind::Endpoint(Endpoint { name, source, rate_limit, ..Endpoint::default() }))
    };
    let mut all: Vec<_> = (0..101).map(account).collect();
    all.extend([endpoint("meta-app", "meta", 0), endpoint("my-repo", "github", 5)]);
    let lines = endpoints(&all);
    assert_eq!(
        lines,
        [
            "endpoint/meta-app              me             revision 1    meta, 100 accounts",
            "endpoint/my-repo               me             revision 1    github, at most 5/s",
            "1 account of of-the-settings",
            "weir register list account/ENDPOINT/ lists the accounts of one",
        ]
    );
    assert!(lines.iter().all(|line| line.len() <= 80));
    assert_eq!(endpoints(&all[102..]).len(), 1, "no word of accounts where there are none");
}
