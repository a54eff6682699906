//! A broker that is away: nothing is acknowledged that is not durable, and nobody has to do anything when it is back.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use service::State;
use weir_tests::kafka::{Kafka, Options};
use weir_tests::ports;

use crate::door::{Operator, within};

/// GitHub is answered within 8 s.
const DEADLINE: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_comes_goes_and_comes_again() {
    let port = ports::free().unwrap();
    let operator = Operator::new(&format!("127.0.0.1:{port}"), "faults");
    let door = operator.start(&[("WEIR__BUS__KAFKA__DELIVERY_TIMEOUT_MS", "3000")]).await;

    // Not there yet: it starts, and says so.
    let answer = door.deliver("hub", "s3cret", b"{}").await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "5"));
    within(Duration::from_secs(10), "the check", || async { door.check("streaming_kafka").0 == State::Failing }).await;
    assert!(!door.running.host.health().is_ready());

    // It comes.
    let options = Options { port, ..Options::default() };
    let mut kafka = tokio::task::spawn_blocking(move || Kafka::start(options)).await.unwrap().unwrap();
    door.ready(Duration::from_secs(60)).await;
    operator.register("hub", "github", &["s3cret"], 0).await;
    let mut acknowledged = HashSet::new();
    for _ in 0..10 {
        acknowledged.insert(door.deliver("hub", "s3cret", b"{}").await.delivery_id());
    }

    // It hangs: connections stay, nothing answers.
    kafka.pause().unwrap();
    let begun = Instant::now();
    let answer = door.deliver("hub", "s3cret", b"{}").await;
    assert_eq!((answer.status, answer.headers["retry-after"].as_str()), (503, "5"));
    assert!(begun.elapsed() < DEADLINE + Duration::from_secs(1), "{:?}", begun.elapsed());
    within(Duration::from_secs(10), "not ready", || async { !door.running.host.health().is_ready() }).await;
    // A name that nobody knows may have been registered by now: nobody says no.
    let begun = Instant::now();
    assert_eq!(door.deliver("nobody", "s3cret", b"{}").await.status, 503);
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    kafka.resume().unwrap();
    door.ready(Duration::from_secs(60)).await;
    acknowledged.insert(door.deliver("hub", "s3cret", b"{}").await.delivery_id());

    // It is killed, and started again.
    kafka.kill().unwrap();
    let begun = Instant::now();
    assert_eq!(door.deliver("hub", "s3cret", b"{}").await.status, 503);
    assert!(begun.elapsed() < DEADLINE + Duration::from_secs(1), "{:?}", begun.elapsed());
    let mut kafka = tokio::task::spawn_blocking(move || kafka.restart().map(|()| kafka)).await.unwrap().unwrap();
    door.ready(Duration::from_secs(60)).await;
    for _ in 0..10 {
        acknowledged.insert(door.deliver("hub", "s3cret", b"{}").await.delivery_id());
    }

    // All that was acknowledged is there; what was not may be.
    let raw: HashSet<_> = operator.deliveries("raw.github").await.into_iter().map(|d| d.delivery_id).collect();
    assert!(acknowledged.is_subset(&raw), "{:?} are lost", acknowledged.difference(&raw));
    assert!(raw.len() <= acknowledged.len() + 2, "{} for {}", raw.len(), acknowledged.len());

    // Told to stop while it is away, the door stops.
    kafka.stop().unwrap();
    let mut door = door;
    let begun = Instant::now();
    door.running.host.shutdown().cancel();
    drop(door.running.ended(Duration::from_secs(40)).await);
    assert!(begun.elapsed() < Duration::from_secs(5), "nothing was under way: {:?}", begun.elapsed());
}
