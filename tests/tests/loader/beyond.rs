//! What the log cannot have given is not believed: it was put back from a copy, and the lake was not.

use std::time::Duration;

use bus::{Headers, Record, TopicKind, TopicSpec};
use common::activity::v1::Activity;
use common::health::v1::State;
use common::load::v1::LoadRequest;
use common::topics::ACTIVITIES;

use crate::files::rows;
use crate::place::{Loading as _, Place};

/// Puts records on the topic of activities; the partition that they are in.
async fn send(place: &Place, count: usize) -> i32 {
    let kind = TopicKind::Log { retention: Duration::from_secs(7 * 24 * 3600) };
    let topics = [TopicSpec { name: ACTIVITIES.name().to_owned(), kind }];
    assert_eq!(place.bus.prepare_topics(&topics).await.unwrap(), []);
    let producer = place.bus.producer().unwrap();
    let mut partition = 0;
    for _ in 0..count {
        let record = Record::new(&ACTIVITIES, "key".to_owned(), &Activity::default(), Headers::default());
        partition = producer.try_send(record).unwrap().await.unwrap().partition;
    }
    partition
}

/// A request for rows that were on this log.
async fn range(place: &Place, partition: i32, from: i64, to: i64) -> LoadRequest {
    LoadRequest {
        log: place.bus.identity().await.to_string(),
        topic: format!("{}{}", place.bus.settings().topic_prefix, ACTIVITIES.name()),
        topic_id: place.bus.topic_identity(ACTIVITIES.name()).await.unwrap().to_string(),
        ..place.range(partition, from, to).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_beyond_the_log_is_held_until_an_operator_says_what_is_loaded() {
    let place = Place::new("beyond").await;
    let partition = send(&place, 20).await;
    let loader = place.start().await;
    let first = range(&place, partition, 0, 16).await;
    place.ask(&[&first]).await;
    loader.until_done(16).await;
    // It comes again, and the log has it: skipped as ever.
    place.ask(&[&first]).await;
    loader.until_done(32).await;
    assert_eq!(loader.counted().dropped["already_loaded"], 16);

    // Of a life of the log that went further than this one.
    let gone = range(&place, partition, 16, 26).await;
    place.ask(&[&gone]).await;
    loader.until("it is held", |loader| loader.check("loader_held").0 == State::Failing).await;
    let message = loader.check("loader_held").1;
    for said in [gone.id.as_str(), "Offset 26", "restored from a copy", "loader.accept", "docs/lake.md"] {
        assert!(message.contains(said), "{message}");
    }
    // It fails at once, also while nothing waits, and stays so when the log has come to the same offsets again.
    send(&place, 10).await;
    let anew = range(&place, partition, 16, 24).await;
    place.ask(&[&anew]).await;
    loader.until("both are held", |loader| loader.check("loader_held").1.starts_with("2 requests are held")).await;
    assert_eq!(loader.counted().dropped["already_loaded"], 16, "nothing is taken for loaded");
    loader.stop().await;
    let loader = place.start().await;
    loader.until("both are held", |loader| loader.check("loader_held").1.starts_with("2 requests are held")).await;
    assert_eq!(loader.check("loader_held").0, State::Failing);
    assert_eq!(loader.counted().dropped.get("already_loaded"), None);
    loader.stop().await;
    place.assert_has(&rows(partition, 0..16));

    // The rows of the records that are on the log now are the ones that are missing.
    let mut settings = place.settings.clone();
    settings.loader.accept = vec![anew.id];
    let loader = place.start_as(&settings, None).await;
    place.ask(&[&range(&place, partition, 24, 30).await]).await;
    loader.until("the new rows are loaded", |loader| loader.counted().sent_on >= 14).await;
    loader.stop().await;
    assert_eq!(place.count().await.rows, 30);
    place.assert_has(&rows(partition, 0..30));
}

/// An operator accepts a request that came too early: what it has is in the table, and so is what follows it.
#[tokio::test(flavor = "multi_thread")]
async fn what_follows_an_accepted_request_and_is_in_the_table_does_not_come_twice() {
    let place = Place::new("beyond-too-early").await;
    let partition = send(&place, 20).await;
    let loader = place.start().await;
    let (first, second) = (range(&place, partition, 0, 8).await, range(&place, partition, 8, 16).await);
    // Each in a commit of its own, so that the table has its file under its own path.
    place.ask(&[&first]).await;
    loader.until_done(8).await;
    place.ask(&[&second]).await;
    loader.until_done(16).await;
    // Of a life of the log that went further. Then all comes again, and what is new with it.
    place.ask(&[&range(&place, partition, 16, 26).await]).await;
    loader.until("it is held", |loader| loader.check("loader_held").0 == State::Failing).await;
    loader.stop().await;
    place
        .ask(&[&first, &second, &range(&place, partition, 16, 18).await, &range(&place, partition, 18, 20).await])
        .await;
    let mut settings = place.settings.clone();
    settings.loader.accept = vec![first.id];
    let loader = place.start_as(&settings, None).await;
    loader.until("they are loaded", |loader| loader.counted().sent_on >= 20).await;
    loader.stop().await;
    place.assert_has(&rows(partition, 0..20));
    assert_eq!(place.count().await.rows, 20);
}
