//! Sends canaries the way of deliveries: one into each partition of each raw topic whose source has an open endpoint.
//!
//! One begins where a verified delivery is: what would refuse that one refuses it too. It is in no count.

use std::sync::Arc;
use std::time::Duration;

use bus::{Bus, Canary, Record};
use common::raw::v1::Delivery;
use common::topics::{Topic, raw};
use service::clock;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use crate::answer::Refusal;
use crate::door::Door;

/// The door gives a sender up as late as this.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// By source: a key that leads to each partition of its raw topic.
type Ways = Vec<(&'static str, Vec<String>)>;

/// Sends some every `every`, until it is dropped.
pub(crate) async fn run(door: Arc<Door>, bus: Bus, every: Duration) {
    let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ways = Ways::new();
    loop {
        ticks.tick().await;
        look(&door, &bus, &mut ways).await;
        let mut sending = JoinSet::new();
        for (source, keys) in &ways {
            for (partition, key) in keys.iter().enumerate() {
                let (door, key) = (Arc::clone(&door), key.clone());
                let topic = raw(source);
                let canary = Canary::new(topic.name(), partition, clock::now());
                sending.spawn(async move {
                    let way = Arc::clone(&canary.way);
                    if let Err(refusal) = send(&door, &topic, key, canary).await {
                        // Health says since when none has passed.
                        tracing::debug!(%way, reason = refusal.reason(), "canary refused");
                    }
                });
            }
        }
        while sending.join_next().await.is_some() {}
    }
}

/// Looks which ways there are now. What was known of a topic holds while the log does not answer.
async fn look(door: &Door, bus: &Bus, ways: &mut Ways) {
    let mut found = Ways::new();
    for source in door.endpoints.sources() {
        let topic = raw(source);
        let before = || ways.iter().find(|(known, _)| *known == source).map(|(_, keys)| keys.clone());
        let keys = match bus.keys(topic.name()).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::debug!(topic = topic.name(), %error, "the partitions of a topic are not known");
                // One way at least, so that it is told that nothing goes there.
                before().unwrap_or_else(|| vec![String::new()])
            }
        };
        found.push((source, keys));
    }
    *ways = found;
    let now = clock::now();
    let told = ways.iter().flat_map(|(source, keys)| {
        let topic = raw(source);
        (0..keys.len()).map(move |partition| Canary::new(topic.name(), partition, now).way)
    });
    door.counts.canaries_go(&told.collect::<Vec<_>>());
}

async fn send(door: &Door, topic: &Topic<Delivery>, key: String, canary: Canary) -> Result<(), Refusal> {
    if !door.registrations.is_read() {
        return Err(Refusal::RegistrationsUnread);
    }
    let (way, sent_at) = (Arc::clone(&canary.way), canary.sent_at());
    let receipt = door.producer.try_send(Record::canary(topic, key, canary)).map_err(|error| match error {
        bus::Error::Full => Refusal::ProducerFull,
        _ => Refusal::NotAcknowledged,
    })?;
    let acknowledged = timeout(ANSWER_WITHIN, receipt).await;
    if !acknowledged.is_ok_and(|receipt| receipt.is_ok()) {
        return Err(Refusal::NotAcknowledged);
    }
    door.counts.canary(&way, sent_at);
    Ok(())
}

#[cfg(test)]
#[path = "canary_tests.rs"]
mod tests;
