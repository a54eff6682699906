//! What can be asked of the platforms that send to us, and done at them.
//!
//! ```text
//! endpoint ─▶ Platforms ─▶ meta, github ─▶ api ─ HTTPS ─▶ the platform
//!                              │  └ failed (pure)
//!                              └─▶ PlatformAnswer · Resubscription · Redelivery
//! ```
//!
//! * [`settings`]: where the subscriptions are, and the credentials
//! * [`answer`]: what a platform says of a subscription, in a type and in a sentence
//! * [`remedy`]: what can be done, and what came of it
//! * `meta`, `github`: the calls of each platform
//! * `failed`: which deliveries GitHub is asked to send again
//! * `api`: one call, with its time limit, its failures, and without the token in what is said of it

pub mod answer;
mod api;
mod failed;
mod github;
mod meta;
pub mod remedy;
pub mod settings;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::timeout;

pub use answer::{CallFailure, LastResponse, Platform, PlatformAnswer, SubscriptionState};
use github::GitHub;
use meta::Meta;
pub use remedy::{
    NoRemedy, PageOutcome, PageResubscription, Redelivery, RedeliveryAttempt, RedeliveryOrder, RedeliveryOutcome,
    RedeliveryStop, Resubscription,
};
pub use settings::{DEFAULTS, PlatformsSettings};

/// The endpoints whose platform can be asked. It does nothing by itself.
#[derive(Debug)]
pub struct Platforms {
    endpoints: BTreeMap<String, Place>,
    limit: Duration,
}

/// Where the subscription of an endpoint is.
#[derive(Debug)]
enum Place {
    Meta(Box<Meta>),
    GitHub(Box<GitHub>),
}

impl Place {
    fn platform(&self) -> Platform {
        match self {
            Self::Meta(_) => Platform::Meta,
            Self::GitHub(_) => Platform::GitHub,
        }
    }
}

impl Platforms {
    /// Those of the settings, which [`validate`](PlatformsSettings::validate) found right. Nobody is asked yet.
    #[must_use]
    pub fn new(settings: &PlatformsSettings) -> Self {
        let place = |one: &settings::PlatformEndpointSettings| {
            let url = one.callback_url.as_ref();
            let meta = one.meta.as_ref().map(|meta| Place::Meta(Box::new(Meta::new(settings, meta, url))));
            let github = || one.github.as_ref().map(|it| Place::GitHub(Box::new(GitHub::new(settings, it, url))));
            Some((one.name.clone(), meta.or_else(github)?))
        };
        Self { endpoints: settings.endpoints.iter().filter_map(place).collect(), limit: settings.timeout() }
    }

    /// The names of the endpoints whose platform can be asked.
    pub fn endpoints(&self) -> impl Iterator<Item = &str> {
        self.endpoints.keys().map(String::as_str)
    }

    /// For one look.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether the subscription of an endpoint is still there. Reads, and changes nothing; answers within the time limit.
    pub async fn check(&self, endpoint: &str) -> PlatformAnswer {
        let Some(place) = self.endpoints.get(endpoint) else { return PlatformAnswer::NotAsked };
        let asking = async {
            match place {
                Place::Meta(meta) => meta.check().await,
                Place::GitHub(github) => github.check().await,
            }
        };
        let limit_ms = u64::try_from(self.limit.as_millis()).unwrap_or(u64::MAX);
        let late = |_| PlatformAnswer::Unknown { platform: place.platform(), why: CallFailure::Late { limit_ms } };
        timeout(self.limit, asking).await.unwrap_or_else(late)
    }

    /// Asks GitHub to send again what failed. Bounded: at most 10 lists of 100 attempts, and as many calls more as the order says.
    /// It ends at the first sign of a rate limit, and asks for no delivery twice.
    ///
    /// # Errors
    /// There is no such remedy for the endpoint. What went wrong at the platform is in the result.
    pub async fn redeliver(&self, endpoint: &str, order: &RedeliveryOrder) -> Result<Redelivery, NoRemedy> {
        match self.place(endpoint)? {
            Place::GitHub(github) => Ok(github.redeliver(order).await),
            other => Err(other_platform(endpoint, other, "sends again by itself for 36 hours")),
        }
    }

    /// Subscribes those pages again that are not subscribed any more, to the fields of the settings. Bounded: at most two calls
    /// for each page, but for lists of apps that are long. It ends at a rate limit.
    ///
    /// # Errors
    /// There is no such remedy for the endpoint. What went wrong at the platform is in the result.
    pub async fn subscribe(&self, endpoint: &str, dry_run: bool) -> Result<Resubscription, NoRemedy> {
        match self.place(endpoint)? {
            Place::Meta(meta) => Ok(meta.subscribe(dry_run).await),
            other => Err(other_platform(endpoint, other, "has no subscriptions of pages: change the hook on its page")),
        }
    }

    fn place(&self, endpoint: &str) -> Result<&Place, NoRemedy> {
        self.endpoints.get(endpoint).ok_or_else(|| NoRemedy::NotConfigured { endpoint: endpoint.to_owned() })
    }
}

fn other_platform(endpoint: &str, place: &Place, why: &'static str) -> NoRemedy {
    NoRemedy::OtherPlatform { endpoint: endpoint.to_owned(), platform: place.platform(), why }
}

#[cfg(test)]
#[path = "peer_tests.rs"]
mod peer;
#[cfg(test)]
#[path = "lib_tests.rs"]
mod tests;
