//! Duplicates are dropped and counted; what a crash leaves behind is done again, with the same ids.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bus::settings::{ClaimsStore, SecretUrl};
use common::health::v1::State;
use weir_tests::balance::Balance;
use weir_tests::redis::{Options, Redis};

use crate::stage::{LIMIT, Place, Running};

fn batch(place: &Place, from: usize, count: usize) -> common::raw::v1::Delivery {
    let changes: Vec<String> = (from..from + count).map(|n| Place::change(&format!("7_1_{n}"), "text")).collect();
    place.delivery("meta", Place::page("7", &changes), &[])
}

async fn until_counted(stage: &Running, place: &Place, what: &str, reason: &str, count: u64) {
    let labels = [("endpoint", place.name.as_str()), ("what", what), ("reason", reason)];
    let begun = Instant::now();
    loop {
        let found = stage.metric("weir_endpoint_items_total", &labels).await;
        assert!(found <= count, "{what} {reason} is {found}, expected {count}");
        if found == count {
            return;
        }
        assert!(begun.elapsed() < LIMIT, "{what} {reason} is {found}, expected {count}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redelivery_is_dropped_also_when_it_is_batched_otherwise() {
    let place = Place::new("redelivery");
    let stage = place.start_ready().await;
    // Each change twice within its own delivery would be one event: only deliveries differ here.
    place.put_deliveries("raw.meta", [batch(&place, 0, 10)]).await;
    place.read_exactly("events.facebook.comment", 10).await;
    place.put_deliveries("raw.meta", [batch(&place, 0, 10), batch(&place, 5, 3), batch(&place, 8, 4)]).await;
    let found = place.read_exactly("events.facebook.comment", 12).await;
    let ids: BTreeSet<&str> = found.iter().map(|stored| stored.headers.id.as_str()).collect();
    assert_eq!(ids.len(), 12);
    until_counted(&stage, &place, "dropped", "duplicate", 15).await;
    until_counted(&stage, &place, "taken_in", "", 27).await;
    until_counted(&stage, &place, "sent_on", "", 12).await;
    assert_eq!(stage.balance().await, Balance::new(27, 12, 0, [("duplicate", 15)]));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_loses_nothing_and_makes_no_new_ids() {
    const DELIVERIES: usize = 600;
    let mut place = Place::new("crash");
    // So slow that each crash comes in the middle.
    place.settings.processing.events_per_second = 300;
    place.make_raw_topics().await;
    place.put_deliveries("raw.meta", (0..DELIVERIES).map(|n| batch(&place, n * 3, 3))).await;
    for wanted in [1, 500, 1000] {
        let stage = place.start().await;
        let begun = Instant::now();
        while place.ids().await.len() < wanted {
            assert!(begun.elapsed() < LIMIT, "{} ids", place.ids().await.len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stage.crash().await;
        assert!(place.ids().await.len() < DELIVERIES * 3, "the crash came too late to show anything");
    }
    place.settings.processing.events_per_second = 0;
    let stage = place.start_ready().await;
    let begun = Instant::now();
    while place.ids().await.len() < DELIVERIES * 3 {
        assert!(begun.elapsed() < LIMIT, "{} ids", place.ids().await.len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    stage.until("all is done", |stage| stage.check("processing_progress").1.starts_with("direct: 0 ")).await;
    let balance = stage.balance().await;
    println!("after the last start: {balance:?}");
    assert!(balance.sent_on > 0 && balance.dead_lettered == 0, "{balance:?}");
    assert!(!balance.dropped.contains_key("duplicate"), "{balance:?}");
    stage.stop().await;
    let ids = place.ids().await;
    let records = place.read("events.facebook.comment").await.len();
    assert_eq!(ids.len(), DELIVERIES * 3);
    println!("{records} records for {} ids", ids.len());
    assert!(place.dead_letters(0).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_away_is_waited_for() {
    let mut redis = Redis::start(Options { appendonly: true, ..Options::default() }).unwrap();
    let mut place = Place::new("redis");
    place.settings.bus.claims.store = ClaimsStore::Redis;
    place.settings.bus.claims.url = SecretUrl::new(redis.url());
    let stage = place.start_ready().await;
    place.put_deliveries("raw.meta", [batch(&place, 0, 5)]).await;
    place.read_exactly("events.facebook.comment", 5).await;

    redis.kill().unwrap();
    place.put_deliveries("raw.meta", [batch(&place, 0, 8)]).await;
    stage.until("says that Redis is away", |stage| stage.check("processing_claims").0 == State::Failing).await;
    assert!(!stage.host.health().is_ready());
    assert_eq!(place.read("events.facebook.comment").await.len(), 5, "nothing passes without its claim");

    redis.restart().unwrap();
    place.read_exactly("events.facebook.comment", 8).await;
    stage.ready().await;
    until_counted(&stage, &place, "dropped", "duplicate", 5).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emptied_store_is_rebuilt_from_what_came_out() {
    let redis = Redis::start(Options::default()).unwrap();
    let mut place = Place::new("emptied");
    place.settings.bus.claims.store = ClaimsStore::Redis;
    place.settings.bus.claims.url = SecretUrl::new(redis.url());
    let stage = place.start_ready().await;
    place.put_deliveries("raw.meta", [batch(&place, 0, 5)]).await;
    place.read_exactly("events.facebook.comment", 5).await;
    assert_eq!(redis.ask("FLUSHALL").unwrap(), "+OK");
    place.put_deliveries("raw.meta", [batch(&place, 0, 7)]).await;
    place.read_exactly("events.facebook.comment", 7).await;
    until_counted(&stage, &place, "dropped", "duplicate", 5).await;
    stage.stop().await;

    // Also when nobody looked.
    assert_eq!(redis.ask("FLUSHALL").unwrap(), "+OK");
    let stage = place.start_ready().await;
    place.put_deliveries("raw.meta", [batch(&place, 0, 9)]).await;
    place.read_exactly("events.facebook.comment", 9).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_again_goes_out_again_with_the_same_ids() {
    let mut place = Place::new("again");
    let stage = place.start_ready().await;
    place.put_deliveries("raw.meta", (0..50).map(|n| batch(&place, n * 4, 4))).await;
    place.put_deliveries("raw.meta", [batch(&place, 0, 4)]).await;
    let before = place.read_exactly("events.facebook.comment", 200).await;
    until_counted(&stage, &place, "dropped", "duplicate", 4).await;
    stage.stop().await;

    // As after a crash that lost every offset: the same raw records once more.
    place.settings.processing.group = "weir-processing-once-more".into();
    let stage = place.start_ready().await;
    let after = place.read_exactly("events.facebook.comment", 400).await;
    let ids = |records: &[bus::Stored]| records.iter().map(|stored| stored.headers.id.clone()).collect::<BTreeSet<_>>();
    assert_eq!((ids(&before).len(), ids(&after)), (200, ids(&before)));
    // The duplicate is one again; this stage has counts of its own.
    until_counted(&stage, &place, "dropped", "duplicate", 4).await;
    assert!(place.dead_letters(0).await.is_empty());
    stage.stop().await;
}

/// Also what happened while nobody looked. The stage goes on: nothing is lost by it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_that_redis_has_thrown_away_are_told() {
    let arguments = ["--maxmemory", "6mb", "--maxmemory-policy", "volatile-ttl"].map(str::to_owned).to_vec();
    let redis = Redis::start(Options { arguments, ..Options::default() }).unwrap();
    let fill = "EVAL \"for i = 1, 1000 do redis.call('SET', ARGV[1] .. ':' .. i, i, 'EX', 1000000) end\" 0";
    for round in 0..200 {
        assert_eq!(redis.ask(&format!("{fill} {round}")).unwrap(), "$-1");
    }
    let mut place = Place::new("evicted");
    place.settings.bus.claims.store = ClaimsStore::Redis;
    place.settings.bus.claims.url = SecretUrl::new(redis.url());
    let stage = place.start_ready().await;
    stage.until("says so", |stage| stage.check("processing_claims_reach").0 == State::Failing).await;
    let (_, message) = stage.check("processing_claims_reach");
    assert!(
        message.contains("evicted claims") && message.contains("all claims of the last 0.0 days are present"),
        "{message}"
    );
    let value = stage.digest().checks.into_iter().find(|check| check.name == "processing_claims_reach").unwrap().value;
    assert!(value.is_some_and(|days| (0.0..0.1).contains(&days)), "{value:?}");
    place.put_deliveries("raw.meta", [batch(&place, 0, 5), batch(&place, 0, 5)]).await;
    place.read_exactly("events.facebook.comment", 5).await;
    stage.stop().await;
}
