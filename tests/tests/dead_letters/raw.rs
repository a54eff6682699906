//! Raw deliveries, gone over: what never came out comes, and all else is unchanged.

use std::collections::BTreeMap;
use std::time::Instant;

use bus::{Bus, Claim, Coordinates, Headers, Record, Verdict};
use common::deadletter::v1::{
    CountRawRequest, DeadLetter, ListReplaysRequest, RawCounts, RawSelection, ReplayRawRequest, ReplayRawResponse,
};
use common::raw::v1::Delivery;
use common::registration::v1::registration::Kind;
use common::registration::v1::{Endpoint, Registration};
use common::time::from_seconds;
use futures_util::TryStreamExt as _;
use tonic::{Code, Status};

use crate::place::{BROKEN, LIMIT, Log, Place, Stage, came_out, comment, page};

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

fn now() -> i64 {
    service::clock::timestamp().seconds
}

/// Everything that was accepted within three hours.
fn recent() -> ReplayRawRequest {
    let selection = RawSelection { from: Some(from_seconds(now() - 3 * HOUR)), ..RawSelection::default() };
    ReplayRawRequest {
        selection: Some(selection),
        requested_by: "ada".into(),
        rate: 1000,
        ..ReplayRawRequest::default()
    }
}

async fn replay(stage: &Stage, request: ReplayRawRequest) -> Result<ReplayRawResponse, Status> {
    let mut stream = stage.client.clone().replay_raw(request).await?.into_inner();
    let mut last = None;
    while let Some(answer) = stream.message().await? {
        last = Some(answer);
    }
    let last = last.unwrap();
    assert!(last.done, "{last:?}");
    Ok(last)
}

fn counts(answer: &ReplayRawResponse) -> RawCounts {
    RawCounts { first: None, last: None, ..answer.counts.unwrap() }
}

/// Of one moment, one endpoint, and with ids of their own, so that what comes of them is the same at each place.
fn same(delivery: Delivery, n: usize) -> Delivery {
    let hour = now() / HOUR * HOUR;
    Delivery {
        delivery_id: format!("{n:032x}"),
        endpoint: "app".into(),
        received_at: Some(from_seconds(hour)),
        ..delivery
    }
}

/// The letter of a record that the process ended on too often.
fn ended_on(at: &Coordinates) -> DeadLetter {
    let coordinates = common::deadletter::v1::Coordinates {
        log: at.log.to_string(),
        topic: at.topic.to_string(),
        partition: at.partition,
        offset: at.offset,
        index: 0,
    };
    DeadLetter {
        id: "c".repeat(32),
        stage: "processing".into(),
        reason: "crash".into(),
        failed_at: Some(service::clock::timestamp()),
        coordinates: Some(coordinates),
        ..DeadLetter::default()
    }
}

/// Puts a delivery on the log of a place where nothing runs, past which its group is set: nothing comes of it.
async fn skipped(place: &Place, delivery: &Delivery) -> Coordinates {
    let at = place.put(delivery).await;
    let topic = common::topics::raw(&delivery.source);
    place.bus.set_group_offset("weir-processing", topic.name(), at.partition, at.offset + 1).await.unwrap();
    at
}

const OUT: [(&str, usize); 3] = [("events.facebook.comment", 6), ("events.github.issues", 1), ("activities", 7)];

/// A fault at the time: long events were refused, and a delivery was passed over.
pub(crate) async fn what_never_came_out_comes_and_the_rest_is_unchanged(log: Log) {
    let long = "x".repeat(6000);
    let texts = ["short".to_owned(), format!("1 {long}"), "short".into(), "short".into(), format!("4 {long}")];
    let mut changes: Vec<_> = texts.iter().enumerate().map(|(n, text)| comment(&format!("7_1_{n}"), text)).collect();
    changes.insert(2, BROKEN.to_owned());
    let issue = format!(
        r#"{{"action":"opened","issue":{{"id":5,"number":3,"title":"t","body":"{long}"}},"repository":{{"id":1,"full_name":"ada/engine"}},"sender":{{"id":2,"login":"ada"}}}}"#
    );
    let headers = [("x-github-event", "issues"), ("x-github-delivery", "00000000-0000-0000-0000-000000000007")];

    let without = Place::new(log, "rawwithout").await;
    let batch = same(without.delivery("meta", page(&changes), &[]), 1);
    let issues = same(without.delivery("github", issue, &headers), 2);
    let passed_over = same(without.delivery("meta", page(&[comment("7_1_9", "passed over")]), &[]), 3);
    let stage = without.start().await;
    for delivery in [&batch, &issues, &passed_over] {
        without.put(delivery).await;
    }
    let expected = came_out(&without, &OUT).await;
    stage.stop().await;

    let mut place = Place::new(log, "rawwith").await;
    place.settings.bus.producer.max_record_bytes = 5000;
    let stage = place.start().await;
    for delivery in [&batch, &issues] {
        place.put(delivery).await;
    }
    place.letters(4).await;
    came_out(&place, &[("events.facebook.comment", 3), ("activities", 3)]).await;
    stage.stop().await;
    // It came twice: a redelivery.
    skipped(&place, &passed_over).await;
    skipped(&place, &passed_over).await;

    place.settings.bus.producer.max_record_bytes = 27_262_976;
    let stage = place.start().await;
    let dry = ReplayRawRequest { dry_run: true, requested_by: String::new(), ..recent() };
    let would = replay(&stage, dry.clone()).await.unwrap();
    let found = RawCounts { deliveries: 4, unchanged: 3 + 1, missing: 4, refused: 1, ..RawCounts::default() };
    assert_eq!(counts(&would), found);
    assert_eq!((would.selected, would.sent, would.examples.len(), would.replay_id.as_str()), (3, 3, 3, ""));
    let missing: BTreeMap<_, _> = would.missing.iter().map(|kind| (kind.r#type.as_str(), kind.count)).collect();
    assert_eq!(missing, [("weir.facebook.v1.Comment", 3), ("weir.github.v1.Issues", 1)].into());
    // Whoever may only count is told the same.
    let count = CountRawRequest { selection: dry.selection.clone() };
    let answers = stage.client.clone().count_raw(count).await.unwrap().into_inner();
    let counted = answers.try_fold(None, async |_, answer| Ok(Some(answer))).await.unwrap().unwrap();
    assert!(counted.done && counted.counts == would.counts, "{counted:?}");
    assert_eq!((counted.missing, counted.examples.len()), (would.missing.clone(), would.examples.len()));
    place.exactly("raw.meta", 3).await;
    let one = ReplayRawRequest { limit: 1, ..dry.clone() };
    assert_eq!(replay(&stage, one).await.unwrap().sent, 1);

    let done = replay(&stage, recent()).await.unwrap();
    assert_eq!((done.selected, done.sent, done.not_sent.len()), (3, 3, 0), "{done:?}");
    assert_eq!(counts(&done), RawCounts { looked_for: 4, came_out: 4, ..found });
    assert!(came_out(&place, &OUT).await == expected, "id by id, byte by byte");
    // Of the batch came what had not, and of the item that nobody can read nobody spoke.
    assert_eq!(stage.balance().await, (7, 4, 0, 3));
    place.letters(4).await;

    // A second time there is nothing to do, and what the first one sent is no delivery of its own.
    let second = replay(&stage, recent()).await.unwrap();
    let unchanged = RawCounts { deliveries: 4, unchanged: 8, refused: 1, ..RawCounts::default() };
    assert_eq!((second.selected, second.sent, counts(&second)), (0, 0, unchanged));
    place.exactly("raw.meta", 5).await;
    assert!(came_out(&place, &OUT).await == expected);

    let listed = stage.client.clone().list_replays(ListReplaysRequest::default()).await.unwrap().into_inner().replays;
    let [_, kept] = listed.as_slice() else { panic!("{listed:?}") };
    assert_eq!((kept.id.as_str(), kept.requested_by.as_str()), (done.replay_id.as_str(), "ada"));
    assert_eq!((kept.selected, kept.sent, kept.raw_counts), (3, 3, done.counts));
    assert!(kept.ended_at.is_some() && kept.raw.as_ref().unwrap().from.is_some() && kept.selection.is_none());
    stage.stop().await;
}

pub(crate) async fn what_waits_is_left_to_processing(log: Log) {
    let mut place = Place::new(log, "rawwaits").await;
    place.settings.processing.endpoint_events_per_second = 1;
    let stage = place.start().await;
    place.put(&place.delivery("meta", page(&[comment("7_1_0", "first")]), &[])).await;
    place.exactly("events.facebook.comment", 1).await;
    let many: Vec<_> = (1..100).map(|n| comment(&format!("7_1_{n}"), "waits")).collect();
    place.put(&place.delivery("meta", page(&many), &[])).await;
    let answer = replay(&stage, recent()).await.unwrap();
    let found = RawCounts { deliveries: 2, unchanged: 1, waiting: 1, ..RawCounts::default() };
    assert_eq!((counts(&answer), answer.selected, answer.sent), (found, 0, 0));
    stage.stop().await;
}

pub(crate) async fn who_goes_away_stops_it_and_the_next_sends_the_rest(log: Log) {
    let place = Place::new(log, "rawaway").await;
    for n in 0..10 {
        let text = comment(&format!("7_1_{n}"), "passed over");
        skipped(&place, &place.delivery("meta", page(&[text]), &[])).await;
    }
    let stage = place.start().await;
    let request = ReplayRawRequest { rate: 2, ..recent() };
    let mut stream = stage.client.clone().replay_raw(request.clone()).await.unwrap().into_inner();
    stream.message().await.unwrap().unwrap();
    let other = replay(&stage, recent()).await.unwrap_err();
    assert_eq!(other.code(), Code::ResourceExhausted, "one at a time");
    drop(stream);
    let began = Instant::now();
    let kept = loop {
        let listed = stage.client.clone().list_replays(ListReplaysRequest::default()).await.unwrap().into_inner();
        if let Some(kept) = listed.replays.into_iter().find(|replay| replay.ended_at.is_some()) {
            break kept;
        }
        assert!(began.elapsed() < LIMIT, "it goes on");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    assert!(kept.sent < 10 && kept.interrupted.contains("disconnected"), "{kept:?}");
    place.exactly("events.facebook.comment", usize::try_from(kept.sent).unwrap()).await;
    let rest = replay(&stage, recent()).await.unwrap();
    assert_eq!(
        (rest.sent, counts(&rest).came_out, counts(&rest).unchanged),
        (10 - kept.sent, 10 - kept.sent, kept.sent)
    );
    place.exactly("events.facebook.comment", 10).await;
    stage.stop().await;
}

pub(crate) async fn what_may_not_be_sent_says_why(log: Log) {
    let place = Place::new(log, "rawrefusals").await;
    let registration = |name: &str| Registration {
        id: format!("endpoint/{name}"),
        tenant: "acme".into(),
        revision: 1,
        kind: Some(Kind::Endpoint(Endpoint { name: name.into(), source: "meta".into(), ..Endpoint::default() })),
        ..Registration::default()
    };
    let of = |endpoint: &str, n: u32| Delivery {
        endpoint: endpoint.into(),
        ..place.delivery("meta", page(&[comment(&format!("7_1_{n}"), "passed over")]), &[])
    };
    let registered = registration("mine");
    place.send(Record::new(&common::topics::REGISTRATIONS, "endpoint/mine", &registered, Headers::default())).await;
    let accepted = |at: i64, delivery: Delivery| Delivery { received_at: Some(from_seconds(at)), ..delivery };
    // Claims are kept 8 days.
    skipped(&place, &accepted(now() - 9 * DAY, of("mine", 1))).await;
    let broke = skipped(&place, &of("mine", 2)).await;
    skipped(&place, &of("mine", 3)).await;
    skipped(&place, &of("other", 4)).await;
    place.put_letter(&ended_on(&broke)).await;
    let stage = place.start().await;

    let with = |change: &dyn Fn(&mut RawSelection)| {
        let mut request = recent();
        change(request.selection.as_mut().unwrap());
        request
    };
    let mine = with(&|selection| selection.endpoints = vec!["mine".into()]);
    let mut long = mine.clone();
    long.selection.as_mut().unwrap().from = Some(from_seconds(now() - 10 * DAY));
    let answer = replay(&stage, long).await.unwrap();
    let why: BTreeMap<_, _> = answer.not_sent.iter().map(|kind| (kind.reason.as_str(), kind.count)).collect();
    assert_eq!(why, [("crashed", 1), ("too_old", 1)].into());
    assert_eq!((answer.selected, answer.sent, counts(&answer).came_out), (3, 1, 1));
    place.exactly("events.facebook.comment", 1).await;

    let days = |from: i64, until: i64| {
        with(&move |selection| {
            selection.from = Some(from_seconds(now() - from * DAY));
            selection.until = Some(from_seconds(now() - until * DAY));
        })
    };
    for (request, field, says) in [
        (days(1, 2), "selection.until", "not after selection.from"),
        (days(10, 9), "selection.until", "claims last 8"),
        (with(&|selection| selection.from = None), "selection.from", "missing"),
        (with(&|selection| selection.endpoints = vec!["mine".into(), "mni".into()]), "selection.endpoints", "mni"),
        (with(&|selection| selection.source = "stripe".into()), "selection.source", "github"),
        (ReplayRawRequest { requested_by: " ".into(), ..recent() }, "requested_by", "who requests"),
        (ReplayRawRequest { rate: 1_000_000, ..recent() }, "rate", "1 to 100000"),
    ] {
        let status = replay(&stage, request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        let message = status.message();
        assert!(message.starts_with(field) && message.contains(says), "{message}");
    }
    stage.stop().await;
}

/// The process ended between the claims of a record and its outputs until the record was given up; then the cause was
/// found, and it is replayed.
pub(crate) async fn what_was_claimed_and_never_came_out_comes_with_a_replay(log: Log) {
    const ONE: [(&str, usize); 2] = [("events.facebook.comment", 1), ("activities", 1)];
    let without = Place::new(log, "endwithout").await;
    let delivery = same(without.delivery("meta", page(&[comment("7_1_1", "out of memory")]), &[]), 1);
    let stage = without.start().await;
    without.put(&delivery).await;
    let expected = came_out(&without, &ONE).await;
    let event = without.exactly(ONE[0].0, 1).await.remove(0).headers;
    stage.stop().await;

    let place = Place::new(log, "endwith").await;
    let at = skipped(&place, &delivery).await;
    // A bus keeps the store that it opened, and the stage has a bus of its own.
    let bus = Bus::open(&place.settings.bus).unwrap();
    let claims = bus.claims().await.unwrap();
    claims.restored().await.unwrap();
    let claim = Claim { ce_type: &event.r#type, id: event.id.parse().unwrap(), at: &at, index: 0 };
    assert_eq!(claims.claim("processing", &[claim]).await.unwrap(), [Verdict::First]);
    drop((claims, bus));
    place.put_letter(&ended_on(&at)).await;
    let stage = place.start().await;
    // What the platform sends again meanwhile is a duplicate of what never came out.
    place.put(&delivery).await;
    stage.until_taken(1).await;
    assert_eq!(stage.balance().await, (1, 0, 0, 1));

    assert_eq!(stage.replay_reason("crash").await.sent, 1);
    assert!(came_out(&place, &ONE).await == expected);
    // A second time there is nothing to do.
    assert_eq!(stage.replay_reason("crash").await.sent, 1);
    stage.until_taken(3).await;
    assert_eq!(stage.balance().await, (3, 1, 0, 2));
    assert!(came_out(&place, &ONE).await == expected);
    stage.stop().await;
}
