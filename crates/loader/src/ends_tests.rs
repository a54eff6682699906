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
    let log = bus.epochs(ACTIVITIES.name()).await.unwrap().remove(0).pop().unwrap().log;
    Origin { log, topic, topic_id, partition: 0 }.application()
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

/// A log with 26 records, all of them loaded, of which a copy was kept when there were 16.
async fn with_copy(folder: &Path, lake: &Lake) -> Arc<str> {
    let bus = open(folder).await;
    assert_eq!(look(&bus, lake, LIMIT).await.unwrap(), Found::default(), "there is no table");
    send(&bus, 16).await;
    let application = application(&bus).await;
    loaded(lake, &application, 16).await;
    drop(bus);
    copy(&folder.join("data"), &folder.join("kept"));
    // The version is where the log ended when it was opened, and goes on with it.
    let bus = open(folder).await;
    assert_eq!(look(&bus, lake, LIMIT).await.unwrap(), Found::default());
    send(&bus, 10).await;
    loaded(lake, &application, 26).await;
    assert_eq!(look(&bus, lake, LIMIT).await.unwrap(), Found::default(), "another loader in the same process");
    application
}

/// As a snapshot of the disk is put back: every file is the one that it was.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_put_back_is_found_however_far_it_has_come_since() {
    let folder = tempfile::tempdir().unwrap();
    let (data, kept) = (folder.path().join("data"), folder.path().join("kept"));
    let lake = lake(folder.path());
    let gone = with_copy(folder.path(), &lake).await;
    fs::remove_dir_all(data.join("log")).unwrap();
    copy(&kept, &data);
    let bus = open(folder.path()).await;
    send(&bus, 20).await;
    assert_eq!(application(&bus).await, gone, "nobody could tell");
    let found = Found { beyond: Beyond::from([(Arc::clone(&gone), 26)]), ..Found::default() };
    assert_eq!(look(&bus, &lake, LIMIT).await.unwrap(), found);
    assert_eq!(version(&lake, &gone).await, Some(marked(26)));
    // Whoever looks later, or from another process, hears of it too.
    assert_eq!(look(&bus, &lake, LIMIT).await.unwrap(), found);
    drop(bus);
    assert_eq!(look(&open(folder.path()).await, &lake, LIMIT).await.unwrap(), found);
}

/// What the operator puts back, file by file in the same folders.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_copy_was_put_back_has_versions_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (data, kept) = (folder.path().join("data"), folder.path().join("kept"));
    let lake = lake(folder.path());
    let gone = with_copy(folder.path(), &lake).await;
    fs::remove_dir_all(&data).unwrap();
    copy(&kept, &data);
    let bus = open(folder.path()).await;
    send(&bus, 20).await;
    let now = application(&bus).await;
    assert_ne!(now, gone);
    let next = bus.epochs(ACTIVITIES.name()).await.unwrap()[0][1].log.clone();
    let found = look(&bus, &lake, LIMIT).await.unwrap();
    let life = Gone { version: 26, end: 16, next };
    assert_eq!(life.epoch().unwrap().len(), 8);
    assert_eq!(found, Found { beyond: Beyond::new(), gone: [(Arc::clone(&gone), life)].into() });
    // Its version says what it said, and nothing of the new epoch is taken for loaded.
    assert_eq!(version(&lake, &gone).await, Some(26));
    assert_eq!(version(&lake, &now).await, None);
    loaded(&lake, &now, 36).await;
    drop(bus);
    // It is told until somebody has said that it was looked at.
    assert_eq!(look(&open(folder.path()).await, &lake, LIMIT).await.unwrap(), found);
}

#[tokio::test]
async fn the_end_is_asked_for_where_what_is_known_is_not_enough() {
    let folder = tempfile::tempdir().unwrap();
    let bus = open(folder.path()).await;
    send(&bus, 3).await;
    let topic: Arc<str> = format!("{}{}", bus.settings().topic_prefix, ACTIVITIES.name()).into();
    let topic_id = bus.topic_identity(ACTIVITIES.name()).await.unwrap();
    let log = bus.identity().await;
    let origin = |topic: &Arc<str>, topic_id: &Arc<str>, partition| Origin {
        log: Arc::clone(&log),
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
    let life = Origin { log: "gone".into(), ..here.clone() };
    assert_eq!(ends.end(&life, 9).await.unwrap(), None, "it has versions of its own");
    assert_eq!(ends.end(&origin(&"nothing".into(), &topic_id, 0), 1).await.unwrap(), None);
}
