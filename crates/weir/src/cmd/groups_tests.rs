use bus::GroupPlace;

use super::*;

fn place(topic: &str, partition: i32, committed: i64) -> GroupPlace {
    GroupPlace { topic: topic.to_owned(), partition, committed, low: 10, end: 40 }
}

fn groups() -> Vec<Group> {
    let group = |name: &str, members, places| Group { name: name.to_owned(), members, places };
    vec![
        group("weir-loader", 0, vec![place("loads", 0, 40)]),
        group("weir-processing", 2, vec![place("raw.github", 0, 12), place("raw.github", 1, 3), place("raw.x", 0, 99)]),
    ]
}

#[test]
fn the_table_says_what_stands_still() {
    insta::assert_snapshot!("groups", table(&groups()));
    assert_eq!(table(&[]), "no group has committed an offset yet");
    let json: serde_json::Value = serde_json::from_str(&as_json(&groups())).unwrap();
    assert_eq!(json[1]["partitions"][0]["lag"], 28);
    assert_eq!(json[1]["partitions"][1]["out_of_range"], true);
}

#[test]
fn where_to() {
    assert_eq!(parse_to("earliest"), Ok(To::At(Start::Beginning)));
    assert_eq!(parse_to("latest"), Ok(To::At(Start::End)));
    assert_eq!(parse_to("17"), Ok(To::Offset(17)));
    assert!(matches!(parse_to("2026-01-31T10:00:00Z"), Ok(To::At(Start::AtTime(_)))));
    assert!(matches!(parse_to("12h"), Ok(To::At(Start::AtTime(_)))));
    for text in ["", "-1", "yesterday", "99999999999999999999"] {
        assert!(parse_to(text).is_err(), "{text}");
    }
}
