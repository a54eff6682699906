//! The fixtures of every platform through a running Weir on Kafka, and what subscribers of its topics have of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bus::{Bus, Headers, Record, Start, Stored};
use common::catalogue::TopicUse;
use common::raw::v1::Delivery;
use common::registrations::Registrations;
use sources::Source;
use weir_tests::environment::workspace;
use weir_tests::installation::Installation;
use weir_tests::up::Up;
use weir_tests::{raw, topic};

use crate::consumer;
use crate::read_in_every_language;
use crate::records::Encoded;

const WITHIN: Duration = Duration::from_secs(90);
const SECRET: &str = "correct horse";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_the_topics_is_read_in_every_language_and_by_the_consumer_of_the_page() {
    let installation = Installation::on_kafka("subscribers").unwrap();
    let installation = installation
        .with("WEIR__BUS__PARTITIONS", "1")
        .with("WEIR__STREAMING__CATCH_UP_PAUSE_MS", "10")
        .with("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "200");
    let bus = installation.bus().unwrap();
    let prefix = installation.prefix().to_owned();
    let brokers = installation.setting("WEIR__BUS__KAFKA__BROKERS").to_owned();
    let up = Up::start(installation, &[], WITHIN);
    up.register("mine", SECRET);

    let deliveries = deliveries();
    let expected = expected(&deliveries);
    topic::send(&bus, deliveries.iter().map(|(_, delivery)| record(delivery))).await.unwrap();
    let records = read(&bus, &prefix, &expected).await;
    for (topic, count) in &expected {
        assert_eq!(records[topic].len(), *count, "{topic}");
    }

    are_as_the_catalogue_says(&records);
    let encoded: Vec<_> = records.values().flatten().map(Encoded::of).collect();
    assert!(encoded.len() > 300, "{} records", encoded.len());
    read_in_every_language(&encoded);

    consumer::reads(&brokers, &prefix, &records);
    up.stop();
}

/// Every fixture of every platform, as the door puts it on the log.
fn deliveries() -> Vec<(&'static dyn Source, Delivery)> {
    let platforms =
        sources::all().iter().flat_map(|source| source.platforms().iter().map(move |name| (*source, *name)));
    let fixtures =
        platforms.flat_map(|(source, platform)| fixtures(platform).into_iter().map(move |path| (source, path)));
    let delivery = |(source, path): (&'static dyn Source, PathBuf)| (source, delivery(source, &path));
    fixtures.map(delivery).collect()
}

fn fixtures(platform: &str) -> Vec<PathBuf> {
    let folder = workspace().join("crates/sources/fixtures").join(platform);
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|kind| kind != "snap" && kind != "new")).collect()
}

fn delivery(source: &dyn Source, path: &Path) -> Delivery {
    let headers = (source.descriptor().sample_headers)(path.file_stem().unwrap().to_str().unwrap());
    let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let received_at = "2026-01-05T13:00:00Z".parse().unwrap();
    raw::delivery("gate", source.name(), std::fs::read(path).unwrap(), &headers, received_at)
}

fn record(delivery: &Delivery) -> Record {
    let id = delivery.delivery_id.clone();
    let headers = Headers { id: id.clone(), source: "weir/streaming/gate".to_owned(), ..Headers::default() };
    Record::new(&common::topics::raw(&delivery.source), id, delivery, headers)
}

/// How many records there are to be on which topic. Two fixtures that tell of one event make one.
fn expected(deliveries: &[(&'static dyn Source, Delivery)]) -> BTreeMap<String, usize> {
    let (mut expected, mut events) = (BTreeMap::<String, usize>::new(), BTreeMap::new());
    let mut more = |topic: &str, count| *expected.entry(topic.to_owned()).or_default() += count;
    for (source, delivery) in deliveries {
        let parsed = source.parse(delivery, &Registrations::default());
        more(common::topics::raw(&delivery.source).name(), 1);
        more("dead-letters", parsed.refusals().count());
        events.extend(parsed.events().map(|event| (event.id, (event.topic.to_string(), event.activities.len()))));
    }
    for (topic, activities) in events.into_values() {
        more(&topic, 1);
        more("activities", activities);
        more("activities.enriched", activities);
    }
    expected
}

/// What is on these topics, as soon as there are so many records; and on those of which nobody can say how many there will be.
async fn read(bus: &Bus, prefix: &str, expected: &BTreeMap<String, usize>) -> BTreeMap<String, Vec<Stored>> {
    let mut missing = expected.clone();
    missing.extend([("registrations".to_owned(), 1), ("loads".to_owned(), 1)]);
    let topics: Vec<_> = missing.keys().cloned().collect();
    let mut reader = bus.reader(&topics, Start::Beginning).await.unwrap();
    let mut records = BTreeMap::<String, Vec<Stored>>::new();
    while missing.values().any(|count| *count > 0) {
        let next = tokio::time::timeout(WITHIN, reader.next()).await;
        let record = next.unwrap_or_else(|_| panic!("not there: {missing:?}")).unwrap();
        let topic = record.coordinates.topic.strip_prefix(prefix).unwrap().to_owned();
        let left = missing.get_mut(&topic).unwrap();
        *left = left.saturating_sub(1);
        records.entry(topic).or_default().push(record);
    }
    records
}

/// A topic's name and the header `ce_type` say one thing.
fn are_as_the_catalogue_says(records: &BTreeMap<String, Vec<Stored>>) {
    let uses: Vec<TopicUse> = weir::catalogue::descriptions().flat_map(|service| service.topics).collect();
    for (topic, records) in records {
        let known = uses.iter().find(|used| used.topic.name == *topic).unwrap_or_else(|| panic!("{topic}"));
        for record in records {
            assert_eq!(record.headers.r#type, known.message, "{topic}");
        }
    }
}
