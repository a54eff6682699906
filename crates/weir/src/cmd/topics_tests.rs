use super::*;
use crate::settings::Settings;

#[test]
fn a_topic_is_created_and_altered_by_commands() {
    let topic = Topic {
        name: "x.loads".into(),
        partitions: 6,
        replication_factor: 3,
        config: vec![("retention.ms", "604800000".into()), ("retention.bytes", "-1".into())],
    };
    let brokers = ["kafka-1:9092".to_owned(), "kafka-2:9092".to_owned()];
    let text = commands(&[topic], &brokers);
    let wanted = "kafka-topics.sh --bootstrap-server kafka-1:9092,kafka-2:9092 --create --if-not-exists --topic x.loads \
                  --partitions 6 --replication-factor 3 --config retention.ms=604800000 --config retention.bytes=-1\n\
                  kafka-configs.sh --bootstrap-server kafka-1:9092,kafka-2:9092 --alter --entity-type topics \
                  --entity-name x.loads --add-config retention.ms=604800000,retention.bytes=-1\n";
    assert_eq!(text, wanted);
}

#[test]
fn every_topic_is_told_that_its_size_is_no_limit() {
    let settings = Settings::load(None).unwrap();
    let all = all(&settings);
    for text in [lines(&all), strimzi::topics(&settings, "kafka"), commands(&all, &[])] {
        let unlimited = text.matches("retention.bytes=-1").count() + text.matches("retention.bytes: -1").count();
        assert!(unlimited >= all.len(), "{text}");
    }
}
