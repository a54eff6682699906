//! A client that is in its group, and is given nothing.

use std::time::Duration;

use bus::Consumer;
use weir_tests::kafka::{Kafka, Options};
use weir_tests::ports;
use weir_tests::proxy::{Mode, Proxy};

use crate::support::{Log, TOPIC, complete, consumer, number, produce, take, until};

/// Before the client itself finds out that its connection is silent.
const SOON: Duration = Duration::from_secs(120);

/// A member whose request for records is not answered, with as many records as are to come. `given`: how many were before.
async fn silenced(log: &Log, proxy: &Proxy, given: u32) -> (Consumer, Vec<u32>) {
    let itself = [("socket.timeout.ms".to_owned(), "300000".to_owned())];
    let bus = log.with_topic(1, |settings| settings.kafka.properties.extend(itself)).await;
    // A request for records names its topic by this, and no other request does.
    let silence = Mode::SilenceWith(hex::decode(&*bus.topic_identity(TOPIC).await.unwrap()).unwrap());
    produce(&bus, 0..given).await;
    if given == 0 {
        proxy.set(silence.clone());
    }
    let mut consumer = consumer(&bus);
    if given > 0 {
        complete(take(&mut consumer, given as usize).await.into_iter().map(|record| record.ack));
        until("the end", || async { consumer.state().total_lag() == Some(0) }).await;
        proxy.set(silence);
    }
    until("a request", || async { proxy.mode() == Mode::Pass }).await;
    produce(&bus, given..4).await;
    (consumer, (given..4).collect())
}

async fn is_found_and_replaced((mut consumer, missing): (Consumer, Vec<u32>)) {
    // Its client believes that it has read all there is.
    until("the lag", || async { consumer.state().total_lag() == Some(missing.len() as i64) }).await;
    let problem = tokio::time::timeout(SOON, consumer.next()).await.expect("it was not found").unwrap_err();
    let wanted = format!("has record {}, and it was not fetched for ", missing[0]);
    assert!(problem.to_string().contains(&wanted), "{problem}");
    let records = take(&mut consumer, missing.len()).await;
    assert_eq!(records.iter().map(number).collect::<Vec<_>>(), missing);
}

/// The first that a client asks for, and what it asks for later.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_member_whose_requests_are_not_answered_is_found_and_replaced() {
    let (port, proxied) = (ports::free().unwrap(), ports::free().unwrap());
    let proxy = Proxy::start(proxied, port).await.unwrap();
    let properties = vec![("advertised.listeners".to_owned(), format!("PLAINTEXT://127.0.0.1:{proxied}"))];
    let options = Options { port, properties, ..Options::default() };
    let _kafka = tokio::task::block_in_place(|| Kafka::start(options)).expect("kafka");
    let log = |prefix: &str| Log::at(&format!("127.0.0.1:{proxied}"), prefix);
    let first = silenced(&log("first."), &proxy, 0).await;
    let later = silenced(&log("later."), &proxy, 1).await;
    tokio::join!(is_found_and_replaced(first), is_found_and_replaced(later));
}
