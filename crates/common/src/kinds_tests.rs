use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::*;

#[derive(Serialize)]
struct Part {
    #[serde(serialize_with = "super::file")]
    any_name: Option<PathBuf>,
    word: &'static str,
}

#[derive(Serialize)]
struct All {
    #[serde(serialize_with = "super::broker")]
    those: Vec<String>,
    #[serde(serialize_with = "super::folder")]
    place: PathBuf,
    #[serde(serialize_with = "super::url", skip_serializing_if = "Option::is_none")]
    absent: Option<String>,
    parts: Vec<Part>,
    part: Part,
    map: BTreeMap<String, String>,
    number: u8,
}

#[test]
fn a_walk_finds_every_text_with_its_kind() {
    let all = All {
        those: vec!["a:1".to_owned(), "b:2".to_owned()],
        place: "data".into(),
        absent: None,
        parts: vec![Part { any_name: None, word: "x" }, Part { any_name: Some("f".into()), word: "y" }],
        part: Part { any_name: Some("g".into()), word: "z" },
        map: BTreeMap::from([("n.m".to_owned(), "v".to_owned())]),
        number: 1,
    };
    let found = settings_of(&all).unwrap();
    let found: Vec<_> = found.iter().map(|found| (found.key.as_str(), found.kind, found.value.as_str())).collect();
    assert_eq!(
        found,
        [
            ("those", Some(Kind::Broker), "a:1"),
            ("those", Some(Kind::Broker), "b:2"),
            ("place", Some(Kind::Folder), "data"),
            ("parts[0].word", None, "x"),
            ("parts[1].any_name", Some(Kind::File), "f"),
            ("parts[1].word", None, "y"),
            ("part.any_name", Some(Kind::File), "g"),
            ("part.word", None, "z"),
            ("map.n.m", None, "v"),
        ]
    );
    let json = serde_json::to_value(&all).unwrap();
    assert_eq!((&json["place"], &json["those"][1]), (&"data".into(), &"b:2".into()), "a mark changes no text");
}

#[test]
fn every_kind_tells_its_mistakes() {
    for (kind, good, bad) in [
        (
            Kind::Listen,
            &["0.0.0.0:8080", "[::]:0", "localhost:1"][..],
            &["", ":8080", "0.0.0.0", "127.0.0.1:99999", "::1:80", "http://0.0.0.0:80", "a b:80"][..],
        ),
        (
            Kind::Broker,
            &["a:9092", "a-1.b_c:9092", "[::1]:9092"],
            &["", "a", "a:0", ":9092", "a:99999", "::1:9092", "http://a:9092", "kafka://a:9092", "a:9092/x"],
        ),
        (
            Kind::Url,
            &["", "processing", "http://a:9090", "https://[::1]", "redis://u:p@h:6379/0", "unix:///run/redis.sock"],
            &[
                "http://",
                "http://:9090",
                "https://a:99999",
                "http://a:b",
                "redis://h:0/0",
                "http://a b",
                "redis://u:p@",
            ],
        ),
        (
            Kind::Root,
            &["lake", "./lake", "a/b:c", "./a:b", "C:/lake", "s3://bucket/lake", "file:///lake"],
            &["~/lake", "s3:/bucket", "S3://bucket", "s3a://bucket", "gs:/x", "hdfs:x", "file://x"],
        ),
    ] {
        check(kind, good, bad);
    }
    for kind in [
        Kind::Folder,
        Kind::File,
        Kind::MadeFile,
        Kind::SealingKeyFile,
        Kind::SecretFile,
        Kind::CaFile,
        Kind::CertificateFile,
        Kind::KeyFile,
    ] {
        assert!(kind.is_place());
        check(kind, &["", "keys/a.pem", "./a", "/etc/a.pem"], &["~/a", "~weir/a", "file:///etc/a", "s3://bucket"]);
    }
}

fn check(kind: Kind, good: &[&str], bad: &[&str]) {
    for value in good {
        assert_eq!(kind.problem(value), None, "{kind:?} {value:?}");
    }
    for value in bad {
        let (problem, fix) = kind.problem(value).unwrap_or_else(|| panic!("{kind:?} {value:?}"));
        assert!(!problem.is_empty() && !fix.is_empty() && !format!("{problem} {fix}").contains("u:p@"), "{problem}");
    }
}
