use common::load::v1::File as Message;

use super::*;

fn message() -> LoadRequest {
    LoadRequest {
        id: "0123456789abcdef0123456789abcdef".into(),
        table: "activities".into(),
        log: "log#0".into(),
        topic: "p.activities.enriched".into(),
        topic_id: "t1".into(),
        partition: 3,
        from: 10,
        to: 20,
        files: vec![Message {
            path: "day=2026-03-01/a.parquet".into(),
            size_bytes: 100,
            rows: 5,
            partition_values: [("day".to_owned(), "2026-03-01".to_owned())].into(),
            first_offset: 11,
            last_offset: 19,
        }],
        created_at: None,
        offset_column: "weir_offset".into(),
        partition_columns: vec!["day".into()],
    }
}

#[test]
fn the_application_is_the_partition_of_the_topic_of_the_log() {
    let request = Request::of(message()).unwrap();
    assert_eq!(&*request.application, "weir/log#0/p.activities.enriched/t1/3");
    assert_eq!((request.range, request.rows()), (RequestRange { from: 10, to: 20 }, 5));
}

#[test]
fn a_request_without_files_is_one() {
    let empty = LoadRequest { files: Vec::new(), offset_column: String::new(), ..message() };
    assert_eq!(Request::of(empty).unwrap().rows(), 0);
}

#[test]
fn what_is_no_request_is_told() {
    let file = |change: fn(&mut Message)| {
        let mut message = message();
        change(&mut message.files[0]);
        message
    };
    let wrong: &[(&str, LoadRequest)] = &[
        ("id", LoadRequest { id: "x".into(), ..message() }),
        ("table", LoadRequest { table: "../other".into(), ..message() }),
        ("table", LoadRequest { table: "_delta_log".into(), ..message() }),
        ("log", LoadRequest { log: String::new(), ..message() }),
        ("topic_id", LoadRequest { topic_id: String::new(), ..message() }),
        ("not a valid range", LoadRequest { from: 20, ..message() }),
        ("not a valid range", LoadRequest { from: -1, ..message() }),
        ("offset column", LoadRequest { offset_column: String::new(), ..message() }),
        ("partition columns", LoadRequest { partition_columns: Vec::new(), ..message() }),
        ("path", file(|file| file.path = "../a.parquet".into())),
        ("path", file(|file| file.path = "/a.parquet".into())),
        ("path", file(|file| file.path = "day=1//a.parquet".into())),
        ("path", file(|file| file.path = "_delta_log/00000000000000000000.json".into())),
        ("path", file(|file| file.path = "a b.parquet".into())),
        ("no rows", file(|file| file.rows = 0)),
    ];
    for (what, message) in wrong {
        let problem = Request::of(message.clone()).unwrap_err();
        assert!(problem.contains(what), "{problem}");
    }
}
