use common::kinds::Problems;

use crate::settings::ProducerSettings;

fn settings(patterns: &[(&str, &str)]) -> ProducerSettings {
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let settings: crate::Settings = file.remove("bus").unwrap().try_into().unwrap();
    let patterns = patterns.iter().map(|(pattern, name)| ((*pattern).to_owned(), (*name).to_owned()));
    ProducerSettings { compression: "zstd".to_owned(), compression_by_topic: patterns.collect(), ..settings.producer }
}

#[test]
fn a_name_comes_before_a_prefix_and_a_long_prefix_before_a_short_one() {
    let all = settings(&[("raw.*", "lz4"), ("raw.git*", "gzip"), ("raw.github", "none"), ("raw.meta.*", "snappy")]);
    for (topic, compression) in [
        ("raw.github", "none"),
        ("raw.github.bulk", "gzip"),
        ("raw.gitlab", "gzip"),
        ("raw.meta", "lz4"),
        ("raw.meta.bulk", "snappy"),
        ("raw.", "lz4"),
        ("raw", "zstd"),
        ("events.raw.github", "zstd"),
        ("RAW.github", "zstd"),
        ("", "zstd"),
    ] {
        assert_eq!(all.compression_of(topic), compression, "{topic}");
    }
    let every = settings(&[("*", "none"), ("dead_letters", "gzip")]);
    assert_eq!((every.compression_of("events.x"), every.compression_of("dead_letters")), ("none", "gzip"));
    assert_eq!(settings(&[]).compression_of("raw.github"), "zstd");
}

#[test]
fn each_compression_in_use_is_known_once() {
    let all = settings(&[("a", "lz4"), ("b*", "lz4"), ("c", "zstd"), ("d", "none")]);
    assert_eq!(all.compressions().into_iter().collect::<Vec<_>>(), ["lz4", "none", "zstd"]);
    for topic in all.compression_by_topic.keys() {
        assert!(all.compressions().contains(all.compression_of(topic)));
    }
}

#[test]
fn what_is_no_pattern_and_what_is_no_compression_is_told() {
    let problems = |pattern, name| {
        let mut problems = Problems::of("bus");
        super::validate(&settings(&[(pattern, name)]), &mut problems);
        problems.into_vec()
    };
    for (pattern, name) in [("raw.github", "lz4"), ("raw.*", "snappy"), ("*", "none"), ("a_b-C.1", "gzip")] {
        assert_eq!(problems(pattern, name), [], "{pattern}");
    }
    for (pattern, name) in
        [("", "none"), ("raw.*.bulk", "none"), ("raw.**", "none"), ("a/b", "none"), ("raw.x", "brotli")]
    {
        let problems = problems(pattern, name);
        assert_eq!(problems.len(), 1, "{pattern} {problems:?}");
        assert_eq!(problems[0].key, "bus.producer.compression_by_topic");
    }
}

#[test]
fn the_client_can_do_all_of_them() {
    for name in super::KNOWN {
        let mut config = rdkafka::ClientConfig::new();
        config.set("compression.type", name);
        assert!(config.create::<rdkafka::producer::BaseProducer>().is_ok(), "{name}");
    }
}
