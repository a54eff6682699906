use bus::{Ack, Assignment, Coordinates, Headers};
use common::topics::LOADS;
use service::Health;

use super::*;

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
    assert_eq!(topics(Duration::ZERO), service::State::Ok);
    assert_eq!(topics(Duration::from_secs(3600)), service::State::Unknown);
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
