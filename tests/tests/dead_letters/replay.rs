//! Replays: what comes out, what comes again, how fast, and who asked for it.

use std::time::{Duration, Instant};

use bus::{Headers, Record};
use common::deadletter::v1::{Coordinates, DeadLetter, ListReplaysRequest, ReplayRequest, Selection, StatsRequest};
use common::raw::v1::Delivery;

use crate::place::{BROKEN, LIMIT, Log, Place, came_out, comment, decode_delivery, of, page};

/// Deliveries that are the same at each place but for their endpoint: comments of which some are long, one item that
/// nobody can read, an issue of GitHub that is long.
fn deliveries(place: &Place) -> Vec<Delivery> {
    let long = "x".repeat(6000);
    let mut changes: Vec<String> = (0..6).map(|n| comment(&format!("7_1_{n}"), "short")).collect();
    for n in [1, 4] {
        changes[n] = comment(&format!("7_1_{n}"), &format!("{n} {long}"));
    }
    changes[2] = BROKEN.to_owned();
    let meta = place.delivery("meta", page(&changes), &[]);
    let body = format!(
        r#"{{"action":"opened","issue":{{"id":5,"number":3,"title":"t","body":"{long}"}},"repository":{{"id":1,"full_name":"ada/engine"}},"sender":{{"id":2,"login":"ada"}}}}"#
    );
    let headers = [("x-github-event", "issues"), ("x-github-delivery", "00000000-0000-0000-0000-000000000007")];
    let github = place.delivery("github", body, &headers);
    [meta, github].into_iter().enumerate().map(|(n, delivery)| same(delivery, n)).collect()
}

/// What would differ from one place to another, and is no part of an id.
fn same(delivery: Delivery, n: usize) -> Delivery {
    // Of this day, and of one moment for all.
    let now = service::clock::timestamp().seconds / 3600 * 3600;
    Delivery {
        delivery_id: format!("{n:032x}"),
        endpoint: "app".into(),
        received_at: Some(common::time::from_seconds(now)),
        ..delivery
    }
}

const OUT: [(&str, usize); 3] = [("events.facebook.comment", 5), ("events.github.issues", 1), ("activities", 6)];

pub(crate) async fn after_the_fix_comes_what_had_come_without_the_fault(log: Log) {
    let without = Place::new(log, "without").await;
    let stage = without.start().await;
    let sent = deliveries(&without);
    for delivery in &sent {
        without.put(delivery).await;
    }
    let expected = came_out(&without, &OUT).await;
    stage.stop().await;

    // The fault: a limit that is too low for the long ones.
    let mut place = Place::new(log, "with").await;
    place.settings.bus.producer.max_record_bytes = 5000;
    let stage = place.start().await;
    for delivery in &sent {
        place.put(delivery).await;
    }
    let letters = place.letters(4).await;
    assert_eq!(letters.iter().filter(|letter| letter.reason == "too_large").count(), 3);
    came_out(&place, &[("events.facebook.comment", 3), ("activities", 3)]).await;
    // Still the same fault: what is larger than its items cannot be sent at all.
    let answer = stage.replay_reason("too_large").await;
    assert_eq!((answer.selected, answer.sent, answer.not_sent[0].reason.as_str()), (3, 0, "too_large"), "{answer:?}");
    stage.stop().await;

    // The fix.
    place.settings.bus.producer.max_record_bytes = 27_262_976;
    let stage = place.start().await;
    let answer = stage.replay_reason("too_large").await;
    assert_eq!((answer.selected, answer.sent, answer.not_sent.len()), (3, 3, 0), "{answer:?}");
    assert_eq!(answer.records, 2, "one record for both items of a delivery");
    assert_eq!(came_out(&place, &OUT).await, expected, "id by id, byte by byte");
    // Of the five comments in the batch three had come before, and of the one that cannot be read nobody spoke.
    assert_eq!(stage.balance().await, (6, 3, 0, 3));

    // A second time: nothing changes, and what came again is counted.
    let answer = stage.replay_reason("too_large").await;
    assert_eq!((answer.selected, answer.sent), (3, 3));
    stage.until_taken(12).await;
    assert_eq!(stage.balance().await, (12, 3, 0, 9));
    assert_eq!(came_out(&place, &OUT).await, expected);
    place.letters(4).await;

    let stats = stage.client.clone().stats(StatsRequest::default()).await.unwrap().into_inner();
    assert_eq!((stats.count, stats.replays, stats.replayed), (4, 3, 6));
    stage.stop().await;
}

fn select(reason: &str) -> Selection {
    Selection { reason: reason.into(), ..Selection::default() }
}

pub(crate) async fn an_item_that_an_older_version_refused_comes_with_its_id(log: Log) {
    let changes: Vec<String> = (0..4).map(|n| comment(&format!("8_1_{n}"), "fine")).collect();
    let without = Place::new(log, "newer").await;
    let stage = without.start().await;
    without.put(&same(without.delivery("meta", page(&changes), &[]), 1)).await;
    let expected = without.exactly("events.facebook.comment", 4).await;
    stage.stop().await;

    // The version before took the delivery from the log, and could not read its third item.
    let place = Place::new(log, "older").await;
    let delivery = same(place.delivery("meta", page(&changes), &[]), 1);
    let at = place.put(&delivery).await;
    place.bus.set_group_offset("weir-processing", "raw.meta", at.partition, at.offset + 1).await.unwrap();
    place
        .put_letter(&DeadLetter {
            id: "a".repeat(32),
            stage: "processing".into(),
            reason: "wrong_shape".into(),
            source: "meta".into(),
            endpoint: delivery.endpoint.clone(),
            payload: page(&changes[2..3]).into(),
            content_type: "application/json".into(),
            failed_at: Some(service::clock::timestamp()),
            attempts: 1,
            coordinates: Some(Coordinates {
                log: at.log.to_string(),
                topic: at.topic.to_string(),
                partition: at.partition,
                offset: at.offset,
                index: 2,
            }),
            ..DeadLetter::default()
        })
        .await;
    let stage = place.start().await;
    assert_eq!(stage.replay_reason("wrong_shape").await.sent, 1);
    let [came] = place.exactly("events.facebook.comment", 1).await.try_into().unwrap();
    let third = expected.iter().find(|stored| {
        let comment: common::facebook::v1::Comment = stored.decode().unwrap();
        comment.comment_id.as_deref() == Some("8_1_2")
    });
    assert_eq!(came.headers.id, third.unwrap().headers.id);
    let raw = place.exactly("raw.meta", 2).await;
    let again = raw.iter().find(|stored| stored.headers.attempts > 0).unwrap();
    let body = page(&changes[2..3]);
    assert_eq!(decode_delivery(again), Delivery { body: body.into(), ..delivery.clone() });
    assert_eq!((again.headers.from.as_ref(), again.headers.attempts), (Some(&at), 1));
    assert_eq!(again.headers.id, delivery.delivery_id);
    assert_eq!(stage.replay_reason("wrong_shape").await.sent, 1, "and once more");
    stage.until_taken(2).await;
    assert_eq!(stage.balance().await, (2, 1, 0, 1));
    stage.stop().await;
}

pub(crate) async fn what_is_refused_again_is_a_new_letter_with_one_more_attempt(log: Log) {
    let place = Place::new(log, "again").await;
    let stage = place.start().await;
    let changes = [comment("9_1_1", "fine"), BROKEN.to_owned()];
    place.put(&place.delivery("meta", page(&changes), &[])).await;
    let [first] = place.letters(1).await.try_into().unwrap();
    assert_eq!(stage.replay_reason("wrong_shape").await.sent, 1);
    let letters = place.letters(2).await;
    let second = letters.iter().find(|letter| letter.attempts == 2).unwrap();
    assert_ne!((&second.id, &second.coordinates), (&first.id, &first.coordinates));
    assert_eq!((&second.payload, &second.delivery_id), (&first.payload, &first.delivery_id));
    // The replay of that one counts on.
    let of_second = Selection { ids: vec![second.id.clone()], ..Selection::default() };
    stage.replay(of(of_second)).await.unwrap();
    let letters = place.letters(3).await;
    assert!(letters.iter().any(|letter| letter.attempts == 3), "{letters:#?}");
    stage.stop().await;
}

/// So many deliveries that cannot be read, one after the other.
async fn broken(place: &Place, count: usize) {
    for n in 0..count {
        place.put(&place.delivery("meta", format!("broken {n}"), &[])).await;
    }
    place.letters(count).await;
}

pub(crate) async fn a_dry_run_sends_nothing(log: Log) {
    let place = Place::new(log, "dry").await;
    let stage = place.start().await;
    broken(&place, 8).await;
    let request = ReplayRequest { dry_run: true, requested_by: String::new(), ..of(select("not_json")) };
    let last = stage.replay(request.clone()).await.unwrap().pop().unwrap();
    assert_eq!((last.selected, last.sent, last.records, last.done), (8, 8, 8, true));
    assert_eq!((last.examples.len(), last.replay_id.as_str()), (5, ""));
    let [kind] = last.to_send.as_slice() else { panic!("{:?}", last.to_send) };
    assert_eq!((kind.stage.as_str(), kind.reason.as_str(), kind.count), ("processing", "not_json", 8));
    let limited = stage.replay(ReplayRequest { limit: 3, ..request }).await.unwrap().pop().unwrap();
    assert_eq!((limited.selected, limited.sent), (3, 3));
    place.exactly("raw.meta", 8).await;
    let replays = stage.client.clone().list_replays(ListReplaysRequest::default()).await.unwrap().into_inner();
    assert_eq!(replays.replays.len(), 0);
    stage.stop().await;
}

pub(crate) async fn the_rate_is_kept_and_progress_is_told(log: Log) {
    let place = Place::new(log, "rate").await;
    let stage = place.start().await;
    broken(&place, 12).await;
    let began = Instant::now();
    let answers = stage.replay(ReplayRequest { rate: 5, ..of(select("not_json")) }).await.unwrap();
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2), "12 at 5 a second, the first at once: {took:?}");
    assert!(answers.len() >= 4, "{answers:?}");
    let sent: Vec<_> = answers.iter().map(|answer| answer.sent).collect();
    assert!(sent.is_sorted() && sent.last() == Some(&12), "{sent:?}");
    assert_eq!(answers.iter().filter(|answer| answer.done).count(), 1);
    place.letters(24).await;

    let listed = stage.client.clone().list_replays(ListReplaysRequest::default()).await.unwrap().into_inner();
    let [kept] = listed.replays.as_slice() else { panic!("{listed:?}") };
    assert_eq!((kept.id.as_str(), kept.requested_by.as_str()), (answers[0].replay_id.as_str(), "ada"));
    assert_eq!((kept.selected, kept.sent, kept.interrupted.as_str()), (12, 12, ""));
    assert_eq!(kept.selection.as_ref().unwrap().reason, "not_json");
    assert!(kept.started_at.is_some() && kept.ended_at.is_some());
    stage.stop().await;

    // It is there after a restart.
    let stage = place.start().await;
    let listed = stage.client.clone().list_replays(ListReplaysRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.replays.len(), 1);
    stage.stop().await;
}

pub(crate) async fn who_goes_away_stops_it(log: Log) {
    let place = Place::new(log, "away").await;
    let stage = place.start().await;
    broken(&place, 10).await;
    let request = ReplayRequest { rate: 2, ..of(select("not_json")) };
    let mut stream = stage.client.clone().replay(request.clone()).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    let other = stage.replay(request.clone()).await.unwrap_err();
    assert_eq!(other.code(), tonic::Code::ResourceExhausted, "one at a time");
    drop(stream);
    let began = Instant::now();
    let kept = loop {
        let listed = stage.client.clone().list_replays(ListReplaysRequest::default()).await.unwrap().into_inner();
        if let Some(kept) = listed.replays.into_iter().find(|replay| replay.ended_at.is_some()) {
            break kept;
        }
        assert!(began.elapsed() < LIMIT, "it goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(kept.sent < 10 && kept.interrupted.contains("disconnected"), "{kept:?}");
    // What was counted is what was sent.
    let again = place.read("raw.meta").await.iter().filter(|stored| stored.headers.attempts > 0).count();
    assert_eq!(again as u64, kept.sent);
    assert!(stage.replay(ReplayRequest { limit: 1, ..request }).await.unwrap().pop().unwrap().done, "the next one may");
    stage.stop().await;
}

pub(crate) async fn other_stages_get_their_records_back(log: Log) {
    let place = Place::new(log, "others").await;
    for (stage, topic) in [("enricher", "activities"), ("loader", "loads")] {
        let headers = Headers {
            id: format!("of {topic}"),
            source: "somebody".into(),
            r#type: "weir.some.v1.Thing".into(),
            time: Some(common::time::from_seconds(1_700_000_000)),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
            from: "log.1/raw.meta/0/7".parse().ok(),
            ..Headers::default()
        };
        let record = Record::encoded(topic, "key", b"\xff what it was".to_vec(), headers.clone());
        let at = place.send(record).await;
        place
            .put_letter(&DeadLetter {
                id: common::identity::Id::of("test", "", &[stage.as_bytes()]).to_string(),
                stage: stage.into(),
                reason: "undecodable".into(),
                failed_at: Some(service::clock::timestamp()),
                attempts: 4,
                payload: "too many for a dead letter".into(),
                coordinates: Some(Coordinates {
                    log: at.log.to_string(),
                    topic: at.topic.to_string(),
                    partition: at.partition,
                    offset: at.offset,
                    index: 0,
                }),
                ..DeadLetter::default()
            })
            .await;
        let processing = place.start().await;
        let selection = Selection { stage: stage.into(), ..Selection::default() };
        let answer = processing.replay(of(selection)).await.unwrap().pop().unwrap();
        assert_eq!((answer.selected, answer.sent), (1, 1), "{answer:?}");
        let [first, again] = place.exactly(topic, 2).await.try_into().unwrap();
        assert_eq!((first.key, first.payload), (again.key, again.payload));
        assert_eq!(again.headers, Headers { attempts: 4, instead_of: vec![at], ..headers });
        processing.stop().await;
    }
}
