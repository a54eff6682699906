use std::time::Duration;

use super::*;
use crate::clock::system_clock;
use crate::{Bus, Headers, Producer, Record, Start, TopicKind, TopicSpec};

/// A bus over a log in this folder.
pub(crate) fn settings(folder: &Path) -> Settings {
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let mut settings: Settings = file.remove("bus").unwrap().try_into().unwrap();
    settings.data_dir = folder.to_owned();
    settings.kafka.brokers.clear();
    settings.create_topics = true;
    settings.partitions = 2;
    settings.producer.linger_ms = 0;
    settings
}

/// The log that a bus of this process has open.
pub(super) fn log(settings: &Settings) -> Arc<Log> {
    owner::share(&settings.data_dir.join(FOLDER), |_, _| panic!("it is not open")).unwrap()
}

pub(crate) async fn topic(bus: &Bus, name: &str) {
    let kind = TopicKind::Log { retention: Duration::from_secs(7 * 24 * 3600) };
    assert_eq!(bus.prepare_topics(&[TopicSpec { name: name.to_owned(), kind }]).await.unwrap(), []);
}

pub(crate) async fn send(
    producer: &Producer,
    topic: &str,
    key: &str,
    value: &str,
) -> Result<crate::Coordinates, Error> {
    let record = Record::encoded(topic, key, value.as_bytes().to_vec(), Headers::default());
    producer.try_send(record).unwrap().await
}

async fn values(bus: &Bus, topic: &str) -> Vec<String> {
    let mut reader = bus.reader(&[topic.to_owned()], Start::Beginning).await.unwrap();
    let mut values = Vec::new();
    while let Some(record) = reader.next_until_end().await.unwrap() {
        values.push(String::from_utf8(record.payload.unwrap().to_vec()).unwrap());
    }
    values
}

#[tokio::test]
async fn everything_is_there_when_it_is_opened_again() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let mut identities = Vec::new();
    for round in 0..3 {
        let bus = Bus::open(&settings).unwrap();
        topic(&bus, "things").await;
        identities.push((bus.identity().await, bus.topic_identity("things").await.unwrap()));
        let at = send(&bus.producer().unwrap(), "things", "key", &round.to_string()).await.unwrap();
        assert_eq!(at.offset, round);
        assert_eq!(bus.group_offset("stage", "things", 0).await.unwrap(), (round > 0).then_some(round - 1));
        bus.set_group_offset("stage", "things", 0, round).await.unwrap();
        assert_eq!(values(&bus, "things").await.len(), usize::try_from(round).unwrap() + 1);
    }
    assert!(identities.windows(2).all(|pair| pair[0] == pair[1]), "{identities:?}");
}

#[tokio::test]
async fn buses_of_a_process_share_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (settings(folder.path()), Settings { topic_prefix: "two.".to_owned(), ..settings(folder.path()) });
    let (one, two) = (Bus::open(&one).unwrap(), Bus::open(&two).unwrap());
    topic(&one, "things").await;
    topic(&two, "things").await;
    send(&two.producer().unwrap(), "things", "key", "a").await.unwrap();
    assert_eq!(values(&one, "things").await, [""; 0]);
    assert_eq!(values(&one, "two.things").await, ["a"]);
    assert_eq!(two.topics().await.unwrap(), ["things"]);
}

#[tokio::test]
async fn who_waits_for_a_topic_that_is_missing_says_which() {
    let folder = tempfile::tempdir().unwrap();
    let bus = Bus::open(&settings(folder.path())).unwrap();
    let consumer = bus.consumer("stage", &["things".to_owned()]).unwrap();
    let standing = || consumer.state().standing(std::time::Instant::now());
    let until = async |says: Option<&str>| {
        while standing().waits_for().as_deref() != says {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let says = "its group (a topic does not exist: things)";
    let said = tokio::time::timeout(Duration::from_secs(30), until(Some(says))).await;
    assert!(said.is_ok(), "{:?}", standing());
    topic(&bus, "things").await;
    let is_in = tokio::time::timeout(Duration::from_secs(30), until(None)).await;
    assert!(is_in.is_ok(), "{:?}", standing());
}

#[tokio::test]
async fn a_full_disk_refuses_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let bus = Bus::open(&settings).unwrap();
    topic(&bus, "things").await;
    let producer = bus.producer().unwrap();
    let disk = log(&settings).disk.clone();
    send(&producer, "things", "key", "before").await.unwrap();
    disk.pretend(true);
    let refused = send(&producer, "things", "key", "meanwhile").await.unwrap_err();
    assert!(matches!(&refused, Error::NotDelivered { .. }) && refused.to_string().contains("nearly full"), "{refused}");
    assert!(bus.set_group_offset("stage", "things", 0, 1).await.unwrap_err().to_string().contains("nearly full"));
    assert!(bus.ping(Duration::from_secs(1)).await.is_err());
    assert!(producer.state().fatal.is_some() && producer.state().brokers_up == 0);
    let claims = bus.claims().await.unwrap();
    let at = crate::Coordinates { log: "log.1".into(), topic: "raw".into(), partition: 0, offset: 0 };
    let restored = claims.restore("stage", &[("type", common::identity::Id([1; 16]), &at)]).await;
    assert!(restored.unwrap_err().to_string().contains("nearly full"));
    // Meanwhile what is there can be read.
    assert_eq!(values(&bus, "things").await, ["before"]);
    disk.pretend(false);
    send(&producer, "things", "key", "after").await.unwrap();
    bus.ping(Duration::from_secs(1)).await.unwrap();
    assert!(producer.state().fatal.is_none() && producer.state().brokers_up == 1);
    assert_eq!(values(&bus, "things").await, ["before", "after"]);
}

#[tokio::test]
async fn what_cannot_be_written_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let settings = settings(folder.path());
    let bus = Bus::open(&settings).unwrap();
    let producer = bus.producer().unwrap();
    let missing = send(&producer, "nothing", "key", "value").await.unwrap_err();
    assert!(missing.to_string().contains("does not exist"), "{missing}");
    let small = Bus::open(&Settings { topic_prefix: String::new(), ..settings.clone() }).unwrap();
    let mut tight = settings.clone();
    tight.producer.max_record_bytes = 2000;
    topic(&Bus::open(&tight).unwrap(), "small").await;
    let large = send(&small.producer().unwrap(), "small", "key", &"x".repeat(3000)).await.unwrap_err();
    assert!(large.to_string().contains("max.message.bytes is 2000"), "{large}");
    assert_eq!(producer.state().in_flight_records, 0);
    for (partition, before) in [(9, 0), (0, 1), (0, -1)] {
        assert!(bus.delete_records("small", partition, before).await.is_err(), "{partition} {before}");
    }
    for (partition, offset) in [(9, 0), (0, -1)] {
        assert!(bus.set_group_offset("stage", "small", partition, offset).await.is_err(), "{partition} {offset}");
    }
    let consumer = bus.consumer("stage", &["small".to_owned()]).unwrap();
    let state = consumer.state();
    while state.assignment().len() < 2 {
        tokio::task::yield_now().await;
    }
    let refused = bus.set_group_offset("stage", "small", 0, 0).await.unwrap_err();
    assert!(refused.to_string().contains("stop the group's members"), "{refused}");
    consumer.close(Duration::from_secs(10)).await.unwrap();
    bus.set_group_offset("stage", "small", 0, 0).await.unwrap();
}

#[test]
fn what_is_not_a_log_is_not_opened() {
    let clock = system_clock();
    let folder = tempfile::tempdir().unwrap();
    let settings = Arc::new(settings(folder.path()));
    std::fs::write(folder.path().join(FOLDER), "a file").unwrap();
    let error = Embedded::open(settings.clone(), &clock).unwrap_err().to_string();
    assert!(error.contains("cannot be created") && error.contains("bus.data_dir"), "{error}");
    std::fs::remove_file(folder.path().join(FOLDER)).unwrap();

    let format = |format: &[u8]| {
        let opened = Files::open(&folder.path().join(FOLDER)).unwrap();
        opened.files.meta.insert(keys::FORMAT_KEY, format).unwrap();
        drop(opened);
        Embedded::open(settings.clone(), &clock).unwrap_err().to_string()
    };
    let later = format(&[keys::FORMAT + 1]);
    assert!(later.contains("it has format 2") && later.contains("or a later one"), "{later}");
}
