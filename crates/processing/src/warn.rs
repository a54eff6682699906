//! Tells the door which endpoints to hold back.
//!
//! What is told holds for a while and then ends by itself: an instance that is gone, or a storm that is over, needs
//! nobody to say so. Several instances tell what each sees of an endpoint, and the latest end counts.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bus::{Headers, Record};
use common::deadletter::v1::EndpointStorm;
use common::topics::STORMS;
use tokio_util::sync::CancellationToken;

use crate::pipeline::Shared;
use crate::storm::Noisy;

/// What was told of each endpoint: when its last refusal was.
#[derive(Debug, Default)]
pub(crate) struct Warnings {
    told: HashMap<String, Duration>,
}

impl Warnings {
    /// Those of which there is something new to be told. Where nothing more is refused there is nothing, and the door
    /// opens by itself.
    fn news(&mut self, noisy: Vec<Noisy>) -> Vec<Noisy> {
        self.told.retain(|endpoint, _| noisy.iter().any(|noisy| noisy.endpoint == *endpoint));
        let is_new = |noisy: &Noisy| self.told.insert(noisy.endpoint.clone(), noisy.last) != Some(noisy.last);
        noisy.into_iter().filter(is_new).collect()
    }
}

/// Looks again and again, until it is cancelled. `hold`: for how long after the last refusal.
pub(crate) async fn run(shared: Arc<Shared>, every: Duration, hold: Duration, ends: CancellationToken) {
    if hold.is_zero() {
        return;
    }
    let mut warnings = Warnings::default();
    while ends.run_until_cancelled(tokio::time::sleep(every)).await.is_some() {
        let now = shared.started.elapsed();
        // Where the stage has stopped the mistake is ours, and no sender's.
        if shared.outbox.stop.is_cancelled() {
            continue;
        }
        let noisy = shared.storm.lock().unwrap_or_else(PoisonError::into_inner).noisy(now);
        for Noisy { endpoint, ratio, last } in warnings.news(noisy) {
            let seen_at = service::clock::now();
            let until = seen_at + hold.saturating_sub(now.saturating_sub(last));
            tracing::warn!(
                endpoint,
                ratio,
                "most deliveries of an endpoint cannot be read: the door holds the endpoint back"
            );
            let storm = EndpointStorm {
                endpoint: endpoint.clone(),
                ratio,
                seen_at: Some(seen_at.into()),
                until: Some(until.into()),
            };
            let headers = Headers { source: "weir/processing".to_owned(), ..Headers::default() };
            // Without it the door takes what it can: the letters are kept, and the next one comes soon.
            match shared.outbox.producer.try_send(Record::new(&STORMS, endpoint, &storm, headers)) {
                Ok(receipt) => {
                    if let Some(Err(error)) = ends.run_until_cancelled(receipt).await {
                        tracing::warn!(%error, "reporting an endpoint's storm to the door failed");
                    }
                }
                Err(error) => tracing::warn!(%error, "reporting an endpoint's storm to the door failed"),
            }
        }
    }
}

#[cfg(test)]
#[path = "warn_tests.rs"]
mod tests;
