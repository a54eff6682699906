use super::*;

#[test]
fn a_commit_tells_files_versions_and_whether_the_table_is_another_now() {
    let bytes = br#"{"commitInfo":{"operation":"OPTIMIZE","weirCommit":"1"}}
{"remove":{"path":"day=2026-03-01/a.parquet","dataChange":false,"deletionTimestamp":1}}
{"add":{"path":"day=2026-03-01/b%20b.parquet","partitionValues":{"day":"2026-03-01"},"size":7,"modificationTime":1,"dataChange":false,"stats":"{\"numRecords\":3}"}}
{"txn":{"appId":"weir/1","version":9}}
"#;
    let entry = Entry::read(bytes).unwrap();
    let added = TableFile {
        path: "day=2026-03-01/b b.parquet".into(),
        bytes: 7,
        rows: Some(3),
        partition: [("day".to_owned(), Some("2026-03-01".to_owned()))].into(),
        deletions: false,
    };
    assert_eq!(added.day(), "2026-03-01");
    assert_eq!(entry.changes, [Change::Removed("day=2026-03-01/a.parquet".into()), Change::Added(added)]);
    assert_eq!((entry.transactions[0].app_id.as_str(), entry.transactions[0].version), ("weir/1", 9));
    assert!(!entry.redefines);
    for line in [r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#, r#"{"metaData":{"id":"1"}}"#] {
        assert!(Entry::read(line.as_bytes()).unwrap().redefines, "{line}");
    }
}

#[test]
fn what_is_no_commit_is_not_guessed_at() {
    assert!(Entry::read(b"{\"add\":").is_none());
    assert!(Entry::read(b"{\"add\":{\"path\":5}}").is_none());
    assert!(Entry::read(b"").unwrap().changes.is_empty());
}
