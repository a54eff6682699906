//! Crashes, restarts and partitions that go to another instance: every id is loaded once, and no range has a hole.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use common::activity::v1::{Activity, Object};

use crate::stage::{LIMIT, Place, Running, id};

const DERIVE: &str = "[[enricher.steps]]\nname = \"text\"\ntype = \"derive\"\n";

async fn ids_out(place: &Place) -> usize {
    let stored = place.read("activities.enriched").await;
    stored.iter().map(|stored| stored.headers.id.clone()).collect::<BTreeSet<_>>().len()
}

/// Ends it once so many rows are in the lake, or with none wanted as soon as anything is out: in the middle of what it has
/// gathered.
async fn crash_when(place: &Place, stage: Running, wanted: usize) {
    let begun = Instant::now();
    while ids_out(place).await == 0 || place.loaded().await.rows.len() < wanted {
        assert!(begun.elapsed() < LIMIT, "not {wanted} within {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    stage.crash().await;
}

async fn crashes_lose_nothing(mut place: Place) {
    const COUNT: usize = 1500;
    // So slow that each crash comes in the middle.
    place.settings.enricher.activities_per_second = 200;
    // All in one partition: one in which nothing is done before two crashes has its records tried one at a time.
    let object = Object { id: "7_1".into(), ..Object::default() };
    let activity = |n| Activity { object: Some(object.clone()), ..Place::activity(n) };
    let stands = place.put((0..COUNT).map(activity)).await;
    for wanted in [0, 200, 400] {
        let stage = place.start().await;
        crash_when(&place, stage, wanted).await;
        assert!(ids_out(&place).await < COUNT, "the crash came too late to show anything");
    }
    place.settings.enricher.activities_per_second = 0;
    let stage = place.start().await;
    let loaded = place.all_loaded(&stands, (0..COUNT).map(id)).await;
    let records = place.read("activities.enriched").await.len();
    println!("{records} records for {COUNT} ids, {} requests", loaded.requests);
    assert_eq!(ids_out(&place).await, COUNT);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_lose_nothing_on_the_embedded_log() {
    crashes_lose_nothing(Place::new("enricher-crash", DERIVE).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crashes_lose_nothing_on_kafka() {
    crashes_lose_nothing(Place::on_kafka("enricher-crash", DERIVE).await).await;
}

/// What one instance has gathered of a partition that goes to another is thrown away there and comes again here.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_partition_that_goes_to_another_instance_has_no_hole() {
    const COUNT: usize = 3000;
    let redis = weir_tests::redis::Redis::start(weir_tests::redis::Options::default()).unwrap();
    let mut place = Place::on_kafka("enricher-revoked", DERIVE).await;
    place.settings.bus.claims.store = bus::settings::ClaimsStore::Redis;
    place.settings.bus.claims.url = bus::settings::SecretUrl::new(redis.url());
    place.settings.enricher.activities_per_second = 300;
    // Long enough that the partition goes while something is gathered.
    place.settings.enricher.flush_interval_ms = 2000;
    let first = place.start().await;
    let stands = place.put((0..COUNT).map(Place::activity)).await;
    let mut settings = place.settings.clone();
    settings.bus.data_dir = place.folder().join("another");
    let second = place.start_with(&settings).await;
    let partitions = |stage: &Running| stage.digest().queues.len();
    second.until("has one of the partitions", |stage| partitions(stage) == 1).await;
    first.until("has the other", |stage| partitions(stage) == 1).await;
    second.until("takes in", |stage| stage.counted().taken_in > 100).await;
    // And back again.
    second.crash().await;
    first.until("has both", |stage| partitions(stage) == 2).await;
    let loaded = place.all_loaded(&stands, (0..COUNT).map(id)).await;
    let records = place.read("activities.enriched").await.len();
    println!("{records} records for {COUNT} ids, {} requests", loaded.requests);
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_that_are_gone_are_rebuilt_from_what_came_out() {
    let place = Place::on_kafka("enricher-claims", DERIVE).await;
    let stage = place.start().await;
    let stands = place.put((0..100).map(Place::activity)).await;
    place.all_loaded(&stands, (0..100).map(id)).await;
    stage.stop().await;
    std::fs::remove_dir_all(place.settings.bus.data_dir.join("claims-enricher")).unwrap();
    let stage = place.start().await;
    let more = place.put((90..110).map(Place::activity)).await;
    place.all_loaded(&more, (0..110).map(id)).await;
    stage.until("counted", |stage| stage.counted().for_reason("duplicate") == [20, 10, 0, 10]).await;
    stage.stop().await;
}

/// Where it waits for its turn when the process stops, the part that sends ends by itself, at the very moment in which the
/// others are told to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_while_it_waits_for_its_turn_is_a_clean_end() {
    const COUNT: usize = 60;
    let mut place = Place::new("stops", DERIVE).await;
    place.settings.enricher.activities_per_second = 10;
    let stands = place.put((0..COUNT).map(Place::activity)).await;
    for _ in 0..20 {
        let stage = place.start().await;
        let before = ids_out(&place).await;
        let begun = Instant::now();
        while ids_out(&place).await == before {
            assert!(begun.elapsed() < LIMIT, "nothing more than {before} within {LIMIT:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stage.stop().await;
    }
    place.settings.enricher.activities_per_second = 0;
    let stage = place.start().await;
    place.all_loaded(&stands, (0..COUNT).map(id)).await;
    assert_eq!(place.read("activities.enriched").await.len(), COUNT, "nothing came out twice");
    stage.stop().await;
}
