//! Which endpoints are held back, because what they deliver cannot be read. Processing says so on a topic; nothing of
//! it is needed to be open: without the topic nobody is held back.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use bus::{Bus, Start};
use common::deadletter::v1::EndpointStorm;
use common::topics::STORMS;
use service::clock;

/// Nobody is held back for longer, whatever the record says: anybody who may write to the topic wrote it.
const LONGEST: Duration = Duration::from_secs(3600);
/// Before a topic that cannot be read is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// The endpoints that are held back, each with the end of that.
#[derive(Debug, Default)]
pub(crate) struct Storms {
    held: RwLock<HashMap<String, SystemTime>>,
}

impl Storms {
    /// Takes what was said into account.
    fn apply(&self, storm: EndpointStorm, now: SystemTime) {
        let until = storm.until.and_then(|until| SystemTime::try_from(until).ok());
        let Some(until) = until.map(|until| until.min(now + LONGEST)).filter(|until| *until > now) else { return };
        let mut held = self.held.write().unwrap_or_else(PoisonError::into_inner);
        held.retain(|_, until| *until > now);
        let before = held.get(&storm.endpoint).copied().filter(|until| *until <= now + LONGEST);
        if before.is_none() {
            tracing::warn!(
                endpoint = storm.endpoint,
                ratio = storm.ratio,
                "an endpoint is held back: most of its deliveries cannot be read"
            );
        }
        held.insert(storm.endpoint, before.map_or(until, |before| before.max(until)));
    }

    /// For how long an endpoint is still held back; `None`: it is not.
    pub(crate) fn left(&self, endpoint: &str, now: SystemTime) -> Option<Duration> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        // What would last for longer was said while the clock was ahead, and is over.
        held.get(endpoint)?.duration_since(now).ok().filter(|left| !left.is_zero() && *left <= LONGEST)
    }

    /// The endpoints that are held back, for health.
    pub(crate) fn held(&self, now: SystemTime) -> Vec<String> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = held
            .iter()
            .filter(|(_, until)| **until > now && **until <= now + LONGEST)
            .map(|(name, _)| name.clone())
            .collect();
        names.sort();
        names
    }

    /// Follows the topic until the future is dropped. Waits for a log that is away and for a topic that is not there.
    pub(crate) async fn follow(&self, bus: &Bus) {
        let mut told = false;
        loop {
            if let Err(error) = self.read(bus).await
                && !std::mem::replace(&mut told, true)
            {
                tracing::info!(%error, "topic storms cannot be read, retrying: no endpoint is held back meanwhile");
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn read(&self, bus: &Bus) -> Result<(), bus::Error> {
        // What was said before this is over.
        let start = Start::AtTime((clock::now() - LONGEST).into());
        let mut reader = bus.reader(&[STORMS.name().to_owned()], start).await?;
        loop {
            match reader.next().await?.decode::<EndpointStorm>() {
                Ok(storm) => self.apply(storm, clock::now()),
                Err(error) => tracing::debug!(%error, "undecodable record skipped"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn storm(endpoint: &str, until: SystemTime) -> EndpointStorm {
        EndpointStorm { endpoint: endpoint.into(), until: Some(until.into()), ..EndpointStorm::default() }
    }

    #[test]
    fn an_endpoint_is_held_back_until_the_latest_end_that_was_said() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let at = |seconds| now + Duration::from_secs(seconds);
        let storms = Storms::default();
        assert_eq!(storms.left("a", now), None);
        storms.apply(storm("a", at(60)), now);
        // Another instance, which saw less of it.
        storms.apply(storm("a", at(30)), now);
        assert_eq!(storms.left("a", now), Some(Duration::from_secs(60)));
        assert_eq!(storms.left("b", now), None, "the others are unharmed");
        assert_eq!(storms.held(now), ["a"]);
        assert_eq!(storms.left("a", at(59)), Some(Duration::from_secs(1)));
        // Nobody says that it is over.
        assert_eq!(storms.left("a", at(60)), None);
        assert_eq!(storms.held(at(60)), [""; 0]);
    }

    #[test]
    fn a_clock_that_was_ahead_holds_nobody_back_for_days() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let ahead = now + Duration::from_secs(40 * 24 * 3600);
        let storms = Storms::default();
        storms.apply(storm("a", ahead + Duration::from_secs(60)), ahead);
        assert_eq!(storms.held(ahead), ["a"]);
        // It is set right.
        assert_eq!((storms.left("a", now), storms.held(now)), (None, Vec::new()));
        storms.apply(storm("a", now + Duration::from_secs(30)), now);
        assert_eq!(storms.left("a", now), Some(Duration::from_secs(30)));
    }

    #[test]
    fn nonsense_holds_nobody_back_for_ever() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let storms = Storms::default();
        storms.apply(storm("past", now - Duration::from_secs(1)), now);
        storms.apply(EndpointStorm { endpoint: "none".into(), ..EndpointStorm::default() }, now);
        storms.apply(storm("ages", now + Duration::from_secs(86_400)), now);
        assert_eq!(storms.held(now), ["ages"]);
        assert_eq!(storms.left("ages", now), Some(LONGEST));
    }
}
