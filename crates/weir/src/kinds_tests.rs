//! Of every setting that any service has: those of one kind refuse the same mistakes, and numbers have a range and the
//! unit of their name. A new setting says its kind, or its range, with its field, or has to be named here.

use std::collections::BTreeSet;

use common::kinds::{Kind, Setting, ranges_of, settings_of};
use common::units::Unit;

use super::{DEFAULTS, Settings};

/// Texts that are no address, no URL, no place and no file. What they may be is checked where they are read.
const OTHERS: &[&str] = &[
    "alerts.allow_networks",
    "alerts.maintenance[0].checks",
    "alerts.maintenance[0].dates",
    "alerts.maintenance[0].from",
    "alerts.maintenance[0].name",
    "alerts.maintenance[0].stages",
    "alerts.maintenance[0].to",
    "alerts.maintenance[0].utc_offset",
    "alerts.receivers[0].name",
    "alerts.receivers[0].pagerduty.routing_key",
    "alerts.receivers[1].mail.from",
    "alerts.receivers[1].mail.password",
    "alerts.receivers[1].mail.to",
    "alerts.receivers[1].mail.user",
    "alerts.receivers[1].name",
    "alerts.receivers[2].alertmanager.password",
    "alerts.receivers[2].alertmanager.user",
    "alerts.receivers[2].name",
    "alerts.receivers[3].name",
    "alerts.receivers[3].webhook.secret",
    // All of it is a secret, and alerts' own settings say what it may be.
    "alerts.receivers[3].webhook.url",
    "alerts.rotations[0].name",
    "alerts.rotations[0].overrides[0].from",
    "alerts.rotations[0].overrides[0].to",
    "alerts.rotations[0].overrides[0].who",
    "alerts.rotations[0].people",
    "alerts.rotations[0].start",
    "alerts.routes[0].checks",
    "alerts.routes[0].escalation[0].receivers",
    "alerts.routes[0].name",
    "alerts.routes[0].receivers",
    "alerts.routes[0].stages",
    "bus.kafka.properties.client.rack",
    "bus.kafka.sasl_mechanism",
    "bus.kafka.sasl_username",
    "bus.kafka.security_protocol",
    "bus.producer.compression",
    "bus.producer.compression_by_topic.raw.*",
    "bus.topic_prefix",
    "enricher.steps[0].key",
    "enricher.steps[0].lookup",
    "enricher.steps[0].name",
    "enricher.steps[1].attributes",
    "enricher.steps[1].columns",
    "enricher.steps[1].key",
    "enricher.steps[1].name",
    "grpc.tls.allow[0].call",
    "grpc.tls.allow[0].names",
    "health_check.name",
    "health_check.probes[0].name",
    "health_check.probes[0].tcp.must",
    "health_check.probes[0].tcp.send",
    "health_check.probes[1].http.must",
    "health_check.probes[1].name",
    "health_check.probes[2].grpc.service",
    "health_check.probes[2].name",
    "health_check.probes[3].name",
    "health_check.probes[3].nagios.command",
    "health_check.probes[4].log.must",
    "health_check.probes[4].log.must_not",
    "health_check.probes[4].name",
    "health_check.services[0].name",
    "health_check.volume.ignore",
    "lake.s3_access_key_id",
    "lake.s3_region",
    "loader.accept",
    "platforms.allow_networks",
    "platforms.endpoints[0].meta.app_id",
    "platforms.endpoints[0].meta.app_token",
    "platforms.endpoints[0].meta.object",
    "platforms.endpoints[0].meta.pages[0].fields",
    "platforms.endpoints[0].meta.pages[0].id",
    "platforms.endpoints[0].meta.pages[0].token",
    "platforms.endpoints[0].name",
    "platforms.endpoints[1].github.organization",
    "platforms.endpoints[1].github.token",
    "platforms.endpoints[1].name",
    "platforms.endpoints[2].github.repository",
    "platforms.endpoints[2].github.token",
    "platforms.endpoints[2].name",
    "processing.sources",
    "simulation.mix",
    "streaming.endpoints[0].name",
    "streaming.endpoints[0].secrets",
    "streaming.endpoints[0].source",
    "streaming.endpoints[0].tenant",
    "streaming.endpoints[0].verify_token",
    "telemetry.log",
];

/// What a secret shows of itself.
const HIDDEN: &str = "<hidden>";

/// Numbers whose ends are no whole ones, or that another setting is an end of.
const WITHOUT_RANGE: &[&str] = &[
    "health_check.limits.lag_failing",
    "health_check.limits.lag_warning",
    "processing.storm.ratio",
    "simulation.rate",
];

/// Settings of any section, by their last part, that have no kind and are checked where they are read.
const OF_THEIR_OWN: &[(&str, &[&str])] = &[
    ("database", &["mysql://a/b", "a/b", "sqlite://", "postgres://u:p@h/x"]),
    // The consumer group of a service.
    ("group", &[""]),
];

/// The mistakes of a setting that has no kind, where it is one of [`OF_THEIR_OWN`].
fn own_mistakes(key: &str) -> Option<&'static [&'static str]> {
    let name = key.rsplit('.').next().unwrap_or(key);
    OF_THEIR_OWN.iter().find(|(own, _)| *own == name).map(|(_, mistakes)| *mistakes)
}

/// Sets what nothing sets, and one of each section of which there may be several.
const ALL: &str = r#"
[telemetry]
otlp_endpoint = "http://collector:4317"
[secrets]
key_file = "keys/sealing"
[grpc.tls]
certificate_file = "a.pem"
key_file = "a-key.pem"
client_ca_file = "ca.pem"
[[grpc.tls.allow]]
call = "weir"
names = ["a"]
[bus.kafka.properties]
"client.rack" = "a"
[bus.producer.compression_by_topic]
"raw.*" = "lz4"
[[streaming.endpoints]]
name = "a"
source = "github"
tenant = "a"
secrets = ["a secret that is long enough"]
verify_token = "token"
[[enricher.steps]]
name = "a"
type = "lookup"
url = "http://a:1"
lookup = "a"
key = ["actor_id"]
[[enricher.steps]]
name = "b"
type = "reference"
path = "b.csv"
key = ["actor_id"]
columns = ["a"]
attributes = ["b"]
[health_check.errors]
redis_url = "redis://a:1/0"
[[health_check.services]]
name = "s"
addresses = ["http://a:1"]
expected = 1
[[health_check.probes]]
name = "a"
tcp = { address = "a:1", send = "a", must = "a" }
[[health_check.probes]]
name = "b"
http = { url = "http://a:1", must = "a", ca_file = "ca.pem" }
[[health_check.probes]]
name = "c"
grpc = { url = "http://a:1", service = "a" }
[[health_check.probes]]
name = "d"
nagios = { command = ["a"] }
[[health_check.probes]]
name = "e"
log = { file = "a.log", must = "a", must_not = "b" }
[alerts]
allow_networks = ["10.0.0.0/8"]
[[alerts.receivers]]
name = "a"
pagerduty = { routing_key = "a", url = "https://a" }
[[alerts.receivers]]
name = "b"
mail = { server = "a:25", from = "a@b", to = ["a@b"], user = "a", password = "a" }
[[alerts.receivers]]
name = "c"
alertmanager = { url = "http://a:1", user = "a", password = "a" }
[[alerts.receivers]]
name = "d"
webhook = { url = "https://a", secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }
[[alerts.routes]]
name = "a"
stages = ["a"]
checks = ["a"]
receivers = ["r"]
escalation = [{ after_ms = "1m", receivers = ["a"] }]
[[alerts.rotations]]
name = "r"
people = ["a"]
start = "2026-01-05T09:00:00Z"
shift_ms = "7d"
overrides = [{ from = "2026-01-05T09:00:00Z", to = "2026-01-06T09:00:00Z", who = "b" }]
[[alerts.maintenance]]
name = "a"
dates = ["2026-12-24"]
from = "00:00"
to = "24:00"
utc_offset = "+00:00"
stages = ["a"]
checks = ["a"]
[platforms]
allow_networks = ["10.0.0.0/8"]
[[platforms.endpoints]]
name = "a"
callback_url = "https://a:1"
meta = { app_id = "1", app_token = "a", pages = [{ id = "1", token = "a", fields = ["feed"] }] }
[[platforms.endpoints]]
name = "b"
github = { organization = "a", hook = 1, token = "a" }
[[platforms.endpoints]]
name = "c"
github = { repository = "a/b", hook = 1, token = "a" }
[health_check.volume]
ignore = ["a"]
file = "volume.json"
[loader]
accept = ["0123456789abcdef0123456789abcdef"]
"#;

/// What each kind must not take.
fn mistakes(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Listen => &[":8080", "0.0.0.0", "127.0.0.1:99999", "http://0.0.0.0:8080", "a/b:1"],
        Kind::Broker => {
            &["http://kafka:9092", "kafka://kafka:9092", "kafka", "kafka:0", ":9092", "kafka:99999", "kafka:9092/x"]
        }
        Kind::Root => &[
            "s3:/bucket/lake",
            "S3://bucket",
            "s3a://bucket",
            "gs:/x",
            "gs://x",
            "hdfs:x",
            "~/lake",
            "file://x",
            "s3://",
        ],
        Kind::Url => &["http://:9090", "https://a:99999", "http://a b:1", "http://"],
        _ => &["~/x", "https://a/b"],
    }
}

fn all() -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.toml");
    std::fs::write(&file, ALL).unwrap();
    service::load(DEFAULTS, Some(&file), []).unwrap()
}

#[test]
fn every_text_has_a_kind_or_is_known_to_have_none() {
    let found = settings_of(&all()).unwrap();
    let without = found.iter().filter(|it| it.kind.is_none()).map(|it| it.key.as_str());
    let without: BTreeSet<_> = without.filter(|key| own_mistakes(key).is_none()).collect();
    let known: BTreeSet<_> = OTHERS.iter().copied().collect();
    let new: Vec<_> = (&without - &known)
        .iter()
        .map(|key| {
            format!("{key}: say its kind with its field (serialize_with = \"common::kinds::…\"), or name it in OTHERS")
        })
        .collect();
    assert_eq!(new, [""; 0]);
    assert_eq!(&known - &without, BTreeSet::new(), "these are gone, or have a kind: take them out of OTHERS");
    // What is named here by mistake is found by what it looks like.
    let shown = found.iter().filter(|it| it.value != HIDDEN);
    for Setting { key, value, .. } in shown.filter(|it| OTHERS.contains(&it.key.as_str())) {
        let name = key.rsplit('.').next().unwrap_or(key);
        let ends = |end: &&str| name == *end || name.ends_with(&format!("_{end}"));
        let is_named =
            ["listen", "url", "endpoint", "address", "addresses", "brokers", "root", "path", "folder", "dir", "file"]
                .iter()
                .any(ends);
        let is_written = value.contains("://") || value.starts_with(['/', '~']) || value.starts_with("./");
        assert!(!is_named && !is_written, "{key} = {value:?} looks like an address or a place, and says no kind");
    }
}

#[test]
fn every_number_has_a_range_and_the_unit_of_its_name() {
    let found = ranges_of(&all()).unwrap();
    let without: BTreeSet<_> = found.iter().filter(|(_, range)| range.is_none()).map(|(key, _)| key.as_str()).collect();
    let known = BTreeSet::from_iter(WITHOUT_RANGE.iter().copied());
    let new: Vec<_> = (&without - &known)
        .iter()
        .map(|key| {
            format!("{key}: say its range with its field (with = \"Millis::<1, DAY>\"), or name it in WITHOUT_RANGE")
        })
        .collect();
    assert_eq!(new, [""; 0]);
    assert_eq!(&known - &without, BTreeSet::new(), "these are gone, or have a range: take them out of WITHOUT_RANGE");
    for (key, range) in &found {
        let ends = [("_ms", Unit::Milliseconds), ("_s", Unit::Seconds), ("_days", Unit::Days), ("_bytes", Unit::Bytes)];
        let named = ends.iter().find(|(end, _)| key.ends_with(end)).map(|(_, unit)| *unit);
        let unit = range.map(|range| range.unit).filter(|unit| !matches!(unit, Unit::Count | Unit::Thousandths));
        assert_eq!(unit, named, "{key}: a bare number has the unit that the name ends with");
    }
}

#[test]
fn every_setting_of_a_kind_refuses_the_mistakes_of_its_kind() {
    let found = settings_of(&all()).unwrap().into_iter();
    let refused = found.filter_map(|it| {
        let mistakes = it.kind.map(mistakes).or_else(|| own_mistakes(&it.key))?;
        Some((it.key, mistakes))
    });
    for (key, mistakes) in refused {
        for mistake in mistakes {
            if key.contains('[') {
                // Of a list of sections no variable can set one.
                refuses_in_a_list(&key, mistake);
                continue;
            }
            let variable = format!("WEIR__{}", key.replace('.', "__").to_uppercase());
            // Some are looked at only where they have a meaning.
            let env = [(variable, (*mistake).to_owned()), ("WEIR__BUS__CLAIMS__STORE".into(), "redis".into())];
            let error = service::load::<Settings>(DEFAULTS, None, env).expect_err(&format!("{key} = {mistake:?}"));
            let named = error.faults.iter().any(|fault| fault.key == key && !fault.fix.is_empty());
            assert!(named, "{key} = {mistake:?}: {error}");
        }
    }
}

fn refuses_in_a_list(key: &str, mistake: &str) {
    let right = settings_of(&all()).unwrap().into_iter().find(|it| it.key == key).unwrap().value;
    let name = key.rsplit('.').next().unwrap();
    let lines = [format!("{name} = {right:?}"), format!("{name} = [{right:?}]")];
    let line = lines.iter().find(|line| ALL.contains(line.as_str())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.toml");
    std::fs::write(&file, ALL.replace(line.as_str(), &line.replace(&right, mistake))).unwrap();
    let error = service::load::<Settings>(DEFAULTS, Some(&file), []).expect_err(&format!("{key} = {mistake:?}"));
    // Who knows the setting may say more of it, of its section as a whole.
    let section = key.split('[').next().unwrap();
    let named = error.faults.iter().any(|fault| fault.key.starts_with(section) && !fault.fix.is_empty());
    assert!(named, "{key} = {mistake:?}: {error}");
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
