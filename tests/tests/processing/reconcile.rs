//! Databases that are empty, wrong or broken, and records that are late: the topic is never the one that loses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use common::health::v1::State;
use common::registration::v1::{DeleteRequest, GetRequest};
use control::registrations::store::{RegistrationStore as _, Scope};
use tonic::Code;
use weir_tests::kafka::{Kafka, Options};

use crate::registrations::{Lossy, on_topic, until_topic};
use crate::stage::{LIMIT, Place, account, endpoint};
use crate::store::sqlite;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_database_takes_over_what_the_topic_holds() {
    let mut place = Place::new("adopt");
    let stage = place.start_ready().await;
    let mut client = stage.registrations().await;
    for n in 0..5 {
        client.register(endpoint(&format!("app{n}"), "meta", "s")).await.unwrap();
    }
    client.register(account("app0", "7", "seven")).await.unwrap();
    stage.stop().await;
    let before = on_topic(&place).await;
    let records = place.read("registrations").await.len();

    place.settings.registrations.database = format!("sqlite://{}", place.folder().join("new.db").display());
    let stage = place.start_ready().await;
    let mut client = stage.registrations().await;
    // The first change already finds them: it waits for the comparison.
    let taken = client.register(endpoint("app1", "meta", "s")).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists, "{taken:?}");
    assert_eq!(stage.check("registrations_published").0, State::Ok);
    assert_eq!(on_topic(&place).await, before);
    assert_eq!(place.read("registrations").await.len(), records, "nothing was written");
    let get = |id: &str| GetRequest { id: id.into() };
    let found = client.get(get("account/app0/7")).await.unwrap().into_inner().registration.unwrap();
    assert_eq!(found, before["account/app0/7"]);
    client.delete(DeleteRequest { id: "account/app0/7".into(), expected_revision: 1 }).await.unwrap();
    let mut stolen = endpoint("app1", "meta", "s");
    stolen.registration.as_mut().unwrap().tenant = "thief".into();
    assert!(client.register(stolen).await.is_err());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_lacks_much_removes_nothing() {
    let mut place = Place::new("wrong-database");
    let stage = place.start_ready().await;
    let mut client = stage.registrations().await;
    for n in 0..6 {
        client.register(endpoint(&format!("app{n}"), "meta", "s")).await.unwrap();
    }
    stage.stop().await;
    let before = on_topic(&place).await;
    let records = place.read("registrations").await.len();

    // An old copy, which has the first of them only.
    let old = place.folder().join("old.db");
    let store = sqlite(&old);
    store.prepare().await.unwrap();
    let mut change = store.begin(Scope::All).await.unwrap();
    change.put(&before["endpoint/app0"]).await.unwrap();
    change.commit().await.unwrap();
    store.close().await;
    let right = std::mem::replace(&mut place.settings.registrations.database, format!("sqlite://{}", old.display()));
    let stage = place.start_ready().await;
    stage.until("refuses", |stage| stage.check("registrations_published").0 == State::Failing).await;
    let message = stage.check("registrations_published").1;
    assert!(message.contains("5 of the 6") && message.contains("registrations.allow_removals"), "{message}");
    // Several comparisons later as well.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(place.read("registrations").await.len(), records, "nothing was written");
    stage.stop().await;

    // With the right one all is well.
    let wrong = std::mem::replace(&mut place.settings.registrations.database, right);
    let stage = place.start_ready().await;
    stage.until("agrees", |stage| stage.check("registrations_published").0 == State::Ok).await;
    assert_eq!(on_topic(&place).await, before);
    stage.stop().await;

    // Whoever means it says so.
    place.settings.registrations.database = wrong;
    place.settings.registrations.allow_removals = true;
    let stage = place.start_ready().await;
    until_topic(&place, "they go", |topic| topic.keys().eq(["endpoint/app0"])).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_breaks_ends_the_process() {
    let place = Place::new("breaks");
    let store = Arc::new(sqlite(&place.folder().join("registrations.db")));
    let breaks = Arc::new(AtomicBool::new(false));
    let lossy = Lossy { store, lose: Arc::default(), breaks: Arc::clone(&breaks) };
    let stage = place.start_with(Arc::new(lossy)).await;
    stage.ready().await;
    breaks.store(true, Ordering::SeqCst);
    let host = stage.host.clone();
    let error = stage.breaks().await;
    assert!(format!("{error:#}").contains("a task failed"), "{error:#}");
    assert!(host.shutdown().is_cancelled(), "and everything else with it");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_record_is_not_forgotten() {
    let mut kafka = Kafka::start(Options::default()).unwrap();
    let mut place = Place::on(&kafka, "late");
    place.settings.registrations.publish_timeout_ms = 500;
    let stage = place.start_ready().await;
    let mut client = stage.registrations().await;
    client.register(endpoint("first", "meta", "s")).await.unwrap();

    kafka.pause().unwrap();
    let late = client.register(endpoint("late", "meta", "s")).await.unwrap_err();
    assert_eq!(late.code(), Code::Unavailable, "{late:?}");
    assert!(late.message().contains("may still be made"), "{late:?}");
    kafka.resume().unwrap();
    let begun = Instant::now();
    let get = || GetRequest { id: "endpoint/late".into() };
    while client.get(get()).await.is_err() {
        assert!(begun.elapsed() < LIMIT, "the change was not made");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    until_topic(&place, "both have it", |topic| topic.keys().eq(["endpoint/first", "endpoint/late"])).await;
    let written = place.read("registrations").await;
    assert_eq!(written.len(), 2, "once, and no tombstone");
    stage.stop().await;
}
