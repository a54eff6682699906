//! The service on the embedded log with SQLite, and on Kafka with PostgreSQL: each activity is counted once.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bus::{Bus, Headers, Record};
use common::activity::v1::{Activity, Verb};
use common::event::v1::Context;
use common::health::v1::State;
use common::topics::ACTIVITIES;
use first_service::proto::CountRequest;
use first_service::proto::count_service_client::CountServiceClient;
use first_service::{ActivityCounts, DEFAULTS, Settings};
use weir_tests::running::{LIMIT, Running};
use weir_tests::scratch::Scratch;
use weir_tests::{kafka, postgres, topic};

fn settings(scratch: &Scratch, more: &[(&str, &str)]) -> Settings {
    let data = scratch.path().join("data").display().to_string();
    let own = [
        ("WEIR__DATA__DIR", data.as_str()),
        ("WEIR__ADMIN__LISTEN", "127.0.0.1:0"),
        ("WEIR__GRPC__LISTEN", "127.0.0.1:0"),
        ("WEIR__BUS__CREATE_TOPICS", "true"),
        ("WEIR__BUS__PARTITIONS", "2"),
        ("WEIR__BUS__KAFKA__SESSION_TIMEOUT_MS", "6000"),
        ("WEIR__COUNTS__HEALTH_INTERVAL_MS", "100"),
    ];
    let variables = own.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    service::load(DEFAULTS, None, variables.collect::<Vec<_>>()).unwrap()
}

fn record(id: &str, tenant: &str, verb: Verb) -> Record {
    let context = Some(Context { tenant: tenant.into(), ..Context::default() });
    let activity = Activity { id: id.into(), context, verb: verb.into(), ..Activity::default() };
    Record::new(&ACTIVITIES, id.to_owned(), &activity, Headers { id: id.into(), ..Headers::default() })
}

async fn count(running: &Running, tenant: &str) -> BTreeMap<String, u64> {
    let mut client = CountServiceClient::new(running.grpc().await);
    client.count(CountRequest { tenant: tenant.into() }).await.unwrap().into_inner().activities
}

/// Waits until a tenant has so many, and nothing waits.
async fn counted(running: &Running, tenant: &str, verb: &str, activities: u64) {
    let (expected, began) = (BTreeMap::from([(verb.to_owned(), activities)]), Instant::now());
    while count(running, tenant).await != expected {
        assert!(began.elapsed() < LIMIT, "{:?}: {:#?}", count(running, tenant).await, running.digest());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    running.until("nothing waits", |running| running.digest().queues.iter().all(|queue| queue.lag == 0)).await;
}

async fn counts_each_activity_once(settings: &Settings) {
    let running = Running::start::<ActivityCounts>(settings).await;
    running.ready().await;
    let bus = Bus::open(&settings.bus).unwrap();
    let first = (0..100).map(|n| record(&format!("{n}-0"), "acme", Verb::Comment));
    let other = [record("other-0", "birch", Verb::Post)];
    topic::send(&bus, first.chain(other)).await.unwrap();
    running.until("it has begun", |running| running.counted().taken_in > 0).await;
    running.crash().await;

    // Half of them once more, as after a crash of who writes them; as many new ones; and one that says nothing.
    let running = Running::start::<ActivityCounts>(settings).await;
    let again = (50..150).map(|n| record(&format!("{n}-0"), "acme", Verb::Comment));
    topic::send(&bus, again.chain([record("", "acme", Verb::Comment)])).await.unwrap();
    counted(&running, "acme", "VERB_COMMENT", 150).await;
    counted(&running, "birch", "VERB_POST", 1).await;
    let letters = topic::read_exactly(&bus, "dead-letters", 1).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!(count(&running, "acme").await, BTreeMap::from([("VERB_COMMENT".to_owned(), 150)]));
    assert_eq!(count(&running, "nobody").await, BTreeMap::new());
    let unnamed = CountServiceClient::new(running.grpc().await).count(CountRequest::default()).await.unwrap_err();
    assert_eq!(unnamed.code(), tonic::Code::InvalidArgument, "{unnamed}");
    assert_eq!(running.check("counts_database").0, State::Ok);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_embedded_log_in_sqlite() {
    let scratch = Scratch::new("counts").unwrap();
    counts_each_activity_once(&settings(&scratch, &[("WEIR__BUS__KAFKA__BROKERS", "")])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn on_kafka_in_postgresql() {
    let (scratch, database) = (Scratch::new("counts").unwrap(), postgres::shared().unwrap().database().unwrap());
    let (brokers, prefix) = (kafka::shared().unwrap().bootstrap().to_owned(), kafka::prefix("counts"));
    let more = [
        ("WEIR__BUS__KAFKA__BROKERS", brokers.as_str()),
        ("WEIR__BUS__TOPIC_PREFIX", prefix.as_str()),
        ("WEIR__COUNTS__DATABASE", database.as_str()),
    ];
    counts_each_activity_once(&settings(&scratch, &more)).await;
}
