use super::*;

#[test]
fn the_database_is_right() {
    let row = |id: &str, record: &[u8]| (id.to_owned(), record.to_vec());
    let database = vec![row("a", b"1"), row("b", b"2"), row("c", b"3")];
    let topic = [row("a", b"1"), row("b", b"old"), row("d", b"never committed")].into_iter().collect();
    let expected = Difference { publish: vec![row("b", b"2"), row("c", b"3")], remove: vec!["d".to_owned()] };
    assert_eq!(difference(database, topic), expected);
    assert_eq!(difference(Vec::new(), BTreeMap::new()), Difference::default());
}

fn record(id: &str) -> (String, Vec<u8>) {
    let endpoint = common::registration::v1::Endpoint {
        name: id.to_owned(),
        source: "meta".to_owned(),
        ..common::registration::v1::Endpoint::default()
    };
    let id = format!("endpoint/{id}");
    let registration = Registration {
        id: id.clone(),
        revision: 7,
        tenant: "acme".to_owned(),
        kind: Some(common::registration::v1::registration::Kind::Endpoint(endpoint)),
        ..Registration::default()
    };
    (id, registration.encode_to_vec())
}

fn records(count: usize) -> BTreeMap<String, Vec<u8>> {
    (0..count).map(|n| record(&format!("e{n}"))).collect()
}

#[test]
fn an_empty_database_takes_over_what_the_topic_holds() {
    for allow_removals in [false, true] {
        let Plan::Adopt(adopted) = plan(Vec::new(), records(5), allow_removals).unwrap() else { panic!("no adoption") };
        let adopted: BTreeMap<String, Vec<u8>> =
            adopted.into_iter().map(|registration| (registration.id.clone(), registration.encode_to_vec())).collect();
        assert_eq!(adopted, records(5), "as they are, with their revisions");
    }
    assert_eq!(plan(Vec::new(), BTreeMap::new(), false).unwrap(), Plan::Write(Difference::default()));
}

#[test]
fn what_cannot_be_taken_over_whole_is_left_alone() {
    let (_, good) = record("app");
    let with_a_newer_field = [good.as_slice(), &[0xfa, 0x7f, 1, b'x']].concat();
    for (id, bytes) in
        [("endpoint/other", good.clone()), ("endpoint/app", b"\xff".to_vec()), ("endpoint/app", with_a_newer_field)]
    {
        let topic = [(id.to_owned(), bytes)].into_iter().collect();
        let error = plan(Vec::new(), topic, true).unwrap_err();
        assert!(matches!(&error, ReconcileError::NotAdopted { id: named } if named == id), "{error}");
    }
}

#[test]
fn a_database_that_lacks_much_removes_nothing() {
    let lacks = |held: usize, missing: usize, allow_removals| {
        let database = records(held).into_iter().skip(missing).collect();
        plan(database, records(held), allow_removals)
    };
    let removes = |plan: Result<Plan, ReconcileError>| match plan {
        Ok(Plan::Write(difference)) => Some(difference.remove.len()),
        Ok(Plan::Adopt(_)) => panic!("not empty"),
        Err(ReconcileError::TooManyRemovals { .. }) => None,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(removes(lacks(5, 3, false)), Some(3), "a few");
    assert_eq!(removes(lacks(5, 4, false)), None);
    assert_eq!(removes(lacks(5, 4, true)), Some(4), "it was allowed");
    assert_eq!(removes(lacks(100, 10, false)), Some(10), "a small part");
    assert_eq!(removes(lacks(100, 11, false)), None);
    let other = vec![record("of-another-installation")];
    assert_eq!(removes(plan(other, records(1), false)), None, "nothing in common");
    let error = lacks(5, 4, false).unwrap_err().to_string();
    for said in ["4 of the 5", "endpoint/e0", "registrations.database", "registrations.allow_removals"] {
        assert!(error.contains(said), "{error}");
    }
}
