//! What a platform says of a subscription, in a type and in a sentence. No token is in either.

use std::fmt;

use common::few::few;
use serde::Serialize;

/// A platform that can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Facebook, Instagram, WhatsApp.
    Meta,
    /// github.com, or a GitHub Enterprise Server.
    GitHub,
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Meta => "Meta",
            Self::GitHub => "GitHub",
        })
    }
}

/// How it is with a subscription, in short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionState {
    /// It is there, and active.
    Present,
    /// It is not there, or not all of it, or leads elsewhere.
    Absent,
    /// It is there and does nothing.
    Inactive,
    /// Nobody knows.
    Unknown,
}

/// What a platform says of the subscription of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlatformAnswer {
    /// It is there, and active.
    Active {
        /// Who says so.
        platform: Platform,
        /// What the platform was last answered; none: it does not say.
        last: Option<LastResponse>,
    },
    /// Pages have no subscription to the app.
    PagesUnsubscribed {
        /// Their ids.
        pages: Vec<String>,
        /// So many were asked.
        asked: usize,
    },
    /// A subscription is there without some of the fields that were configured.
    FieldsMissing {
        /// Of which page; none: of the app.
        page: Option<String>,
        /// These.
        fields: Vec<String>,
    },
    /// The app has no subscription to objects of this kind.
    AppUnsubscribed {
        /// Which kind.
        object: String,
    },
    /// The app has one, and it is not active.
    AppInactive {
        /// To which kind of object.
        object: String,
    },
    /// The platform sends to another URL than the one that was configured.
    OtherUrl {
        /// Which platform.
        platform: Platform,
        /// To this one, without its query.
        url: String,
    },
    /// GitHub has no such hook.
    HookGone,
    /// GitHub has it, and it is not active.
    HookInactive {
        /// What it was last answered; none: it does not say.
        last: Option<LastResponse>,
    },
    /// There are no credentials to ask with.
    NotAsked,
    /// It was asked, and nobody knows all the same.
    Unknown {
        /// Which platform.
        platform: Platform,
        /// Why.
        why: CallFailure,
    },
}

/// What a platform was answered when it last sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LastResponse {
    /// The status; none: there was no answer.
    pub code: Option<u16>,
    /// What the platform says of it.
    pub message: String,
}

impl LastResponse {
    /// Whether what was sent was taken.
    #[must_use]
    pub fn is_success(&self) -> bool {
        self.code.is_some_and(|code| (200..300).contains(&code))
    }
}

impl fmt::Display for LastResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "{code}"),
            None if self.message.is_empty() => f.write_str("none"),
            None => write!(f, "none ({})", self.message),
        }
    }
}

/// Why a call did not do what it was for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CallFailure {
    /// No answer within the time limit. What was asked for may have been done.
    Late {
        /// The limit.
        limit_ms: u64,
    },
    /// Nobody answers there, or not to the end. What was asked for may have been done.
    Unreachable {
        /// Why.
        problem: String,
    },
    /// The token is not valid (any more), or may not do this.
    TokenRefused {
        /// The status.
        status: u16,
        /// What the platform says.
        said: String,
    },
    /// Too many calls.
    RateLimited {
        /// When it is worth another try, in seconds; none: the platform does not say.
        again_after_s: Option<u64>,
    },
    /// It is not there, or the token may not see it.
    NotFound {
        /// What the platform says.
        said: String,
    },
    /// It is at another place, to which nobody follows.
    Moved {
        /// The status.
        status: u16,
    },
    /// Another status that is no success.
    Refused {
        /// The status.
        status: u16,
        /// What the platform says.
        said: String,
    },
    /// The answer is not what the platform documents.
    Unreadable {
        /// Why.
        problem: String,
    },
}

impl CallFailure {
    /// Whether what was asked for may have been done all the same.
    #[must_use]
    pub fn is_unsure(&self) -> bool {
        match self {
            Self::Late { .. } | Self::Unreachable { .. } | Self::Unreadable { .. } => true,
            Self::TokenRefused { .. } | Self::RateLimited { .. } | Self::NotFound { .. } | Self::Moved { .. } => false,
            Self::Refused { status, .. } => *status >= 500,
        }
    }

    /// Whether other calls with the token would fail as well.
    pub(crate) fn is_of_all_calls(&self) -> bool {
        match self {
            Self::Late { .. }
            | Self::Unreachable { .. }
            | Self::TokenRefused { .. }
            | Self::RateLimited { .. }
            | Self::Moved { .. } => true,
            Self::NotFound { .. } | Self::Unreadable { .. } => false,
            Self::Refused { status, .. } => *status >= 500,
        }
    }
}

impl fmt::Display for CallFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = |said: &str| if said.is_empty() { String::new() } else { format!(": {said}") };
        match self {
            Self::Late { limit_ms } => write!(f, "no answer within {} s", *limit_ms as f64 / 1000.0),
            Self::Unreachable { problem } => write!(f, "not reachable: {problem}"),
            Self::TokenRefused { status, said } => write!(f, "the token was refused with {status}{}", colon(said)),
            Self::RateLimited { again_after_s: Some(seconds) } => {
                write!(f, "the rate limit is reached for {seconds} s")
            }
            Self::RateLimited { again_after_s: None } => f.write_str("the rate limit is reached"),
            Self::NotFound { said } => write!(f, "not there, or the token may not see it{}", colon(said)),
            Self::Moved { status } => write!(f, "it has moved ({status}), and redirects are not followed"),
            Self::Refused { status, said } => write!(f, "the answer was {status}{}", colon(said)),
            Self::Unreadable { problem } => write!(f, "the answer cannot be read: {problem}"),
        }
    }
}

impl PlatformAnswer {
    /// In short.
    #[must_use]
    pub fn state(&self) -> SubscriptionState {
        match self {
            Self::Active { .. } => SubscriptionState::Present,
            Self::PagesUnsubscribed { .. }
            | Self::FieldsMissing { .. }
            | Self::AppUnsubscribed { .. }
            | Self::OtherUrl { .. }
            | Self::HookGone => SubscriptionState::Absent,
            Self::AppInactive { .. } | Self::HookInactive { .. } => SubscriptionState::Inactive,
            Self::NotAsked | Self::Unknown { .. } => SubscriptionState::Unknown,
        }
    }

    /// What to do if nothing comes; none: the answer says nothing of that.
    #[must_use]
    pub fn advice(&self) -> Option<&'static str> {
        Some(match self {
            Self::Active { last: Some(last), .. } if !last.is_success() => {
                "The platform sends and is not answered with 2xx: look at what is before the door (DNS, certificate, load \
                 balancer), and at the door's own checks. Then ask for what failed: weir platforms redeliver ENDPOINT."
            }
            Self::Active { .. } => "The platform has it active and nobody sends: look at the sender.",
            Self::PagesUnsubscribed { .. } | Self::FieldsMissing { page: Some(_), .. } => {
                "Subscribe again: weir platforms subscribe ENDPOINT. If it goes again, look who administers the page."
            }
            Self::FieldsMissing { page: None, .. } | Self::AppUnsubscribed { .. } | Self::AppInactive { .. } => {
                "Subscribe the app again, in its dashboard or by POST /{app-id}/subscriptions: docs/meta.md."
            }
            Self::OtherUrl { .. } => "Set the URL of the endpoint at the platform, or correct platforms.endpoints.",
            Self::HookGone => {
                "Create the webhook again on its page at GitHub, with the secret of the endpoint, and write its number into \
                 platforms.endpoints."
            }
            Self::HookInactive { .. } => {
                "Set the webhook active on its page at GitHub. What happened while it was not active is not sent any more. \
                 For what failed before: weir platforms redeliver ENDPOINT."
            }
            Self::NotAsked | Self::Unknown { .. } => return None,
        })
    }
}

impl fmt::Display for PlatformAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = |last: &Option<LastResponse>| {
            last.as_ref().map_or(String::new(), |last| format!(", its last response was {last}"))
        };
        match self {
            Self::Active { platform: Platform::Meta, .. } => f.write_str("Meta has the subscription active"),
            Self::Active { platform: Platform::GitHub, last: of } => write!(f, "GitHub's hook is active{}", last(of)),
            Self::PagesUnsubscribed { pages, asked: 1 } => {
                write!(f, "the page's subscription is gone: page {}", few(pages, ", "))
            }
            Self::PagesUnsubscribed { pages, asked } => {
                let count = pages.len();
                write!(f, "the subscription of {count} of {asked} pages is gone: {}", few(pages, ", "))
            }
            Self::FieldsMissing { page, fields } => {
                let whose = page
                    .as_ref()
                    .map_or("the app's subscription".to_owned(), |page| format!("the subscription of page {page}"));
                write!(f, "{whose} lacks {}", few(fields, ", "))
            }
            Self::AppUnsubscribed { object } => write!(f, "the app has no subscription to {object}"),
            Self::AppInactive { object } => write!(f, "the app's subscription to {object} is inactive"),
            Self::OtherUrl { platform, url } => write!(f, "{platform} sends to another URL: {url}"),
            Self::HookGone => f.write_str("GitHub's hook is gone"),
            Self::HookInactive { last: of } => write!(f, "GitHub's hook is inactive{}", last(of)),
            Self::NotAsked => f.write_str("the platform was not asked: platforms.endpoints has no credentials for it"),
            Self::Unknown { platform, why } => write!(f, "{platform} was asked, without result: {why}"),
        }
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
