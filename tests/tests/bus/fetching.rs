//! A client that is in its group, and is given nothing.

use std::time::Duration;

use weir_tests::kafka::{Kafka, Options};
use weir_tests::ports;
use weir_tests::proxy::{Mode, Proxy};

use crate::support::{Log, TOPIC, consumer, number, produce, take, until};

/// Before the client itself finds out that its connection is silent.
const SOON: Duration = Duration::from_secs(120);

/// `first`: the client has not fetched anything yet.
async fn is_found_and_replaced(first: bool) {
    let (port, proxied) = (ports::free().unwrap(), ports::free().unwrap());
    let proxy = Proxy::start(proxied, port).await.unwrap();
    let properties = vec![("advertised.listeners".to_owned(), format!("PLAINTEXT://127.0.0.1:{proxied}"))];
    let options = Options { port, properties, ..Options::default() };
    let _kafka = tokio::task::block_in_place(|| Kafka::start(options)).expect("kafka");
    let log = Log::at(&format!("127.0.0.1:{proxied}"), "silent.");
    let itself = [("socket.timeout.ms".to_owned(), "300000".to_owned())];
    let bus = log.with_topic(1, |settings| settings.kafka.properties.extend(itself)).await;
    // A request for records names its topic by this, and no other request does.
    let id = hex::decode(&*bus.topic_identity(TOPIC).await.unwrap()).unwrap();
    let before = u32::from(!first);
    produce(&bus, 0..before).await;
    if first {
        proxy.set(Mode::SilenceWith(id.clone()));
    }
    let mut consumer = consumer(&bus);
    if !first {
        take(&mut consumer, 1).await.remove(0).ack.complete();
        until("the end", || async { consumer.state().total_lag() == 0 }).await;
        proxy.set(Mode::SilenceWith(id));
    }
    until("a request", || async { proxy.mode() == Mode::Pass }).await;
    produce(&bus, before..4).await;
    // Its client believes that it has read all there is.
    let lag = i64::from(4 - before);
    until("the lag", || async { consumer.state().total_lag() == lag }).await;
    let problem = tokio::time::timeout(SOON, consumer.next()).await.expect("it was not found").unwrap_err();
    let wanted = format!("has record {before}, and it was not fetched for ");
    assert!(problem.to_string().contains(&wanted), "{problem}");
    let records = take(&mut consumer, usize::try_from(lag).unwrap()).await;
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), (before..4).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_requests_are_not_answered_any_more_is_found_and_replaced() {
    is_found_and_replaced(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_first_request_is_not_answered_is_found_and_replaced() {
    is_found_and_replaced(true).await;
}
