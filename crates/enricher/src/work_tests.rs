use bus::{Ack, AckOutcome};
use prost::Message as _;
use service::Health;
use service::tls::Dial;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::steps::Processing;

fn steps() -> Steps {
    let settings: crate::Settings = service::load(crate::DEFAULTS, None, []).unwrap();
    let health = Health::new("enricher", CancellationToken::new());
    let dial = Dial::new("grpc.client", &Default::default());
    Steps::open(&settings.enricher, &Processing::At("http://127.0.0.1:1".to_owned()), &dial, &health).unwrap()
}

fn incoming(r#type: &str, payload: Option<Vec<u8>>) -> Incoming {
    Incoming {
        coordinates: Coordinates { log: "log".into(), topic: "activities".into(), partition: 1, offset: 5 },
        key: Some(Bytes::from_static(b"key")),
        payload: payload.map(Bytes::from),
        headers: Headers { r#type: r#type.to_owned(), traceparent: Some("00-a-b-01".into()), ..Headers::default() },
        produced_at_ms: 0,
        culprit: None,
        assignment: Assignment { epoch: 1, start: 0 },
        ack: Ack::none(),
    }
}

fn activity() -> Activity {
    let context = Context { endpoint: "shop".into(), tenant: "acme".into(), ..Context::default() };
    let occurred_at = Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 });
    Activity { id: "1-0".into(), context: Some(context), occurred_at, ..Activity::default() }
}

#[tokio::test]
async fn a_record_becomes_an_enriched_one() {
    let work = begin(incoming(crate::ACTIVITY, Some(activity().encode_to_vec())), &steps());
    let Content::Activity(enriched, Verdict::Goes) = &work.content else { panic!("{work:?}") };
    let record = work.head.record(enriched);
    assert_eq!((&*record.topic, record.key.as_slice()), ("activities.enriched", &b"key"[..]));
    assert_eq!(record.headers.id, "1-0");
    assert_eq!(record.headers.r#type, "weir.activity.v1.EnrichedActivity");
    assert_eq!(record.headers.source, "weir/enricher/shop");
    assert_eq!(record.headers.time, activity().occurred_at);
    assert_eq!(record.headers.traceparent.as_deref(), Some("00-a-b-01"));
    assert_eq!(record.headers.from.as_ref().unwrap().to_string(), "log/activities/1/5");
    let sent = EnrichedActivity::decode(record.payload.unwrap().as_slice()).unwrap();
    assert_eq!(sent.activity, Some(activity()));
}

#[tokio::test]
async fn a_canary_goes_with_its_range_and_one_of_another_time_does_not() {
    let counts = service::Counts::default().hop(crate::STAGE);
    for (ago, goes) in [(0, true), (7200, false)] {
        let sent = service::clock::now() - std::time::Duration::from_secs(ago);
        let record = bus::Record::canary(&common::topics::ACTIVITIES, "key", Canary::new("raw.meta", 3, sent));
        let (ack, outcome) = Ack::testing();
        let headers = record.headers.clone();
        let record = Incoming { ack, headers, ..incoming(crate::ACTIVITY, record.payload.clone()) };
        let Work { head, content: Content::Canary(canary) } = begin(record, &steps()) else { panic!("no canary") };
        let Item { place, ack, outcome: found } = head.canary(canary.clone(), &counts);
        assert_eq!(place.at.offset, 5, "its range covers it");
        match found {
            Outcome::Canary(found) => assert!(goes && found == canary),
            other => assert!(!goes && matches!(other, Outcome::Without), "{other:?}"),
        }
        ack.complete();
        assert_eq!(outcome.await.unwrap(), AckOutcome::Completed);
    }
}

#[tokio::test]
async fn what_is_no_activity_is_refused_with_the_reason() {
    let steps = steps();
    let without_id = Activity { id: String::new(), ..activity() };
    for (record, reason) in [
        (incoming(crate::ACTIVITY, None), NO_VALUE),
        (incoming(crate::ACTIVITY, Some(vec![0xff])), UNDECODABLE),
        (incoming("weir.raw.v1.Delivery", Some(activity().encode_to_vec())), UNDECODABLE),
        (incoming(crate::ACTIVITY, Some(without_id.encode_to_vec())), NO_ID),
    ] {
        let payload = record.payload.clone();
        let (ack, outcome) = Ack::testing();
        let work = begin(Incoming { ack, ..record }, &steps);
        let Content::Refused(refused) = &work.content else { panic!("{work:?}") };
        assert_eq!((refused.reason, &work.head.payload), (reason, &payload));
        drop(work);
        assert_eq!(outcome.await.unwrap(), AckOutcome::Failed, "what is forgotten comes again");
    }
}

#[test]
fn a_claim_is_the_same_for_the_same_id_only() {
    assert_eq!(claimed("a-1"), claimed("a-1"));
    assert_ne!(claimed("a-1"), claimed("a-10"));
}
