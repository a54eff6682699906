//! Real deliveries, as platforms sent them, through the real door: each is acknowledged, and every leaf value of every one
//! is in the typed events that came out of it.
//!
//! They are not part of the project: `WEIR_TEST_DATA` names the folder that holds `meta_webhooks` and `github_webhooks`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

#[path = "../../crates/sources/tests/leaves/mod.rs"]
mod leaves;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use bus::{Start, Stored};
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use http_body_util::BodyExt as _;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use prost::Message as _;
use serde_json::Value;
use sources::ParsedEvent;
use weir_tests::installation::{DOOR, Installation};
use weir_tests::{github, real};

const SECRET: &str = "the secret of all of them";
const WITHIN: Duration = Duration::from_secs(60);

/// What every typed event begins with.
#[derive(Clone, PartialEq, prost::Message)]
struct FirstField {
    #[prost(message, optional, tag = "1")]
    context: Option<common::event::v1::Context>,
}

#[tokio::test(flavor = "multi_thread")]
async fn every_leaf_of_every_delivery_comes_out() {
    let deliveries = real::all();
    if deliveries.is_empty() {
        return;
    }
    let installation = Installation::on_kafka("real").unwrap();
    let processing = installation.launch("processing").unwrap().start().unwrap();
    let streaming = installation.launch("streaming").unwrap().start().unwrap();
    processing.ready(WITHIN).unwrap();
    streaming.ready(WITHIN).unwrap();
    register(processing.grpc()).await;

    let door = format!("http://{}", streaming.address(DOOR));
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut sent = HashMap::new();
    for real in &deliveries {
        let answer = client.request(real.to(&door, SECRET)).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", real.name);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let accepted: Value = serde_json::from_slice(&body).unwrap();
        sent.insert(accepted["delivery_id"].as_str().unwrap().to_owned(), real);
    }

    let events = events(&installation, sent.len()).await;
    let mut lost = Vec::new();
    let mut by_topic = BTreeMap::<String, usize>::new();
    for (id, real) in &sent {
        let body: Value = serde_json::from_slice(&real.body).unwrap();
        let came_out = events.get(id).map_or(&[][..], Vec::as_slice);
        for event in came_out {
            *by_topic.entry(event.topic.to_string()).or_default() += 1;
        }
        for leaf in leaves::missing(&body, came_out) {
            lost.push(format!("{}: {leaf:?}", real.name));
        }
    }
    println!("{} deliveries: {by_topic:#?}", sent.len());
    assert_eq!(lost, [""; 0], "leaf values that are in no event");
}

async fn register(grpc: &str) {
    let mut registrar =
        RegistrationServiceClient::new(weir_tests::connect::grpc(&format!("http://{grpc}")).await.unwrap());
    for name in ["meta", "github"] {
        registrar.register(github::registration(name, name, "real", SECRET)).await.unwrap();
    }
}

/// The typed events by delivery, when every delivery has some. Fails on a dead letter: none of the deliveries is broken.
async fn events(installation: &Installation, deliveries: usize) -> HashMap<String, Vec<ParsedEvent>> {
    let (bus, prefix) = (installation.bus().unwrap(), installation.prefix());
    let mut topics = bus.topics().await.unwrap();
    topics.retain(|topic| topic.starts_with("events.") || topic == "dead-letters");
    let mut reader = bus.reader(&topics, Start::Beginning).await.unwrap();
    let mut events = HashMap::<String, Vec<ParsedEvent>>::new();
    let began = Instant::now();
    while events.len() < deliveries {
        let next = tokio::time::timeout(WITHIN, reader.next()).await;
        let stored =
            next.unwrap_or_else(|_| panic!("events of {} of {deliveries} deliveries came out", events.len())).unwrap();
        let (delivery, event) = event_of(stored, prefix);
        events.entry(delivery).or_default().push(event);
    }
    // The last delivery's other events are behind its first.
    while let Some(stored) = reader.next_until_end().await.unwrap() {
        let (delivery, event) = event_of(stored, prefix);
        events.entry(delivery).or_default().push(event);
    }
    println!("read in {:?}", began.elapsed());
    events
}

/// The event of a record, as far as its leaves are concerned, and the delivery it came in.
fn event_of(stored: Stored, prefix: &str) -> (String, ParsedEvent) {
    let payload = stored.payload.unwrap();
    let topic = stored.coordinates.topic.strip_prefix(prefix).unwrap().to_owned();
    assert_ne!(topic, "dead-letters", "{:?}", common::deadletter::v1::DeadLetter::decode(payload));
    let context = FirstField::decode(payload.clone()).unwrap().context.unwrap();
    let event = ParsedEvent {
        id: common::identity::Id([0; 16]),
        index: context.index,
        topic: topic.into(),
        ce_type: stored.headers.r#type,
        platform: "",
        tenant: context.tenant,
        account_id: context.account_id,
        subject: String::new(),
        occurred_at: context.occurred_at,
        payload: payload.to_vec(),
        activities: Vec::new(),
    };
    (context.delivery_id, event)
}
