//! What is read together, and what is told together.

use super::tests::{All, OWN, error_of, load_with};
use super::*;
use crate::DEFAULTS;

#[test]
fn all_problems_are_told_at_once() {
    let keys_of = |file: &str, env: &[(&str, &str)]| {
        let found = error_of(file, env);
        found.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let file = "nonsense = 1\n[admin]\nlissten = 1\n[shop]\ncount = \"a\"\nfast = 1\n";
    let keys = keys_of(file, &[("WEIR__SHOP__SMALL", "-1"), ("WEIR__GRPC__X", "")]);
    assert_eq!(keys, ["admin.lissten", "grpc.x", "nonsense", "shop.count", "shop.fast", "shop.small"]);

    let keys = keys_of("[shop]\ncount = 101\nlisten = \"x\"\n[admin]\nlisten = \"y\"\n", &[]);
    assert_eq!(keys, ["admin.listen", "shop.listen", "shop.count"], "the host's, and the service's");

    // What no setting is called, what cannot be read, what is out of range, and what does not do.
    let file = "[admin]\nlissten = 1\n[shop]\ncount = 101\nfast = 1\nlisten = \"x\"\n[telemetry]\nsample_ratio = -1\n";
    let keys = keys_of(file, &[("WEIR__SHUTDOWN__DEADLINE_MS", "0"), ("WEIR__GRPC__LISTEN", "y")]);
    assert_eq!(
        keys,
        [
            "admin.lissten",
            "shop.fast",
            "shutdown.deadline_ms",
            "telemetry.sample_ratio",
            "grpc.listen",
            "shop.listen",
            "shop.count"
        ]
    );
}

#[test]
fn times_and_sizes_are_read_with_a_unit_and_as_the_numbers_of_today() {
    for (file, env) in [
        ("[admin]\nheader_timeout_ms = 7000\nmax_header_bytes = 65536\n", &[][..]),
        ("[admin]\nheader_timeout_ms = \"7s\"\nmax_header_bytes = \"64KiB\"\n", &[]),
        ("", &[("WEIR__ADMIN__HEADER_TIMEOUT_MS", "7000"), ("WEIR__ADMIN__MAX_HEADER_BYTES", "65536")]),
        ("", &[("WEIR__ADMIN__HEADER_TIMEOUT_MS", "7s"), ("WEIR__ADMIN__MAX_HEADER_BYTES", "64KiB")]),
    ] {
        let admin = load_with(file, env).unwrap().admin;
        assert_eq!((admin.header_timeout_ms, admin.max_header_bytes), (7000, 65_536), "{file} {env:?}");
    }
}

#[test]
fn defaults_follow_the_data_directory_and_nothing_else_does() {
    let own = OWN.replace("brokers = [\"127.0.0.1:9092\"]", "brokers = [\"{data.dir}/a\", \"b\"]");
    let brokers = |env: &[(&str, &str)]| {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        load::<All>(&[DEFAULTS, &own], None, env).unwrap().shop.brokers
    };
    assert_eq!(brokers(&[]), ["data/a", "b"]);
    assert_eq!(brokers(&[("WEIR__DATA__DIR", "/var/lib/weir")]), ["/var/lib/weir/a", "b"]);
    let given = brokers(&[("WEIR__DATA__DIR", "/var/lib/weir"), ("WEIR__SHOP__BROKERS", "{data.dir}/c")]);
    assert_eq!(given, ["{data.dir}/c"], "what somebody sets is taken as it is");
}
