//! Of every setting that any service has: those of one kind refuse the same mistakes. A new setting is of a kind by its
//! name, or has to be named here.

use std::collections::BTreeSet;

use super::{DEFAULTS, Settings};

/// Texts that are no address, no URL, no place and no file. What they may be is checked where they are read.
const OTHERS: &[&str] = &[
    "bus.claims.store",
    "bus.kafka.sasl_mechanism",
    "bus.kafka.sasl_username",
    "bus.kafka.security_protocol",
    "bus.producer.compression",
    "bus.topic_prefix",
    "enricher.group",
    "lake.s3_access_key_id",
    "lake.s3_region",
    "loader.group",
    "processing.group",
    "processing.sources",
    "simulation.mix",
    "telemetry.log",
    "telemetry.log_format",
];

/// What each kind must not take; none: the setting is of no kind.
fn mistakes(key: &str) -> Option<&'static [&'static str]> {
    let name = key.rsplit('.').next().unwrap_or(key);
    let ends = |end: &str| name == end || name.ends_with(&format!("_{end}"));
    if ends("listen") {
        Some(&[":8080", "0.0.0.0", "127.0.0.1:99999", "http://0.0.0.0:8080", "a/b:1"])
    } else if ends("brokers") {
        Some(&["http://kafka:9092", "kafka://kafka:9092", "kafka", "kafka:0", ":9092", "kafka:99999", "kafka:9092/x"])
    } else if ends("root") {
        Some(&[
            "s3:/bucket/lake",
            "S3://bucket",
            "s3a://bucket",
            "gs:/x",
            "gs://x",
            "hdfs:x",
            "~/lake",
            "file://x",
            "s3://",
        ])
    } else if ends("url") || ends("endpoint") {
        Some(&["http://:9090", "https://a:99999", "http://a b:1", "http://"])
    } else if ends("database") {
        Some(&["mysql://a/b", "a/b", "sqlite://", "postgres://u:p@h/x"])
    } else if ends("file") || ends("dir") || ends("folder") {
        Some(&["~/x", "https://a/b"])
    } else {
        None
    }
}

/// Every text, and every list, of the defaults.
fn texts(section: &str, table: &toml::Table, found: &mut BTreeSet<String>) {
    for (name, value) in table {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        let is_list = value.as_array().is_some_and(|items| items.iter().any(toml::Value::is_str));
        if value.is_str() || is_list {
            found.insert(key);
        } else if let Some(table) = value.as_table() {
            texts(&key, table, found);
        }
    }
}

#[test]
fn every_setting_of_a_kind_refuses_the_mistakes_of_its_kind() {
    let mut keys = BTreeSet::new();
    for text in DEFAULTS {
        texts("", &text.parse().unwrap(), &mut keys);
    }
    // Those that are not set where nothing is said.
    keys.extend(["telemetry.otlp_endpoint", "secrets.key_file"].map(str::to_owned));
    let mut others = BTreeSet::new();
    for key in keys {
        let Some(mistakes) = mistakes(&key) else {
            others.insert(key);
            continue;
        };
        for mistake in mistakes {
            let variable = format!("WEIR__{}", key.replace('.', "__").to_uppercase());
            // Some are looked at only where they have a meaning.
            let env = [(variable, (*mistake).to_owned()), ("WEIR__BUS__CLAIMS__STORE".into(), "redis".into())];
            let error = service::load::<Settings>(DEFAULTS, None, env).expect_err(&format!("{key} = {mistake:?}"));
            let named = error.faults.iter().any(|fault| fault.key == key && !fault.fix.is_empty());
            assert!(named, "{key} = {mistake:?}: {error}");
        }
    }
    assert_eq!(others, OTHERS.iter().map(|key| (*key).to_owned()).collect(), "of which kind are these?");
}

#[test]
fn what_was_right_is_read_as_before() {
    for (key, values) in [
        ("streaming.listen", &["0.0.0.0:8080", "[::]:8080", "localhost:0"][..]),
        ("bus.kafka.brokers", &["a:9092", "a-1.b_c:9092,10.0.0.1:9093", "[::1]:9092", ""]),
        ("lake.root", &["lake", "./lake", "/var/lib/lake", "s3://bucket", "s3://bucket/a/b", "file:///var/lib/lake"]),
        ("lake.root", &["a/b:c", "./a:b", "C:/lake"]),
        ("enricher.processing_url", &["http://processing:9090", "https://[::1]:9090", "https://processing.example"]),
        ("bus.claims.url", &["redis://127.0.0.1:6379/0", "redis://:secret@redis:6379", "unix:///run/redis.sock"]),
        ("registrations.database", &["sqlite://x.db", "postgres://u@h:5432/x"]),
        ("secrets.key_file", &["keys/sealing", "/etc/weir/key"]),
    ] {
        for value in values {
            let variable = format!("WEIR__{}", key.replace('.', "__").to_uppercase());
            let env = [(variable, (*value).to_owned()), ("WEIR__BUS__CLAIMS__STORE".into(), "redis".into())];
            let loaded = service::load::<Settings>(DEFAULTS, None, env);
            assert!(loaded.is_ok(), "{key} = {value:?}: {}", loaded.unwrap_err());
        }
    }
}
