//! What all requests share: the endpoints, the log, and what limits them.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::SystemTime;

use service::{HopCounts, clock};
use tokio_util::task::TaskTracker;

use crate::answer::{Allow, Answer, Refusal};
use crate::body::Budget;
use crate::catch_up::CatchUp;
use crate::endpoints::{Endpoint, Endpoints};
use crate::limit::Lane;
use crate::settings::StreamingSettings;
use crate::storms::Storms;

/// What every request needs.
pub(crate) struct Door {
    pub(crate) settings: StreamingSettings,
    pub(crate) endpoints: Endpoints,
    pub(crate) registrations: bus::TableHandle,
    pub(crate) catch_up: CatchUp,
    pub(crate) producer: bus::Producer,
    pub(crate) storms: Storms,
    pub(crate) budget: Budget,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) counts: HopCounts,
    pub(crate) tasks: TaskTracker,
    /// What the listener is asked, and what never becomes a request.
    pub(crate) watch: service::http::Watch,
}

impl Door {
    /// The endpoint of that name, which may have been registered a moment ago.
    pub(crate) async fn endpoint(&self, name: &str) -> Result<Arc<Endpoint>, Refusal> {
        match self.endpoints.lookup(name, self.registrations.is_read()) {
            Err(refusal) if refusal.may_be_outdated() => self.newer(name).await,
            found => found,
        }
    }

    /// The endpoint of that name by all that stands on the topic now.
    async fn newer(&self, name: &str) -> Result<Arc<Endpoint>, Refusal> {
        if !self.catch_up.wait().await {
            return Err(Refusal::RegistrationsBehind);
        }
        self.endpoints.lookup(name, true)
    }

    /// Does something with an endpoint, and if that fails, once more with a newer one: its secrets may have been
    /// rotated a moment ago. Gives the one with which it succeeded.
    pub(crate) async fn twice<T>(
        &self,
        endpoint: &Arc<Endpoint>,
        attempt: impl Fn(&Endpoint) -> Result<T, Refusal>,
    ) -> Result<(Arc<Endpoint>, T), Refusal> {
        match attempt(endpoint) {
            Ok(done) => Ok((Arc::clone(endpoint), done)),
            Err(refusal) if refusal.may_be_outdated() && !endpoint.fixed => {
                let newer = self.newer(&endpoint.name).await?;
                if Arc::ptr_eq(&newer, endpoint) {
                    return Err(refusal);
                }
                let done = attempt(&newer)?;
                Ok((newer, done))
            }
            Err(refusal) => Err(refusal),
        }
    }

    /// The answer to a handshake with the endpoint of that name.
    pub(crate) async fn handshake(&self, name: &str, query: &str) -> Result<(Arc<Endpoint>, Answer), Refusal> {
        let endpoint = self.endpoint(name).await?;
        let challenge = self
            .twice(&endpoint, |endpoint| {
                endpoint.handshake(query, clock::now()).unwrap_or(Err(Refusal::Method(Allow::Post)))
            })
            .await;
        Ok((endpoint, challenge.map_or_else(Answer::from, |(_, text)| Answer::Challenge(text))))
    }

    /// The lane of a delivery. What is held back, because it cannot be read, is treated as what comes too fast.
    pub(crate) fn lane(&self, endpoint: &Endpoint, now: SystemTime) -> Result<Lane, Refusal> {
        match self.storms.left(&endpoint.name, now) {
            None => endpoint.lane(),
            Some(_) if !endpoint.source.traits().retries => Ok(Lane::Bulk),
            // At most an hour.
            Some(left) => Err(Refusal::Storm(u32::try_from(left.as_secs()).unwrap_or(u32::MAX).saturating_add(1))),
        }
    }

    /// Counts a delivery that was refused before there was one to be taken in.
    pub(crate) fn refused(&self, endpoint: &str, refusal: Refusal) {
        drop(self.counts.take(endpoint, Some(&clock::timestamp()), 1, refusal.reason()));
    }
}
