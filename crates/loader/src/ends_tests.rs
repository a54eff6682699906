use std::fs;
use std::path::Path;

use bus::{Headers, Record, TopicKind, TopicSpec};
use common::activity::v1::Activity;
use deltalake_core::kernel::{Action, DataType, StructField, StructType, Transaction};

use super::*;
use crate::decide::marked;
use crate::table::{Commit, Outcome};

const LIMIT: Duration = Duration::from_secs(60);

fn section<T: serde::de::DeserializeOwned>(defaults: &str, name: &str) -> T {
    let mut file: toml::Table = toml::from_str(defaults).unwrap();
    file.remove(name).unwrap().try_into().unwrap()
}

async fn open(folder: &Path) -> Bus {
    let mut settings: bus::Settings = section(bus::DEFAULTS, "bus");
    settings.data_dir = folder.join("data");
    settings.kafka.brokers.clear();
    settings.create_topics = true;
    settings.partitions = 1;
    let bus = Bus::open(&settings).unwrap();
    let kind = TopicKind::Log { retention: Duration::from_secs(7 * 24 * 3600) };
    let topics = [TopicSpec { name: ACTIVITIES.name().to_owned(), kind }];
    assert_eq!(bus.prepare_topics(&topics).await.unwrap(), []);
    bus
}

fn lake(folder: &Path) -> Lake {
    let mut settings: lake::LakeSettings = section(lake::DEFAULTS, "lake");
    settings.root = folder.join("lake").display().to_string();
    Lake::open(&settings).unwrap()
}

async fn send(bus: &Bus, count: usize) {
    let producer = bus.producer().unwrap();
    for _ in 0..count {
        let record = Record::new(&ACTIVITIES, "key".to_owned(), &Activity::default(), Headers::default());
        producer.try_send(record).unwrap().await.unwrap();
    }
}

async fn application(bus: &Bus) -> Arc<str> {
    let topic_id = bus.topic_identity(ACTIVITIES.name()).await.unwrap();
    let topic = format!("{}{}", bus.settings().topic_prefix, ACTIVITIES.name()).into();
    Origin { topic, topic_id, partition: 0 }.application(&bus.identity().await)
}

/// As if everything up to there had been loaded.
async fn loaded(lake: &Lake, application: &str, version: i64) {
    let mut table = Table::new(lake, columns::ACTIVITIES).unwrap();
    table.refresh().await.unwrap();
    let mut actions = Vec::new();
    if table.version().is_none() {
        let schema = StructType::try_new([StructField::nullable("id", DataType::STRING)]).unwrap();
        actions = table.creating(&schema, &[]).unwrap();
    }
    actions.push(Action::Txn(Transaction::new(application, version)));
    let (_, outcome) = table.commit(&Commit::append(actions, &[]), LIMIT).await.unwrap();
    assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
}

async fn version(lake: &Lake, application: &str) -> Option<i64> {
    Table::open(lake, columns::ACTIVITIES).await.unwrap().application(application).await.unwrap()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_put_back_is_found_however_far_it_has_come_since() {
    let folder = tempfile::tempdir().unwrap();
    let (data, kept) = (folder.path().join("data"), folder.path().join("kept"));
    let lake = lake(folder.path());
    let bus = open(folder.path()).await;
    assert_eq!(look(&bus, &lake, LIMIT).await.unwrap(), Beyond::new(), "there is no table");
    send(&bus, 16).await;
    let application = application(&bus).await;
    loaded(&lake, &application, 16).await;
    drop(bus);
    copy(&data, &kept);

    // The version is where the log ended when it was opened, and goes on with it.
    let bus = open(folder.path()).await;
    assert_eq!(look(&bus, &lake, LIMIT).await.unwrap(), Beyond::new());
    send(&bus, 10).await;
    loaded(&lake, &application, 26).await;
    assert_eq!(look(&bus, &lake, LIMIT).await.unwrap(), Beyond::new(), "another loader in the same process");
    drop(bus);

    // What the operator puts back, file by file in the same folders.
    fs::remove_dir_all(&data).unwrap();
    copy(&kept, &data);
    let bus = open(folder.path()).await;
    send(&bus, 20).await;
    let found = Beyond::from([(Arc::clone(&application), 26)]);
    assert_eq!(look(&bus, &lake, LIMIT).await.unwrap(), found);
    assert_eq!(version(&lake, &application).await, Some(marked(26)));
    // Whoever looks later, or from another process, hears of it too.
    assert_eq!(look(&bus, &lake, LIMIT).await.unwrap(), found);
    drop(bus);
    assert_eq!(look(&open(folder.path()).await, &lake, LIMIT).await.unwrap(), found);
}

#[tokio::test]
async fn the_end_is_asked_for_where_what_is_known_is_not_enough() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open(folder.path()).await;
    send(&bus, 3).await;
    let topic: Arc<str> = format!("{}{}", bus.settings().topic_prefix, ACTIVITIES.name()).into();
    let topic_id = bus.topic_identity(ACTIVITIES.name()).await.unwrap();
    let origin = |topic: &Arc<str>, topic_id: &Arc<str>, partition| Origin {
        topic: Arc::clone(topic),
        topic_id: Arc::clone(topic_id),
        partition,
    };
    let mut ends = Ends::of(&bus);
    let here = origin(&topic, &topic_id, 0);
    assert_eq!(ends.end(&here, 3).await.unwrap(), Some(3));
    send(&bus, 2).await;
    assert_eq!(ends.end(&here, 3).await.unwrap(), Some(3), "that much was known");
    assert_eq!(ends.end(&here, 9).await.unwrap(), Some(5));
    assert_eq!(ends.end(&origin(&topic, &topic_id, 7), 1).await.unwrap(), None, "no such partition");
    assert_eq!(ends.end(&origin(&topic, &"another".into(), 0), 1).await.unwrap(), None, "its offsets are others");
    assert_eq!(ends.end(&origin(&"nothing".into(), &topic_id, 0), 1).await.unwrap(), None);
}
