//! What is accepted is on the log, byte for byte, before the sender is thanked.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use common::raw::v1::Delivery;
use tokio::task::JoinSet;
use weir_tests::kafka;

use crate::door::{Operator, answer, head, hub, standard, within};

const STANDARD_SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_is_on_the_log() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "accepts");
    let door = operator.open(&[]).await;
    operator.register("hub", "github", &["old", "s3cret"], 0).await;
    operator.register("app", "meta", &["s3cret"], 0).await;
    operator.register("any", "standard_webhooks", &[STANDARD_SECRET], 0).await;

    let large = [b"{\"a\":\"".as_slice(), &vec![b'x'; 3 << 20], b"\"}"].concat();
    // The sender is known: whatever it sends is taken as it is, and judged later.
    let bodies: [&[u8]; 7] = [
        br#"{"object":"page","entry":[{"id":"41","time":1,"changes":[]}]}"#,
        br#"{ "repository": {"id": 42} }"#,
        b"not json",
        b"\xff\xfe\x00",
        b"",
        "{\"text\":\"\u{1f30a}\"}".as_bytes(),
        &large,
    ];
    let mut sent: HashMap<String, (&str, Vec<u8>)> = HashMap::new();
    for body in bodies {
        let event = ("x-github-event", "push".to_owned());
        let answer = door.post("hub", &[hub("s3cret", body), event, ("cookie", "private".into())], body).await;
        sent.insert(answer.delivery_id(), ("hub", body.to_vec()));
        let answer = door.deliver("app", "s3cret", body).await;
        assert_eq!(answer.headers["content-type"], "application/json");
        sent.insert(answer.delivery_id(), ("app", body.to_vec()));
        if body.len() < 1 << 20 {
            let answer = door.post("any", &standard(STANDARD_SECRET, "msg_1", body), body).await;
            sent.insert(answer.delivery_id(), ("any", body.to_vec()));
        }
    }
    assert_eq!(sent.len(), 20, "every delivery has an id of its own");

    let now = service::clock::timestamp().seconds;
    let mut found = 0;
    for (topic, endpoint) in [("raw.github", "hub"), ("raw.meta", "app"), ("raw.standard_webhooks", "any")] {
        for record in operator.records(topic).await {
            let delivery: Delivery = record.decode().unwrap();
            let (to, body) = &sent[&delivery.delivery_id];
            assert_eq!((*to, endpoint), (endpoint, delivery.endpoint.as_str()));
            assert_eq!(delivery.body, body.as_slice(), "{topic}");
            assert_eq!((delivery.tenant.as_str(), format!("raw.{}", delivery.source).as_str()), ("acme", topic));
            assert!(!delivery.scheme.is_empty());
            assert!((now - 60..=now).contains(&delivery.received_at.unwrap().seconds));
            let names: HashSet<_> = delivery.headers.iter().map(|header| header.name.as_str()).collect();
            assert!(!names.contains("cookie"), "{names:?}");
            if endpoint == "hub" {
                assert!(delivery.headers.iter().any(|h| (&*h.name, &*h.value) == ("x-github-event", "push")));
            }

            let headers = &record.headers;
            assert_eq!(headers.id, delivery.delivery_id);
            assert_eq!(headers.source, format!("weir/streaming/{endpoint}"));
            assert_eq!(headers.r#type, "weir.raw.v1.Delivery");
            assert_eq!((&headers.time, &headers.from), (&None, &None));
            let source = sources::by_name(&delivery.source).unwrap();
            let key = source.ordering_key(&http_headers(&delivery), body).unwrap_or(delivery.delivery_id.clone());
            assert_eq!(record.key.as_deref(), Some(key.as_bytes()));
            found += 1;
        }
        assert!(operator.records(&format!("{topic}.bulk")).await.is_empty());
    }
    assert_eq!(found, sent.len());
}

/// The kept headers, as the source reads them.
fn http_headers(delivery: &Delivery) -> http::HeaderMap {
    let pair = |h: &common::raw::v1::Header| (h.name.parse().unwrap(), h.value.parse().unwrap());
    delivery.headers.iter().map(pair).collect::<Vec<(http::HeaderName, http::HeaderValue)>>().into_iter().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_are_all_there_once() {
    let operator = Arc::new(Operator::new(kafka::shared().unwrap().bootstrap(), "many"));
    let door = Arc::new(operator.open(&[]).await);
    operator.register("app", "meta", &["s3cret"], 0).await;
    let mut senders = JoinSet::new();
    for sender in 0..16 {
        let door = Arc::clone(&door);
        senders.spawn(async move {
            let mut ids = Vec::new();
            for number in 0..25 {
                let body = format!(r#"{{"object":"page","entry":[{{"id":"{sender}","time":{number}}}]}}"#);
                ids.push((door.deliver("app", "s3cret", body.as_bytes()).await.delivery_id(), body));
            }
            ids
        });
    }
    let acknowledged: HashMap<_, _> = senders.join_all().await.into_iter().flatten().collect();
    let raw = operator.deliveries("raw.meta").await;
    assert_eq!((acknowledged.len(), raw.len()), (400, 400));
    for delivery in raw {
        assert_eq!(delivery.body, acknowledged[&delivery.delivery_id].as_bytes());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_it_depends_on_the_platform() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "limit");
    let door = operator.open(&[]).await;
    operator.register("hub", "github", &["s3cret"], 1).await;
    operator.register("app", "meta", &["s3cret"], 1).await;
    operator.register("free", "meta", &["s3cret"], 0).await;

    // Strangers cannot use it up.
    for _ in 0..10 {
        assert_eq!(door.deliver("hub", "wrong", b"{}").await.status, 401);
    }
    // Meta sends again, and is asked to.
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let answer = door.deliver("app", "s3cret", b"{}").await;
        assert_eq!(answer.headers.contains_key("retry-after"), answer.status == 429);
        statuses.push(answer.status);
        // Another endpoint does not feel it.
        assert_eq!(door.deliver("free", "s3cret", b"{}").await.status, 200);
    }
    assert_eq!(statuses[0], 200);
    assert!(statuses.contains(&429), "{statuses:?}");
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");

    // GitHub never does: nothing of it is refused.
    let mut ids = HashSet::new();
    for _ in 0..10 {
        ids.insert(door.deliver("hub", "s3cret", b"{}").await.delivery_id());
    }
    let prompt = operator.deliveries("raw.github").await;
    let bulk = operator.deliveries("raw.github.bulk").await;
    assert!(!prompt.is_empty() && !bulk.is_empty(), "{} and {}", prompt.len(), bulk.len());
    let found: HashSet<_> = prompt.into_iter().chain(bulk).map(|delivery| delivery.delivery_id).collect();
    assert_eq!(found, ids);
    let accepted = statuses.iter().filter(|status| **status == 200).count();
    let of_app = operator.deliveries("raw.meta").await.iter().filter(|delivery| delivery.endpoint == "app").count();
    assert_eq!(of_app, accepted, "what was refused is not there");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_under_way_at_the_shutdown_is_answered() {
    use tokio::io::AsyncWriteExt as _;
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "shutdown");
    let mut door = operator.open(&[("WEIR__STREAMING__STOP_DELAY_MS", "200")]).await;
    operator.register("hub", "github", &["s3cret"], 0).await;
    assert_eq!(door.deliver("hub", "s3cret", b"{}").await.status, 200);

    let mut slow = door.connect().await;
    slow.write_all(&head("POST", "/webhooks/hub", &[hub("s3cret", b"{\"a\":1}")], 7)).await.unwrap();
    slow.write_all(b"{\"a\"").await.unwrap();
    // It is under way when it waits for its body; the door says so nowhere, so it is given a moment.
    tokio::time::sleep(Duration::from_millis(100)).await;
    door.running.host.shutdown().cancel();
    assert!(!door.running.host.health().is_ready());
    // Still open, for those who have not heard of it.
    assert_eq!(door.deliver("hub", "s3cret", b"{}").await.status, 200);
    let address = door.address;
    within(Duration::from_secs(2), "the port is closed", || async move {
        tokio::net::TcpStream::connect(address).await.is_err()
    })
    .await;
    slow.write_all(b":1}").await.unwrap();
    assert_eq!(answer(&mut slow).await.status, 200);
    let ended = door.running.ended(Duration::from_secs(10)).await;
    assert!(ended.is_ok(), "{ended:?}");
    assert_eq!(operator.deliveries("raw.github").await.len(), 3);
}
