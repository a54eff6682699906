//! Settings as an operator writes them, up to the bytes on the broker's disk.

use std::path::Path;

use bus::{Bus, Headers, Record};
use weir_tests::kafka::Kafka;

use crate::support::{prepare, within};

/// Codecs as the format of Kafka's batches numbers them.
const GZIP: u8 = 1;
const LZ4: u8 = 3;
const ZSTD: u8 = 4;

/// Where the attributes of the first batch of a segment begin; the lowest three bits of the second byte are the codec.
const ATTRIBUTES: usize = 8 + 4 + 4 + 1 + 4;

fn codec(kafka: &Kafka, topic: &str) -> u8 {
    let folder = kafka.log().parent().unwrap().join("data").join(format!("{topic}-0"));
    let segment = std::fs::read(folder.join("00000000000000000000.log")).unwrap();
    segment[ATTRIBUTES + 1] & 0b111
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_and_a_variable_set_the_compression_of_topics() {
    let kafka = weir_tests::kafka::shared().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let properties = "[bus.kafka.properties]\n\"socket.timeout.ms\" = \"9000\"\n";
    let patterns = r#"{ "raw.*" = "lz4", "raw.github" = "gzip" }"#;
    for (name, toml, variable) in [
        ("file", format!("{properties}[bus.producer]\ncompression_by_topic = {patterns}\n"), None),
        ("variable", properties.to_owned(), Some(patterns)),
    ] {
        std::fs::write(&file, toml).unwrap();
        let prefix = weir_tests::kafka::prefix(name);
        let bus = open(kafka, &prefix, folder.path(), &file, variable);
        prepare(&bus, &["raw.meta", "raw.github", "events.other"]).await;
        let producer = bus.producer().unwrap();
        for (topic, expected) in [("raw.meta", LZ4), ("raw.github", GZIP), ("events.other", ZSTD)] {
            let value = "and again ".repeat(200).into_bytes();
            let record = Record::encoded(topic, "key", value, Headers::default());
            within("a delivery", producer.try_send(record).unwrap()).await.unwrap();
            assert_eq!(codec(kafka, &format!("{prefix}{topic}")), expected, "{topic} by {name}");
        }
    }
}

fn open(kafka: &Kafka, prefix: &str, folder: &Path, file: &Path, patterns: Option<&str>) -> Bus {
    let mut variables = vec![
        ("WEIR__BUS__KAFKA__BROKERS", kafka.bootstrap()),
        ("WEIR__BUS__TOPIC_PREFIX", prefix),
        ("WEIR__BUS__PARTITIONS", "1"),
        ("WEIR__BUS__CREATE_TOPICS", "true"),
        ("WEIR__BUS__DATA_DIR", folder.to_str().unwrap()),
    ];
    variables.extend(patterns.map(|patterns| ("WEIR__BUS__PRODUCER__COMPRESSION_BY_TOPIC", patterns)));
    let variables = variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    let settings: streaming::Settings = service::load(streaming::DEFAULTS, Some(file), variables).unwrap();
    assert_eq!(settings.bus.kafka.properties["socket.timeout.ms"], "9000");
    Bus::open(&settings.bus).unwrap()
}
