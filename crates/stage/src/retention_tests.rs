use bus::{Headers, Record, TopicKind, TopicSpec};
use service::State;
use tokio_util::sync::CancellationToken;

use super::*;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn check(health: &Health) -> common::health::v1::Check {
    health.digest().checks.into_iter().find(|check| check.name == "loader_retention").unwrap()
}

/// An embedded log with so many records, which are kept for a day.
async fn log(folder: &std::path::Path, records: u32) -> Bus {
    let mut file: toml::Table = toml::from_str(bus::DEFAULTS).unwrap();
    let mut settings: bus::Settings = file.remove("bus").unwrap().try_into().unwrap();
    settings.kafka.brokers.clear();
    settings.create_topics = true;
    settings.partitions = 1;
    settings.topic_prefix = "x.".to_owned();
    settings.data_dir = folder.to_owned();
    let bus = Bus::open(&settings).unwrap();
    let topic = TopicSpec { name: "loads".to_owned(), kind: TopicKind::Log { retention: DAY } };
    assert_eq!(bus.prepare_topics(&[topic]).await.unwrap(), []);
    let producer = bus.producer().unwrap();
    for number in 0..records {
        let record = Record::encoded("loads", "k", number.to_string().into_bytes(), Headers::default());
        producer.try_send(record).unwrap().await.unwrap();
    }
    bus
}

fn lag(position: i64, records: i64) -> Lag {
    Lag { topic: "x.loads".into(), partition: 0, position, records: Some(records), oldest_at_ms: None }
}

#[tokio::test]
async fn what_waits_is_told_before_its_topic_removes_it() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 3).await;
    let health = Health::new("loader", CancellationToken::new());
    let retention = Retention::new(&health, "loader_retention", "loader");
    let table =
        [(0.1, State::Ok), (0.49, State::Ok), (0.51, State::Warning), (0.79, State::Warning), (0.81, State::Failing)];
    for (share, state) in table {
        let now = clock::now() + DAY.mul_f64(share);
        retention.look(&bus, &mut bus.lookup(), None, &[lag(1, 2)], &mut Before::default(), now).await;
        let check = check(&health);
        assert_eq!(check.state(), state, "{share}: {check:?}");
        assert!((check.value.unwrap() - share).abs() < 0.01, "{share}: {check:?}");
    }
    let text = check(&health).message;
    assert!(text.contains("2 records of x.loads/0 wait, the oldest for 19.4 h") && text.contains("24.0 h"), "{text}");

    // What is done, is not there, or belongs to nobody is no danger; nor is a clock that went back.
    let late = clock::now() + 2 * DAY;
    for (lags, now) in [(vec![], late), (vec![lag(3, 0)], late), (vec![lag(1, 2)], clock::now() - DAY)] {
        retention.look(&bus, &mut bus.lookup(), None, &lags, &mut Before::default(), now).await;
        assert_eq!(check(&health).state(), State::Ok, "{lags:?}");
    }
}

fn joins() -> Option<String> {
    Some("the consumer waits for its group (up, wait-join)".to_owned())
}

#[tokio::test]
async fn what_is_not_known_is_not_called_little() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 3).await;
    let health = Health::new("loader", CancellationToken::new());
    let retention = Retention::new(&health, "loader_retention", "loader");
    let silent = Lag { records: None, ..lag(1, 0) };
    let (now, late) = (clock::now(), clock::now() + DAY);
    let table = [
        (None, vec![lag(1, 2)], now, State::Ok, "", LOOK),
        // It may be a spare, or be given some at any moment.
        (None, vec![], now, State::Ok, "", LOOK_AGAIN),
        (joins(), vec![], now, State::Unknown, "the consumer waits for its group (up, wait-join)", LOOK_AGAIN),
        (joins(), vec![lag(1, 2)], now, State::Unknown, "the consumer waits for its group", LOOK_AGAIN),
        (
            None,
            vec![silent.clone()],
            now,
            State::Unknown,
            "the log has not said where partition 0 of x.loads ends",
            LOOK_AGAIN,
        ),
        // What is known to be in danger is told whatever is not known.
        (
            None,
            vec![silent, lag(1, 2)],
            late,
            State::Failing,
            "2 records of x.loads/0 wait, the oldest for 24.0 h",
            LOOK_AGAIN,
        ),
    ];
    for (unknown, lags, now, state, text, wanted) in table {
        let again = retention.look(&bus, &mut bus.lookup(), unknown, &lags, &mut Before::default(), now).await;
        let check = check(&health);
        assert_eq!((check.state(), again), (state, wanted), "{check:?}");
        assert!(check.message.contains(text), "{check:?}");
        assert_eq!(check.value.is_some(), state != State::Unknown, "{check:?}");
    }
}

#[test]
fn a_look_during_a_rebalance_leaves_what_was_found() {
    let health = Health::new("loader", CancellationToken::new());
    let retention = Retention::new(&health, "loader_retention", "loader");
    let mut before = Before::default();
    let used = |share| Ok(Some(Used { share, text: "2 records wait".to_owned() }));
    let none = || Ok(None);
    let away = || Err(Error::Closed);
    let last = LASTS.as_secs();
    let table = [
        (0, none(), joins(), State::Unknown),
        (1, used(0.1), None, State::Ok),
        (60, none(), joins(), State::Ok),
        (61, away(), None, State::Ok),
        (last, none(), joins(), State::Ok),
        (last + 1, none(), joins(), State::Unknown),
        (last + 2, away(), None, State::Unknown),
        (1000, used(0.6), None, State::Warning),
        (1001, none(), joins(), State::Warning),
        // Of some of it it is known.
        (1002, used(0.9), joins(), State::Failing),
        (1003, used(0.1), joins(), State::Failing),
        (1000 + last, used(0.1), joins(), State::Unknown),
        (2000, none(), None, State::Ok),
    ];
    for (seconds, used, unknown, state) in table {
        let is_known = used.is_ok() && unknown.is_none();
        let told = retention.judge(used, unknown, &mut before, UNIX_EPOCH + Duration::from_secs(seconds));
        let check = check(&health);
        assert_eq!((check.state(), told), (state, is_known), "at {seconds} s: {check:?}");
        assert_eq!(check.value.is_some(), state != State::Unknown, "at {seconds} s: {check:?}");
    }
}

#[tokio::test]
async fn nobody_is_asked_for_what_came_since_the_last_look() {
    let folder = tempfile::tempdir().unwrap();
    let bus = log(folder.path(), 3).await;
    let health = Health::new("loader", CancellationToken::new());
    let retention = Retention::new(&health, "loader_retention", "loader");
    let (mut before, late) = (Before::default(), clock::now() + DAY);
    retention.look(&bus, &mut bus.lookup(), None, &[lag(0, 2)], &mut before, late).await;
    assert_eq!(check(&health).state(), State::Failing);
    // Both are done, and one is new.
    retention.look(&bus, &mut bus.lookup(), None, &[lag(2, 1)], &mut before, late).await;
    assert_eq!(check(&health).state(), State::Ok);
    // It still waits.
    retention.look(&bus, &mut bus.lookup(), None, &[lag(2, 1)], &mut before, late).await;
    assert_eq!(check(&health).state(), State::Failing);
}

#[test]
fn what_waits_is_compared_with_the_bytes_that_are_kept() {
    let kept = |bytes| Kept { time: None, bytes };
    let lag = lag(0, 100);
    let used = |kept: Kept, sizes: &[f64]| by_bytes(&kept, &Waiting::of(&lag).unwrap(), sizes);
    assert_eq!(used(kept(None), &[10.0]), None);
    let used = used(kept(Some(2 * 1024 * 1024)), &[10_000.0, 20_000.0]).unwrap();
    assert!((used.share - 0.715).abs() < 0.001, "{used:?}");
    assert!(used.text.contains("about 1.4 MiB, and the topic keeps 2.0 MiB"), "{used:?}");
}
