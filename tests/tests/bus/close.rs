//! Members and readers that end at any moment.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Consumer, Start};

use crate::support::{Log, TOPIC, complete, next, produce_keyed, within};

/// Groups at the same time, and readers beside them.
const GROUPS: u64 = 16;
const READERS: u32 = 25;
/// A client that is never answered takes longer.
const CLOSE: Duration = Duration::from_secs(20);

/// Moments that differ, and are the same in every run.
struct Moments(u64);

impl Moments {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }

    async fn pass(&mut self, limit_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.below(limit_ms))).await;
    }
}

/// The client would abort the process, and with it all tests.
pub(crate) async fn closing_at_any_moment_never_ends_the_process(log: &Log) {
    let setup = log.with_topic(12, |_| {}).await;
    produce_keyed(&setup, 0..500, |n| n.to_string()).await;
    let open = |_| {
        log.open(|settings| {
            settings.consumer.max_in_flight_records = 5;
            // The client is not asked for anything while records are held.
            settings.consumer.pause_after_ms = 60_000;
            settings.consumer.revoke_drain_ms = 50;
        })
    };
    let buses: Arc<[Bus]> = (0..3).map(open).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for group in 0..GROUPS {
        let buses = buses.clone();
        tasks.spawn(async move {
            let mut moments = Moments(group);
            while_joining(&buses[0], &format!("alone-{group}"), &mut moments).await;
            while_rebalancing(&buses, &format!("group-{group}"), &mut moments).await;
        });
    }
    tasks.spawn(async move {
        let mut moments = Moments(GROUPS);
        for _ in 0..READERS {
            let mut reader = setup.reader(&[TOPIC.to_owned()], Start::Beginning).await.unwrap();
            for _ in 0..moments.below(3) {
                within("a record", reader.next()).await.unwrap();
            }
            moments.pass(30).await;
        }
    });
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

fn member(bus: &Bus, group: &str) -> Consumer {
    bus.consumer(group, &[TOPIC.to_owned()]).unwrap()
}

async fn close(consumer: Consumer) {
    consumer.close(CLOSE).await.unwrap();
}

/// While partitions are being given to the only member.
async fn while_joining(bus: &Bus, group: &str, moments: &mut Moments) {
    for _ in 0..4 {
        let consumer = member(bus, group);
        moments.pass(150).await;
        close(consumer).await;
    }
}

/// While partitions go from one member to others: the first holds all that it may have and looks at nothing, so that
/// what it is told waits until it closes.
async fn while_rebalancing(buses: &[Bus], group: &str, moments: &mut Moments) {
    let mut first = member(&buses[0], group);
    let held = next(&mut first).await;
    let (second, third) = (member(&buses[1], group), member(&buses[2], group));
    // It hears of the others with its next heartbeat, every 2 s.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    moments.pass(1500).await;
    let letting_go = async {
        moments.pass(10).await;
        complete(held.records.into_iter().map(|record| record.ack));
    };
    tokio::join!(close(first), letting_go);
    tokio::join!(close(second), close(third));
}
