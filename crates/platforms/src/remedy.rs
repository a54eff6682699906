//! What can be done at a platform, and what came of it: for whoever asked, and for the audit. No token is in it.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::answer::{CallFailure, Platform};

/// What GitHub is to be asked to send again.
#[derive(Debug, Clone, Copy)]
pub struct RedeliveryOrder {
    /// What failed before is left.
    pub since: SystemTime,
    /// So many deliveries, the oldest first. The others are left for the next time.
    pub most: usize,
    /// Between two of them.
    pub pause: Duration,
    /// Nothing is sent.
    pub dry_run: bool,
}

impl RedeliveryOrder {
    /// Fifty at most, one each second: GitHub asks for that pause between calls that change something.
    #[must_use]
    pub fn since(since: SystemTime) -> Self {
        Self { since, most: 50, pause: Duration::from_secs(1), dry_run: false }
    }
}

/// What came of asking GitHub to send again what failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redelivery {
    /// Nothing was sent.
    pub dry_run: bool,
    /// So many attempts of deliveries were looked at.
    pub listed: usize,
    /// Whether these are all since the time that was asked for.
    pub all_listed: bool,
    /// What was asked for, or would be; the oldest first. No GUID is there twice.
    pub attempts: Vec<RedeliveryAttempt>,
    /// So many failed deliveries were not asked for.
    pub left: usize,
    /// Why it ended early.
    pub stopped: Option<RedeliveryStop>,
}

/// One delivery that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RedeliveryAttempt {
    /// GitHub's id of the attempt that failed last.
    pub id: u64,
    /// The delivery: all attempts have it.
    pub guid: String,
    /// What it tells of.
    pub event: String,
    /// When it failed last, as GitHub writes it.
    pub delivered_at: String,
    /// The status that GitHub was answered, or its own for no answer.
    pub status_code: u16,
    /// What came of it.
    pub outcome: RedeliveryOutcome,
}

/// What came of asking for one delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedeliveryOutcome {
    /// A dry run: it was not asked for.
    WouldAsk,
    /// GitHub took it. Whether the delivery comes is seen at the door.
    Asked,
    /// GitHub did not take it, or nobody knows.
    Failed(CallFailure),
}

/// Why no further delivery was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RedeliveryStop {
    /// A call failed in a way that another one would too.
    Failed(CallFailure),
    /// The token has few calls left, and others may need them.
    NearRateLimit {
        /// So many.
        remaining: u64,
        /// When it has more, in seconds.
        again_after_s: Option<u64>,
    },
}

impl Redelivery {
    /// So many deliveries were asked for.
    #[must_use]
    pub fn asked(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.outcome == RedeliveryOutcome::Asked).count()
    }
}

/// What came of subscribing the pages of an endpoint again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Resubscription {
    /// Nothing was changed.
    pub dry_run: bool,
    /// Each page of the settings, in their order.
    pub pages: Vec<PageResubscription>,
}

/// What came of one page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PageResubscription {
    /// Its id.
    pub page: String,
    /// What it is subscribed to afterwards, if that is known.
    pub fields: Vec<String>,
    /// What came of it.
    pub outcome: PageOutcome,
}

/// What came of subscribing a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PageOutcome {
    /// It was subscribed to all of it before: nothing was changed.
    AlreadySubscribed,
    /// A dry run: nothing was changed.
    WouldSubscribe,
    /// Meta took it.
    Subscribed,
    /// It was not looked at, or not subscribed, or nobody knows.
    Failed(CallFailure),
    /// A call before failed in a way that this one would too.
    NotTried,
}

/// A remedy that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoRemedy {
    /// There are no credentials.
    #[error("platforms.endpoints has no {endpoint:?}: name the endpoint there, with its token")]
    NotConfigured {
        /// Of this endpoint.
        endpoint: String,
    },
    /// The platform offers no such thing.
    #[error("{endpoint:?} is at {platform}, which {why}")]
    OtherPlatform {
        /// This endpoint's platform.
        endpoint: String,
        /// Is this one.
        platform: Platform,
        /// In a few words.
        why: &'static str,
    },
}
