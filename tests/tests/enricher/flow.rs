//! What goes in comes out enriched, in files and in load requests, each id once.

use std::collections::HashMap;

use bus::{Headers, Record};
use common::deadletter::v1::DeadLetter;
use common::health::v1::State;
use common::load::v1::LoadRequest;
use prost::Message as _;

use crate::fake::{Does, Fake};
use crate::stage::{Place, id};

const DERIVE: &str = "[[enricher.steps]]\nname = \"text\"\ntype = \"derive\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activities_come_out_enriched_with_files_and_requests() {
    let fake = Fake::start(Does::Answers).await;
    let place = Place::new("enricher-flow", &format!("{}{DERIVE}", fake.step(""))).await;
    let stage = place.start().await;
    let traceparent = format!("00-{}-{}-00", "a".repeat(32), "b".repeat(16));
    let stands = place
        .put_records((0..500).map(|n| {
            let headers = Headers { id: id(n), traceparent: Some(traceparent.clone()), ..Headers::default() };
            let key = format!("key {}", n % 7);
            Record::new(&common::topics::ACTIVITIES, key, &Place::activity(n), headers)
        }))
        .await;
    let stored = place.read_exactly("activities.enriched", 500).await;
    let mut last: HashMap<i32, i64> = HashMap::new();
    for record in &stored {
        let enriched: common::activity::v1::EnrichedActivity = record.decode().unwrap();
        let n: usize = enriched.activity.as_ref().unwrap().context.as_ref().unwrap().account_id.parse().unwrap();
        assert_eq!(record.headers.id, id(n));
        assert_eq!(record.key.as_deref(), Some(format!("key {}", n % 7).as_bytes()));
        assert_eq!(record.headers.traceparent.as_ref(), Some(&traceparent), "what was decided about a trace holds");
        let from = record.headers.from.clone().unwrap();
        assert_eq!(from, stands[n]);
        assert_eq!(from.partition, record.coordinates.partition, "the same key has the same partition");
        assert!(last.insert(from.partition, from.offset) < Some(from.offset), "in the order of the partition");
        assert_eq!(enriched.attributes["crm.name"], format!("name of {n}"));
        assert_eq!((enriched.hashtags, enriched.mentions), (vec!["weir".to_owned()], vec!["ann".to_owned()]));
        assert_eq!(enriched.links, [format!("https://example.org/{n}")]);
        assert!(!enriched.partial && enriched.enriched_at.is_some());
    }
    let loaded = place.all_loaded(&stands, (0..500).map(id)).await;
    println!("{} requests", loaded.requests);
    stage.until("counted", |stage| stage.counted().for_reason("duplicate") == [500, 500, 0, 0]).await;
    let days = std::fs::read_dir(place.folder().join("lake/activities")).unwrap();
    let mut days: Vec<String> = days.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    days.sort();
    assert_eq!(days, ["day=2026-03-01", "day=2026-03-02"]);
    assert_eq!(stage.digest().queues.iter().filter(|queue| queue.hop == "enricher").count(), 2);
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_twice_has_one_row_and_is_covered_all_the_same() {
    let place = Place::new("enricher-twice", DERIVE).await;
    let stage = place.start().await;
    let stands = place.put((0..100).map(Place::activity)).await;
    place.all_loaded(&stands, (0..100).map(id)).await;
    // As processing writes them after a crash: at other offsets.
    let again = place.put((50..100).map(Place::activity)).await;
    place.all_loaded(&again, (0..100).map(id)).await;
    let requests = place.read("loads").await;
    let last: LoadRequest = requests.last().unwrap().decode().unwrap();
    assert_eq!(last.files.len(), 0, "a range of duplicates has no rows");
    assert_eq!(place.read("activities.enriched").await.len(), 100);
    stage.until("counted", |stage| stage.counted().for_reason("duplicate") == [150, 100, 0, 50]).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_becomes_a_dead_letter_and_is_covered() {
    let place = Place::new("enricher-bad", DERIVE).await;
    let stage = place.start().await;
    let bad = |value: Vec<u8>| {
        let headers = Headers { r#type: "weir.activity.v1.Activity".into(), ..Headers::default() };
        Record::encoded("activities", "key", value, headers)
    };
    let mut stands = place.put((0..10).map(Place::activity)).await;
    let without_id = common::activity::v1::Activity { id: String::new(), ..Place::activity(77) };
    let bytes = [vec![0xff, 1, 2], without_id.encode_to_vec()];
    stands.extend(place.put_records(bytes.iter().cloned().map(bad)).await);
    stands.extend(place.put((10..20).map(Place::activity)).await);
    place.all_loaded(&stands, (0..20).map(id)).await;
    let letters = place.read_exactly("dead-letters", 2).await;
    let mut letters: Vec<DeadLetter> = letters.iter().map(|stored| stored.decode().unwrap()).collect();
    letters.sort_by_key(|letter| letter.coordinates.as_ref().unwrap().offset);
    let reasons: Vec<_> = letters.iter().map(|letter| (letter.stage.as_str(), letter.reason.as_str())).collect();
    assert_eq!(reasons, [("enricher", "undecodable"), ("enricher", "no_id")]);
    assert!(letters.iter().zip(&bytes).all(|(letter, bytes)| letter.payload == *bytes));
    stage.until("counted", |stage| stage.counted().for_reason("duplicate") == [22, 20, 2, 0]).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lake_that_is_away_holds_the_input() {
    let place = Place::new("enricher-away", DERIVE).await;
    let table = place.folder().join("lake/activities");
    std::fs::create_dir_all(table.parent().unwrap()).unwrap();
    std::fs::write(&table, "no folder").unwrap();
    let stage = place.start().await;
    let stands = place.put((0..100).map(Place::activity)).await;
    stage.until("says so", |stage| stage.check("enricher_lake").0 == State::Failing).await;
    // What needs no lake goes on.
    place.enriched(100).await;
    assert_eq!(place.read("loads").await.len(), 0);
    let group = &place.settings.enricher.group;
    for partition in 0..2 {
        let offset = place.bus.group_offset(group, "activities", partition).await.unwrap();
        assert!(offset.is_none_or(|offset| offset == 0), "nothing is acknowledged: {offset:?}");
    }
    std::fs::remove_file(&table).unwrap();
    place.all_loaded(&stands, (0..100).map(id)).await;
    stage.until("well again", |stage| stage.check("enricher_lake").0 == State::Ok).await;
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_more_is_held_than_may_be() {
    let mut place = Place::new("enricher-held", DERIVE).await;
    // Nothing would be finished by its age or its size.
    place.settings.enricher.flush_interval_ms = 3_600_000;
    place.settings.enricher.stalled_after_ms = 7_200_000;
    place.settings.enricher.max_held_records = 200;
    let stage = place.start().await;
    let stands = place.put((0..2000).map(Place::activity)).await;
    place.enriched(2000).await;
    // What is left is less than half of what may be held: it is written at the end.
    stage.stop().await;
    let loaded = place.all_loaded(&stands, (0..2000).map(id)).await;
    assert!(loaded.requests >= 10, "{} requests", loaded.requests);
    let group = &place.settings.enricher.group;
    for partition in 0..2 {
        let end = stands.iter().filter(|at| at.partition == partition).map(|at| at.offset + 1).max();
        assert_eq!(place.bus.group_offset(group, "activities", partition).await.unwrap(), end, "all is committed");
    }
}
