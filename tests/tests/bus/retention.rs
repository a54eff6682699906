//! By what a broker removes records, read or not.

use std::time::Duration;

use bus::{Headers, Record, TopicKind, TopicProblem, TopicSpec};
use weir_tests::kafka::{Kafka, Options};

use crate::support::{Log, TOPIC, WEEK, within};

const OTHER: &str = "others";
const RECORDS: u32 = 12;

fn spec(name: &str) -> TopicSpec {
    TopicSpec { name: name.to_owned(), kind: TopicKind::Log { retention: WEEK } }
}

/// As managed clusters and charts have it, only smaller.
fn broker() -> Kafka {
    let properties = [
        ("log.retention.bytes", "1048576"),
        ("log.segment.bytes", "1048576"),
        ("log.retention.check.interval.ms", "200"),
        ("log.initial.task.delay.ms", "100"),
        ("log.segment.delete.delay.ms", "100"),
    ];
    let properties = properties.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    tokio::task::block_in_place(|| Kafka::start(Options { properties, ..Options::default() })).expect("kafka")
}

/// The first offset that is still there.
async fn first(bus: &bus::Bus, topic: &str) -> Option<i64> {
    within("the extents", bus.extents(topic)).await.unwrap().first().map(|extent| extent.first)
}

async fn fill(bus: &bus::Bus, topic: &str) {
    let producer = bus.producer().unwrap();
    for number in 0..RECORDS {
        let headers = Headers { id: number.to_string(), ..Headers::default() };
        let record = Record::encoded(topic, "k", vec![7; 500_000], headers);
        within("a delivery", producer.try_send(record).unwrap()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_of_the_brokers_to_the_size_is_told_and_removes_nothing_of_ours() {
    let kafka = broker();
    let log = Log::at(kafka.bootstrap(), "sized.");
    tokio::task::block_in_place(|| kafka.create_topic(&log.full_name(OTHER), &[])).unwrap();
    let bus = log.open(|settings| settings.producer.compression = "none".to_owned());
    let problems = within("the topics", bus.prepare_topics(&[spec(TOPIC), spec(OTHER)])).await.unwrap();
    // Also what it has to say of clocks and of the size of records.
    let sized = |problems: &[TopicProblem]| -> Vec<TopicProblem> {
        problems.iter().filter(|problem| problem.problem.contains("retention.bytes=1048576")).cloned().collect()
    };
    assert!(problems.iter().all(|problem| problem.topic == log.full_name(OTHER)), "{problems:?}");
    assert!(matches!(&sized(&problems)[..], [one] if !one.blocks && one.expires), "{problems:?}");
    let production = log.open(|settings| settings.replication_factor = 3);
    let problems = production.check_topics(&[spec(TOPIC), spec(OTHER)]).await.unwrap();
    assert!(matches!(&sized(&problems)[..], [one] if one.blocks && one.expires), "{problems:?}");
    let kept = bus.kept(&[log.full_name(TOPIC), log.full_name(OTHER)]).await.unwrap();
    assert_eq!(kept[&log.full_name(TOPIC)], bus::Kept { time: Some(WEEK), bytes: None });
    assert_eq!(kept[&log.full_name(OTHER)].bytes, Some(1_048_576));

    fill(&bus, TOPIC).await;
    fill(&bus, OTHER).await;
    // The broker looks at all topics at once: when it has removed from the one, it has seen the other.
    let bus = &bus;
    crate::support::until("the broker removes", || async move { first(bus, OTHER).await != Some(0) }).await;
    assert_eq!(first(bus, TOPIC).await, Some(0), "acknowledged, not read, and gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_producer_sends_whose_clock_is_far_behind_is_refused_and_not_removed() {
    let log = Log::kafka("behind");
    let bus = log.with_topic(1, |_| {}).await;
    let old = tokio::task::block_in_place(|| send_at(&log, -8 * 24 * 3600 * 1000));
    assert!(old.contains("timestamp"), "{old}");
    for hours in [-20, 20] {
        assert_eq!(tokio::task::block_in_place(|| send_at(&log, hours * 3600 * 1000)), "", "{hours} hours");
    }
    assert_eq!(first(&bus, TOPIC).await, Some(0));
}

/// Sends a record as a producer does whose clock is so far off; what the broker said against it, or nothing.
fn send_at(log: &Log, off_ms: i64) -> String {
    use rdkafka::producer::{BaseRecord, Producer as _, ThreadedProducer};
    struct Said(std::sync::Mutex<String>);
    impl rdkafka::ClientContext for Said {}
    impl rdkafka::producer::ProducerContext for Said {
        type DeliveryOpaque = ();
        fn delivery(&self, result: &rdkafka::message::DeliveryResult<'_>, (): ()) {
            if let Err((error, _)) = result {
                *self.0.lock().unwrap() = error.to_string();
            }
        }
    }
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", log.bootstrap());
    let producer: ThreadedProducer<Said> = config.create_with_context(Said(String::new().into())).unwrap();
    let now = common::time::to_millis(&service::clock::timestamp());
    let topic = log.full_name(TOPIC);
    producer.send(BaseRecord::to(&topic).key("k").payload("v").timestamp(now + off_ms)).map_err(|(e, _)| e).unwrap();
    producer.flush(Duration::from_secs(30)).unwrap();
    let said = producer.context().0.lock().unwrap().clone();
    said.to_lowercase()
}
