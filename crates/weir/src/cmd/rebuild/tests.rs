use std::collections::BTreeMap;

use loader::Comparison;

use super::*;

#[test]
fn a_rebuild_says_what_it_made_and_what_differs() {
    let made = make::Made {
        deliveries: 1000,
        rows: 1203,
        repeated: 12,
        refused: 3,
        partial: 0,
        files: 2,
        first: Some(1_769_767_200_000),
    };
    insta::assert_snapshot!("made", show::made(&made, "activities_new", "/lake"));
    let times = ["2026-01-30T10:00:00Z".to_owned(), "2026-01-31T10:00:00Z".to_owned()];
    let same = Comparison { old_rows: 1203, new_rows: 1203, ..Comparison::default() };
    insta::assert_snapshot!("the_same", show::compared(&same, &[], "activities_new", &times));
    let found = Comparison {
        old_rows: 1202,
        new_rows: 1203,
        only_old: 1,
        only_old_ids: vec!["a-0".into()],
        only_new: 2,
        only_new_ids: vec!["b-0".into(), "b-1".into()],
        differ: 1200,
        columns: BTreeMap::from([("language".to_owned(), 1200), ("text".to_owned(), 7)]),
        examples: vec![("2026-01-30".into(), "c-0".into(), "language".into())],
    };
    let example = show::Example {
        id: "c-0".into(),
        column: "language".into(),
        old: "null".into(),
        new: format!("\"{}\"", "eng".repeat(50)),
    };
    insta::assert_snapshot!("different", show::compared(&found, &[example], "activities_new", &times));
}
