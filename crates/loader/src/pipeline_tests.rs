use std::sync::atomic::Ordering;

use bus::{Ack, Assignment, Coordinates, Headers};
use common::topics::LOADS;
use service::{Health, Host, Settings as _, State};
use tokio::task::JoinSet;

use super::*;
use crate::Loader;
use crate::table::Error;
use crate::unwilling::Unwilling;

/// A loader whose log has no topic for dead letters.
fn pipeline(folder: &std::path::Path, health: &Health, counts: HopCounts) -> Pipeline {
    let mut settings: crate::Settings = service::load(crate::DEFAULTS, None, []).unwrap();
    settings.bus.kafka.brokers = Vec::new();
    settings.bus.data_dir = folder.join("log");
    settings.bus.create_topics = true;
    settings.lake.root = folder.join("lake").display().to_string();
    let bus = Bus::open(&settings.bus).unwrap();
    Pipeline {
        producer: bus.producer().unwrap(),
        lake: Lake::open(&settings.lake).unwrap(),
        bus: bus.clone(),
        settings: settings.loader,
        checks: Checks::new(health, Duration::from_secs(1), Duration::from_secs(1)),
        counts,
        wanted: Wanted::default(),
        consumer: bus.consumer("loader", &[LOADS.name().to_owned()]).unwrap().state(),
        tables: BTreeMap::new(),
        taken: Taken::new(),
        partitions: BTreeMap::new(),
        due: Instant::now(),
        found: Found::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_nobody_looks_at_any_more_are_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let health = Health::new("loader", CancellationToken::new());
    let pipeline = pipeline(folder.path(), &health, health.counts().hop(STAGE));
    let kind = bus::TopicKind::Log { retention: Duration::from_secs(24 * 3600) };
    let topics = [bus::TopicSpec { name: LOADS.name().to_owned(), kind }];
    pipeline.checks.log.prepare(&pipeline.bus, &topics).await;
    let topics = |after| {
        let checks = health.checks_at(Instant::now() + after);
        checks.into_iter().find(|check| check.name == "loader_topics").unwrap().state()
    };
    assert_eq!(topics(Duration::ZERO), State::Ok);
    assert_eq!(topics(Duration::from_secs(3600)), State::Unknown);
}

/// State and message.
fn check(health: &Health, name: &str) -> (State, String) {
    let check = health.digest().checks.into_iter().find(|check| check.name == name).unwrap();
    (check.state(), check.message)
}

#[test]
fn what_is_done_for_one_table_does_not_hide_what_fails_for_another() {
    let health = Health::new("loader", CancellationToken::new());
    let checks = Checks::new(&health, Duration::from_secs(1), Duration::from_secs(1));
    let error = Error::Unsupported { table: "a".to_owned(), problem: "for a test".to_owned() };
    let store = || check(&health, "loader_lake");
    checks.tried("a", Some(&error));
    checks.tried("b", None);
    checks.lake(Ok(()));
    let gates = || {
        let checks = health.digest().checks;
        checks.into_iter().find(|check| check.name == "loader_lake").unwrap().gates_readiness
    };
    assert!(!gates(), "it loads table b");
    let told = store();
    assert!(told.0 == State::Failing && told.1.contains("table a cannot be written: for a test"), "{told:?}");
    checks.lake(Err("the lake does not answer".to_owned()));
    assert!(store().1.starts_with("the lake does not answer; nothing is loaded"), "{:?}", store());
    assert!(gates());
    checks.lake(Ok(()));
    assert_eq!((store().0, gates()), (State::Failing, false));
    checks.tried("b", Some(&error));
    assert!(gates(), "it loads none");
    checks.tried("b", None);
    checks.tried("a", None);
    assert_eq!(store().0, State::Ok);
    checks.tried("a", Some(&error));
    checks.tried("a", Some(&Error::Log { table: "a".to_owned(), error: bus::Error::Full }));
    assert_eq!(store().0, State::Ok, "of the log other checks tell");

    let upkeep = || check(&health, "loader_upkeep");
    checks.upkeep("compaction", Err("compaction failed".to_owned()));
    checks.upkeep("vacuum", Ok("vacuum deleted nothing".to_owned()));
    assert_eq!(upkeep(), (State::Failing, "compaction failed".to_owned()));
    checks.upkeep("compaction", Ok("compaction merged nothing".to_owned()));
    assert_eq!(upkeep(), (State::Ok, "compaction merged nothing; vacuum deleted nothing".to_owned()));
    checks.checkpoint("a", Err("for a test".to_owned()));
    checks.checkpoint("b", Ok(()));
    let failed = (State::Failing, "writing a checkpoint of table a failed: for a test".to_owned());
    assert_eq!(upkeep(), failed);
    checks.checkpoint("a", Ok(()));
    let all = "wrote a checkpoint; compaction merged nothing; vacuum deleted nothing";
    assert_eq!(upkeep(), (State::Ok, all.to_owned()));
    // Another instance has it by now.
    checks.checkpoint("a", Err("for a test".to_owned()));
    checks.gone("b");
    assert_eq!(upkeep(), failed);
    checks.gone("a");
    assert_eq!(upkeep(), (State::Ok, all.to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_compares_the_tables_with_the_log_it_looks_at_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().display().to_string();
    let env = [
        ("WEIR__BUS__KAFKA__BROKERS", ""),
        ("WEIR__BUS__DATA_DIR", data.as_str()),
        ("WEIR__BUS__CREATE_TOPICS", "true"),
        ("WEIR__LOADER__HEALTH_INTERVAL_MS", "100"),
    ];
    let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let settings: crate::Settings = service::load(crate::DEFAULTS, None, env).unwrap();
    let host = Host::new("loader", &settings.host());
    let store = Arc::new(Unwilling::default());
    store.refuses_lists.store(true, Ordering::SeqCst);
    let loader = Loader::with_lake(&settings, &host, Lake::with_store(store, "unwilling")).await.unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(loader.run());
    let state = |name| check(host.health(), name).0;
    let looked = async {
        while (state("loader_lake"), state("loader_log")) != (State::Failing, State::Ok) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let looked = tokio::time::timeout(Duration::from_secs(30), looked).await;
    assert!(looked.is_ok(), "{:#?}", host.health().digest());
    assert_eq!(state("loader_topics"), State::Ok);
    let (state, message) = check(host.health(), "loader_progress");
    assert!(state == State::Unknown && message.starts_with("starting: "), "{message}");
    host.shutdown().cancel();
    tasks.join_next().await.unwrap().unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_that_was_refused_counts_as_coming_again() {
    let folder = tempfile::tempdir().unwrap();
    let health = Health::new("loader", CancellationToken::new());
    let mut pipeline = pipeline(folder.path(), &health, health.counts().hop(STAGE));
    let (ack, outcome) = Ack::testing();
    let record = Incoming {
        coordinates: Coordinates { log: "log".into(), topic: "loads".into(), partition: 0, offset: 7 },
        key: None,
        payload: Some(vec![0xff; 20].into()),
        headers: Headers::default(),
        produced_at_ms: 0,
        culprit: None,
        assignment: Assignment { epoch: 1, start: 0 },
        ack,
    };
    pipeline.take_in(LoadRecord::of(record)).await;
    assert_eq!(outcome.await.unwrap(), bus::AckOutcome::Failed);
    let count = health.digest().counts.pop().unwrap();
    assert_eq!((count.taken_in, count.dead_lettered), (1, 0));
    assert_eq!(count.dropped.get(COMES_AGAIN), Some(&1));
}
