//! What goes in comes out: typed, in order, each with its own tenant, and counted.

use std::collections::BTreeMap;

use common::activity::v1::{Activity, Verb};
use common::event::v1::Other;
use common::facebook::v1::Comment;
use common::github::v1::WorkflowRun;
use weir_tests::balance::Balance;

use crate::stage::{Place, RECEIVED, account, endpoint};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deliveries_become_events_and_activities() {
    let place = Place::new("events");
    let stage = place.start_ready().await;
    let mut registrations = stage.registrations().await;
    registrations.register(endpoint(&place.name, "meta", "s")).await.unwrap();
    registrations.register(account(&place.name, "7", "seven")).await.unwrap();
    // The stage follows the topic on its own.
    stage
        .until("both are followed", |stage| stage.check("processing_registrations").1 == "1 endpoints and 1 accounts")
        .await;

    let seven = Place::page("7", &[Place::change("7_1_1", "hello"), Place::change("7_1_2", "again")]);
    let eight = Place::page("8", &[Place::change("8_1_1", "other tenant")]);
    let both = format!(
        r#"{{"object":"page","entry":[{},{}]}}"#,
        &seven[r#"{"object":"page","entry":["#.len()..seven.len() - 2],
        &eight[r#"{"object":"page","entry":["#.len()..eight.len() - 2]
    );
    let mut delivery = place.delivery("meta", both, &[]);
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    delivery.scheme = "hub-sha256".into();
    let at = place.put_traced("raw.meta", delivery, trace).await;

    let comments = place.read_exactly("events.facebook.comment", 3).await;
    let by_text: BTreeMap<String, (Comment, _)> = comments
        .into_iter()
        .map(|stored| {
            let comment: Comment = stored.decode().unwrap();
            (comment.message.clone().unwrap(), (comment, stored))
        })
        .collect();
    for (index, (text, tenant)) in [("hello", "seven"), ("again", "seven"), ("other tenant", "acme")].iter().enumerate()
    {
        let (comment, stored) = &by_text[*text];
        let context = comment.context.as_ref().unwrap();
        assert_eq!((context.tenant.as_str(), context.endpoint.as_str()), (*tenant, place.name.as_str()));
        assert_eq!((context.index as usize, context.received_at), (index, Some(RECEIVED)));
        let headers = &stored.headers;
        assert_eq!(headers.id, context.event_id);
        assert_eq!(headers.source, format!("weir/processing/{}", place.name));
        assert_eq!(headers.r#type, "weir.facebook.v1.Comment");
        assert_eq!(headers.time, context.occurred_at);
        assert_eq!(headers.from.as_ref(), Some(&at));
        let traceparent = headers.traceparent.as_deref().unwrap_or_default();
        assert!(traceparent.starts_with(&trace[..35]), "{traceparent} is not of the trace {trace}");
        assert!(stored.key.as_ref().is_some_and(|key| !key.is_empty()));
    }
    let activities = place.read_exactly("activities", 3).await;
    for stored in activities {
        let activity: Activity = stored.decode().unwrap();
        let (comment, of_event) = &by_text[activity.text.as_deref().unwrap()];
        let event_id = &comment.context.as_ref().unwrap().event_id;
        assert_eq!(activity.id, format!("{event_id}-0"));
        assert_eq!((&stored.headers.id, &stored.headers.time), (&activity.id, &of_event.headers.time));
        assert_eq!((stored.key.as_ref(), stored.headers.from.as_ref()), (of_event.key.as_ref(), Some(&at)));
        assert_eq!(activity.event_type, "weir.facebook.v1.Comment");
    }
    assert_eq!(stage.balance().await, Balance::new(3, 3, 0, []));
    for (what, count) in [("taken_in", 3), ("sent_on", 3), ("dead_lettered", 0), ("dropped", 0)] {
        let labels = [("stage", "processing"), ("endpoint", place.name.as_str()), ("what", what)];
        assert_eq!(stage.metric("weir_endpoint_items_total", &labels).await, count, "{what}");
    }
    // Other tests count in the same recorder.
    let processing = ("stage", "processing");
    assert!(stage.metric("weir_records_in_total", &[processing]).await >= 3);
    for kind in ["event", "activity"] {
        assert!(stage.metric("weir_records_out_total", &[processing, ("kind", kind)]).await >= 3, "{kind}");
    }
    assert!(place.dead_letters(0).await.is_empty());
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn order_is_kept_within_a_key_and_in_both_lanes() {
    let place = Place::new("order");
    let stage = place.start_ready().await;
    // Large and small bodies, so that some take longer to parse than those behind them.
    let body = |n: usize| {
        let run = format!(
            r#"{{"action":"completed","workflow_run":{{"id":{n},"name":"{}","status":"completed"}},"repository":{{"id":5,"full_name":"a/b"}}}}"#,
            "x".repeat(if n.is_multiple_of(7) { 50_000 } else { 1 })
        );
        let guid = format!("{}-{n}", place.name);
        place.delivery("github", run, &[("x-github-event", "workflow_run"), ("x-github-delivery", &guid)])
    };
    place.put_deliveries("raw.github", (0..300).map(body)).await;
    place.put_deliveries("raw.github.bulk", (300..400).map(body)).await;
    let found = place.read_exactly("events.github.workflow_run", 400).await;
    let mut direct = Vec::new();
    let mut bulk = Vec::new();
    for stored in found {
        let run: WorkflowRun = stored.decode().unwrap();
        let number = run.workflow_run.unwrap().id.unwrap();
        // The order of one raw partition is the order of what came of it.
        let from = stored.headers.from.unwrap();
        let lane = if from.topic.ends_with(".bulk") { &mut bulk } else { &mut direct };
        lane.push((stored.key.unwrap(), from.partition, from.offset, number));
    }
    assert_eq!((direct.len(), bulk.len()), (300, 100));
    for lane in [direct, bulk] {
        let mut last: BTreeMap<_, i64> = BTreeMap::new();
        for (key, partition, offset, number) in lane {
            let before = last.insert((key, partition), offset);
            assert!(before.is_none_or(|before| before < offset), "{number} came out of order");
        }
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_known_is_kept_whole() {
    let place = Place::new("other");
    let stage = place.start_ready().await;
    let body = r#"{"zen":"unheard of","repository":{"id":1}}"#;
    let headers = [("x-github-event", "brand_new_thing"), ("x-github-delivery", "g-1")];
    place.put_deliveries("raw.github", [place.delivery("github", body, &headers)]).await;
    let found = place.read_exactly("events.github.other", 1).await;
    let other: Other = found[0].decode().unwrap();
    assert_eq!((other.kind.as_str(), other.json.as_str()), ("brand_new_thing", body));
    let activities = place.read_exactly("activities", 1).await;
    let activity: Activity = activities[0].decode().unwrap();
    assert_eq!((activity.verb(), activity.action.as_str()), (Verb::Other, "brand_new_thing"));
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_only_the_sources_it_is_told_to() {
    let mut place = Place::new("one-source");
    place.settings.processing.sources = vec!["github".into()];
    place.make_raw_topics().await;
    let stage = place.start_ready().await;
    let headers = [("x-github-event", "ping"), ("x-github-delivery", "g-2")];
    place.put_deliveries("raw.meta", [place.delivery("meta", Place::page("7", &[Place::change("1", "x")]), &[])]).await;
    place.put_deliveries("raw.github", [place.delivery("github", r#"{"zen":"z"}"#, &headers)]).await;
    stage.until("the ping is done", |stage| stage.check("processing_progress").1.starts_with("direct: 0")).await;
    stage.until("the ping is sent on", |stage| stage.counted().sent_on > 0).await;
    let topics = place.bus.topics().await.unwrap();
    assert!(!topics.iter().any(|topic| topic.starts_with("events.facebook")), "{topics:?}");
    stage.stop().await;
}
