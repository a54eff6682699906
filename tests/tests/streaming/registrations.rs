//! The door follows the registrations: what is registered is open at once, and what is not known yet is never denied.

use std::time::{Duration, Instant};

use bus::{TopicKind, TopicSpec};
use common::registration::v1::Endpoint;
use service::State;
use tokio::time::{sleep, timeout};
use weir_tests::kafka;

use crate::door::{Operator, standard, within};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn every_replica_accepts_what_was_registered_a_moment_ago() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "registered");
    let replicas = [operator.open(&[]).await, operator.open(&[]).await];
    for number in 0..5 {
        let name = format!("app-{number}");
        for door in &replicas {
            assert_eq!(door.deliver(&name, "one", b"{}").await.status, 404);
        }
        operator.register(&name, "meta", &["one"], 0).await;
        for door in &replicas {
            let begun = Instant::now();
            // The first attempt, and no other: a platform may not make a second.
            assert_eq!(door.deliver(&name, "one", b"{}").await.status, 200);
            assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
        }

        // Rotated: the new secret at once, and the old one no more.
        operator.register(&name, "meta", &["two"], 0).await;
        for door in &replicas {
            let begun = Instant::now();
            assert_eq!(door.deliver(&name, "two", b"{}").await.status, 200);
            assert!(begun.elapsed() < SECOND, "{:?}", begun.elapsed());
            assert_eq!(door.deliver(&name, "one", b"{}").await.status, 401);
        }

        operator.remove(&name).await;
        for door in &replicas {
            within(SECOND, "removed", || async { door.deliver(&name, "two", b"{}").await.status == 404 }).await;
        }
    }
    // A handshake with a token that was sealed.
    operator.register("app", "meta", &["one"], 0).await;
    let query = "/webhooks/app?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=";
    let answer = replicas[0].request("GET", &format!("{query}token"), &[], b"").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "1158201444"));
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(replicas[1].request("GET", &format!("{query}guess"), &[], b"").await.status, 403);

    // A door that starts later knows all of it, and has forgotten what was removed.
    let late = operator.open(&[]).await;
    assert_eq!(late.deliver("app", "one", b"{}").await.status, 200);
    assert_eq!(late.deliver("app-0", "two", b"{}").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn until_the_registrations_are_read_nobody_is_unknown() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "unread");
    // There is a broker, and no topic yet.
    let door = operator.start(&[("WEIR__BUS__CREATE_TOPICS", "false")]).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        for method in ["POST", "GET"] {
            let answer = door.request(method, "/webhooks/app", &[], b"").await;
            assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "5"), "{answer:?}");
        }
        assert!(!door.running.host.health().is_ready());
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(door.check("streaming_registrations").0, State::Unknown, "not ready, and nobody is woken yet");
    assert_eq!(door.check("streaming_topics").0, State::Failing);

    let spec = TopicSpec { name: "registrations".into(), kind: TopicKind::Compacted };
    operator.bus.prepare_topics(&[spec]).await.unwrap();
    let mut statuses = Vec::new();
    let read = async {
        loop {
            let status = door.deliver("app", "s3cret", b"{}").await.status;
            statuses.push(status);
            if status == 404 {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(20), read).await.unwrap();
    assert!(statuses.iter().all(|status| [404, 503].contains(status)), "{statuses:?}");
    within(Duration::from_secs(5), "the check", || async { door.check("streaming_registrations").0 == State::Ok })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_unsealed_is_told_to_the_operator_and_not_to_the_sender() {
    let bootstrap = kafka::shared().unwrap().bootstrap();
    let operator = Operator::new(bootstrap, "sealed");
    let stranger = Operator::new(bootstrap, "stranger");
    let door = operator.open(&[]).await;
    let sealed = stranger.seal("app", "s3cret");
    let key_id = sealed.key_id.clone();
    let endpoint = Endpoint { name: "app".into(), source: "meta".into(), secrets: vec![sealed], ..Endpoint::default() };
    operator.publish("app", endpoint).await;
    operator.register("good", "meta", &["s3cret"], 0).await;

    let answer = door.deliver("app", "s3cret", b"{}").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "not accepted, re-send later\n"));
    assert_eq!(door.deliver("good", "s3cret", b"{}").await.status, 200);
    within(Duration::from_secs(3), "the check", || async { door.check("streaming_endpoints").0 == State::Failing })
        .await;
    assert_eq!(door.check("streaming_endpoints").1, format!("app: needs sealing key {key_id}"));
    assert!(door.running.host.health().is_ready(), "the others are served");
    assert_eq!(operator.records("raw.meta").await.len(), 1);
}

/// Whatever the registrations hold: what cannot verify is told to the operator, and what can be meant is taken.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_can_verify_nothing_fails_the_check() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "useless");
    let door = operator.open(&[]).await;
    operator.register("bare", "standard_webhooks", &["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], 0).await;
    operator.register("marked", "standard_webhooks", &["\u{feff}whsec_-_-_AAE\r\n"], 0).await;
    operator.register("line", "github", &["s3cret\n"], 0).await;
    let bare = standard("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "m1", b"{}");
    let marked = standard("whsec_+/+/AAE=", "m1", b"{}");
    assert_eq!(door.post("bare", &bare, b"{}").await.status, 200);
    assert_eq!(door.post("marked", &marked, b"{}").await.status, 200);
    assert_eq!(door.deliver("line", "s3cret", b"{}").await.status, 200);
    assert_eq!(door.deliver("line", "s3cret\n", b"{}").await.status, 200);
    within(SECOND * 3, "the check", || async { door.check("streaming_endpoints").0 == State::Ok }).await;

    operator.register("shop", "standard_webhooks", &["whsec_!!!"], 0).await;
    assert_eq!(door.post("shop", &bare, b"{}").await.status, 503);
    within(SECOND * 3, "the check", || async { door.check("streaming_endpoints").0 == State::Failing }).await;
    let message = door.check("streaming_endpoints").1;
    assert!(message.starts_with("shop: a secret has no Base64 after its whsec_"), "{message}");
    operator.register("shop", "standard_webhooks", &["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"], 0).await;
    assert_eq!(door.post("shop", &bare, b"{}").await.status, 200);
    within(SECOND * 3, "the check", || async { door.check("streaming_endpoints").0 == State::Ok }).await;
}
