//! A client that is in its group, and is given nothing.

use std::time::{Duration, Instant};

use weir_tests::kafka::{Kafka, Options};
use weir_tests::ports;
use weir_tests::proxy::{Mode, Proxy};

use crate::support::{Log, TOPIC, consumer, number, produce, take, until};

/// Before the client itself finds out that its connection is silent.
const SOON: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_requests_are_not_answered_is_found_and_replaced() {
    let (port, proxied) = (ports::free().unwrap(), ports::free().unwrap());
    let proxy = Proxy::start(proxied, port).await.unwrap();
    let properties = vec![("advertised.listeners".to_owned(), format!("PLAINTEXT://127.0.0.1:{proxied}"))];
    let options = Options { port, properties, ..Options::default() };
    let _kafka = tokio::task::block_in_place(|| Kafka::start(options)).expect("kafka");
    let log = Log::at(&format!("127.0.0.1:{proxied}"), "silent.");
    let itself = [("socket.timeout.ms".to_owned(), "300000".to_owned())];
    let bus = log.with_topic(1, |settings| settings.kafka.properties.extend(itself)).await;
    let mut consumer = consumer(&bus);
    produce(&bus, 0..1).await;
    take(&mut consumer, 1).await.remove(0).ack.complete();
    until("the end", || async { consumer.state().total_lag() == 0 }).await;

    // A request for records names its topic by this, and no other request does.
    let id = hex::decode(&*bus.topic_identity(TOPIC).await.unwrap()).unwrap();
    proxy.set(Mode::SilenceWith(id));
    until("a request", || async { proxy.mode() == Mode::Pass }).await;
    let began = Instant::now();
    produce(&bus, 1..4).await;
    // Its client believes that it has read all there is.
    until("the lag", || async { consumer.state().total_lag() == 3 }).await;
    let problem = tokio::time::timeout(SOON, consumer.next()).await.expect("it was not found").unwrap_err();
    assert!(problem.to_string().contains("has record 1, and it was not fetched for "), "{problem}");
    let records = take(&mut consumer, 3).await;
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), [1, 2, 3]);
    assert!(began.elapsed() < SOON, "{:?}", began.elapsed());
}
