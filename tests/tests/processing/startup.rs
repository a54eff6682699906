//! Starts with nothing there, says so, and becomes ready when it comes; ends within its deadline either way.

use std::time::{Duration, Instant};

use bus::settings::{ClaimsStore, SecretUrl};
use common::health::v1::State;
use weir_tests::kafka::{Kafka, Options};
use weir_tests::postgres::Postgres;
use weir_tests::redis::{self, Redis};

use crate::stage::{Place, endpoint};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn starts_without_broker_redis_and_database() {
    let mut kafka = Kafka::start(Options::default()).unwrap();
    let mut redis = Redis::start(redis::Options::default()).unwrap();
    let mut postgres = Postgres::start().unwrap();
    let mut place = Place::on(&kafka, "cold");
    place.settings.bus.claims.store = ClaimsStore::Redis;
    place.settings.bus.claims.url = SecretUrl::new(redis.url());
    place.settings.registrations.database = postgres.database().unwrap();
    place.settings.registrations.lock_timeout_ms = 1000;
    kafka.kill().unwrap();
    redis.kill().unwrap();
    postgres.kill().unwrap();

    let stage = place.start().await;
    for check in ["processing_log", "processing_topics", "registrations_database"] {
        stage.until(check, |stage| stage.check(check).0 == State::Failing).await;
        assert!(!stage.check(check).1.is_empty());
    }
    assert!(!stage.host.health().is_ready());
    let refused = stage.registrations().await.register(endpoint("app", "meta", "s")).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused:?}");

    // It also ends in time like this.
    let begun = Instant::now();
    stage.stop().await;
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());

    let stage = place.start().await;
    kafka.restart().unwrap();
    stage.until("the log is there", |stage| stage.check("processing_log").0 == State::Ok).await;
    stage.until("Redis is away", |stage| stage.check("processing_topics").0 == State::Ok).await;
    assert!(!stage.host.health().is_ready());
    redis.restart().unwrap();
    postgres.restart().unwrap();
    stage.ready().await;
    place.put_deliveries("raw.meta", [place.delivery("meta", Place::page("7", &[Place::change("1", "x")]), &[])]).await;
    place.read_exactly("events.facebook.comment", 1).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_key_file_is_an_error_that_names_the_setting() {
    let mut place = Place::new("no-key");
    place.settings.registrations.create_key_file = false;
    let host = service::Host::new("processing", &service::Settings::host(&place.settings));
    let error = processing::Processing::new(&place.settings, &host).unwrap_err();
    assert!(format!("{error:#}").contains("secrets.key_file"), "{error:#}");
    place.settings.registrations.create_key_file = true;
    processing::Processing::new(&place.settings, &host).unwrap();
    // The next start needs no permission: it is there.
    place.settings.registrations.create_key_file = false;
    processing::Processing::new(&place.settings, &host).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_no_faster_than_it_is_told() {
    let mut place = Place::new("pace");
    place.settings.processing.events_per_second = 50;
    let stage = place.start_ready().await;
    let begun = Instant::now();
    let deliveries =
        (0..150).map(|n| place.delivery("meta", Place::page("7", &[Place::change(&format!("7_1_{n}"), "x")]), &[]));
    place.put_deliveries("raw.meta", deliveries).await;
    // The second's worth that may come at once does not wait for the rest.
    while place.ids().await.len() < 50 {
        assert!(begun.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(place.ids().await.len() < 150, "all at once");
    place.read_exactly("events.facebook.comment", 150).await;
    // The first 50 at once, then 100 at 50 per second.
    assert!(begun.elapsed() > Duration::from_millis(1900), "{:?}", begun.elapsed());
    stage.stop().await;
}
